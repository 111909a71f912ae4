import { holdsBigInt, keepAside, keepBeside, writeBigIntsAsJson } from '../record'
import { FRAGMENT_FUNCTIONS } from './readers/fragment-functions'
import { defineColumn, type PlannedColumn, type RowPlan, type RowReaders } from './row-plan'

/** Rows that are read by the loop at first: compiling costs about as much as reading a hundred. */
export const LOOP_ROWS = 64

/** False once the process has shown that it allows no code generation. */
let isAllowed = true

/**
 * Readers that are compiled for the plan: one expression per column, the memory's views in locals, and the loop over
 * the rows inside.
 *
 * @returns undefined where code generation is not allowed (`--disallow-code-generation-from-strings`).
 */
export function compiledReaders(plan: RowPlan): RowReaders | undefined {
  if (!isAllowed) return undefined
  let factory: (...bindings: unknown[]) => RowReaders
  try {
    factory = new Function('plan', 'reads', 'functions', 'rowFunctions', sourceOf(plan)) as typeof factory
  } catch (error) {
    if (!(error instanceof EvalError)) throw error
    isAllowed = false
    return undefined
  }
  const reads = plan.columns.map((column) => column.reader.read)
  return factory(plan, reads, FRAGMENT_FUNCTIONS, ROW_FUNCTIONS)
}

/** What rows are finished with, by the names in the source. */
const ROW_FUNCTIONS = { defineColumn, holdsBigInt, keepAside, keepBeside, writeBigIntsAsJson } as const

const VIEWS = 'i,u,f,b,n,t,s,k,v'
const VIEWS_IN_LOCALS = 'const i=v.i,u=v.u,f=v.f,b=v.b,n=v.n,t=v.t,s=k.shared'

function newRow({ rowMode }: RowPlan): string {
  return rowMode === 'array' ? `row(${VIEWS},p)` : `new Row(${VIEWS},p)`
}

/**
 * Names come from the server, so that they enter the source as escaped string literals only. The function of a row
 * has the parameters that source fragments may use, the row's first cell p, and that cell's first word q.
 */
function sourceOf(plan: RowPlan): string {
  return `'use strict'
const {${Object.keys(FRAGMENT_FUNCTIONS).join(',')}}=functions
const {${Object.keys(ROW_FUNCTIONS).join(',')}}=rowFunctions
const {prototype,layout}=plan
const [${plan.columns.map((_, index) => `r${index}`).join(',')}]=reads
${rowFunction(plan)}
return{
readRows(v,p,rowCount,k,into){
${VIEWS_IN_LOCALS}
for(let k_=0;k_<rowCount;k_++){into.push(${newRow(plan)});p+=${plan.columns.length}}
},
readRow(v,p,k){
${VIEWS_IN_LOCALS}
return ${newRow(plan)}
}}`
}

function rowFunction(plan: RowPlan): string {
  const values = plan.columns.map(valueExpression)
  switch (plan.rowMode) {
    case 'record':
      return `function Row(${VIEWS},p){const q=2*p
${recordStatements(plan, values).join('\n')}
}
Row.prototype=prototype`
    case 'object':
      return `function Row(${VIEWS},p){const q=2*p
${objectStatements(plan, values).join('\n')}
}
Row.prototype=prototype`
    case 'array':
      return `function row(${VIEWS},p){const q=2*p
return[${values.join(',\n')}]}`
  }
}

function recordStatements({ columns, asideCount }: RowPlan, values: readonly string[]): string[] {
  const aside: string[] = []
  const statements: string[] = []
  for (const [index, { name, mustDefine, asideSlot }] of columns.entries()) {
    const value = values[index]!
    if (asideSlot >= 0) aside.push(value)
    else if (mustDefine) statements.push(`defineColumn(this,${literal(name)},${value})`)
    else statements.push(`this[${literal(name)}]=${value}`)
  }
  if (asideCount > 0) statements.push(`keepAside(this,[${aside.join(',\n')}])`)
  return statements
}

/**
 * What a literal would make, and behind it what few plain rows need; values that may be bigints are looked at once more.
 *
 * By a constructor: of literals V8 learns that they live long, and makes them in the old space from then on, from where
 * each value that is young has to be noted (10 000 rows of arrays took half as much CPU again).
 */
function objectStatements({ columns, layout }: RowPlan, values: readonly string[]): string[] {
  const statements: string[] = []
  const properties: string[] = []
  const aside: string[] = []
  const bigInts: string[] = []
  for (const [index, column] of columns.entries()) {
    let value = values[index]!
    if (column.asideSlot >= 0) aside.push(value)
    else {
      if (column.bigInts !== 'none') {
        const local = `c${index}`
        statements.push(`const ${local}=${value}`)
        bigInts.push(column.bigInts === 'value' ? `typeof ${local}==='bigint'` : `holdsBigInt(${local})`)
        value = local
      }
      const name = literal(column.name)
      properties.push(column.mustDefine ? `defineColumn(this,${name},${value})` : `this[${name}]=${value}`)
    }
  }
  statements.push(...properties)
  if (bigInts.length > 0) statements.push(`if(${bigInts.join('||')})writeBigIntsAsJson(this)`)
  if (layout !== undefined) statements.push(`keepBeside(this,layout,[${aside.join(',\n')}])`)
  return statements
}

function valueExpression({ reader }: PlannedColumn, index: number): string {
  return reader.source({
    cell: index === 0 ? 'p' : `p+${index}`,
    low: index === 0 ? 'q' : `q+${2 * index}`,
    high: `q+${2 * index + 1}`,
    read: `r${index}`,
  })
}

/** A string literal; JSON leaves the two line separators that old JavaScript does not allow in literals. */
function literal(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}
