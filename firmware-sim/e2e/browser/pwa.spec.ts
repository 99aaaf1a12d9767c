import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { chromium, expect, test, type Page } from '@playwright/test'
import { api, Device } from './device'
import { look, signIn, signInByForm } from './pages'
import { end, password, programs, run, start } from './programs'

interface Call {
  request_id: string
  room: string
  state: string
  version: number
}

const controlled = (page: Page): Promise<unknown> => page.waitForFunction(() => navigator.serviceWorker.controller !== null)

test.describe('without the hub', () => {
  test.use({ serviceWorkers: 'allow' })

  test('the page opens, three actions are queued and one revoked; the others are sent once, and an old command asks again', async ({ page }) => {
    const { dir } = programs()
    const data = join(dir, 'away')
    const serve = (http: string, mqtt: string): Parameters<typeof start> => ['obedio-hub', join(dir, 'away.json'), [
      'serve', '--data', data, '--site', 'yacht-6', '--site-name', 'M/Y Away', '--mqtt', mqtt, '--mqtts', '', '--mqtt-ws', '', '--https', '', '--http', http,
    ]]
    let [hub, at] = await start(...serve('127.0.0.1:0', '127.0.0.1:0'))
    const devices: Device[] = []
    try {
      const base = `http://${at.http}`
      run('obedio-hub', ['setup', '--data', data], JSON.stringify({ username: 'captain', password }))
      const { token } = JSON.parse(run('obedio-hub', ['token', 'create', '--data', data, '--name', 'browser', '--role', 'admin', '--json'])) as { token: string }
      const here = { hub: base, hubToken: token, mqtt: at.mqtt! }
      const calls = async (): Promise<Record<string, Call>> =>
        Object.fromEntries((await api<{ items: Call[] }>(base, token, 'GET', '/api/v1/requests')).items.map((r) => [r.room, r]))
      for (const n of [1, 2, 3]) devices.push(await Device.add(`btn-${n}`, 'button', `cabin-${n}`, false, here))
      devices.push(await Device.add('watch-1', 'watch', 'bridge', true, here))
      for (const button of devices.slice(0, 3)) await button.press()

      await page.clock.install()
      await signIn(page, base, 'captain')
      await expect(page.getByTestId('call')).toHaveCount(3)
      await controlled(page)
      // From here on the worker sees what pages begin with.
      await page.reload()
      await expect(page.getByTestId('call')).toHaveCount(3)
      await end(hub)

      await page.reload()
      await expect(page.getByTestId('call')).toHaveCount(3)
      await expect(page.getByTestId('view-offline')).toContainText('Values as of')
      await page.getByRole('button', { name: 'I’m going to Cabin 1' }).click()
      await page.getByRole('button', { name: 'I’m going to Cabin 2' }).click()
      await page.getByRole('button', { name: 'Cancel the call from Cabin 3' }).click()
      await page.getByTestId('cancel-call').getByRole('button', { name: 'Cancel the call' }).click()
      const badge = page.getByTestId('queue-badge')
      await expect(badge).toHaveText('3 waiting')
      await look(page, 'hub-offline')
      await badge.click()
      const panel = page.getByTestId('queue')
      await expect(panel.getByTestId('queued-action')).toHaveCount(3)
      await look(page, 'hub-queue')
      await panel.getByRole('button', { name: 'Take back: I’m going, Cabin 2' }).click()
      await expect(panel.getByTestId('queued-action')).toHaveCount(2)
      await page.keyboard.press('Escape')

      await page.getByRole('link', { name: 'Devices', exact: true }).click()
      await page.getByTestId('device-grid').locator('[data-device-id="watch-1"]').click()
      await page.getByRole('button', { name: 'Send a command' }).click()
      const form = page.getByTestId('send-command')
      await form.getByLabel('Command').fill('locate')
      await form.getByRole('button', { name: 'Send', exact: true }).click()
      await expect(badge).toHaveText('3 waiting')
      await page.clock.fastForward(31_000)

      ;[hub, at] = await start(...serve(at.http!, at.mqtt!))
      await page.clock.fastForward(20_000)
      await expect(badge).toHaveText('1 to look at')
      await page.getByRole('link', { name: /^Calls/ }).click()
      await expect(page.getByTestId('call')).toHaveCount(2)
      await expect(page.getByTestId('call').filter({ hasText: 'Cabin 1' })).toContainText('With you')
      expect(await calls()).toMatchObject({
        'cabin-1': { state: 'accepted', version: 2 }, 'cabin-2': { state: 'open', version: 1 }, 'cabin-3': { state: 'cancelled', version: 2 },
      })
      const commands = async (): Promise<{ name: string; state: string }[]> => (await api<{ items: { name: string; state: string }[] }>(base, token, 'GET', '/api/v1/commands?device_id=watch-1')).items
      expect(await commands()).toEqual([])
      await badge.click()
      await expect(panel.getByTestId('queued-action')).toHaveAttribute('data-state', 'asking')
      await look(page, 'hub-queue-asking')
      await expect.poll(() => devices[3]!.connected).toBe(true)
      await panel.getByRole('button', { name: /^Send now/ }).click()
      await expect(panel).toContainText('Nothing waits')
      await expect.poll(commands).toMatchObject([{ name: 'locate', state: 'succeeded' }])
    } finally {
      await Promise.all(devices.map((d) => d.end()))
      await end(hub)
    }
  })
})

