// Starts a console and a hub enrolled at it for each worker, once for all
// stories; ends them afterwards.
import type { FullConfig } from '@playwright/test'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const bin = resolve(import.meta.dirname, '../../../bin')

/** What the stories of one worker need to know; written to a file of the directory OBEDIO_BROWSER_DIR. */
export interface Programs {
  hub: string
  console: string
  mqtt: string
  mqtts: string
  https: string
  hubToken: string
  consoleToken: string
  password: string
  consolePid: number
  consoleArgs: string[]
  dir: string
}

const fileOf = (dir: string, worker: string): string => join(dir, `programs-${worker}.json`)

/** The programs of this worker: stories at the same time do not meet on one hub, where a call rings on every page. */
export const programs = (): Programs => JSON.parse(readFileSync(fileOf(process.env['OBEDIO_BROWSER_DIR']!, process.env['TEST_PARALLEL_INDEX']!), 'utf8')) as Programs
export const password = 'a-long-password'

export function run(name: string, args: string[], input = ''): string {
  return execFileSync(join(bin, name), args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] })
}

/** Starts a program and waits for its ready file. What it prints is told to `said`, if that is given. */
export async function start(name: string, ready: string, args: string[], said?: (text: string) => void): Promise<[ChildProcess, Record<string, string>]> {
  rmSync(ready, { force: true })
  const out = said ? 'pipe' : 'inherit'
  const child = spawn(join(bin, name), [...args, '--ready-file', ready, '--log-level', 'warn'], { stdio: ['ignore', out, out] })
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (b: Buffer) => said?.(b.toString()))
  for (let i = 0; i < 300 && child.exitCode === null; i++) {
    if (existsSync(ready)) return [child, (JSON.parse(readFileSync(ready, 'utf8')) as { listeners: Record<string, string> }).listeners]
    await new Promise((r) => setTimeout(r, 50))
  }
  throw new Error(`${name} did not start`)
}

/** Ends a program as its users do, and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((r) => child.once('exit', r))
  child.kill('SIGTERM')
  await gone
}

export default async function setup(config: FullConfig): Promise<() => Promise<void>> {
  const top = mkdtempSync(join(tmpdir(), 'obedio-browser-'))
  process.env['OBEDIO_BROWSER_DIR'] = top
  const stops = await Promise.all(Array.from({ length: config.workers }, (_, i) => startFor(top, String(i))))
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
    rmSync(top, { recursive: true, force: true })
  }
}

async function startFor(top: string, worker: string): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(top, `${worker}-`))
  const hubData = join(dir, 'hub')
  const consoleData = join(dir, 'console')
  const consoleArgs = ['serve', '--data', consoleData, '--http', '127.0.0.1:0', '--hublink', '127.0.0.1:0']
  const [shore, shoreAt] = await start('obedio-console', join(dir, 'console.json'), consoleArgs)
  const [hub, hubAt] = await start('obedio-hub', join(dir, 'hub.json'), [
    'serve', '--data', hubData, '--site', 'yacht-1', '--site-name', 'M/Y Aurelia', '--mqtt', '127.0.0.1:0', '--mqtts', '127.0.0.1:0', '--mqtt-ws', '127.0.0.1:0', '--https', '127.0.0.1:0',
    '--http', '127.0.0.1:0', '--uplink-state-every', '500ms', '--uplink-retry-first', '300ms', '--uplink-retry-most', '1s',
    '--traffic-flush-every', '500ms',
  ])
  const admin = (username: string): string => JSON.stringify({ username, password })
  run('obedio-hub', ['setup', '--data', hubData], admin('captain'))
  run('obedio-console', ['setup', '--data', consoleData], admin('owner'))
  const token = (name: string, data: string, role: string): string =>
    (JSON.parse(run(name, ['token', 'create', '--data', data, '--name', 'browser', '--role', role, '--json'])) as { token: string }).token
  run('obedio-console', ['site', 'add', 'yacht-1', '--name', 'M/Y Aurelia', '--data', consoleData, '--json'])
  writeFileSync(join(dir, 'claim.json'), run('obedio-console', ['site', 'claim', 'yacht-1', '--data', consoleData]))
  run('obedio-hub', ['enroll', '--data', hubData, '--claim', join(dir, 'claim.json')])
  const out: Programs = {
    hub: `http://${hubAt.http}`, console: `http://${shoreAt.http}`, mqtt: hubAt.mqtt!, mqtts: hubAt.mqtts!, https: `https://${hubAt.https}`, password, dir, consoleArgs,
    hubToken: token('obedio-hub', hubData, 'admin'), consoleToken: token('obedio-console', consoleData, 'owner'), consolePid: shore.pid!,
  }
  writeFileSync(fileOf(top, worker), JSON.stringify(out))
  return async () => {
    await end(hub)
    await end(shore)
  }
}
