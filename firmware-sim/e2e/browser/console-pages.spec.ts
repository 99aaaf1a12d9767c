import { mkdirSync } from 'node:fs'
import { expect, test, type Page } from '@playwright/test'
import { api, Device } from './device'
import { axe, desktop, onlyFrom, phone, screens, sideways, signIn } from './pages'
import { programs } from './programs'

/** The pages of the console, with the name of their pictures. */
const pages = [
  { name: 'fleet', path: '/fleet', german: true },
  { name: 'alerts', path: '/alerts', german: true },
  { name: 'alerts-history', path: '/alerts?tab=history' },
  { name: 'alerts-windows', path: '/alerts?tab=windows' },
  { name: 'devices', path: '/devices', german: true },
  { name: 'jobs', path: '/jobs', german: true },
  { name: 'new-job', path: '/jobs/new', german: true },
  { name: 'map', path: '/map', german: true },
  { name: 'sync', path: '/sync', german: true },
  { name: 'security', path: '/security', german: true },
  { name: 'notifications', path: '/notifications', german: true },
  { name: 'templates', path: '/templates', german: true },
  { name: 'templates-sites', path: '/templates?tab=templates' },
  { name: 'new-policy', path: '/templates/policies/new', german: true },
  { name: 'settings', path: '/settings', german: true },
  { name: 'site-configuration', path: '/sites/yacht-1?tab=configuration', german: true },
  { name: 'add-site', path: '/add-site', german: true },
  { name: 'people', path: '/people' },
  { name: 'audit', path: '/audit' },
  { name: 'site', path: '/sites/yacht-1', german: true },
  { name: 'site-alerts', path: '/sites/yacht-1?tab=alerts' },
]

/** Goes to a page as the menu does, and waits until it has what it shows. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((to) => {
    if (new URL(to, location.href).pathname !== location.pathname) document.querySelector('main')?.setAttribute('data-left', '')
    history.pushState({}, '', to)
  }, path)
  await expect(page.locator('main:not([data-left])')).toBeVisible()
  await expect(page.locator('[data-view-state="loading"], [aria-label="Loading"], [aria-label="Lädt"]')).toHaveCount(0)
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${screens}/console-walk-${name}.png`, animations: 'disabled', fullPage: true })
}

test('a job goes to devices of the fleet, and each has its result', async ({ page, context }) => {
  const p = programs()
  await onlyFrom(context, p.console)
  const watch = await Device.add('watch-391', 'watch', 'bridge')
  await signIn(page, p.console, 'owner')
  await page.goto(`${p.console}/jobs/new`)
  await page.getByLabel('Devices of those sites').fill('id:watch-391')
  await page.getByLabel('Command').fill('locate')
  await page.getByRole('button', { name: 'Count and review' }).click()
  await expect(page.getByTestId('job-review')).toContainText('1 device on 1 site')
  await page.getByRole('button', { name: 'Send to 1 device' }).click()
  await expect(page.getByTestId('job')).toHaveAttribute('data-done', 'true')
  await expect(page.getByTestId('job-results').locator('[data-device-id="watch-391"]')).toHaveAttribute('data-state', 'succeeded')
  await page.goto(`${p.console}/jobs`)
  await expect(page.getByTestId('job-row').first()).toHaveAttribute('data-done', 'true')
  await watch.end()
})

test('every page of the console can be read by anybody, in every theme, on a phone and at a desk', async ({ page, context }) => {
  test.setTimeout(150_000)
  const { console: base, consoleToken } = programs()
  mkdirSync(screens, { recursive: true })
  await onlyFrom(context, base)
  const broken: string[] = []
  page.on('pageerror', (error) => broken.push(error.message))
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await signIn(page, base, 'owner')
  // What pages of an empty fleet would not show.
  const site = await api<{ etag: string }>(base, consoleToken, 'GET', '/api/v1/sites/yacht-1')
  await api(base, consoleToken, 'PUT', '/api/v1/sites/yacht-1', {
    name: 'M/Y Aurelia', tags: ['charter', 'med'], zone: 'Europe/Paris', position: { lat: 43.55, lng: 7.02 },
  }, { 'If-Match': site.etag })
  await api(base, consoleToken, 'POST', '/api/v1/offline-windows', {
    tag: 'winter', from: '2026-11-01T00:00:00Z', to: '2027-03-01T00:00:00Z', note: 'Winter berth',
  })
  await api(base, consoleToken, 'POST', '/api/v1/notifications/rules', {
    name: 'operations', events: ['alert.raised', 'site.returned'], webhook: { url: 'https://example.org/hook' }, webhook_secret: 'a key of more than sixteen', disabled: true,
  })
  const made = await api<{ policy_id: string }>(base, consoleToken, 'POST', '/api/v1/policies', {
    title: 'Charter services', note: 'What guests may call for', filter: 'tag:charter',
    documents: [{ kind: 'service', name: 'tea', body: { label: 'Tea' } }],
  })
  await api(base, consoleToken, 'POST', '/api/v1/templates', {
    title: 'Charter yacht', settings: { tags: ['charter'], zone: 'Europe/Paris', link_profile: 'economy' }, policies: [made.policy_id],
  })
  await api(base, consoleToken, 'POST', '/api/v1/views', { title: 'Charter fleet', list: 'sites', filter: 'tag:charter', shared: true })
  await expect.poll(async () => (await api<{ standing: string }>(base, consoleToken, 'GET', '/api/v1/sites/yacht-1/policy')).standing, { timeout: 20_000 }).toBe('in_sync')
  for (const { name, path } of [...pages, { name: 'policy', path: `/templates/policies/${made.policy_id}` }]) {
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
  for (const { name, path } of pages.filter((v) => v.german)) {
    await test.step(`${name} in German`, async () => {
      await page.setViewportSize(desktop)
      await go(page, path)
      await picture(page, `${name}-de-desktop`)
      await page.setViewportSize({ width: 320, height: 640 })
      await expect.poll(() => sideways(page), `${name} in German scrolls sideways at 320 px`).toBeLessThanOrEqual(0)
      expect(await axe(page), `${name} in German`).toEqual([])
    })
  }
  expect(broken).toEqual([])
})
