// The pipeline of the seed, to measure beside: a subscriber of everything that
// inserts each message into the table MQTTTrafficLog of a PostgreSQL database,
// through a pool of connections. Arguments: broker URL, database URL.
import mqtt from 'mqtt'
import pg from 'pg'

const [broker, database] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: database, max: 10 })
await pool.query(`CREATE TABLE IF NOT EXISTS MQTTTrafficLog (
  id SERIAL PRIMARY KEY,
  device_id VARCHAR(50) NOT NULL,
  topic VARCHAR(255) NOT NULL,
  qos INTEGER,
  payload_size INTEGER,
  direction VARCHAR(10),
  timestamp TIMESTAMP DEFAULT NOW()
)`)
await pool.query('CREATE INDEX IF NOT EXISTS idx_device_timestamp ON MQTTTrafficLog (device_id, timestamp)')
await pool.query('CREATE INDEX IF NOT EXISTS idx_topic_timestamp ON MQTTTrafficLog (topic, timestamp)')

const client = mqtt.connect(broker, { clientId: 'mqtt-admin-api', clean: true })
client.on('message', (topic, payload, packet) => {
  pool
    .query('INSERT INTO MQTTTrafficLog (device_id, topic, qos, payload_size, direction) VALUES ($1, $2, $3, $4, $5)', [
      topic.split('/')[4],
      topic,
      packet.qos,
      payload.length,
      'inbound',
    ])
    .catch((error) => {
      console.error(error)
      process.exit(1)
    })
})
client.on('connect', async () => {
  await client.subscribeAsync('#', { qos: 1 })
  console.log('ready')
})
process.on('SIGTERM', async () => {
  await client.endAsync()
  await pool.end()
  process.exit(0)
})
