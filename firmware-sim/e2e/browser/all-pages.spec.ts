import { mkdirSync } from 'node:fs'
import { expect, test, type Page } from '@playwright/test'
import { api, Device } from './device'
import { axe, desktop, onlyFrom, phone, screens, sideways, signIn } from './pages'
import { programs } from './programs'
import { routes } from './routes'

/** Goes to a page as the menu does, so that the program is loaded once, and waits until the page has what it shows. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((to) => {
    // The page before stays until the next one is there.
    if (new URL(to, location.href).pathname !== location.pathname) document.querySelector('main')?.setAttribute('data-left', '')
    history.pushState({}, '', to)
  }, path)
  await expect(page.locator('main:not([data-left])')).toBeVisible()
  await expect(page.locator('[data-view-state="loading"], [aria-label="Loading"], [aria-label="Lädt"]')).toHaveCount(0)
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${screens}/walk-${name}.png`, animations: 'disabled', fullPage: true })
}

// The stories after this one find the hub as it was, also when it fails.
const afterwards: (() => Promise<unknown>)[] = []
test.afterEach(async () => {
  for (const undo of afterwards.splice(0)) await undo()
})

test('every page can be read by anybody, in every theme, on a phone and at a desk, and asks nobody else', async ({ page, context }) => {
  test.setTimeout(150_000)
  const { hub, hubToken } = programs()
  mkdirSync(screens, { recursive: true })
  await onlyFrom(context, hub)
  const sensor = await Device.add('sns-walk', 'sensor', 'galley')
  await sensor.status({ battery: 9, signal_strength: -60 })
  const made = await api<{ id: string }>(hub, hubToken, 'POST', '/api/v1/provision/tokens', { type: 'button', room: 'cabin-101' })
  afterwards.push(() => api(hub, hubToken, 'DELETE', `/api/v1/provision/tokens/${made.id}`), () => sensor.end())
  const broken: string[] = []
  page.on('pageerror', (error) => broken.push(error.message))
  // Colours would be between two themes when they are measured.
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.addInitScript(() => localStorage.setItem('obedio.theme', 'light'))
  await signIn(page, hub, 'captain')
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).toBe('light')

  for (const { name, path } of [...routes, { name: 'joining', path: `/mqtt/devices/provision?token=${made.id}` }]) {
    await test.step(name, async () => {
      await page.setViewportSize(desktop)
      await go(page, path)
      await page.evaluate(() => (document.documentElement.dataset['theme'] = 'dark'))
      await picture(page, `${name}-desktop`)
      expect(await axe(page), `${name} at a desk`).toEqual([])
      for (const theme of ['light', 'night']) {
        await page.evaluate((to) => (document.documentElement.dataset['theme'] = to), theme)
        expect(await axe(page, ['color-contrast']), `${name} in the theme ${theme}`).toEqual([])
      }
      await page.evaluate(() => (document.documentElement.dataset['theme'] = 'dark'))
      await page.setViewportSize(phone)
      // A list that is laid out by its width is so a frame later.
      await expect.poll(() => sideways(page), `${name} scrolls sideways on a phone`).toBeLessThanOrEqual(0)
      await picture(page, `${name}-phone`)
      expect(await axe(page), `${name} on a phone`).toEqual([])
      await page.setViewportSize({ width: 320, height: 640 })
      await expect.poll(() => sideways(page), `${name} scrolls sideways at 320 px`).toBeLessThanOrEqual(0)
    })
  }

  await page.evaluate(() => localStorage.setItem('obedio.language', 'de'))
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('lang', 'de')
  for (const { name, path } of routes.filter((r) => r.german)) {
    await test.step(`${name} in German`, async () => {
      await page.setViewportSize(desktop)
      await go(page, path)
      await picture(page, `${name}-de-desktop`)
      await page.setViewportSize({ width: 320, height: 640 })
      await expect.poll(() => sideways(page), `${name} in German scrolls sideways at 320 px`).toBeLessThanOrEqual(0)
      await picture(page, `${name}-de-phone`)
      expect(await axe(page), `${name} in German`).toEqual([])
    })
  }
  expect(broken).toEqual([])
})
