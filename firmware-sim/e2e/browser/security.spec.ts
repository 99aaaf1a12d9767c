import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'
import { expect, test } from '@playwright/test'
import { api, claim, Device } from './device'
import { look, onlyFrom, signIn } from './pages'
import { programs } from './programs'

test.beforeEach(async ({ context }) => onlyFrom(context, programs().hub))

/** A device that has joined by a code, with its certificate. */
async function joined(id: string, room: string, type = 'button'): Promise<Device> {
  const { hub, hubToken } = programs()
  const made = await api<{ code: string }>(hub, hubToken, 'POST', '/api/v1/provision/tokens', { type, room, device_id: id })
  return Device.connect(await claim(made.code))
}

/** Signs in with a password that nobody has. */
async function guess(address: string, password: string): Promise<void> {
  const client = mqtt.connect(`mqtt://${address}`, { clientId: 'guess', username: 'guess', password, reconnectPeriod: 0 })
  await new Promise<void>((done) => {
    client.once('close', () => done())
    client.once('error', () => done())
  })
  client.end(true)
}

test('a certificate is found, looked at and revoked, and the device is gone at once', async ({ page }) => {
  const { hub } = programs()
  const device = await joined('btn-301', 'cabin-301')
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/security/certificates`)
  await page.getByTestId('certificate-filter').fill('device:btn-301')
  const table = page.getByTestId('certificate-table')
  await expect(table.getByRole('button', { name: 'btn-301' })).toBeVisible()
  await page.getByTestId('certificate-filter').fill('')
  await look(page, 'hub-certificates')
  await table.getByRole('button', { name: 'btn-301' }).click()
  const dialog = page.getByTestId('certificate')
  await expect(dialog).toContainText('Valid')
  await look(page, 'hub-certificate')
  await dialog.getByRole('button', { name: 'Revoke' }).click()
  await dialog.getByRole('radio', { name: 'Lost, stolen' }).check({ force: true })
  await look(page, 'hub-certificate-revoke')
  expect(device.connected).toBe(true)
  await dialog.getByRole('button', { name: 'Revoke it' }).click()
  await expect(dialog).toHaveCount(0)
  await expect.poll(() => device.connected).toBe(false)
  await page.getByTestId('certificate-filter').fill('state:revoked')
  await expect(table.getByRole('button', { name: 'btn-301' })).toBeVisible()
  await device.end()
})

test('a certificate is issued by hand: its key is downloaded once', async ({ page }) => {
  const { hub, hubToken } = programs()
  await api(hub, hubToken, 'POST', '/api/v1/devices', { device_id: 'sns-302', type: 'sensor', room: 'galley' })
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/security/certificates`)
  await page.getByRole('button', { name: 'Issue by hand' }).click()
  const dialog = page.getByTestId('issue-certificate')
  await dialog.getByLabel('Device', { exact: true }).fill('nobody')
  await dialog.getByRole('button', { name: 'Issue', exact: true }).click()
  await expect(dialog.getByText('Choose a device that is registered')).toBeVisible()
  await dialog.getByLabel('Device', { exact: true }).fill('sns-302')
  await dialog.getByRole('button', { name: 'Issue', exact: true }).click()
  await expect(dialog.getByTestId('issued')).toBeVisible()
  await look(page, 'hub-certificate-issued')
  const saved = page.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Download key and certificate' }).click()
  const file = readFileSync((await (await saved).path())!, 'utf8')
  expect(file.match(/-----BEGIN (PRIVATE KEY|CERTIFICATE)-----/g)).toEqual(['-----BEGIN PRIVATE KEY-----', '-----BEGIN CERTIFICATE-----', '-----BEGIN CERTIFICATE-----'])
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  await expect(page.getByTestId('certificate-table').getByRole('button', { name: 'sns-302' })).toBeVisible()
})

