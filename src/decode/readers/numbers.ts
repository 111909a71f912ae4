import type { CompleteResultMapping } from '../mapping'
import { type ColumnReader, inlineReader } from './column-reader'

const TWO_TO_32 = 2 ** 32

/** bool */
export const boolReader = inlineReader(
  (views, cell) => views.i[2 * cell] !== 0,
  ({ low }) => `i[${low}]!==0`,
)

/** int2, int4 */
export const int32Reader = inlineReader(
  (views, cell) => views.i[2 * cell],
  ({ low }) => `i[${low}]`,
)

/** oid, xid, cid */
export const oidReader = inlineReader(
  (views, cell) => views.u[2 * cell],
  ({ low }) => `u[${low}]`,
)

/** float4, float8 */
export const floatReader = inlineReader(
  (views, cell) => views.f[cell],
  ({ cell }) => `f[${cell}]`,
)

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

const int8Readers: { readonly [K in CompleteResultMapping['int8']]: ColumnReader } = {
  'number-or-bigint': {
    ...inlineReader(
      (views, cell) => int8Value(views.i, views.u, views.b, cell),
      // Most values fit 32 bits: they are read without arithmetic on doubles and stay small integers.
      ({ cell, low, high }) => `i[${low}]>>31===i[${high}]?i[${low}]:int8Value(i,u,b,${cell})`,
    ),
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
