// Turns the rounds of bench.sh into a table: medians over the rounds, and the
// ratios that have a bar.
import { readFileSync, statSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'

const [work, clients, rate, duration, roundCount, rows, tableBytes, historyBytes, historyRecords] = process.argv.slice(2)
const rounds = readFileSync(join(work, 'rounds'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const ms = (us) => (us === undefined ? '–' : `${(us / 1000).toFixed(1)}`)
const mib = (bytes) => (bytes / 2 ** 20).toFixed(0)

const groups = new Map()
for (const r of rounds) {
  const key = `${r.label}|${r.name}`
  groups.set(key, [...(groups.get(key) ?? []), r.load])
}
const of = (label, name, get) => median(groups.get(`${label}|${name}`).map(get))
const cpu = (l) => l.watched.cpu_us_per_message

console.log(`# Measured

${roundCount} rounds of ${duration}, interleaved; each client sends ${rate} messages of 200 bytes a second with QoS 1. Medians of the rounds.
Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()} ${arch()}. The generator, and Mosquitto's subscriber, run on the same cores.
"mixed" is 70 % status, 20 % heartbeats, 9 % metrics and 1 % presses; on the hub a press opens a request, is on disk before its receipt, and rings.
The hub decides rights, decodes, keeps state, records every message and sums it up in all rows; "live view open" has one reader of all traffic besides.
CPU is µs of the named processes for each message that was sent, with all that descends from them; memory is resident at the end.

| load | who | sent | lost | twice | CPU µs a message | MiB | PUBACK p50, p99 ms | receipt p50, p99 ms |
|---|---|---|---|---|---|---|---|---|`)
for (const [key, loads] of groups) {
  if (loads[0].back) continue
  const [label, name] = key.split('|')
  const pick = (get) => median(loads.map(get))
  const receipts = loads.some((l) => l.presses)
  const lost = Math.max(...loads.map((l) => l.lost + (l.presses?.lost ?? 0)))
  const twice = Math.max(...loads.map((l) => l.duplicates + (l.presses?.duplicate_receipts ?? 0)))
  console.log(
    `| ${label} | ${name} | ${pick((l) => l.sent)} | ${lost} | ${twice} | ${pick(cpu).toFixed(1)} | ${mib(pick((l) => l.watched.resident_bytes))} ` +
      `| ${ms(pick((l) => l.puback_latency.p50_us))}, ${ms(pick((l) => l.puback_latency.p99_us))} ` +
      `| ${receipts ? `${ms(pick((l) => l.presses?.receipt_latency.p50_us))}, ${ms(pick((l) => l.presses?.receipt_latency.p99_us))}` : '–'} |`,
  )
}

const many = `${clients} clients`
const label = `${clients} mutual-TLS clients back after a restart`
const back = (name) => of(label, name, (l) => l.back.back_ms)
console.log(`
| ${label} | away ms | all back ms | p50, p99 ms | not back | failed attempts | CPU s | MiB |
|---|---|---|---|---|---|---|---|`)
for (const [key, loads] of groups) {
  if (!loads[0].back) continue
  const pick = (get) => median(loads.map(get))
  console.log(
    `| ${key.split('|')[1]} | ${pick((l) => l.back.away_ms)} | ${pick((l) => l.back.back_ms)} | ${ms(pick((l) => l.back.latency.p50_us))}, ${ms(pick((l) => l.back.latency.p99_us))} ` +
      `| ${Math.max(...loads.map((l) => l.back.missing))} | ${pick((l) => l.back.failed_attempts)} | ${pick((l) => l.watched.cpu_s).toFixed(2)} | ${mib(pick((l) => l.watched.resident_bytes))} |`,
  )
}
const secure = `
| ratio | this run | bar |
|---|---|---|
| CPU, hub to Mosquitto with one subscriber, mixed, over TLS with client certificates | ${(of(`${many} over TLS, mixed`, 'hub, live view open', cpu) / of(`${many} over TLS, mixed`, 'Mosquitto, one subscriber', cpu)).toFixed(2)} × | – |
| the hub's resident memory, ${many} over TLS, mixed | ${mib(of(`${many} over TLS, mixed`, 'hub, live view open', (l) => l.watched.resident_bytes))} MiB | – |
| ${label} | ${(back('hub') / 1000).toFixed(1)} s (Mosquitto ${(back('Mosquitto') / 1000).toFixed(1)} s) | ≤ 10 s |`
if (rows === undefined) {
  console.log(secure)
  process.exit()
}
const few = [...groups.keys()].find((k) => k.endsWith("|the seed's pipeline")).split('|')[0]
const perRow = tableBytes / rows
// What the hub has recorded: all that came in, and the receipts.
const onHub = rounds.filter((r) => r.name.startsWith('hub')).map((r) => r.load)
const perRecord = historyBytes / onHub.reduce((n, l) => n + l.sent + (l.presses?.receipted ?? 0), 0)
console.log(`${secure}
| CPU, hub to Mosquitto with one subscriber, mixed | ${(of(`${many}, mixed`, 'hub, live view open', cpu) / of(`${many}, mixed`, 'Mosquitto, one subscriber', cpu)).toFixed(2)} × | ≤ 1.5 × |
| CPU, hub to Mosquitto with one subscriber, heartbeats | ${(of(`${many}, heartbeats`, 'hub, live view open', cpu) / of(`${many}, heartbeats`, 'Mosquitto, one subscriber', cpu)).toFixed(2)} × | ≤ 1.5 × |
| CPU, the seed's pipeline to the hub | ${(of(few, "the seed's pipeline", cpu) / of(few, 'hub', cpu)).toFixed(1)} × | ≥ 8 × |
| bytes a message on disk, the seed's table (${perRow.toFixed(0)} B) to the hub's record and summaries (${perRecord.toFixed(1)} B) | ${(perRow / perRecord).toFixed(0)} × | ≥ 50 × |
| the hub's resident memory, ${many}, mixed | ${mib(of(`${many}, mixed`, 'hub, live view open', (l) => l.watched.resident_bytes))} MiB | ≤ 120 MB |
| press → receipt p99 under ${many}, mixed | ${ms(of(`${many}, mixed`, 'hub, live view open', (l) => l.presses?.receipt_latency.p99_us))} ms | ≤ 50 ms |`)

for (const [key, [l]] of groups) {
  if (!key.startsWith('soak')) continue
  console.log(`
Soak: ${l.sent} messages in ${l.duration_ms / 1000} s, ${l.lost} lost, resident at the end ${l.watched.resident_growth.toFixed(3)} × that after a fifth of the time (bar 1.05);
the quick reader of the live view got ${l.live.messages} and missed ${l.live.dropped}, the slow one got ${l.live.slow_messages} and was told of ${l.live.slow_dropped} dropped.`)
}

if (statSync(join(work, 'benchmarks.txt')).size > 0) {
  console.log(`
Go benchmarks (the history of one device's last hour is among ${Number(historyRecords).toLocaleString('en')} records):

\`\`\`
${readFileSync(join(work, 'benchmarks.txt'), 'utf8').trim()}
\`\`\``)
}
