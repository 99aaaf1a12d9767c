// What all stories do with a page.
import { expect, type BrowserContext, type Locator, type Page } from '@playwright/test'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
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

/** Sessions that are there already, by program and user: signing in is slow on purpose. */
const sessions = new Map<string, Parameters<BrowserContext['addCookies']>[0]>()

/** Opens a program as somebody. The form itself has stories of its own. */
export async function signIn(page: Page, base: string, username: string): Promise<void> {
  const context = page.context()
  const key = `${base} ${username}`
  const kept = sessions.get(key)
  if (kept) await context.addCookies(kept)
  // A story may have signed out, or ended the session.
  if (!kept || !(await context.request.get(`${base}/api/v1/sessions/current`)).ok()) {
    const answer = await context.request.post(`${base}/api/v1/sessions`, { data: { username, password } })
    if (!answer.ok()) throw new Error(`sign in as ${username}: ${answer.status()} ${await answer.text()}`)
    sessions.set(key, await context.cookies(base))
  }
  await page.goto(base)
  await expect(page.getByRole('main')).toBeVisible()
  await expect(page.getByTestId('sign-in')).toHaveCount(0)
}

/** Signs in as a person does; for a program that only the browser can reach, too. */
export async function signInByForm(page: Page, base: string, username: string): Promise<void> {
  await page.goto(base)
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByTestId('sign-in')).toHaveCount(0)
}

const require = createRequire(import.meta.url)
/** Of the version that @axe-core/playwright is made for. Its own builder loads this anew for each look and brings all that is well, too. */
const { source } = createRequire(require.resolve('@axe-core/playwright'))('axe-core') as { source: string }

interface Axe {
  run: (context: Document, options: object) => Promise<{ violations: { id: string; nodes: { target: unknown[] }[] }[] }>
}

/** What is wrong for people of some ability. With `only`, no other rules of axe are tried. Our pages have no frames. */
export async function axe(page: Page, only?: string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(source)
  return page.evaluate(async (rules) => {
    const runOnly = rules ? { type: 'rule', values: rules } : { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }
    const { violations } = await (window as unknown as { axe: Axe }).axe.run(document, { runOnly, resultTypes: ['violations'] })
    return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)
  }, only)
}

/** How far the page can be scrolled sideways, in pixels. */
export function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** Looks at the page as a person with any ability, and keeps a picture of it. */
export async function look(page: Page, name: string): Promise<void> {
  mkdirSync(screens, { recursive: true })
  for (const [size, viewport] of Object.entries({ phone, desktop })) {
    await page.setViewportSize(viewport)
    await page.screenshot({ path: `${screens}/${name}-${size}.png`, animations: 'disabled' })
    expect(await axe(page), `${name} at ${size} width`).toEqual([])
    expect(await sideways(page), 'scrolls sideways').toBeLessThanOrEqual(0)
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
  expect(await sideways(page), 'scrolls sideways at 320 px').toBeLessThanOrEqual(0)
  await page.setViewportSize(desktop)
}

/** Goes to what is there with the keyboard alone. */
export async function tabTo(page: Page, to: Locator): Promise<void> {
  await expect(to).toBeVisible()
  for (let i = 0; i < 80 && !(await to.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press('Tab')
  await expect(to).toBeFocused()
}
