// A site with a crew: people with accounts and watches, shifts, rooms on
// decks, and calls that were answered. Its hub is its own, so that who is on
// duty here is no matter of the other stories.
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { api, Device } from './device'
import { end, password, programs, run, start, type Programs } from './programs'

type Here = Pick<Programs, 'hub' | 'hubToken' | 'mqtt'>

export interface Call {
  request_id: string
  room: string
  state: string
  version: number
}

export class Site {
  readonly devices = new Map<string, Device>()
  private constructor(private readonly program: ChildProcess, readonly here: Here) {}

  static async begin(): Promise<Site> {
    const data = mkdtempSync(join(programs().dir, 'crew-'))
    const [hub, at] = await start('obedio-hub', `${data}.json`, [
      'serve', '--data', data, '--site', 'yacht-7', '--site-name', 'M/Y Calliope', '--mqtt', '127.0.0.1:0', '--mqtts', '', '--mqtt-ws', '', '--https', '', '--http', '127.0.0.1:0',
    ])
    run('obedio-hub', ['setup', '--data', data], JSON.stringify({ username: 'captain', password }))
    const { token } = JSON.parse(run('obedio-hub', ['token', 'create', '--data', data, '--name', 'browser', '--role', 'admin', '--json'])) as { token: string }
    return new Site(hub, { hub: `http://${at.http}`, hubToken: token, mqtt: at.mqtt! })
  }

  async end(): Promise<void> {
    await Promise.all([...this.devices.values()].map((d) => d.end()))
    await end(this.program)
  }

  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return api<T>(this.here.hub, this.here.hubToken, method, `/api/v1${path}`, body)
  }

  device(id: string): Device {
    const device = this.devices.get(id)
    if (!device) throw new Error(`no device ${id}`)
    return device
  }

  async add(id: string, type: string, room: string): Promise<Device> {
    const device = await Device.add(id, type, room, true, this.here)
    this.devices.set(id, device)
    return device
  }

  /** The open call of a room. */
  async call(room: string): Promise<Call | undefined> {
    return (await this.ask<{ items: Call[] }>('GET', '/requests?state=open,accepted')).items.find((r) => r.room === room)
  }

  /** Rooms, teams, services, crew, shifts and watches; one of the crew wears none, one's watch is off. */
  async seed(): Promise<void> {
    const rooms = [
      ['owner-suite', 'Owner suite', 'Upper deck'], ['sky-lounge', 'Sky lounge', 'Upper deck'], ['vip-suite', 'VIP suite', 'Main deck'], ['salon', 'Main salon', 'Main deck'],
      ['cabin-1', 'Cabin 1', 'Lower deck'], ['cabin-2', 'Cabin 2', 'Lower deck'], ['cabin-3', 'Cabin 3', 'Lower deck'],
    ] as const
    for (const [i, [id, name, deck]] of rooms.entries()) await this.ask('PUT', `/rooms/${id}`, { name, deck, zone: i < 2 ? 'Forward' : 'Aft', position: i + 1 })
    for (const [team_id, name] of [['interior', 'Interior'], ['deck', 'Deck']]) await this.ask('POST', '/teams', { team_id, name })
    await this.ask('POST', '/services', { kind: 'drinks', label: 'Drinks', team: 'interior' })
    const users: Record<string, string> = {}
    for (const [username, name] of [['mila', 'Mila Novak'], ['luca', 'Luca Ferri']] as const) {
      users[username] = (await this.ask<{ user_id: string }>('POST', '/users', { username, name, role: 'crew', password })).user_id
    }
    for (const id of ['watch-mila', 'watch-luca']) await this.add(id, 'watch', 'salon')
    for (const id of ['watch-ines', 'watch-spare']) await this.ask('POST', '/devices', { device_id: id, type: 'watch', room: 'salon', generate_password: true })
    await this.device('watch-mila').status({ battery: 82, signal: -58 })
    await this.device('watch-luca').status({ battery: 14, signal: -71 })
    const people = [
      { person_id: 'mila', name: 'Mila Novak', teams: ['interior'], user_id: users['mila'], watch: 'watch-mila' },
      { person_id: 'luca', name: 'Luca Ferri', teams: ['interior'], lead: true, user_id: users['luca'], watch: 'watch-luca' },
      { person_id: 'ines', name: 'Ines Duarte', teams: ['interior', 'deck'], watch: 'watch-ines' },
      { person_id: 'noah', name: 'Noah Berg', teams: ['deck'] },
    ]
    for (const p of people) await this.ask('POST', '/crew', p)
    const shifts = [
      { shift_id: 'all-day', title: 'Interior', from: '00:00', to: '00:00', as: 'duty', people: ['mila', 'ines'] },
      { shift_id: 'reserve', title: 'Reserve', from: '00:00', to: '00:00', as: 'backup', people: ['luca'] },
    ]
    for (const s of shifts) await this.ask('POST', '/shifts', s)
    for (const [id] of rooms) await this.add(`btn-${id}`, 'button', id)
    await this.ask('POST', '/duty/notes', { text: 'Owner suite wants breakfast at 7:30 on deck' })
    await this.ask('POST', '/duty/notes', { text: 'Cabin 2: the air conditioning was looked at, call if it drips' })
  }

  /** Calls that came and were answered, as they were all day. */
  async history(): Promise<void> {
    for (const room of ['cabin-1', 'cabin-2', 'salon', 'vip-suite', 'cabin-1']) {
      await this.device(`btn-${room}`).press()
      let call: Call | undefined
      for (let i = 0; i < 100 && !call; i++) call = await this.call(room)
      if (!call) throw new Error(`no call from ${room}`)
      const taken = await this.ask<Call>('POST', `/requests/${call.request_id}/accept`, { version: call.version })
      await this.ask('POST', `/requests/${call.request_id}/complete`, { version: taken.version })
    }
  }
}
