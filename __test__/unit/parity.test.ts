// docs/asyncpg-parity.md against the public declarations.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import test from 'ava'
import ts from 'typescript'

// Compiled, this file is in .cache/test/__test__/unit.
const ROOT = resolve(__dirname, '../../../..')
const PAGE = readFileSync(resolve(ROOT, 'docs/asyncpg-parity.md'), 'utf8')
const DECLARATIONS = readFileSync(resolve(ROOT, 'index.d.ts'), 'utf8')

interface Declared {
  members: Set<string>
  parents: string[]
}

const types = new Map<string, Declared>()
const exported = new Set<string>()
for (const node of ts.createSourceFile('index.d.ts', DECLARATIONS, ts.ScriptTarget.Latest).statements) {
  if (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) declare(node)
  if (
    ts.isExportDeclaration(node) &&
    node.exportClause !== undefined &&
    ts.isNamedExports(node.exportClause)
  ) {
    for (const { name } of node.exportClause.elements) exported.add(name.text)
  }
}

function declare(node: ts.ClassDeclaration | ts.InterfaceDeclaration): void {
  const members = new Set<string>()
  for (const { name } of node.members) {
    if (name === undefined) continue
    if (ts.isIdentifier(name)) members.add(name.text)
    if (ts.isComputedPropertyName(name) && ts.isPropertyAccessExpression(name.expression)) {
      members.add(`[Symbol.${name.expression.name.text}]`)
    }
  }
  const parents = (node.heritageClauses ?? []).flatMap((clause) =>
    clause.types.map(({ expression }) => (ts.isIdentifier(expression) ? expression.text : '')),
  )
  types.set(node.name!.text, { members, parents })
}

function hasMember(type: string, member: string): boolean {
  const declared = types.get(type)
  return (
    declared !== undefined &&
    (declared.members.has(member) || declared.parents.some((parent) => hasMember(parent, member)))
  )
}

function exists(name: string): boolean {
  const [type, member] = splitName(name)
  return member === undefined ? exported.has(type) : hasMember(type, member)
}

function splitName(name: string): [string, string | undefined] {
  const dot = name.indexOf('.')
  return dot < 0 || name.startsWith('[') ? [name, undefined] : [name.slice(0, dot), name.slice(dot + 1)]
}

const codes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)

const rows = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [, theirs, ours, remark] = line.split('|').map((cell) => cell.trim())
    return { theirs: codes(theirs!)[0]!, ours: ours!, remark: remark! }
  })

test('every row gives our name, says that it is planned, or says why there is none', (t) => {
  t.true(rows.length > 150)
  for (const { theirs, ours, remark } of rows) {
    if (ours === 'planned') continue
    if (ours === 'no') t.not(remark, '', `${theirs}: no reason`)
    else t.true(codes(ours).length > 0, `${theirs}: ${ours}`)
  }
})

test('the names that we are said to have are there', (t) => {
  for (const { theirs, ours } of rows) {
    for (const name of codes(ours)) t.true(exists(name), `${theirs}: ${name} is not in index.d.ts`)
  }
})

test('what is planned is not there yet', (t) => {
  const camelCase = (text: string): string =>
    text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  for (const { theirs, ours } of rows) {
    if (ours === 'planned') t.false(exists(camelCase(theirs)), `${theirs} is there: the page is out of date`)
  }
})

test('the exceptions are those that we export', (t) => {
  const listed = new Set(codes(PAGE.slice(PAGE.indexOf('## Exceptions by SQLSTATE'))))
  t.is(listed.size, 262)
  for (const name of listed) t.true(exported.has(name), name)
  const client = new Set(rows.flatMap(({ ours }) => codes(ours)))
  const descendsFrom = (type: string, ancestor: string): boolean =>
    type === ancestor || (types.get(type)?.parents ?? []).some((parent) => descendsFrom(parent, ancestor))
  const ours = [...exported].filter(
    (name) => descendsFrom(name, 'PostgresError') || descendsFrom(name, 'PostgresLogMessage'),
  )
  for (const name of ours) t.true(listed.has(name) || client.has(name), `${name} is on no list`)
})
