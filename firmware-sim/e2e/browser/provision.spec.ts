import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, expect, test, type Page } from '@playwright/test'
import { encodeQR } from 'qr'
import { api, claim, Device } from './device'
import { look, onlyFrom, screens, signIn, tabTo } from './pages'
import { programs } from './programs'

test.beforeEach(async ({ context }) => onlyFrom(context, programs().hub))

/** The code on the screen. */
async function codeOn(page: Page): Promise<string> {
  return (await page.getByTestId('short-code').textContent()) ?? ''
}

test('a button is added by its code, and every step is seen until its test press', async ({ page }) => {
  const { hub } = programs()
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/devices/provision`)
  await look(page, 'hub-provision')
  await page.getByRole('button', { name: 'Show the code' }).click()
  await expect(page.getByText('Choose where the device is')).toBeVisible()
  await page.getByLabel('Where is it?').selectOption({ label: 'A new room …' })
  await page.getByLabel('Name of the new room').fill('Cabin 201')
  await page.getByText('Name, profile, time').click()
  await page.getByLabel('Name', { exact: true }).fill('Bedside button')
  await page.getByRole('button', { name: 'Show the code' }).click()

  const joining = page.getByTestId('joining')
  await expect(joining).toHaveAttribute('data-state', 'open')
  await expect(page.getByRole('img', { name: 'QR code to provision one device' })).toBeVisible()
  await look(page, 'hub-provision-code')
  const joined = await claim(await codeOn(page))
  await expect(joining).toHaveAttribute('data-state', 'used')
  await expect(page.locator('[data-step="certified"]')).toHaveAttribute('data-state', 'done')
  await expect(page.locator('[data-step="connected"]')).toHaveAttribute('data-state', 'now')

  const device = await Device.connect(joined)
  await expect(page.locator('[data-step="connected"]')).toHaveAttribute('data-state', 'done')
  await device.status({ battery: 90, signal: -50 })
  await expect(page.locator('[data-step="spoke"]')).toHaveAttribute('data-state', 'done')
  await expect(joining).toHaveAttribute('data-ready', 'false')
  await device.press()
  await expect(joining).toHaveAttribute('data-ready', 'true')
  await expect(page.getByTestId('joined')).toContainText('It works')
  await look(page, 'hub-provision-works')
  await page.getByRole('button', { name: 'Clear the test call' }).click()
  await expect(page.getByRole('button', { name: 'Clear the test call' })).toHaveCount(0)
  await page.getByRole('link', { name: 'Open its page' }).click()
  await expect(page.getByTestId('device')).toContainText('Bedside button')
  await device.end()
})

test('a device is added with the keyboard alone', async ({ page }) => {
  await signIn(page, programs().hub, 'captain')
  const { keyboard } = page
  await tabTo(page, page.getByRole('link', { name: 'Add device' }))
  await keyboard.press('Enter')
  await tabTo(page, page.getByRole('radio', { name: 'Button' }))
  await keyboard.press('ArrowRight')
  await keyboard.press('ArrowLeft')
  await expect(page.getByRole('radio', { name: 'Button' })).toBeChecked()
  await tabTo(page, page.getByLabel('Where is it?'))
  await keyboard.press('End')
  await expect(page.getByLabel('Name of the new room')).toBeFocused()
  await keyboard.type('Library')
  await tabTo(page, page.locator('summary', { hasText: 'Name, profile, time' }))
  await keyboard.press('Enter')
  await tabTo(page, page.getByLabel('Name', { exact: true }))
  await keyboard.type('Reading lamp button')
  await tabTo(page, page.getByRole('button', { name: 'Show the code' }))
  await keyboard.press('Enter')
  const device = await Device.connect(await claim(await codeOn(page)))
  await device.status({ battery: 90, signal: -50 })
  await device.press()
  await expect(page.getByTestId('joining')).toHaveAttribute('data-ready', 'true')
  await tabTo(page, page.getByRole('button', { name: 'Clear the test call' }))
  await keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'Clear the test call' })).toHaveCount(0)
  await tabTo(page, page.getByRole('link', { name: 'Open its page' }))
  await keyboard.press('Enter')
  await expect(page.getByTestId('device')).toContainText('Reading lamp button')
  await device.end()
})

test('a broken button is replaced: its place and history stay, its key counts no more', async ({ page }) => {
  const { hub, hubToken } = programs()
  const made = await api<{ code: string }>(hub, hubToken, 'POST', '/api/v1/provision/tokens', { type: 'button', room: 'cabin-202', device_id: 'btn-202' })
  const old = await Device.connect(await claim(made.code))
  await old.press()
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/devices/btn-202`)
  await page.getByRole('link', { name: 'Replace' }).click()
  await expect(page.getByTestId('replace-device')).toContainText('Cabin 202')
  await look(page, 'hub-replace')
  await page.getByRole('button', { name: 'Show the code' }).click()
  const fresh = await claim(await codeOn(page))
  expect(fresh.device_id).toBe('btn-202')
  await expect.poll(() => old.connected, { message: 'the old hardware is still connected' }).toBe(false)
  const joining = page.getByTestId('joining')
  await expect(joining).toHaveAttribute('data-state', 'used')
  await expect(page.locator('[data-step="connected"]')).not.toHaveAttribute('data-state', 'done')
  const device = await Device.connect(fresh)
  await device.press({ boot_id: 'new-hardware' })
  await expect(joining).toHaveAttribute('data-ready', 'true')
  await page.getByRole('button', { name: 'Clear the test call' }).click()
  await device.end()
  await old.end()
})

