// What all stories do with a page.
import AxeBuilder from '@axe-core/playwright'
import { expect, type BrowserContext, type Locator, type Page } from '@playwright/test'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { password } from './programs'

export const phone = { width: 390, height: 844 }
export const desktop = { width: 1440, height: 900 }
export const screens = resolve(import.meta.dirname, '../../../.run/screens')

/** Fails the story if a page asks any other host for anything. */
export async function onlyFrom(context: BrowserContext, base: string): Promise<void> {
  await context.route(
    (url) => !url.href.startsWith(base) && url.protocol.startsWith('http'),
    (route) => {
      throw new Error(`a page asks ${route.request().url()}`)
    },
  )
}

export async function signIn(page: Page, base: string, username: string): Promise<void> {
  await page.goto(base)
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByTestId('sign-in')).toHaveCount(0)
}

/** Looks at the page as a person with any ability, and keeps a picture of it. */
export async function look(page: Page, name: string): Promise<void> {
  mkdirSync(screens, { recursive: true })
  for (const [size, viewport] of Object.entries({ phone, desktop })) {
    await page.setViewportSize(viewport)
    await page.screenshot({ path: `${screens}/${name}-${size}.png`, animations: 'disabled' })
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']).analyze()
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), `${name} at ${size} width`).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 'scrolls sideways').toBeLessThanOrEqual(0)
  }
}

/** Keeps a picture only, of what is a part of a page that was looked at. */
export async function snap(page: Page, name: string, fullPage = false): Promise<void> {
  mkdirSync(screens, { recursive: true })
  for (const [size, viewport] of Object.entries({ phone, desktop })) {
    await page.setViewportSize(viewport)
    await page.screenshot({ path: `${screens}/${name}-${size}.png`, animations: 'disabled', fullPage })
  }
}

/** The page can be read at 320 px (WCAG 1.4.10) without scrolling sideways. */
export async function reflows(page: Page): Promise<void> {
  await page.setViewportSize({ width: 320, height: 640 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 'scrolls sideways at 320 px').toBeLessThanOrEqual(0)
  await page.setViewportSize(desktop)
}

/** Goes to what is there with the keyboard alone. */
export async function tabTo(page: Page, to: Locator): Promise<void> {
  await expect(to).toBeVisible()
  for (let i = 0; i < 80 && !(await to.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press('Tab')
  await expect(to).toBeFocused()
}