test('a denial is explained, tried as a rule on recorded traffic, and lifted by it', async ({ page }) => {
  const { hub } = programs()
  const button = await Device.add('btn-303', 'button', 'cabin-303')
  await button.press()
  const topic = 'obedio/yacht-1/galley/sensor/sns-302/status'
  // A refused QoS 1 publish of an MQTT 5 client is answered with its reason.
  await expect(button.raw(topic, 'on')).rejects.toThrow()
  await signIn(page, hub, 'captain')
  await page.getByRole('link', { name: 'Security' }).click()
  const denial = page.getByTestId('denial').filter({ hasText: 'btn-303' })
  await expect(denial).toContainText(topic)
  await look(page, 'hub-security')

  await denial.getByRole('link', { name: 'Why?' }).click()
  await page.getByRole('button', { name: 'Ask the hub' }).click()
  const answer = page.getByTestId('acl-answer')
  await expect(answer).toHaveAttribute('data-allowed', 'false')
  await expect(answer).toContainText('Because no rule allows it')
  await look(page, 'hub-acl-test')
  await page.goBack()

  await denial.getByRole('link', { name: 'Make a rule' }).click()
  await expect(page.getByLabel('Topic of rule 1')).toHaveValue(topic)
  await page.getByTestId('acl-test').getByRole('button', { name: 'Ask the hub' }).click()
  await expect(page.getByTestId('acl-answer')).toHaveAttribute('data-allowed', 'true')
  await page.getByTestId('acl-replay').getByRole('button', { name: 'Try it' }).click()
  await expect(page.getByTestId('replay-result')).toContainText('Nothing that passed would be denied')
  await look(page, 'hub-acl-rule')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByTestId('acls')).toContainText('btn-303')
  await look(page, 'hub-acl-rules')
  await expect.poll(() => button.raw(topic, 'on').then(() => 'sent', (e: Error) => e.message)).toBe('sent')
  await button.end()
})

test('a profile is edited without JSON; who was slower sees what the other has saved', async ({ page }) => {
  const { hub, hubToken } = programs()
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/security/acl`)
  await expect(page.getByTestId('profiles')).toContainText('watch')
  await look(page, 'hub-acl-profiles')
  await page.getByTestId('profiles').getByRole('link', { name: /^sensor/ }).click()
  await expect(page.getByLabel('Connections at once')).toHaveValue('1')
  await look(page, 'hub-profile')
  await page.getByLabel('Reports every (seconds)').fill('120')
  const theirs = await fetch(`${hub}/api/v1/security/profiles/sensor`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${hubToken}`, 'Content-Type': 'application/json', 'If-Match': '*' },
    body: JSON.stringify({ max_connections: 3 }),
  })
  expect(theirs.status).toBe(200)
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  const conflict = page.getByTestId('conflict')
  await expect(conflict.getByRole('region', { name: 'Connections at once' })).toContainText('3')
  await look(page, 'hub-acl-conflict')
  await conflict.getByRole('button', { name: 'Save mine over theirs' }).click()
  await expect(conflict).toHaveCount(0)
  await expect(page.getByText('As the hub has it')).toBeVisible()
  expect(await api<object>(hub, hubToken, 'GET', '/api/v1/security/profiles/sensor')).toMatchObject({ max_connections: 1, reporting_interval_s: 120 })
  await page.getByRole('button', { name: 'Restore the built-in one' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Restore the built-in one' }).click()
  await expect(page.getByTestId('profiles')).toBeVisible()
})

test('an address that has failed too often is seen, and let in again', async ({ page }) => {
  const { hub, mqtt: address } = programs()
  await signIn(page, hub, 'captain')
  await page.goto(`${hub}/mqtt/security`)
  const bans = page.getByTestId('bans')
  await expect(bans).toContainText('Every address may try')
  for (let i = 0; i < 60 && (await bans.getByRole('listitem').count()) === 0; i++) {
    await guess(address, String(i))
  }
  await expect(bans.getByRole('listitem')).toHaveCount(1)
  await look(page, 'hub-security-ban')
  await bans.getByRole('button', { name: 'Let it in now' }).click()
  await expect(bans).toContainText('Every address may try')
})
