import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { api, Device } from './device'
import { look, onlyFrom, signIn } from './pages'
import { end, password, programs, run, start } from './programs'

// A hub of these stories' own: what is critical is said on every page of it.
let hub: ChildProcess
let here: { hub: string; hubToken: string; mqtt: string }

test.beforeAll(async () => {
  const { dir } = programs()
  const data = join(dir, 'trust')
  const [child, at] = await start('obedio-hub', join(dir, 'trust.json'), [
    'serve', '--data', data, '--site', 'yacht-5', '--site-name', 'M/Y Verity', '--mqtt', '127.0.0.1:0', '--mqtts', '', '--mqtt-ws', '', '--https', '', '--http', '127.0.0.1:0',
    '--alert-every', '300ms', '--self-test-every=-1s',
  ])
  hub = child
  run('obedio-hub', ['setup', '--data', data], JSON.stringify({ username: 'captain', password }))
  const { token } = JSON.parse(run('obedio-hub', ['token', 'create', '--data', data, '--name', 'browser', '--role', 'admin', '--json'])) as { token: string }
  here = { hub: `http://${at.http}`, hubToken: token, mqtt: at.mqtt! }
})

test.afterAll(() => end(hub))

test.beforeEach(async ({ page, context }) => {
  await onlyFrom(context, here.hub)
  await signIn(page, here.hub, 'captain')
})

test('a test call that no watch answers is red at once, is silenced, seen, and over when one answers', async ({ page }) => {
  const deaf = await Device.add('watch-501', 'watch', 'bridge', true, here)
  await deaf.end()
  await page.goto(`${here.hub}/mqtt/trust`)
  const item = page.locator('[data-item="self_test"]')
  await expect(item).toHaveAttribute('data-state', 'unknown')
  const bell = page.getByTestId('bell')
  await expect(bell).toHaveAttribute('data-count', '0')

  const alertLists: string[] = []
  page.on('request', (r) => /\/api\/v1\/alerts\?/.test(r.url()) && alertLists.push(r.url()))
  await page.getByRole('button', { name: 'Try now' }).click()
  await expect(page.getByTestId('zone')).toHaveAttribute('data-ok', 'false')
  await expect(item).toHaveAttribute('data-state', 'bad')
  await expect(page.getByTestId('trust')).toHaveAttribute('data-state', 'bad')
  await expect(bell).toHaveAttribute('data-count', '1')
  await expect(page.getByRole('region', { name: 'Messages' }).getByText(/A test call was not answered/)).toBeVisible()
  await look(page, 'hub-trust-bad')

  await bell.click()
  const alert = page.locator('[data-kind="self_test_failed"]')
  await expect(alert).toHaveAttribute('data-severity', 'critical')
  await look(page, 'hub-alerts')
  await alert.getByRole('button', { name: /^Silence/ }).click()
  const silence = page.getByTestId('silence')
  await silence.getByText('8 hours').click()
  await look(page, 'hub-alert-silence')
  await silence.getByRole('button', { name: 'Silence' }).click()
  await expect(alert).toHaveAttribute('data-state', 'silenced')
  await expect(bell).toHaveAttribute('data-count', '0')
  await alert.getByRole('button', { name: /^I have seen it/ }).click()
  await expect(alert).toHaveAttribute('data-state', 'acknowledged')
  await expect(alert).toContainText('Seen by captain')

  await api(here.hub, here.hubToken, 'DELETE', '/api/v1/devices/watch-501').catch(() => undefined)
  const watch = await Device.add('watch-502', 'watch', 'bridge', true, here)
  await expect.poll(async () => (await api<{ zones: { ok: boolean }[] }>(here.hub, here.hubToken, 'POST', '/api/v1/system/self-test')).zones.every((z) => z.ok)).toBe(true)
  await expect(alert).toHaveCount(0)
  await expect(page.getByText('All is well')).toBeVisible()
  // The list was never read again: events said it all.
  expect(alertLists).toEqual([])
  await page.getByRole('tab', { name: 'History' }).click()
  await expect(alert).toHaveAttribute('data-state', 'cleared')
  await look(page, 'hub-alerts-history')
  await page.goto(`${here.hub}/mqtt/trust`)
  await expect(item).toHaveAttribute('data-state', 'ok')
  await watch.end()
})

