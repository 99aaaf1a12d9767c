// Shows openapi.json: operations by tag, their parameters, bodies and answers.
// Text goes into the page as text only, never as markup.

const list = document.getElementById('operations')
const find = document.getElementById('find')

function el(name, props = {}, ...children) {
  const e = Object.assign(document.createElement(name), props)
  e.append(...children)
  return e
}

function resolve(doc, schema) {
  const name = schema?.$ref?.split('/').pop()
  return name ? { ...doc.components.schemas[name], title: name } : schema ?? {}
}

// shape is an example-like sketch of a schema: names with their types.
function shape(doc, schema, depth = 0, seen = []) {
  const s = resolve(doc, schema)
  if (s.title && seen.includes(s.title)) return s.title
  const within = s.title ? [...seen, s.title] : seen
  const pad = '  '.repeat(depth + 1)
  const types = [s.type ?? 'any'].flat()
  if (types.includes('array')) return `[ ${shape(doc, s.items, depth, within)} ]`
  if (types.includes('object') && s.properties) {
    const rows = Object.entries(s.properties).map(([name, p]) => {
      const optional = s.required?.includes(name) ? '' : '?'
      const what = resolve(doc, p).description ?? p.description
      return `${pad}${name}${optional}: ${shape(doc, p, depth + 1, within)}${what ? '  // ' + what : ''}`
    })
    return `{\n${rows.join('\n')}\n${'  '.repeat(depth)}}`
  }
  if (s.enum) return s.enum.map((v) => JSON.stringify(v)).join(' | ')
  return types.join(' | ') + (s.format ? ` (${s.format})` : '')
}

function contents(doc, content) {
  return Object.entries(content ?? {}).flatMap(([type, media]) => [
    el('div', { className: 'dim' }, type),
    ...(media.schema ? [el('pre', {}, shape(doc, media.schema))] : []),
  ])
}

function operation(doc, path, method, op) {
  const inner = el('div', { className: 'inner' })
  if (op.description) inner.append(el('p', {}, op.description))
  if (op.parameters?.length) {
    const rows = op.parameters.map((p) =>
      el('tr', {}, el('td', {}, el('code', {}, p.name)), el('td', {}, p.in + (p.required ? ', required' : '')),
        el('td', {}, shape(doc, p.schema)), el('td', {}, p.description ?? '')))
    inner.append(el('h3', {}, 'Parameters'), el('table', {},
      el('thead', {}, el('tr', {}, ...['name', 'in', 'type', 'meaning'].map((h) => el('th', {}, h)))),
      el('tbody', {}, ...rows)))
  }
  if (op.requestBody) inner.append(el('h3', {}, 'Body'), ...contents(doc, op.requestBody.content))
  inner.append(el('h3', {}, 'Answers'))
  for (const [status, r] of Object.entries(op.responses ?? {})) {
    inner.append(el('div', {}, el('code', {}, status), ' ', r.description ?? ''))
    if (status < 300) inner.append(...contents(doc, r.content))
  }
  const item = el('details', { id: op.operationId },
    el('summary', {}, el('span', { className: 'method' }, method.toUpperCase()), el('code', {}, path),
      el('span', {}, op.summary ?? ''), el('span', { className: 'right' }, op['x-permission'] ?? '')), inner)
  item.dataset.words = [method, path, op.summary, op.operationId, op['x-permission']].join(' ').toLowerCase()
  return item
}

function show(doc) {
  document.title = `${doc.info.title} API`
  document.getElementById('title').textContent = `${doc.info.title} ${doc.info.version}`
  const sections = new Map()
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      const op = item[method]
      if (!op) continue
      const tag = op.tags?.[0] ?? 'other'
      if (!sections.has(tag)) sections.set(tag, el('section', {}, el('h2', {}, tag)))
      sections.get(tag).append(operation(doc, path, method, op))
    }
  }
  list.replaceChildren(...[...sections.keys()].sort().map((tag) => sections.get(tag)))
  const linked = location.hash && document.getElementById(location.hash.slice(1))
  if (linked) { linked.open = true; linked.scrollIntoView() }
}

find.addEventListener('input', () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean)
  for (const section of list.querySelectorAll('section')) {
    let any = false
    for (const item of section.querySelectorAll('details')) {
      item.hidden = !words.every((w) => item.dataset.words.includes(w))
      any ||= !item.hidden
    }
    section.hidden = !any
  }
})

try {
  const answer = await fetch('/api/v1/openapi.json')
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`)
  show(await answer.json())
} catch (err) {
  list.replaceChildren(el('p', {}, `The document could not be read: ${err.message}`))
}
