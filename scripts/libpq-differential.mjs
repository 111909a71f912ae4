// What oxpg and libpq make of the same connection strings, where libpq and Python are installed:
//
//   node scripts/libpq-differential.mjs [--count 20000] [--seed 1] [--libpq path/to/libpq.so.5]
//
// libpq is asked by PQconninfoParse. A string of which both make something else is a failure, unless it is of a kind in
// DIFFERENCES; the guide's page on connecting lists the same kinds.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nativeFolder } from './embedded-postgres.mjs'
import { ROOT } from './run.mjs'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    libpq: { type: 'string' },
  },
})

/** Reads a JSON array of strings; gives libpq's version, and for each string its keywords or an error. */
const ASK_LIBPQ = `
import ctypes, json, sys
libpq = ctypes.CDLL(sys.argv[1])
class Option(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ('keyword', 'envvar', 'compiled', 'val', 'label', 'dispchar')] + [('dispsize', ctypes.c_int)]
libpq.PQconninfoParse.restype = ctypes.POINTER(Option)
libpq.PQconninfoParse.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
libpq.PQconninfoFree.argtypes = [ctypes.POINTER(Option)]
libpq.PQfreemem.argtypes = [ctypes.c_void_p]
def ask(text):
    message = ctypes.c_void_p()
    options = libpq.PQconninfoParse(text.encode(), ctypes.byref(message))
    if not options:
        error = ctypes.string_at(message).decode(errors='replace')
        libpq.PQfreemem(message)
        return {'error': error}
    pairs, index = [], 0
    while options[index].keyword:
        if options[index].val is not None:
            pairs.append([options[index].keyword.decode(), options[index].val.decode(errors='replace')])
        index += 1
    libpq.PQconninfoFree(options)
    return {'pairs': pairs}
answers = [ask(text) for text in json.load(sys.stdin)]
json.dump({'version': libpq.PQlibVersion(), 'answers': answers}, sys.stdout)
`

