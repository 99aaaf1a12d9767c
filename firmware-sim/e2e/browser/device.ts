// A device of the stories: MQTT.js, another hand's client.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { programs, type Programs } from './programs'

/** Asks a program's REST face. */
export async function api<T>(base: string, token: string, method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<T> {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...more, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

/** A P-256 key and the request to certify it, as a device makes them. */
function keyAndRequest(): { key: string; csr: string } {
  const dir = mkdtempSync(join(programs().dir, 'key-'))
  const key = join(dir, 'key.pem')
  execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], { stdio: 'ignore' })
  const csr = execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=device'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const out = { key: readFileSync(key, 'utf8'), csr }
  rmSync(dir, { recursive: true })
  return out
}

/** What a device gets that joins, and what it connects with. */
export interface Joined {
  device_id: string
  certificate: string
  chain: string
  broker_urls: string[]
  topics: { base: string }
  key: string
}

/** Joins the site by a short code, as a device does: without a session. */
export async function claim(code: string): Promise<Joined> {
  const { key, csr } = keyAndRequest()
  const answer = await fetch(`${programs().hub}/api/v1/provision/claim`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ code, csr }),
  })
  if (!answer.ok) throw new Error(`claim: ${answer.status} ${await answer.text()}`)
  return { ...((await answer.json()) as Omit<Joined, 'key'>), key }
}

export class Device {
  private sequence = 0
  private constructor(private readonly client: MqttClient, readonly id: string, private readonly base: string) {}

  /** Registers a device at the hub and connects it. */
  static async add(id: string, type: string, room: string, answers = true, p: Pick<Programs, 'hub' | 'hubToken' | 'mqtt'> = programs()): Promise<Device> {
    const made = await api<{ base_topic: string; credentials: { password: string } }>(p.hub, p.hubToken, 'POST', '/api/v1/devices', {
      device_id: id, type, room, generate_password: true,
    })
    const client = await mqtt.connectAsync(`mqtt://${p.mqtt}`, { clientId: id, username: id, password: made.credentials.password, protocolVersion: 5 })
    const device = new Device(client, id, made.base_topic)
    client.on('message', (topic, payload) => {
      const name = topic.slice(device.base.length + 1)
      if (!answers || !name.startsWith('cmd/') || name === 'cmd/notify' || name === 'cmd/receipt') return
      const { command_id } = JSON.parse(payload.toString()) as { command_id: string }
      void device.publish('ack', { command_id, status: 'acknowledged' }).then(() => device.publish('ack', { command_id, status: 'succeeded' }))
    })
    await client.subscribeAsync(`${device.base}/cmd/#`, { qos: 1 })
    return device
  }

  /** Connects a device that has joined, with its certificate. */
  static async connect(joined: Joined): Promise<Device> {
    const url = joined.broker_urls.find((u) => u.startsWith('mqtts:'))
    if (!url) throw new Error(`no mqtts among ${joined.broker_urls.join(' ')}`)
    const client = await mqtt.connectAsync(`mqtts://${programs().mqtts}`, {
      clientId: joined.device_id, key: joined.key, cert: joined.certificate, ca: joined.chain, protocolVersion: 5,
      checkServerIdentity: () => undefined, reconnectPeriod: 0,
    })
    return new Device(client, joined.device_id, joined.topics.base)
  }

  /** Whether the connection is up. */
  get connected(): boolean {
    return this.client.connected
  }

  publish(action: string, payload: object): Promise<unknown> {
    return this.client.publishAsync(`${this.base}/${action}`, JSON.stringify(payload), { qos: 1 })
  }

  /** Publishes anywhere, for what a device may not do. */
  raw(topic: string, payload: string): Promise<unknown> {
    return this.client.publishAsync(topic, payload, { qos: 1 })
  }

  press(more: object = {}): Promise<unknown> {
    return this.publish('press', { press_type: 'single', sequence_id: ++this.sequence, boot_id: 'browser', ...more })
  }

  status(payload: object): Promise<unknown> {
    return this.publish('status', payload)
  }

  end(): Promise<void> {
    return this.client.endAsync()
  }
}
