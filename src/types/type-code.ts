/**
 * How values of a type cross the boundary to Rust: one byte per column and parameter. The low seven bits name a
 * family, bit 7 marks an array of it. The numbers are those of `crates/codec/src/types.rs`.
 */
export const TypeCode = {
  /** No binary codec: crosses as PostgreSQL's text. */
  UNKNOWN: 0,
  BOOL: 1,
  INT2: 2,
  INT4: 3,
  INT8: 4,
  /** `oid`, `xid`, `cid`: unsigned 32-bit identifiers. */
  OID: 5,
  FLOAT4: 6,
  FLOAT8: 7,
  NUMERIC: 8,
  TEXT: 9,
  /** `"char"`: one byte. */
  CHAR: 10,
  BYTEA: 11,
  JSON: 12,
  JSONB: 13,
  UUID: 14,
  DATE: 15,
  TIME: 16,
  TIMESTAMP: 17,
  TIMESTAMPTZ: 18,
  /** Always null in JavaScript. */
  VOID: 19,
} as const

/** The bit of a type code that marks an array. */
export const ARRAY_BIT = 0x80

/** Whether the code is that of an array. */
export function isArrayCode(code: number): boolean {
  return (code & ARRAY_BIT) !== 0
}

/** The family of an array's elements, or the code itself. */
export function elementCode(code: number): number {
  return code & ~ARRAY_BIT
}
