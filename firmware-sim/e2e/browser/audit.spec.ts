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
  await expect(page.getByTestId('chain')).toHaveAttribute('data-ok', 'true')
  await expect(page.getByTestId('chain')).toContainText('Chain whole')
  await expect(page.locator('[data-action="provision.revoked"]').first()).toContainText(token.id)
  await look(page, 'hub-audit')

  await page.getByText('by action, person, device, time').click()
  await page.getByLabel('Done to').fill(token.id)
  await page.getByLabel('About').selectOption('provision.')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await expect(page.getByTestId('audit-entry')).toHaveCount(2)
  await look(page, 'hub-audit-filtered')
  const saved = page.waitForEvent('download')
  await page.getByRole('link', { name: 'CSV' }).click()
  const lines = readFileSync((await (await saved).path())!, 'utf8').trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toContain('provision.opened')

  await page.getByText('Filter', { exact: true }).click()
  await page.getByLabel('Done to').fill('nothing-of-that-name')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await expect(page.getByText('No entry fits the filter')).toBeVisible()
  await look(page, 'hub-audit-none')
  await page.getByRole('button', { name: 'Clear the filter' }).first().click()
  await expect(page.getByTestId('audit-entry').nth(2)).toBeVisible()
})
