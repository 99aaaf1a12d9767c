// A device of the stories: MQTT.js, another hand's client.
import mqtt, { type MqttClient } from 'mqtt'
import { programs } from './programs'

/** Asks a program's REST face. */
export async function api<T>(base: string, token: string, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

export class Device {
  private sequence = 0
  private constructor(private readonly client: MqttClient, readonly id: string, private readonly base: string) {}

  /** Registers a device at the hub and connects it. */
  static async add(id: string, type: string, room: string, answers = true): Promise<Device> {
    const p = programs()
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

  publish(action: string, payload: object): Promise<unknown> {
    return this.client.publishAsync(`${this.base}/${action}`, JSON.stringify(payload), { qos: 1 })
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
