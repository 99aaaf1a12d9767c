import { readFileSync } from 'node:fs'
import { expect, test } from '@playwright/test'
import { api } from './device'
import { look, onlyFrom, signIn } from './pages'
import { programs } from './programs'

test('the audit is read, filtered, verified and exported', async ({ page, context }) => {
  const { hub, hubToken } = programs()
  await onlyFrom(context, hub)
  const token = await api<{ id: string }>(hub, hubToken, 'POST', '/api/v1/provision/tokens', { type: 'sensor', room: 'galley' })
  await api(hub, hubToken, 'DELETE', `/api/v1/provision/tokens/${token.id}`)
  await signIn(page, hub, 'captain')
  await page.getByRole('link', { name: 'Audit' }).click()
  await expect(page.getByTestId('chain')).toHaveAttribute('data-mark', 'ok')
  const entries = page.getByTestId('audit')
  const revoked = entries.locator('[data-action="provision.revoked"]').first()
  await expect(revoked).toContainText(token.id)
  await expect(revoked).toContainText('Code cancelled')
  await expect(entries.locator('[data-action="session.opened"][data-target="captain"]').first()).toBeVisible()
  await look(page, 'hub-audit')

  await page.getByLabel('What', { exact: true }).fill('provision.')
  await page.getByLabel('To what').fill(token.id)
  await expect(entries.locator('[data-action]')).toHaveCount(2)
  await look(page, 'hub-audit-filtered')
  const saved = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Export as CSV' }).click()
  const lines = readFileSync((await (await saved).path())!, 'utf8').trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toContain('provision.opened')

  await page.getByLabel('To what').fill('nothing-of-that-name')
  await expect(page.getByTestId('audit-none')).toBeVisible()
  await look(page, 'hub-audit-none')
  await page.getByRole('button', { name: 'Clear the filter' }).first().click()
  await expect(entries.locator('[data-action]').nth(2)).toBeVisible()
})
