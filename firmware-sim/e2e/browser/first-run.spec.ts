import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { look, onlyFrom, signIn } from './pages'
import { bin, end, password, programs, run, start } from './programs'

test('a new hub is made ready in the browser: administrator, clock, certificate, console', async ({ page, context }) => {
  const { dir } = programs()
  const data = join(dir, 'fresh')
  let said = ''
  const [hub, at] = await start('obedio-hub', join(dir, 'fresh.json'), [
    'serve', '--data', data, '--site', 'yacht-9', '--site-name', 'M/Y Nova', '--mqtt', '127.0.0.1:0', '--mqtts', '127.0.0.1:0', '--mqtt-ws', '127.0.0.1:0', '--https', '127.0.0.1:0',
    '--http', '127.0.0.1:0', '--uplink-state-every', '500ms', '--uplink-retry-first', '300ms', '--uplink-retry-most', '1s',
  ], (text) => (said += text))
  try {
    const base = `http://${at.http}`
    await onlyFrom(context, base)
    await page.goto(base)
    await expect(page.getByTestId('first-run')).toBeVisible()
    await look(page, 'hub-first-run')
    await page.getByLabel('Setup code').fill(/setup code (\S+)/.exec(said)![1]!)
    await page.getByLabel('User name').fill('captain')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByLabel('Password again').fill(password)
    await page.getByRole('button', { name: 'Make the administrator' }).click()

    await expect(page.getByTestId('welcome')).toBeVisible()
    await expect(page.getByTestId('clock')).toContainText(/time server|own clock|confirmed/)
    await expect(page.getByRole('img', { name: 'QR code with the address of the certificate' })).toBeVisible()
    await look(page, 'hub-welcome')
    await page.getByRole('button', { name: 'Take the time of this device' }).click()
    await expect(page.getByText('The hub has the time')).toBeVisible()

    const site = page.getByTestId('site-card')
    await site.getByLabel('Name').fill('M/Y Nova II')
    await site.getByLabel('Time zone').fill('Europe/Nowhere')
    await site.getByRole('button', { name: 'Save' }).click()
    await expect(site.getByText(/time_zone "Europe\/Nowhere" is not known here/)).toBeVisible()
    await site.getByLabel('Time zone').fill('Europe/Zagreb')
    await site.getByRole('button', { name: 'Save' }).click()
    await expect(page.getByRole('banner')).toContainText('M/Y Nova II')
    await expect(page.getByTestId('clock')).toContainText(/CES?T|GMT\+[12]/)

    // A claim file for another site is refused before it is sent.
    const console = join(dir, 'console')
    const claim = (site: string): Buffer => {
      run('obedio-console', ['site', 'add', site, '--name', site, '--data', console, '--json'])
      return Buffer.from(run('obedio-console', ['site', 'claim', site, '--data', console]))
    }
    const file = page.getByLabel(/Choose (the claim|another) file/)
    await file.setInputFiles({ name: 'claim.json', mimeType: 'application/json', buffer: claim('yacht-8') })
    await expect(page.getByText('The file is for yacht-8')).toBeVisible()
    await file.setInputFiles({ name: 'claim.json', mimeType: 'application/json', buffer: claim('yacht-9') })
    await page.getByRole('button', { name: 'Join this console' }).click()
    await expect(page.getByTestId('shore-link')).toHaveAttribute('data-state', 'online')
    await page.getByRole('link', { name: 'Add the first device' }).click()
    await expect(page.getByTestId('new-device')).toBeVisible()
  } finally {
    await end(hub)
  }
})

test('settings show the clock, the certificate and the console', async ({ page, context }) => {
  const { hub } = programs()
  await onlyFrom(context, hub)
  await signIn(page, hub, 'captain')
  await page.getByRole('link', { name: 'Settings' }).click()
  await expect(page.getByTestId('clock')).toContainText('UTC')
  await expect(page.getByTestId('console')).toContainText('http')
  await look(page, 'hub-settings')
  const saved = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download the certificate' }).click()
  expect((await saved).suggestedFilename()).toBe('obedio-yacht-1.crt')
})

test('from nothing and offline to a call of a button that joined by its QR code, which a console changes nothing about', async ({ page, context }) => {
  const { dir } = programs()
  const data = join(dir, 'nothing')
  let said = ''
  const [hub, at] = await start('obedio-hub', join(dir, 'nothing.json'), [
    'serve', '--data', data, '--site', 'yacht-7', '--mqtt', '', '--mqtts', '127.0.0.1:0', '--mqtt-ws', '', '--https', '127.0.0.1:0',
    '--http', '127.0.0.1:0', '--uplink-state-every', '500ms', '--uplink-retry-first', '300ms', '--uplink-retry-most', '1s',
  ], (text) => (said += text))
  let button: ChildProcess | undefined
  try {
    const base = `http://${at.http}`
    await onlyFrom(context, base)
    await page.goto(base)
    await page.getByLabel('Setup code').fill(/setup code (\S+)/.exec(said)![1]!)
    await page.getByLabel('User name').fill('captain')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByLabel('Password again').fill(password)
    await page.getByRole('button', { name: 'Make the administrator' }).click()
    await page.getByRole('link', { name: 'Add the first device' }).click()
    await page.getByLabel(/Where is it\?|Name of the new room/).first().waitFor()
    if ((await page.getByLabel('Where is it?').count()) > 0) await page.getByLabel('Where is it?').selectOption({ label: 'A new room …' })
    await page.getByLabel('Name of the new room').fill('Cabin 101')
    const answered = page.waitForResponse((r) => r.url().endsWith('/provision/tokens') && r.request().method() === 'POST')
    await page.getByRole('button', { name: 'Show the code' }).click()
    const { payload } = (await (await answered).json()) as { payload: unknown }

    // The simulator reads what the QR code says.
    const qr = join(dir, 'qr.json')
    writeFileSync(qr, JSON.stringify(payload), { mode: 0o600 })
    button = spawn(join(bin, 'obedio-sim'), ['device', qr, '--presses', '40', '--pause', '1s'], { stdio: 'ignore' })
    await expect(page.getByTestId('joining')).toHaveAttribute('data-state', 'used')
    await expect(page.getByTestId('joining')).toHaveAttribute('data-ready', 'true')
    await page.getByRole('link', { name: /Calls/ }).click()
    await expect(page.getByTestId('call')).toContainText('Cabin 101')

    // Then the console appears.
    const shore = join(dir, 'console')
    run('obedio-console', ['site', 'add', 'yacht-7', '--name', 'yacht-7', '--data', shore, '--json'])
    writeFileSync(join(dir, 'claim-7.json'), run('obedio-console', ['site', 'claim', 'yacht-7', '--data', shore]))
    run('obedio-hub', ['enroll', '--data', data, '--claim', join(dir, 'claim-7.json')])
    await expect(page.getByTestId('shore-link')).toHaveAttribute('data-state', 'online')
    const certificates = (): string => run('obedio-hub', ['cert', 'list', 'kind:device', '--data', data, '--json'])
    const before = certificates()
    const times = async (): Promise<number> => Number(/×\s?(\d+)/.exec((await page.getByTestId('call').textContent()) ?? '')?.[1] ?? 1)
    const pressed = await times()
    await expect.poll(times, 'it goes on pressing').toBeGreaterThan(pressed + 1)
    expect(certificates()).toBe(before)
  } finally {
    if (button) await end(button)
    await end(hub)
  }
})
