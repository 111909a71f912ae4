import type { CellViews } from '../mailbox-views'
import type { CompleteResultMapping } from '../mapping'
import { type CellReader, type ColumnReader, calledReader, inlineReader } from './column-reader'
import { doubleRun, int8Run, int32Run, uint32Run } from './runs'

const TWO_TO_32 = 2 ** 32

/** bool */
export const boolReader = inlineReader(
  (views, cell) => views.i[2 * cell] !== 0,
  ({ low }) => `i[${low}]!==0`,
)

/** int2, int4 */
export const int32Reader: ColumnReader = {
  ...inlineReader(
    (views, cell) => views.i[2 * cell],
    ({ low }) => `i[${low}]`,
  ),
  readRun: int32Run,
}

/** oid, xid, cid */
export const oidReader: ColumnReader = {
  ...inlineReader(
    (views, cell) => views.u[2 * cell],
    ({ low }) => `u[${low}]`,
  ),
  readRun: uint32Run,
}

/** float4, float8 */
export const floatReader: ColumnReader = {
  ...inlineReader(
    (views, cell) => views.f[cell],
    ({ cell }) => `f[${cell}]`,
  ),
  readRun: doubleRun,
}

/** A 64-bit integer as a number, rounded when it is not a safe integer. */
export function int8Rounded(high: number, low: number): number {
  return high * TWO_TO_32 + low
}

/** A 64-bit integer as a number while it is safe, else as a bigint. */
export function int8Value(
  words: Int32Array,
  unsigned: Uint32Array,
  integers: BigInt64Array,
  cell: number,
): number | bigint {
  // Rounding never brings a value beyond the safe range back into it.
  const value = words[2 * cell + 1]! * TWO_TO_32 + unsigned[2 * cell]!
  return Number.isSafeInteger(value) ? value : integers[cell]!
}

const readInt8: CellReader = (views, cell) => int8Value(views.i, views.u, views.b, cell)

const int8Readers: { readonly [K in CompleteResultMapping['int8']]: ColumnReader } = {
  'number-or-bigint': {
    ...inlineReader(
      readInt8,
      // Most values fit 32 bits: they are read without arithmetic on doubles and stay small integers.
      ({ cell, low, high }) => `i[${low}]>>31===i[${high}]?i[${low}]:int8Value(i,u,b,${cell})`,
    ),
    readRun: int8Run(readInt8),
    mayBeBigInt: true,
  },
  bigint: {
    ...inlineReader(
      (views, cell) => views.b[cell],
      ({ cell }) => `b[${cell}]`,
    ),
    mayBeBigInt: true,
  },
  number: inlineReader(
    (views, cell) => int8Rounded(views.i[2 * cell + 1]!, views.u[2 * cell]!),
    ({ low, high }) => `int8Rounded(i[${high}],u[${low}])`,
  ),
  string: inlineReader(
    (views, cell) => String(int8Value(views.i, views.u, views.b, cell)),
    ({ cell }) => `String(int8Value(i,u,b,${cell}))`,
  ),
}

/** int8 */
export function int8Reader(mapping: CompleteResultMapping): ColumnReader {
  return int8Readers[mapping.int8]
}

/** An unsigned 64-bit integer as a number, rounded when it is not a safe integer. */
function xid8Rounded(views: CellViews, cell: number): number {
  return views.u[2 * cell + 1]! * TWO_TO_32 + views.u[2 * cell]!
}

function xid8BigInt(views: CellViews, cell: number): bigint {
  return BigInt.asUintN(64, views.b[cell]!)
}

function xid8Value(views: CellViews, cell: number): number | bigint {
  const value = xid8Rounded(views, cell)
  return Number.isSafeInteger(value) ? value : xid8BigInt(views, cell)
}

const xid8Readers: { readonly [K in CompleteResultMapping['int8']]: ColumnReader } = {
  'number-or-bigint': { ...calledReader(xid8Value), mayBeBigInt: true },
  bigint: { ...calledReader(xid8BigInt), mayBeBigInt: true },
  number: calledReader(xid8Rounded),
  string: calledReader((views, cell) => String(xid8Value(views, cell))),
}

/** xid8, which goes by the mapping of int8. */
export function xid8Reader(mapping: CompleteResultMapping): ColumnReader {
  return xid8Readers[mapping.int8]
}
