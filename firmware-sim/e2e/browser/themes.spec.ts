import AxeBuilder from '@axe-core/playwright'
import { expect, test } from '@playwright/test'
import { api } from './device'
import { desktop, onlyFrom, signIn } from './pages'
import { programs } from './programs'

const pages = [
  '/mqtt/dashboard', '/mqtt/devices', '/mqtt/devices/provision', '/mqtt/security', '/mqtt/security/certificates',
  '/mqtt/security/acl', '/mqtt/security/acl?profile=button', '/mqtt/security/acl?add=acl', '/mqtt/security/acl?tab=test', '/mqtt/audit', '/mqtt/people', '/mqtt/traffic', '/mqtt/traffic/analytics', '/mqtt/uplink', '/mqtt/settings', '/mqtt/welcome',
  '/mqtt/duty', '/mqtt/duty?tab=week', '/mqtt/duty?tab=crew', '/mqtt/rooms', '/mqtt/requests/statistics', '/mqtt/walk',
]

for (const theme of ['light', 'night']) {
  test(`every page can be read in the theme ${theme}, and at 320 px nothing is cut off`, async ({ page, context }) => {
    const { hub, hubToken } = programs()
    await onlyFrom(context, hub)
    const made = await api<{ id: string }>(hub, hubToken, 'POST', '/api/v1/provision/tokens', { type: 'button', room: 'cabin-101' })
    await page.addInitScript((name) => localStorage.setItem('obedio.theme', name), theme)
    await signIn(page, hub, 'captain')
    for (const path of [...pages, `/mqtt/devices/provision?token=${made.id}`]) {
      await page.goto(hub + path)
      await expect(page.locator('h1')).toBeVisible()
      await expect(page.locator('[data-view-state="loading"], [aria-label="Loading"]')).toHaveCount(0)
      expect(await page.evaluate(() => document.documentElement.dataset['theme']), path).toBe(theme)
      await page.setViewportSize({ width: 320, height: 640 })
      // A list that is laid out by its width is so a frame later.
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${path} scrolls sideways`).toBeLessThanOrEqual(0)
      await page.setViewportSize(desktop)
      const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']).analyze()
      expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), path).toEqual([])
    }
    await api(hub, hubToken, 'DELETE', `/api/v1/provision/tokens/${made.id}`)
  })
}
