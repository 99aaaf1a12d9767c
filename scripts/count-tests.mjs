// Counts the tests of all runners and prints one closing line. A skipped test
// is a failure: what is not run is not known to work.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const dir = process.argv[2]
const counts = { passed: 0, failed: 0, skipped: 0 }
const skipped = []
const count = (state, name) => {
  counts[state]++
  if (state === 'skipped') skipped.push(name)
}

const go = { pass: 'passed', fail: 'failed', skip: 'skipped' }
const ofGo = ['go.json', 'bubble.json']
for (const file of ofGo)
  for (const line of readFileSync(join(dir, file), 'utf8').split('\n')) {
    if (!line) continue
    const event = JSON.parse(line)
    if (event.Test && go[event.Action]) count(go[event.Action], `${event.Package} ${event.Test}`)
  }
for (const file of readdirSync(dir).filter((f) => !ofGo.includes(f))) {
  const report = JSON.parse(readFileSync(join(dir, file), 'utf8'))
  if (file === 'browser.json') {
    counts.passed += report.stats.expected + report.stats.flaky
    counts.failed += report.stats.unexpected
    for (let i = 0; i < report.stats.skipped; i++) count('skipped', 'browser')
    continue
  }
  for (const suite of report.testResults)
    for (const test of suite.assertionResults)
      count(test.status === 'passed' ? 'passed' : test.status === 'failed' ? 'failed' : 'skipped', test.fullName)
}

for (const name of skipped) console.log(`skipped: ${name}`)
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(counts.failed || counts.skipped || !counts.passed ? 1 : 0)
