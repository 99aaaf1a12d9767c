import { expect, test, type Browser, type Page } from '@playwright/test'
import { api } from './device'
import { look, onlyFrom, reflows, signIn } from './pages'
import { password, programs } from './programs'

interface Listed<T> { items: T[] }
interface Person { user_id: string; username: string; name: string; role: string; etag: string }

/** A browser of somebody else. */
async function another(browser: Browser, base: string): Promise<Page> {
  const context = await browser.newContext()
  await onlyFrom(context, base)
  return context.newPage()
}

async function signInAs(page: Page, base: string, username: string, secret: string): Promise<void> {
  await page.goto(base)
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(secret)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Makes somebody of the crew, as the command line would. */
function crew(username: string, name: string): Promise<Person> {
  const p = programs()
  return api<Person>(p.hub, p.hubToken, 'POST', '/api/v1/users', { username, name, password, role: 'crew' })
}

test('somebody is added on the hub, signs in, and may do what their role may', async ({ page, browser }) => {
  const { hub } = programs()
  await onlyFrom(page.context(), hub)
  await signIn(page, hub, 'captain')
  await page.getByRole('button', { name: 'Menu' }).click()
  await look(page, 'hub-menu')
  await page.getByRole('link', { name: /^People/ }).click()
  await expect(page).toHaveURL(/\/mqtt\/people/)
  await page.getByRole('button', { name: 'Add a person' }).click()
  const form = page.getByTestId('add-person')
  await form.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(form.getByText('Give a user name.')).toBeVisible()
  await form.getByLabel('User name').fill('mila')
  await form.getByLabel('Name', { exact: true }).fill('Mila Horvat')
  await form.getByRole('button', { name: 'Suggest one' }).click()
  const secret = await form.getByLabel('New password').inputValue()
  expect(secret).toMatch(/^([a-z2-9]{4}-){3}[a-z2-9]{4}$/)
  await expect(form.getByTestId('effective-access')).toContainText('Answers calls')
  await look(page, 'hub-person-add')
  await form.getByRole('button', { name: 'Add', exact: true }).click()
  const row = page.getByTestId('people').locator('[data-username="mila"]')
  await expect(row).toContainText('Mila Horvat')
  await expect(row).toContainText('Crew')
  await look(page, 'hub-people')
  await reflows(page)

  const mila = await another(browser, hub)
  await signInAs(mila, hub, 'mila', secret)
  await expect(mila).toHaveURL(/\/mqtt\/dashboard/)
  await mila.goto(`${hub}/mqtt/people`)
  await expect(mila.getByTestId('you')).toContainText('Mila Horvat')
  await expect(mila.getByRole('tab')).toHaveText(['Roles', 'You'])
  await expect(mila.locator('[data-right="requests.accept"]')).toHaveAttribute('data-may', 'true')
  await expect(mila.locator('[data-right="users.write"]')).toHaveAttribute('data-may', 'false')
  await look(mila, 'hub-you')
  await reflows(mila)

  // One's own password: the one until now is asked for.
  await mila.getByRole('button', { name: 'Change your password' }).click()
  const own = mila.getByTestId('password-form')
  await own.getByLabel('Password until now').fill('not this one')
  await own.getByLabel('New password').fill('another long one')
  await own.getByRole('button', { name: 'Set the password' }).click()
  await expect(own).toContainText('The password until now is wrong.')
  await look(mila, 'hub-own-password')
  await own.getByLabel('Password until now').fill(secret)
  await own.getByRole('button', { name: 'Set the password' }).click()
  await expect(own).toHaveCount(0)

  // Disabling ends what is signed in, and can be undone.
  await row.getByRole('button', { name: 'Open Mila Horvat' }).click()
  const person = page.getByTestId('person')
  await look(page, 'hub-person')
  await person.getByRole('button', { name: 'Disable' }).click()
  await expect(person.getByText('Disabled', { exact: true })).toBeVisible()
  await expect(mila.getByTestId('sign-in')).toBeVisible()
  await person.getByRole('button', { name: 'Enable again' }).click()
  await expect(person.getByText('Active', { exact: true })).toBeVisible()

  await person.getByRole('button', { name: 'Delete' }).click()
  await look(page, 'hub-person-delete')
  await page.getByTestId('confirm').getByRole('button', { name: 'Delete Mila Horvat' }).click()
  await expect(row).toHaveCount(0)
  await mila.context().close()
})

test('two people change one at the same time: nothing is lost, and it is said', async ({ page }) => {
  const p = programs()
  await onlyFrom(page.context(), p.hub)
  const ana = await crew('ana', 'Ana')
  await signIn(page, p.hub, 'captain')
  await page.goto(`${p.hub}/mqtt/people`)
  await page.getByRole('button', { name: 'Open Ana' }).click()
  const person = page.getByTestId('person')
  await person.getByLabel('Name', { exact: true }).fill('Ana Kovac')
  const changed = await fetch(`${p.hub}/api/v1/users/${ana.user_id}`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${p.hubToken}`, 'Content-Type': 'application/json', 'If-Match': ana.etag },
    body: JSON.stringify({ name: 'Ana', role: 'chief', disabled: false }),
  })
  expect(changed.status).toBe(200)
  await person.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByTestId('clash')).toContainText('Role: now Chief')
  await expect(person.getByLabel('Name', { exact: true })).toHaveValue('Ana Kovac')
  await look(page, 'hub-person-clash')
  await person.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByTestId('clash')).toHaveCount(0)
  const now = await api<Person>(p.hub, p.hubToken, 'GET', `/api/v1/users/${ana.user_id}`)
  expect(now).toMatchObject({ name: 'Ana Kovac', role: 'chief' })
  await api(p.hub, p.hubToken, 'DELETE', `/api/v1/users/${ana.user_id}`)
})

test('crew sign in with a PIN on an enrolled tablet, and wrong ones have to wait', async ({ page, browser }) => {
  const p = programs()
  await onlyFrom(page.context(), p.hub)
  const jonas = await crew('jonas', 'Jonas Weber')
  await crew('petra', 'Petra Lind')
  await signIn(page, p.hub, 'captain')
  await page.goto(`${p.hub}/mqtt/people`)

  await page.getByRole('button', { name: 'Open Jonas Weber' }).click()
  await page.getByTestId('person').getByRole('button', { name: 'Set a PIN' }).click()
  const form = page.getByTestId('pin-form')
  await form.getByLabel('New PIN').fill('123456')
  await form.getByRole('button', { name: 'Set the PIN' }).click()
  await expect(form.getByText('That one is too easy to guess.')).toBeVisible()
  await look(page, 'hub-pin')
  await form.getByLabel('New PIN').fill('402917')
  await form.getByRole('button', { name: 'Set the PIN' }).click()
  await expect(page.getByTestId('person').getByText('Has a PIN for tablets.')).toBeVisible()
  await page.keyboard.press('Escape')

  await page.getByRole('tab', { name: 'Tablets' }).click()
  await expect(page.getByText('No tablet is enrolled')).toBeVisible()
  await page.getByRole('button', { name: 'Enrol this tablet' }).first().click()
  const enrol = page.getByTestId('enrol-tablet')
  await enrol.getByLabel('Where it is').fill('Galley')
  await look(page, 'hub-tablet-enrol')
  await enrol.getByRole('button', { name: 'Enrol', exact: true }).click()
  await expect(enrol).toContainText('Galley is enrolled')
  await enrol.getByRole('button', { name: 'Stay signed in' }).click()
  await expect(page.getByTestId('tablets').locator('[data-tablet="Galley"]')).toHaveAttribute('data-current', 'true')
  await look(page, 'hub-tablets')
  await reflows(page)

  // Elsewhere there are no names.
  const elsewhere = await another(browser, p.hub)
  await elsewhere.goto(p.hub)
  await expect(elsewhere.getByTestId('sign-in')).toBeVisible()
  await expect(elsewhere.getByTestId('tiles')).toHaveCount(0)
  await look(elsewhere, 'hub-sign-in')
  await elsewhere.context().close()

  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  const tiles = page.getByTestId('tiles')
  await expect(tiles.getByRole('button')).toHaveText([/Jonas Weber/])
  await look(page, 'hub-tiles')
  await reflows(page)
  await tiles.getByRole('button', { name: 'Jonas Weber' }).click()
  const pad = page.getByTestId('pin-pad')
  for (const key of await pad.getByRole('button').all()) {
    const box = await key.boundingBox()
    expect(Math.min(box!.width, box!.height)).toBeGreaterThanOrEqual(44)
  }
  await look(page, 'hub-pin-pad')
  await reflows(page)
  await page.keyboard.type('111222')
  await expect(pad).toContainText('That PIN is wrong.')
  for (let i = 0; i < 12 && !(await pad.getByText(/Too many tries/).isVisible()); i++) {
    if (await pad.getByRole('button', { name: '7' }).isEnabled()) await page.keyboard.type('777888')
    await page.waitForTimeout(150)
  }
  await expect(pad.getByText(/Too many tries\. Try again in \d+ s\./)).toBeVisible()
  await expect(pad.getByRole('button', { name: '4' })).toBeDisabled()
  await look(page, 'hub-pin-wait')
  await expect(pad.getByText(/Too many tries/)).toHaveCount(0, { timeout: 40_000 })
  for (const digit of '402917') await pad.getByRole('button', { name: digit, exact: true }).click()
  await expect(page).toHaveURL(/\/mqtt\/dashboard/)
  await page.goto(`${p.hub}/mqtt/people?tab=you`)
  await expect(page.getByTestId('own-sessions')).toContainText('PIN on a tablet')

  // Revoking the tablet ends it at once.
  const { items } = await api<Listed<{ tablet_id: string }>>(p.hub, p.hubToken, 'GET', '/api/v1/tablets')
  await api(p.hub, p.hubToken, 'DELETE', `/api/v1/tablets/${items[0]!.tablet_id}`)
  await expect(page.getByTestId('sign-in')).toBeVisible()
  await api(p.hub, p.hubToken, 'DELETE', `/api/v1/users/${jonas.user_id}`)
})

test('a token is made, shown once, used and revoked', async ({ page }) => {
  const p = programs()
  await onlyFrom(page.context(), p.hub)
  await signIn(page, p.hub, 'captain')
  await page.goto(`${p.hub}/mqtt/people?tab=tokens`)
  await page.getByRole('button', { name: 'Make a token' }).first().click()
  const form = page.getByTestId('token-form')
  await form.getByLabel('Name', { exact: true }).fill('Nightly export')
  await form.getByText('Only some').click()
  await form.getByLabel('See devices').check()
  await expect(form.getByTestId('effective-access')).toContainText('Only 1 of')
  await look(page, 'hub-token-make')
  await form.getByRole('button', { name: 'Make the token' }).click()
  const secret = (await form.getByTestId('token-secret').textContent())!
  await look(page, 'hub-token-made')
  await page.keyboard.press('Escape')
  await expect(form.getByTestId('token-secret')).toBeVisible()
  await form.getByRole('button', { name: 'I have kept it' }).click()
  const use = (path: string) => fetch(`${p.hub}/api/v1${path}`, { headers: { Authorization: `Bearer ${secret}` } })
  expect((await use('/devices')).status).toBe(200)
  expect((await use('/rooms')).status).toBe(403)

  const row = page.getByTestId('tokens').locator('[data-token="Nightly export"]')
  await expect(row).toContainText('1 of')
  await look(page, 'hub-tokens')
  await reflows(page)
  await row.getByRole('button', { name: 'Revoke' }).click()
  await page.getByTestId('confirm').getByRole('button', { name: 'Revoke Nightly export' }).click()
  await expect(row).toHaveCount(0)
  expect((await use('/devices')).status).toBe(401)
})

test('whoever may sees all sessions, and ends one', async ({ page, browser }) => {
  const p = programs()
  await onlyFrom(page.context(), p.hub)
  const ivo = await crew('ivo', 'Ivo')
  const other = await another(browser, p.hub)
  await signInAs(other, p.hub, 'ivo', password)
  await expect(other).toHaveURL(/\/mqtt\/dashboard/)
  await signIn(page, p.hub, 'captain')
  await page.goto(`${p.hub}/mqtt/people?tab=sessions`)
  const row = page.getByTestId('all-sessions').getByRole('listitem').filter({ hasText: 'Ivo' })
  await expect(row).toContainText('Chrome on Linux')
  await look(page, 'hub-sessions')
  await row.getByRole('button', { name: /^End/ }).click()
  await expect(row).toHaveCount(0)
  await expect(other.getByTestId('sign-in')).toBeVisible()
  await page.goto(`${p.hub}/mqtt/people?tab=roles`)
  await page.getByTestId('roles').getByText('Chief').click()
  await expect(page.locator('[data-right="tablets.write"]')).toHaveAttribute('data-may', 'true')
  await expect(page.locator('[data-right="users.write"]')).toHaveAttribute('data-may', 'false')
  await look(page, 'hub-roles')
  await reflows(page)
  await other.context().close()
  await api(p.hub, p.hubToken, 'DELETE', `/api/v1/users/${ivo.user_id}`)
})