/** The SHA-256 of the public key that a server shows, as the browser's flag wants it. */
function keyHash(address: string): Promise<string> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const spki = socket.getPeerX509Certificate()!.publicKey.export({ type: 'spki', format: 'der' })
      socket.end()
      resolve(createHash('sha256').update(spki).digest('base64'))
    })
    socket.on('error', reject)
  })
}

test('the app can be installed with a trusted certificate only, and Settings say so', async ({}, info) => { // the page is another browser's
  const { https, hub } = programs()
  const { launchOptions, locale } = info.project.use
  const settings = async (page: Page, base: string): Promise<void> => {
    await signInByForm(page, base, 'captain')
    await page.goto(`${base}/mqtt/settings`)
  }
  const trusting = await chromium.launch({
    ...launchOptions, args: [...(launchOptions?.args ?? []), `--ignore-certificate-errors-spki-list=${await keyHash(https)}`],
  })
  try {
    const page = await (await trusting.newContext({ locale: locale!, serviceWorkers: 'allow' })).newPage()
    await settings(page, https)
    await expect(page.getByTestId('app-card').locator('[data-worker="ready"]')).toBeVisible()
    await controlled(page)
    await look(page, 'hub-settings-app')
    const manifest = (await (await fetch(`${hub}/manifest.webmanifest`)).json()) as { start_url: string; icons: { src: string }[]; shortcuts: { url: string; icons: { src: string }[] }[] }
    expect(manifest.start_url).toBe('/mqtt/dashboard')
    for (const { src } of [...manifest.icons, ...manifest.shortcuts.flatMap((s) => s.icons)]) expect((await fetch(hub + src)).status, src).toBe(200)
    const session = await page.context().newCDPSession(page)
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors')
    // The contexts of a test are private windows; nothing else is in the way.
    expect(installabilityErrors.map((e) => e.errorId).filter((id) => id !== 'in-incognito')).toEqual([])
  } finally {
    await trusting.close()
  }

  // As after "proceed anyway": the context is secure, and yet there is no worker.
  const clicked = await chromium.launch({ ...launchOptions, args: [...(launchOptions?.args ?? []), '--host-resolver-rules=MAP hub.lan 127.0.0.1'] })
  try {
    const page = await (await clicked.newContext({ locale: locale!, serviceWorkers: 'allow', ignoreHTTPSErrors: true })).newPage()
    await settings(page, https)
    expect(await page.evaluate(() => isSecureContext)).toBe(true)
    await expect(page.getByTestId('app-card').locator('[data-worker="untrusted"]')).toBeVisible()
    expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
    await look(page, 'hub-settings-untrusted')
    await page.close()

    // Another host's plain HTTP: everything works but this.
    const plain = await (await clicked.newContext({ locale: locale!, serviceWorkers: 'allow' })).newPage()
    await settings(plain, hub.replace('127.0.0.1', 'hub.lan'))
    await expect(plain.getByTestId('app-card').locator('[data-worker="plain"]')).toBeVisible()
  } finally {
    await clicked.close()
  }
})
