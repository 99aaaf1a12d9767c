import { expect, test } from '@playwright/test'
import { join } from 'node:path'
import { Device } from './device'
import { look, onlyFrom, signIn } from './pages'
import { end, password, programs, run, start } from './programs'

test.beforeEach(async ({ context }) => onlyFrom(context, programs().console))

test('the fleet shows the site with its link state and its data age', async ({ page }) => {
  const { console: base } = programs()
  await signIn(page, base, 'owner')
  const row = page.getByTestId('sites-table').locator('[data-site-id="yacht-1"]')
  await expect(row).toHaveAttribute('data-link-state', 'online')
  await expect(row).toContainText('M/Y Aurelia')
  await look(page, 'console-fleet')
  await row.getByText('M/Y Aurelia').click()
  await expect(page.getByTestId('site')).toBeVisible()
  await expect(page.getByTestId('stamp').first()).toBeVisible()
  await look(page, 'console-site')
  for (const tab of ['devices', 'requests', 'commands', 'orders', 'traffic', 'sync']) {
    await page.goto(`${base}/sites/yacht-1?tab=${tab}`)
    await expect(page.getByTestId('stamp').first()).toBeVisible()
    await look(page, `console-site-${tab}`)
  }
})

test('a command from shore to a watch ends succeeded on both screens', async ({ page, browser }) => {
  const p = programs()
  const watch = await Device.add('watch-201', 'watch', 'bridge')
  await signIn(page, p.console, 'owner')
  await page.goto(`${p.console}/sites/yacht-1/devices/watch-201`)
  await expect(page.getByTestId('device')).toBeVisible()
  await page.getByRole('button', { name: 'Send a command' }).click()
  await expect(page.getByTestId('send-advice')).toBeVisible()
  const dialog = page.getByTestId('send-command')
  await dialog.getByLabel('Command').fill('locate')
  await dialog.getByRole('button', { name: 'Send', exact: true }).click()
  await expect(page.getByTestId('command').first()).toHaveAttribute('data-state', 'succeeded')
  await look(page, 'console-device')

  const context = await browser.newContext()
  const board = await context.newPage()
  await signIn(board, p.hub, 'captain')
  await board.goto(`${p.hub}/mqtt/devices/watch-201`)
  await expect(board.getByTestId('command').first()).toHaveAttribute('data-state', 'succeeded')
  await context.close()
  await watch.end()
})

test('a site is added and its claim file downloaded', async ({ page }) => {
  await signIn(page, programs().console, 'owner')
  await page.goto(`${programs().console}/add-site`)
  await page.getByLabel('Site id').fill('hotel-7')
  await page.getByLabel('Name').fill('Hotel Seven')
  await look(page, 'console-add-site')
  await page.getByRole('button', { name: 'Add the site' }).click()
  await page.getByRole('button', { name: 'Make a claim file' }).click()
  await expect(page.getByTestId('claim')).toBeVisible()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download the claim file' }).or(page.getByRole('link', { name: 'Download the claim file' })).click()
  const file = await (await download).createReadStream()
  const chunks: Buffer[] = []
  for await (const chunk of file) chunks.push(chunk as Buffer)
  expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ version: 1, site_id: 'hotel-7' })
})

test('the page says when the console is gone, and goes on when it is back', async ({ page }) => {
  const p = programs()
  // A console of this story's own: the others go on with theirs.
  const args = [...p.consoleArgs]
  args[2] = join(p.dir, 'other')
  const ready = join(p.dir, 'other.json')
  const [first, at] = await start('obedio-console', ready, args)
  let running = first
  try {
    run('obedio-console', ['setup', '--data', args[2]!], JSON.stringify({ username: 'owner', password }))
    await page.context().unrouteAll()
    await signIn(page, `http://${at.http}`, 'owner')
    await expect(page.getByText('Live', { exact: true })).toBeVisible()
    await end(first)
    await expect(page.getByText('Live', { exact: true })).toHaveCount(0)
    args[args.indexOf('--http') + 1] = at.http!
    running = (await start('obedio-console', ready, args))[0]
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 40_000 })
  } finally {
    await end(running)
  }
})