test('a backup is made, taken along and removed, and the support bundle is one file', async ({ page }) => {
  await page.goto(`${here.hub}/mqtt/trust`)
  await expect(page.locator('[data-item="backups"]')).toHaveAttribute('data-state', 'warn')
  await page.getByRole('button', { name: 'Make a backup' }).click()
  const form = page.getByTestId('make-backup')
  await form.getByLabel('Passphrase', { exact: true }).last().fill('correct horse')
  await form.getByLabel('Once more').fill('correct hors')
  await form.getByRole('button', { name: 'Make a backup' }).click()
  await expect(form.getByText('The two are not the same.')).toBeVisible()
  await look(page, 'hub-backup-make')
  await form.getByLabel('Once more').fill('correct horse')
  await form.getByRole('button', { name: 'Make a backup' }).click()
  const kept = page.getByTestId('backup')
  await expect(kept).toContainText('encrypted')
  await expect(page.locator('[data-item="backups"]')).toHaveAttribute('data-state', 'ok')
  const saved = page.waitForEvent('download')
  await kept.getByRole('link', { name: /^Download/ }).click()
  expect(readFileSync(await (await saved).path()).subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  await kept.getByRole('button', { name: /^Remove/ }).click()
  await page.getByTestId('remove-backup').getByRole('button', { name: 'Remove' }).click()
  await expect(kept).toHaveCount(0)
  const bundle = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download the support bundle' }).click()
  expect(readFileSync(await (await bundle).path()).subarray(0, 2).toString()).toBe('PK')
})

test('a rule tells a webhook, and what became of it is seen', async ({ page }) => {
  const heard: string[] = []
  const outside = createServer((request, answer) => {
    request.on('data', (b: Buffer) => heard.push(b.toString()))
    request.on('end', () => answer.writeHead(204).end())
  })
  await new Promise<void>((r) => outside.listen(0, '127.0.0.1', r))
  try {
    await page.goto(`${here.hub}/mqtt/settings?tab=notifications`)
    await page.getByRole('button', { name: 'New rule' }).click()
    const form = page.getByTestId('document')
    await form.getByLabel('Name', { exact: true }).fill('bridge')
    await form.getByText('Alarm, until seen').click()
    await form.getByLabel('Webhook').fill(`http://127.0.0.1:${(outside.address() as AddressInfo).port}/hook`)
    await form.getByText('Quiet hours').click()
    await look(page, 'hub-rule')
    await form.getByRole('button', { name: 'Save' }).click()
    const rule = page.locator('[data-rule="bridge"]')
    await expect(rule).toContainText('quiet 22:00–07:00')
    await rule.getByRole('button', { name: 'Test bridge' }).click()
    await expect(page.locator('[data-delivery="delivered"]')).toContainText('Test · Webhook · 127.0.0.1')
    expect(heard.join('')).toContain('"test"')
    await look(page, 'hub-notifications')
  } finally {
    outside.close()
  }
})

test('what presses mean and who is told is changed, with a preview in plain words; a drill begins and ends', async ({ page }) => {
  await page.goto(`${here.hub}/mqtt/settings?tab=calls`)
  const normal = page.getByTestId('escalations').locator('[data-priority="normal"]')
  await expect(normal).toContainText('of the program')
  await normal.getByRole('button', { name: 'Change Calls: Normal' }).click()
  const form = page.getByTestId('document')
  await form.getByLabel('Step 2: after (s)').fill('30')
  await expect(form.getByTestId('preview')).toContainText('If nobody has taken it after 30 s: their backup, too.')
  await look(page, 'hub-escalation')

  // Somebody else is faster: both are seen, and a person decides.
  const now = await api<{ etag: string }>(here.hub, here.hubToken, 'GET', '/api/v1/escalations/normal')
  const theirs = await fetch(`${here.hub}/api/v1/escalations/normal`, {
    method: 'PUT', headers: { Authorization: `Bearer ${here.hubToken}`, 'Content-Type': 'application/json', 'If-Match': now.etag },
    body: JSON.stringify({ levels: [{ to: 'all', after_s: 0 }], ring_every_s: 20, missed_after_s: 0, late_max_s: 0 }),
  })
  expect(theirs.status).toBe(200)
  await form.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByTestId('clash')).toContainText('At once everybody, again every 20 s.')
  await look(page, 'hub-escalation-clash')
  await page.getByRole('button', { name: 'Save mine over it' }).click()
  await expect(form).toHaveCount(0)
  await expect(normal).toContainText('after 30 s: their backup, too.')

  const presses = page.getByTestId('press-profiles').locator('[data-profile="default"]')
  await presses.getByRole('button', { name: 'Change default' }).click()
  await form.getByRole('group', { name: 'Shaken' }).getByLabel('Priority').selectOption({ label: 'Nothing' })
  await look(page, 'hub-press-profile')
  await form.getByRole('button', { name: 'Save' }).click()
  await expect(presses).toContainText('Nothing')

  const drill = page.getByTestId('drill-card')
  await drill.getByRole('button', { name: 'Begin a drill' }).click()
  await expect(drill.getByText('A drill is under way')).toBeVisible()
  expect((await api<{ active: boolean }>(here.hub, here.hubToken, 'GET', '/api/v1/drill')).active).toBe(true)
  await drill.getByRole('button', { name: 'End the drill' }).click()
  await expect(drill.getByText('No drill')).toBeVisible()

  await page.goto(`${here.hub}/mqtt/about`)
  await page.getByLabel('Find a library').fill('pebble')
  await page.locator('[data-library="github.com/cockroachdb/pebble/v2"]').getByText('github.com/cockroachdb/pebble/v2').click()
  await expect(page.locator('pre').first()).toContainText('Redistribution')
})
