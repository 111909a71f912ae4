// What npm run test:adversity found, and how docs/reliability.md tells it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './run.mjs'

const PAGE = join(ROOT, 'docs', 'reliability.md')
const BEGIN = '<!-- results: written by `npm run test:adversity` -->'
const END = '<!-- end of results -->'
const PEERS_BEGIN = '<!-- peers: written by `npm run test:adversity` -->'
const PEERS_END = '<!-- end of peers -->'
const HEAD = '| # | fault | what was run | over | PostgreSQL | day | cases | failures | at most |'
const RULE = '|---|---|---|---|---|---|---:|---:|---|'

export class Results {
  /** Majors that could not be had. */
  skipped = []
  /** What the other drivers do, as __test__/adversity/peers/run.mjs tells it; what the page says of it stays without. */
  peers
  /** By row, title and network, each with the majors that it ran on. */
  #rows = new Map()
  #isAll

  /** @param {boolean} isAll whether all rows run; otherwise the others keep what the page says of them */
  constructor(isAll) {
    this.#isAll = isAll
  }

  /**
   * One row against one server.
   *
   * @param {object} row as __test__/adversity/network/report.ts has it
   * @param {number} [major] of PostgreSQL, where one had to do with it
   * @param {boolean} [isFull] whether all of the row ran
   */
  add(row, major, isFull) {
    const key = `${row.number} ${row.title} ${row.over}`
    const fresh = { ...row, cases: 0, failures: [], full: [], part: [], measured: {}, beyond: {} }
    const known = this.#rows.get(key) ?? fresh
    known.cases += row.cases
    known.failures.push(...row.failures)
    if (major !== undefined && !row.isScripted) known[isFull ? 'full' : 'part'].push(major)
    for (const [label, figure] of Object.entries(row.measured ?? {}))
      known.measured[label] = Math.max(known.measured[label] ?? 0, figure)
    for (const [label, count] of Object.entries(row.beyond ?? {}))
      known.beyond[label] = (known.beyond[label] ?? 0) + count
    this.#rows.set(key, known)
  }

  /** Writes the tables. */
  write() {
    let page = readFileSync(PAGE, 'utf8')
    page = between(page, BEGIN, END, (old) => this.#table(old))
    if (this.peers !== undefined) page = between(page, PEERS_BEGIN, PEERS_END, () => peersTable(this.peers))
    writeFileSync(PAGE, page)
  }

  #table(old) {
    const fresh = this.#written().map(([, row]) => lineOf(row))
    const lines = [...this.#kept(old), ...fresh].toSorted((a, b) => numberOf(a) - numberOf(b))
    return [
      BEGIN,
      '',
      `Node ${process.versions.node}, ${process.platform}-${process.arch}. TLS is verified in full, with SCRAM bound to it. What is measured is the greatest of all cases, on a machine that did other things as well.`,
      '',
      HEAD,
      RULE,
      ...lines,
      ...(this.skipped.length > 0 ? ['', `Not to be had here: PostgreSQL ${this.skipped.join(', ')}.`] : []),
      '',
      END,
    ].join('\n')
  }

  /** Row 35 looks at what all the others do: of some of them it says too little. */
  #written() {
    return [...this.#rows].filter(([, row]) => this.#isAll || row.number !== '35' || row.isScripted)
  }

  /** What the page says of rows that did not run this time. */
  #kept(old) {
    if (this.#isAll) return []
    const written = new Set(this.#written().map(([key]) => key))
    const keyOf = (line) => {
      const [number, title, , over] = line.slice(2).split(' | ')
      return `${number} ${title} ${over}`
    }
    return old.split('\n').filter((line) => /^\| \d/.test(line) && !written.has(keyOf(line)))
  }
}

/** The page with something else between two of its lines. */
function between(page, begin, end, write) {
  const [before, after] = [page.indexOf(begin), page.indexOf(end)]
  if (before < 0 || after < 0) throw new Error(`docs/reliability.md lacks ${begin} or ${end}`)
  return page.slice(0, before) + write(page.slice(before, after)) + page.slice(after + end.length)
}

function peersTable({ versions, scenarios }) {
  const names = Object.keys(scenarios[0].outcomes)
  const shown = (name) => (versions[name] === undefined ? name : `${name} ${versions[name]}`)
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    PEERS_BEGIN,
    '',
    line(['#', 'what was run', ...names.map(shown)]),
    `|---|---|${'---|'.repeat(names.length)}`,
    ...scenarios.map(({ number, title, outcomes }) => line([number, title, ...Object.values(outcomes)])),
    '',
    PEERS_END,
  ].join('\n')
}

const numberOf = (line) => Number(/\d+/.exec(line)[0])

function lineOf(row) {
  const { number, title, detail, over, cases, failures } = row
  const day = new Date().toISOString().slice(0, 10)
  const cells = [number, title, detail, over, versionsOf(row), day, cases, failures.length, measuredOf(row)]
  return `| ${cells.join(' | ')} |`
}

function measuredOf({ measured, beyond }) {
  const figures = Object.entries(measured).map(([label, figure]) => {
    if (figure === 0 && label.endsWith('after the deadline')) return 'settled before the deadline'
    const shown = label.replace('{}', figure < 10 && figure > 0 ? figure.toFixed(1) : `${Math.ceil(figure)}`)
    return beyond[label] ? `${shown} (${beyond[label]} beyond the promise)` : shown
  })
  return figures.length > 0 ? figures.join('; ') : '–'
}

function versionsOf({ full, part, isScripted }) {
  if (isScripted) return 'scripted'
  const list = (majors) => majors.toSorted((a, b) => a - b).join(', ')
  const inPart = part.length > 0 ? [`in part ${list(part)}`] : []
  return [...(full.length > 0 ? [list(full)] : []), ...inPart].join('; ')
}
