// What README and the guide show is compiled strictly, run, and prints what the page says.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { connect } from 'oxpg'
import { url } from '../support/server'
import { DOCUMENTED, packageRoot, snippetsOf } from '../support/snippets'

const execute = promisify(execFile)
const PAGES = [
  'README.md',
  'docs/guide/connecting.md',
  'docs/guide/types.md',
  'docs/guide/pool.md',
  'docs/guide/poolers.md',
  'docs/guide/errors.md',
  'docs/guide/transactions.md',
  'docs/guide/row-level-security.md',
  'docs/guide/cursors-and-streams.md',
  'docs/guide/listen-notify.md',
  'docs/guide/observability.md',
  'docs/guide/coming-from-pg.md',
]

const folder = join(packageRoot, '.cache', 'snippets')
const snippets = PAGES.flatMap((page) => snippetsOf(page, Number(new URL(url).port || 5432)))
const fileOf = (index: number) => `snippet-${String(index + 1).padStart(2, '0')}`

// The pages' own role and database, so that the snippets run as they stand, but for the port.
const { user, password, database } = DOCUMENTED

async function administer(...statements: string[]): Promise<void> {
  const connection = await connect(url)
  try {
    for (const statement of statements) await connection.execute(statement)
  } finally {
    await connection.close()
  }
}

const dropDatabase = () =>
  administer(`drop database if exists ${database} with (force)`, `drop role if exists ${user}`)

test.before('create the database and compile every snippet', async () => {
  await dropDatabase()
  await administer(
    `create role ${user} login password '${password}'`,
    `create database ${database} owner ${user}`,
  )
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [index, { source }] of snippets.entries())
    writeFileSync(join(folder, `${fileOf(index)}.mts`), source)
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'node20',
    strict: true,
    skipLibCheck: false,
    types: ['node'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
  const compiler = join(packageRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  await execute(process.execPath, [compiler, '-p', folder, '--pretty', 'false']).catch((error) => {
    throw new Error(`the snippets do not compile:\n${error.stdout}`)
  })
})

test.after.always('drop the database', dropDatabase)

for (const [index, { title, expected }] of snippets.entries()) {
  test.serial(title, async (t) => {
    const { stdout } = await execute(process.execPath, [join(folder, `${fileOf(index)}.mjs`)], {
      timeout: 30_000,
    })
    t.deepEqual(stdout.split('\n').slice(0, -1), [...expected])
  })
}
