/** One dimension of an array. */
export interface ArrayDimension {
  readonly length: number
  /** The index of the first element in PostgreSQL's counting, usually 1. */
  readonly lowerBound: number
}

/**
 * Takes the parameter values of one execution, in order, one call a value. When an encoder throws, the sink's owner
 * discards what this execution has written so far; nothing else undoes it.
 *
 * An encoder may run code of the application between two calls (`toString`, `toJSON`, getters), and that code may
 * send other queries.
 */
export interface ParameterSink {
  null(): void
  bool(value: boolean): void
  /** int2, int4 (signed) and oid (unsigned): -2³¹ to 2³²−1. */
  i32(value: number): void
  /** int8, or microseconds since 1970 for timestamps. */
  i64(value: bigint): void
  /** The same from a number, which is a safe integer. */
  i64Number(value: number): void
  f64(value: number): void
  /** Text without NUL characters. Throws RefusedValue of text with half of a surrogate pair, which UTF-8 has no place for. */
  text(value: string): void
  /** Bytes, copied before the call returns or borrowed until the flush. */
  bytes(value: Uint8Array): void
  /** Bytes of this execution are still the application's memory. */
  readonly hasBorrowedBytes: boolean
  /** Copies them, before the application's code runs, which could change or transfer that memory. */
  takeBorrowedBytes(): void
  /** Milliseconds since 1970 (a Date), or ±Infinity. */
  millis(value: number): void
  /** An array: `elementCount` calls for its elements follow, row-major. No dimensions: an empty array. */
  array(dimensions: readonly ArrayDimension[], elementCount: number): void
  /** A composite: the calls for its `count` attributes follow, in order. */
  composite(count: number): void
  /** A range: the calls for its two bounds follow, `null()` where there is none. `flags` are PostgreSQL's. */
  range(flags: number): void
  /** A multirange: the calls for its `count` ranges follow. */
  multirange(count: number): void
  /** An interval; the microseconds of a number are a safe integer. */
  interval(months: number, days: number, microseconds: number | bigint): void
  /** A geometric value; `flag` is 1 for a closed path or a polygon. */
  doubles(flag: number, values: readonly number[]): void
  /** An hstore: a call for the key and one for the value of each pair follow, in turn. */
  hstore(pairCount: number): void
}
