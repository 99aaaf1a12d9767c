import { readFileSync } from 'node:fs'
import { expect, test, type Page } from '@playwright/test'
import { api, Device } from './device'
import { desktop, look, onlyFrom, phone, reflows, screens, signIn } from './pages'
import { programs } from './programs'

test.beforeEach(async ({ context }) => onlyFrom(context, programs().hub))

/** A device that connects as another one does, but answers nothing and hears nothing. */
const absent = (id: string, room: string): Promise<unknown> =>
  api(programs().hub, programs().hubToken, 'POST', '/api/v1/devices', { device_id: id, type: 'watch', room })

test('devices are filtered, chosen and commanded together; the job tells of each, is tried again and cancelled', async ({ page }) => {
  const { hub } = programs()
  const watches = await Promise.all([Device.add('watch-601', 'watch', 'salon'), Device.add('watch-602', 'watch', 'salon')])
  await absent('watch-603', 'salon')
  await watches[0]!.status({ battery: 12, signal: -50 })
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/devices`)
  await page.getByRole('button', { name: 'What can be typed' }).click()
  await expect(page.getByTestId('filter-help')).toBeVisible()
  await look(page, 'hub-devices-help')
  await page.getByTestId('filter-help').getByRole('button', { name: 'room:cabin-1*' }).click()
  await page.getByRole('searchbox').fill('room:salon type:watch')
  await expect(page.getByTestId('device-count')).toContainText(/^3 (of \d+ )?devices/)
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'CSV' }).click()
  const csv = readFileSync(await (await saved).path(), 'utf8').trim().split('\r\n')
  expect(csv.map((l) => l.split(',')[0])).toEqual(['device_id', 'watch-601', 'watch-602', 'watch-603'])

  await page.getByRole('button', { name: 'Choose devices' }).click()
  await page.getByRole('checkbox', { name: 'Choose watch-601' }).check()
  await expect(page.getByTestId('selection')).toContainText('1 chosen')
  await look(page, 'hub-devices-chosen')
  await page.getByRole('button', { name: 'Table' }).click()
  await expect(page.getByRole('checkbox', { name: 'Choose watch-601' })).toBeChecked()
  await page.getByRole('checkbox', { name: 'All 3 shown' }).check()
  await expect(page.getByTestId('selection')).toContainText('3 chosen')
  await look(page, 'hub-devices-table')
  await page.getByTestId('selection').getByRole('button', { name: 'Send a command' }).click()
  const dialog = page.getByTestId('send-command')
  await dialog.getByRole('button', { name: 'locate' }).click()
  await dialog.getByRole('button', { name: 'Review' }).click()
  await expect(dialog).toContainText('Send locate to 3 devices?')
  await look(page, 'hub-bulk-review')
  await dialog.getByRole('button', { name: 'Send to 3 devices' }).click()

  await expect(page).toHaveURL(/\/mqtt\/jobs\/.+/)
  const results = page.getByTestId('job-results')
  for (const id of ['watch-601', 'watch-602']) await expect(results.locator(`[data-device-id="${id}"]`)).toHaveAttribute('data-state', 'succeeded')
  await expect(page.getByTestId('job')).toContainText('2 of 3 have ended')
  await look(page, 'hub-job')
  await reflows(page)
  await page.getByRole('button', { name: 'Cancel what has not arrived' }).click()
  await page.getByTestId('cancel-job').getByRole('button', { name: 'Cancel it' }).click()
  await expect(results.locator('[data-device-id="watch-603"]')).toHaveAttribute('data-state', 'cancelled')
  await expect(page.getByTestId('job')).toHaveAttribute('data-done', 'true')
  await page.getByTestId('results').getByRole('button', { name: 'Cancelled' }).click()
  await expect(results.locator('[data-device-id]')).toHaveCount(1)

  // What a device refuses is tried again by a job of its own.
  await Promise.all(watches.map((w) => w.end()))
  const job = await api<{ job_id: string }>(hub, programs().hubToken, 'POST', '/api/v1/devices/bulk/command', { device_ids: ['watch-601', 'watch-603'], name: 'locate', ttl_ms: 1 })
  await page.goto(`${hub}/mqtt/jobs`)
  await page.locator(`[data-job-id="${job.job_id}"]`).click()
  await page.getByRole('button', { name: 'Try 2 again' }).click()
  await expect(page.getByRole('link', { name: 'the job before' })).toBeVisible()
  await page.getByRole('link', { name: 'All jobs' }).click()
  await expect(page.getByTestId('jobs').getByRole('listitem')).toHaveCount(3)
  await look(page, 'hub-jobs')
})

test('a device is edited, moved, configured and followed on its page, and retired by typing its id', async ({ page }) => {
  const { hub, hubToken } = programs()
  await api(hub, hubToken, 'POST', '/api/v1/press-profiles', { name: 'bar', types: { single: { priority: 'normal' } } })
  const button = await Device.add('btn-611', 'button', 'salon')
  for (let i = 0; i < 4; i++) await button.status({ battery: 80 - i, signal: -50 - i })
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/devices/btn-611`)
  await expect(page.getByTestId('device')).toContainText('77%')
  await expect(page.getByTestId('device-messages').getByTestId('traffic-row')).toHaveCount(4)
  await button.status({ battery: 76 })
  await expect(page.getByTestId('device-messages').getByTestId('traffic-row')).toHaveCount(5)

  await page.getByRole('button', { name: 'Edit' }).click()
  const edit = page.getByTestId('edit-device')
  await edit.getByLabel('Name', { exact: true }).fill('Bar button')
  await edit.getByLabel('Tags').fill('spare, deck')
  await edit.getByLabel('What its presses mean').selectOption('bar')
  await edit.getByLabel('Where is it?').selectOption({ label: 'A new room …' })
  await edit.getByLabel('Name of the new room').fill('Sun deck')
  await edit.getByRole('button', { name: 'Add a line' }).click()
  await edit.getByLabel('Name of the entry').fill('serial')
  await edit.getByLabel('serial: Value').fill('007')
  await look(page, 'hub-device-edit')
  await edit.getByRole('button', { name: 'Save' }).click()
  await expect(edit).toHaveCount(0)
  await expect(page.getByRole('heading', { name: 'Sun deck' })).toBeVisible()
  const changed = await api<{ room: string; tags: string[]; press_profile: string; metadata: object }>(hub, hubToken, 'GET', '/api/v1/devices/btn-611')
  expect([changed.room, changed.tags, changed.press_profile, changed.metadata]).toEqual(['sun-deck', ['spare', 'deck'], 'bar', { serial: '007' }])

  const configuration = page.getByTestId('configuration')
  await expect(page.getByTestId('configuration-state')).toHaveAttribute('data-state', 'none')
  await configuration.getByRole('button', { name: 'Add a line' }).click()
  await configuration.getByLabel('Name of the setting').fill('heartbeat_s')
  await configuration.getByLabel('heartbeat_s: Value').fill('60')
  await configuration.getByRole('button', { name: 'Save and tell the device' }).click()
  await expect(page.getByTestId('configuration-state')).toHaveAttribute('data-state', 'in_sync')
  expect((await api<{ settings: object }>(hub, hubToken, 'GET', '/api/v1/devices/btn-611/configuration')).settings).toEqual({ heartbeat_s: 60 })

  await page.getByTestId('acl-test').getByRole('button', { name: 'Ask the hub' }).click()
  await expect(page.getByTestId('acl-answer')).toHaveAttribute('data-allowed', 'true')
  await page.reload() // the trend is read when the page opens
  await expect(page.getByTestId('trend-chart').locator('canvas')).toBeVisible()
  await look(page, 'hub-device-whole')
  await picture(page, 'hub-device-whole')
  await page.getByTestId('trend').getByRole('button', { name: 'Table' }).click()
  await expect(page.getByTestId('measures').getByRole('row').nth(1)).toContainText('76%')
  await reflows(page)

  await page.getByRole('button', { name: 'Retire' }).click()
  const retire = page.getByTestId('retire-device')
  await expect(retire.getByRole('button', { name: 'Retire it' })).toBeDisabled()
  await retire.getByLabel('Type btn-611 to confirm').fill('btn-611')
  await look(page, 'hub-device-retire')
  await retire.getByRole('button', { name: 'Retire it' }).click()
  await expect(page).toHaveURL(/\/mqtt\/devices$/)
  await expect.poll(() => button.connected).toBe(false)
  await expect(page.locator('[data-device-id="btn-611"]')).toHaveCount(0)
})

/** The whole page, which is longer than a screen. */
async function picture(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of Object.entries({ phone, desktop })) {
    await page.setViewportSize(viewport)
    await page.screenshot({ path: `${screens}/${name}-${size}-all.png`, fullPage: true, animations: 'disabled' })
  }
}
