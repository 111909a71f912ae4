// How the result of scripts/tagged.mjs is told, and kept in docs/reliability.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../run.mjs'
import { DRIVERS } from './drivers/index.mjs'

const PAGE = join(ROOT, 'docs', 'reliability.md')
const BEGIN = '<!-- tagged questions: written by `npm run tagged -- --write` -->'
const END = '<!-- end of tagged questions -->'
const HEAD =
  '| driver | questions | mismatched | failed | lost | hung | uncaught | seconds | left out | day, versions |'
const RULE = '|---|---:|---:|---:|---:|---|---:|---:|---|---|'

const WRONG = ['mismatched', 'failed', 'lost', 'uncaught']

const grouped = (number) => `${number}`.replaceAll(/\B(?=(\d{3})+$)/g, ' ')

/** Whether all is as it must be. */
export const isRight = (result) =>
  result.hang === undefined && WRONG.every((name) => result[name] === 0) && result.answered >= result.count

/** What one reads on a terminal. */
export function reportOf(result) {
  const { driver, version, runtime, postgresql, connections, callers, seed, kinds } = result
  const lines = [
    `${driver} ${version ?? ''}, ${runtime ?? ''}, PostgreSQL ${postgresql}; ${connections} connections, ${callers} callers, seed ${seed}`,
    ...Object.entries(kinds).map(
      ([kind, { asked, failed }]) =>
        `  ${kind}: ${grouped(asked)}${failed > 0 ? `, ${grouped(failed)} wrong` : ''}`,
    ),
    ...Object.entries(result.missing ?? {}).map(
      ([kind, reason]) => `  ${kind}: left out, ${driver} ${reason}`,
    ),
    ...result.problems.map((problem) => `  ! ${problem}`),
    ...(result.hang === undefined ? [] : [`  ! hang: ${result.hang}`]),
    ...(result.hang === undefined ? [] : result.waiting.map((one) => `    ${JSON.stringify(one)}`)),
    `${isRight(result) ? '✓' : '✗'} ${grouped(result.answered)} of ${grouped(result.asked)} questions ended in ${result.seconds.toFixed(1)} s: ${WRONG.map((name) => `${grouped(result[name] ?? 0)} ${name}`).join(', ')}${result.hang === undefined ? '' : ', and a hang'}`,
  ]
  return lines.join('\n')
}

function rowOf(result) {
  const { driver, version, runtime, postgresql, seconds, hang, missing = {} } = result
  const day = new Date().toISOString().slice(0, 10)
  // What a driver lacks for the same reason stands together.
  const leftOut = Object.entries(missing).map(([kind, reason]) => `${kind}: ${reason}`)
  const cells = [
    driver,
    grouped(result.answered),
    ...['mismatched', 'failed', 'lost'].map((name) => grouped(result[name] ?? 0)),
    hang === undefined ? 'no' : `after ${grouped(result.answered)} questions: ${hang}`,
    grouped(result.uncaught ?? 0),
    seconds.toFixed(0),
    leftOut.join('; ') || '–',
    `${day}, ${driver === 'bun' ? '' : `${version}, `}${runtime}, PostgreSQL ${postgresql}`,
  ]
  return `| ${cells.join(' | ')} |`
}

/** Puts the result into the page, in place of what it says of the same driver. */
export function writeRow(result) {
  const page = readFileSync(PAGE, 'utf8')
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < 0) throw new Error(`docs/reliability.md lacks ${BEGIN} or ${END}`)
  const driverOf = (line) => /^\| (\w+) \|/.exec(line)?.[1]
  const others = page
    .slice(before, after)
    .split('\n')
    .filter((line) => DRIVERS.includes(driverOf(line)) && driverOf(line) !== result.driver)
  const rows = [...others, rowOf(result)].toSorted(
    (a, b) => DRIVERS.indexOf(driverOf(a)) - DRIVERS.indexOf(driverOf(b)),
  )
  const table = [BEGIN, '', HEAD, RULE, ...rows, '', END].join('\n')
  writeFileSync(PAGE, page.slice(0, before) + table + page.slice(after + END.length))
}
