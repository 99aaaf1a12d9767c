// Turns the rounds of bench.sh into a table: medians over the rounds.
import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'

const [file, setting] = process.argv.slice(2)
const rounds = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const ms = (us) => (us === undefined ? '–' : `${(us / 1000).toFixed(1)} ms`)

console.log(`# Measured

${setting}. Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()} ${arch()}.
The generator runs on the same cores. CPU is the broker process's, registration of the clients included; latency is from
the send to the PUBACK, or for presses to the receipt at the button, which leaves after the press is on disk.

| what | who | sent | lost | twice | CPU s per million | resident | p50 | p99 |
|---|---|---|---|---|---|---|---|---|`)
const groups = new Map()
for (const r of rounds) {
  const key = `${r.label}|${r.name}`
  groups.set(key, [...(groups.get(key) ?? []), r])
}
for (const key of [...groups.keys()].toSorted()) {
  const of = groups.get(key)
  const [label, name] = key.split('|')
  const pick = (get) => median(of.map(get))
  const latency = (r) => r.load.presses?.receipt_latency ?? r.load.puback_latency
  const sent = pick((r) => r.load.presses?.made ?? r.load.sent)
  console.log(
    `| ${label} | ${name} | ${sent} | ${pick((r) => r.load.presses?.lost ?? r.load.lost)} | ${pick((r) => r.load.duplicates)} ` +
      `| ${((pick((r) => r.cpu) / sent) * 1e6).toFixed(0)} | ${(pick((r) => r.rss) / 2 ** 20).toFixed(0)} MiB ` +
      `| ${ms(pick((r) => latency(r).p50_us))} | ${ms(pick((r) => latency(r).p99_us))} |`,
  )
}
