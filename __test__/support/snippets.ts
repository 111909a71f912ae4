// The ```ts blocks of a Markdown page as programs. `// → …` in a snippet is what its console.log prints.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Where `oxpg` resolves to this project. */
export const packageRoot = dirname(require.resolve('oxpg/package.json'))

/** The address that the documentation uses; the tests put theirs in its place. */
const DOCUMENTED_PORT = 5432
const DOCUMENTED_URL = 'postgres://app:secret@localhost:5432/app'

/** Role, password and database of the documentation's examples. */
export const DOCUMENTED = { user: 'app', password: 'secret', database: 'app' } as const

/** One block of code. */
export interface Snippet {
  /** The heading above it and its line in the page. */
  readonly title: string
  /** The program, as an ECMAScript module in TypeScript. */
  readonly source: string
  /** What it prints, line by line. */
  readonly expected: readonly string[]
}

/** A snippet that opens nothing itself takes a `connection` for granted. */
function programOf(code: string, port: number): string {
  const opens = /\b(connect|createPool)\(/.test(code)
  const text = opens
    ? code
    : [
        "import { connect as openConnection } from 'oxpg'",
        `const connection = await openConnection('${DOCUMENTED_URL}')`,
        'try {',
        code.replace(/^import .*$/gm, ''),
        '} finally {',
        '  await connection.close()',
        '}',
        ...(code.match(/^import .*$/gm) ?? []),
      ].join('\n')
  const own = `port: ${port}`
  return `${text.replaceAll(':5432/', `:${port}/`).replaceAll(`port: ${DOCUMENTED_PORT}`, own)}\nexport {}\n`
}

/** The ```ts snippets of a page, in order. */
export function snippetsOf(page: string, port: number): Snippet[] {
  const lines = readFileSync(join(packageRoot, page), 'utf8').split('\n')
  const snippets: Snippet[] = []
  let heading = page
  let block: string[] | undefined
  let start = 0
  for (const [index, line] of lines.entries()) {
    if (block === undefined) {
      if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
      if (line === '```ts') {
        block = []
        start = index + 1
      }
    } else if (line === '```') {
      const code = block.join('\n')
      snippets.push({
        title: `${page}:${start} ${heading}`,
        source: programOf(code, port),
        expected: [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1] ?? ''),
      })
      block = undefined
    } else {
      block.push(line)
    }
  }
  return snippets
}