/** The connection strings of the unit tests, as far as they are plain literals. */
function knownStrings() {
  const source = readFileSync(join(ROOT, 'crates/client/src/open/dsn_tests.rs'), 'utf8')
  return [...source.matchAll(/^\s+\((?:r"([^"]*)"|"((?:[^"\\]|\\["\\'nrt])*)"),/gm)].map(
    ([, raw, text]) => raw ?? text.replaceAll(/\\(.)/g, (_, c) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c),
  )
}

/** mulberry32, so that a failure can be had again by its seed. */
function random(seed) {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

const PIECES = [
  'a',
  'db',
  '1',
  '5432',
  'ä',
  '%41',
  '%2F',
  '%2C',
  '%25',
  '%zz',
  '%',
  ':',
  '/',
  '@',
  '?',
  '&',
  '=',
  ',',
  '[::1]',
  '[',
  ']',
  "'",
  '\\',
  "\\'",
  ' ',
  '\t',
  '+',
  '#',
  '\u00a0',
  'host=',
  'port=',
  'user=',
  'dbname=',
  'hostaddr=',
  'password=',
  'sslmode=',
  'options=',
  'requiressl=1',
  'target_session_attrs=',
  "user='a b'",
  'ssl=true',
  '&user=x',
  '?host=/tmp',
  '@h',
  'u:p@',
]

function* strings(count, seed) {
  const next = random(seed)
  const known = knownStrings()
  yield* known
  for (let k = 0; k < count; k++) {
    let text = ['postgres://', 'postgresql://', '', known[next(known.length)]][next(4)]
    for (let piece = next(7); piece > 0; piece--) {
      const characters = [...text]
      characters.splice(
        next(3) === 0 ? next(characters.length + 1) : characters.length,
        0,
        PIECES[next(PIECES.length)],
      )
      text = characters.join('')
    }
    // libpq ends at a NUL byte.
    if (!text.includes('\0')) yield text
  }
}

const isUri = (text) => /^postgres(ql)?:\/\//.test(text)
const afterScheme = (text) => text.replace(/^postgres(ql)?:\/\//, '')
const queryOf = (text) => (isUri(text) && text.includes('?') ? text.slice(text.indexOf('?') + 1) : '')
const trimmed = (text) => text.replaceAll(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')

/** Keywords that libpq has not and oxpg takes: server settings, and names of other drivers. */
const isUnknown = ({ error }) => /invalid (URI query parameter|connection option)/.test(error ?? '')

/** What differs on purpose: why, and whether a string is of the kind; `ours` and `libpqs` are the two answers. */
const DIFFERENCES = [
  ['keywords that libpq does not know are server settings', (_, __, libpqs) => isUnknown(libpqs)],
  ['what is around a string is no part of it', (text) => trimmed(text) !== text],
  [
    'the @ that counts is the last one before the first / or ?',
    (text) => {
      const rest = afterScheme(text)
      const libpqs = /^[^@/]*@/.exec(rest)?.[0]
      const authority = rest.split('?', 1)[0].split('/', 1)[0]
      return (
        isUri(text) &&
        libpqs !== (authority.includes('@') ? authority.slice(0, authority.lastIndexOf('@') + 1) : undefined)
      )
    },
  ],
  [
    'an @ behind the first / is refused where there is no user, or one with a password',
    (text, ours) => isUri(text) && /before the first \//.test(ours.error),
  ],
  ['a URL is no value of a keyword', (_, ours) => /as the value of a keyword/.test(ours.error)],
  ['spaces are part of the value', (text) => isUri(text) && text.includes(' ')],
  ['a + in the query is a space', (text) => queryOf(text).includes('+')],
  ['empty parameters of the query are ignored', (text) => /^&|&&|&$/.test(queryOf(text))],
  [
    'a value in the query may hold a =',
    (text) =>
      queryOf(text)
        .split('&')
        .some((item) => item.split('=').length > 2),
  ],
  ['an address in brackets holds no , / or ?', (text) => /\[[^\]]*[,/?]/.test(text)],
  ['bytes that are not UTF-8 are refused', (_, ours) => /are not UTF-8/.test(ours.error)],
  ['another URL scheme is told as such', (_, ours) => /another URL scheme/.test(ours.error)],
]

/** What a program says on its standard output to JSON on its standard input. */
function ask(program, programArguments, input) {
  const run = spawnSync(program, programArguments, {
    cwd: ROOT,
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  if (run.status !== 0) throw new Error(`${program} failed: ${run.stderr || run.error}`)
  return JSON.parse(run.stdout)
}

/** An answer as text, with what the two write differently and mean alike made the same. */
function plain({ pairs, error }) {
  if (error !== undefined) return 'an error'
  const byName = new Map()
  for (const [keyword, value] of pairs) {
    if (keyword === 'requiressl') byName.set('sslmode', value.startsWith('1') ? 'require' : 'prefer')
    else if (keyword === 'ssl' && value === 'true') byName.set('sslmode', 'require')
    // Lists of which nothing is given.
    else if (!/^,+$/.test(value)) byName.set(keyword, value)
  }
  return JSON.stringify([...byName].sort(([left], [right]) => (left < right ? -1 : 1)))
}

function skip(reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}

function library() {
  if (values.libpq !== undefined) return values.libpq
  const embedded = join(nativeFolder(), 'lib', process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5')
  return existsSync(embedded) ? embedded : 'libpq.so.5'
}

if (spawnSync('python3', ['-c', 'import ctypes']).status !== 0) skip('python3 does not run')
const path = library()
if (spawnSync('python3', ['-c', 'import ctypes, sys; ctypes.CDLL(sys.argv[1])', path]).status !== 0)
  skip(`libpq (${path}) cannot be loaded`)

const texts = [...strings(Number(values.count), Number(values.seed))]
const { version, answers } = ask('python3', ['-c', ASK_LIBPQ, path], texts)
const ours = ask('cargo', ['run', '--quiet', '-p', 'oxpg-client', '--example', 'dsn_pairs'], texts)
const counts = new Map()
const failures = []
let same = 0
let refused = 0
for (const [index, text] of texts.entries()) {
  const [mine, theirs] = [plain(ours[index]), plain(answers[index])]
  if (mine === theirs) {
    same += 1
    if (ours[index].error !== undefined) refused += 1
    continue
  }
  const [kind] = DIFFERENCES.find(([, isOfKind]) => isOfKind(text, ours[index], answers[index])) ?? []
  if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  else
    failures.push(
      `${JSON.stringify(text)}\n  oxpg:  ${JSON.stringify(ours[index])}\n  libpq: ${JSON.stringify(answers[index])}`,
    )
}
for (const failure of failures.slice(0, 20)) console.log(failure)
console.log(`libpq ${version}: ${same} of ${texts.length} alike, ${refused} of them refused`)
for (const [kind, count] of counts) console.log(`  ${count} differ: ${kind}`)
console.log(`libpq-differential: ${same} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
