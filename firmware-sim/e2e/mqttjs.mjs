// A button that is driven by MQTT.js, unchanged: it presses and waits for the
// receipt, over each way and in each version of MQTT. Arguments: URLs of the
// ways, then the button as JSON. Prints a line for each that works.
import mqtt from 'mqtt'

const urls = process.argv.slice(2, -1)
const button = JSON.parse(process.argv.at(-1))
let sequence = 0

for (const url of urls) {
  for (const protocolVersion of [3, 4, 5]) {
    const client = await mqtt.connectAsync(url, {
      clientId: button.id,
      username: button.id,
      password: button.password,
      protocolVersion,
      protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
      clean: false,
      properties: protocolVersion === 5 ? { sessionExpiryInterval: 60, receiveMaximum: 5 } : undefined,
      reconnectPeriod: 0,
      will: { topic: `${button.base}/status`, payload: JSON.stringify({ online: false }), qos: 1, retain: true },
    })
    sequence++
    const receipt = new Promise((resolve, reject) => {
      client.on('error', reject)
      client.on('message', (topic, payload) => {
        const m = JSON.parse(payload)
        if (topic === `${button.base}/cmd/receipt` && m.sequence_id === sequence && m.stage === 'stored') resolve()
      })
    })
    await client.subscribeAsync(`${button.base}/cmd/#`, { qos: 1 })
    await client.publishAsync(`${button.base}/status`, JSON.stringify({ online: true, battery: 80 }), { qos: 1, retain: true })
    await client.publishAsync(
      `${button.base}/press`,
      JSON.stringify({ press_type: 'single', sequence_id: sequence, boot_id: 'mqttjs' }),
      { qos: 1 },
    )
    await receipt
    await client.endAsync()
    console.log(`ok ${new URL(url).protocol} v${protocolVersion}`)
  }
}
process.exit(0)