test('a code is cancelled, a label is typed, and labels are printed', async ({ page }) => {
  const { hub } = programs()
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/devices/provision`)
  await page.getByRole('radio', { name: 'Sensor' }).check({ force: true })
  await page.getByLabel('Where is it?').selectOption({ index: 1 })
  await page.getByRole('button', { name: 'Show the code' }).click()
  const code = await codeOn(page)
  // Who has gone elsewhere finds it again; the code itself is told once only.
  await page.reload()
  await expect(page.getByText('The code was shown once')).toBeVisible()
  await page.getByRole('button', { name: 'Cancel this code' }).click()
  await expect(page.getByTestId('new-device')).toBeVisible()
  await expect(claim(code)).rejects.toThrow(/409|403/)

  await page.getByLabel('Where is it?').selectOption({ index: 1 })
  await page.getByRole('button', { name: 'Scan its label' }).click()
  const label = page.getByTestId('scan-label')
  await label.getByLabel('Hardware id').fill('OB-4711')
  await label.getByLabel('Key hash').fill('12')
  await label.getByRole('button', { name: 'Let it in' }).click()
  await expect(label.getByText('The key hash has 64 digits')).toBeVisible()
  await look(page, 'hub-provision-label')
  await label.getByLabel('Key hash').fill('ab '.repeat(32))
  await label.getByRole('button', { name: 'Let it in' }).click()
  await expect(page.getByTestId('joining')).toContainText('OB-4711')
  await look(page, 'hub-provision-window')
  await page.goto(`${hub}/mqtt/devices/provision`)
  await page.getByRole('button', { name: /^Cancel the code for/ }).first().click()
  await expect(page.getByTestId('open-tokens')).toHaveCount(0)

  await page.getByLabel('Where is it?').selectOption({ index: 1 })
  await page.getByRole('button', { name: 'Print labels' }).click()
  await page.getByLabel('How many').fill('3')
  await page.getByRole('button', { name: 'Make the labels' }).click()
  await expect(page.getByTestId('labels').getByRole('listitem')).toHaveCount(3)
  await expect(page.getByRole('button', { name: 'Print', exact: true })).toBeVisible()
  await look(page, 'hub-provision-labels')
  await page.emulateMedia({ media: 'print' })
  await expect(page.getByRole('navigation')).toHaveCount(0)
  await page.screenshot({ path: `${screens}/hub-provision-labels-print.png`, fullPage: true })
})

/** A film of one picture, as the browser takes it for a camera: a label's code in the middle of grey. */
function filmOf(text: string, file: string): void {
  const [width, height] = [640, 480]
  const modules = encodeQR(text, 'raw', { border: 4 })
  const scale = Math.floor((height * 0.7) / modules.length)
  const luma = Buffer.alloc(width * height, 110)
  const [left, top] = [Math.floor((width - modules.length * scale) / 2), Math.floor((height - modules.length * scale) / 2)]
  for (let y = 0; y < modules.length * scale; y++) {
    for (let x = 0; x < modules.length * scale; x++) luma[(top + y) * width + left + x] = modules[Math.floor(y / scale)]![Math.floor(x / scale)] ? 30 : 220
  }
  const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)])
  writeFileSync(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip C420\n`), frame, frame]))
}

test('a label is scanned with the camera in a browser that has no reader of codes', async ({}, info) => { // the page is another browser's
  const { hub, hubToken, dir } = programs()
  await api(hub, hubToken, 'PUT', '/api/v1/rooms/pantry', { name: 'Pantry' })
  const film = join(dir, 'label.y4m')
  filmOf(JSON.stringify({ hardware_id: 'OB-77', key_hash: 'cd'.repeat(32) }), film)
  const { launchOptions, locale } = info.project.use
  const browser = await chromium.launch({
    ...launchOptions, args: [...(launchOptions?.args ?? []), '--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${film}`],
  })
  try {
    const context = await browser.newContext({ locale: locale!, serviceWorkers: 'block', permissions: ['camera'] })
    await onlyFrom(context, hub)
    const page = await context.newPage()
    await signIn(page, hub, 'captain')
    await page.goto(`${hub}/mqtt/devices/provision`)
    expect(await page.evaluate(() => 'BarcodeDetector' in globalThis)).toBe(false)
    await page.getByLabel('Where is it?').selectOption({ label: 'Pantry' })
    await page.getByRole('button', { name: 'Scan its label' }).click()
    const label = page.getByTestId('scan-label')
    await expect(label.getByLabel('Hardware id')).toHaveValue('OB-77')
    await expect(label.getByLabel('Key hash')).toHaveValue('cd'.repeat(32))
    await look(page, 'hub-provision-scanned')
  } finally {
    await browser.close()
  }
})
