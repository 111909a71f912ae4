// Which crate may depend on which, and which module may name what. It needs no network; cargo-deny repeats the part
// on dependencies in the GitHub workflow.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow } from '../files.mjs'
import { ROOT, run } from '../run.mjs'

/** Dependencies that exactly one crate may have; those of `isTestedBeside` are read beside ours in tests anywhere. */
const RESERVED = [
  { pattern: /^(napi(-.*)?|libc)$/, crate: 'oxpg-node' },
  { pattern: /^(tokio-postgres|rustls(-.*)?|ring)$/, crate: 'oxpg-client' },
  { pattern: /^(postgres-protocol|postgres-types)$/, crate: 'oxpg-client', isTestedBeside: true },
]

/** What a crate may need at run time, where the list is closed. */
const CLOSED = { 'oxpg-codec': ['uuid'] }

/** Imports point towards bytes: node → client → codec. */
const WORKSPACE = {
  'oxpg-codec': [],
  'oxpg-client': ['oxpg-codec', 'oxpg-testkit'],
  'oxpg-node': ['oxpg-client', 'oxpg-codec'],
  'oxpg-codegen': [],
  'oxpg-testkit': [],
}

/** Modules that know no socket, thread, clock or JavaScript. */
const SANS_IO = [
  'crates/codec/src',
  'crates/client/src/session',
  'crates/client/src/pool',
  'crates/client/src/reset.rs',
]
const IO_NAMES = /\b(tokio|tokio_postgres|napi|std::net|std::thread|std::fs|Instant::now|SystemTime)\b/

const MUST_FORBID_UNSAFE = ['crates/codec/src/lib.rs', 'crates/client/src/lib.rs']

/** Source without comments and without the text of string literals, so that prose names nothing. */
const codeOf = (source) =>
  source.replace(/\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"/g, (match) => match.replace(/[^\n]/g, ' '))

export async function crateRooms() {
  const { stdout } = await run('cargo', ['metadata', '--format-version', '1', '--no-deps'])
  const { packages } = JSON.parse(stdout)
  const problems = []
  for (const { name, dependencies } of packages) {
    for (const { name: dependency, kind } of dependencies) {
      for (const { pattern, crate, isTestedBeside } of RESERVED) {
        if (isTestedBeside && kind === 'dev') continue
        if (pattern.test(dependency) && name !== crate) {
          problems.push(`${name} depends on ${dependency}: only ${crate} may`)
        }
      }
      if (dependency.startsWith('oxpg-') && !WORKSPACE[name]?.includes(dependency)) {
        problems.push(`${name} depends on ${dependency}: imports point towards bytes, node → client → codec`)
      }
      if (dependency === 'oxpg-testkit' && kind !== 'dev') {
        problems.push(`${name} depends on ${dependency}: tests may, and nothing that users get`)
      }
      if (kind === null && CLOSED[name] && !CLOSED[name].includes(dependency)) {
        problems.push(`${name} depends on ${dependency}: it may have ${CLOSED[name].join(', ')} only`)
      }
    }
  }
  for (const file of SANS_IO.flatMap((folder) => filesBelow(folder, /\.rs$/))) {
    const lines = codeOf(readFileSync(join(ROOT, file), 'utf8')).split('\n')
    lines.forEach((line, index) => {
      const name = IO_NAMES.exec(line)?.[1]
      if (name) problems.push(`${file}:${index + 1} names ${name} in a module without I/O`)
    })
  }
  for (const file of MUST_FORBID_UNSAFE) {
    if (!/^#!\[forbid\([^)]*\bunsafe_code\b/m.test(readFileSync(join(ROOT, file), 'utf8'))) {
      problems.push(`${file} does not say #![forbid(unsafe_code)]`)
    }
  }
  return problems
}
