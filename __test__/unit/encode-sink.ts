import { encoderFor } from '../../src/encode/encoders'
import type { ArrayDimension, ParameterSink } from '../../src/encode/parameter-sink'

/** One call of the sink. */
export type SinkCall = readonly [method: string, ...values: unknown[]]

/** A sink that notes what it is given. */
export class RecordingSink implements ParameterSink {
  readonly calls: SinkCall[] = []
  readonly hasBorrowedBytes = false

  null(): void {
    this.calls.push(['null'])
  }

  bool(value: boolean): void {
    this.calls.push(['bool', value])
  }

  i32(value: number): void {
    this.calls.push(['i32', value])
  }

  i64(value: bigint): void {
    this.calls.push(['i64', value])
  }

  i64Number(value: number): void {
    this.calls.push(['i64Number', value])
  }

  f64(value: number): void {
    this.calls.push(['f64', value])
  }

  text(value: string): void {
    this.calls.push(['text', value])
  }

  bytes(value: Uint8Array): void {
    this.calls.push(['bytes', Buffer.from(value).toString('hex')])
  }

  takeBorrowedBytes(): void {}

  millis(value: number): void {
    this.calls.push(['millis', value])
  }

  array(dimensions: readonly ArrayDimension[], elementCount: number): void {
    this.calls.push(['array', dimensions.map(({ length, lowerBound }) => [length, lowerBound]), elementCount])
  }

  composite(count: number): void {
    this.calls.push(['composite', count])
  }

  range(flags: number): void {
    this.calls.push(['range', flags])
  }

  multirange(count: number): void {
    this.calls.push(['multirange', count])
  }

  interval(months: number, days: number, microseconds: number | bigint): void {
    this.calls.push(['interval', months, days, microseconds])
  }

  doubles(flag: number, values: readonly number[]): void {
    this.calls.push(['doubles', flag, ...values])
  }

  hstore(pairCount: number): void {
    this.calls.push(['hstore', pairCount])
  }
}

/** What the encoder of one parameter writes for a value. */
export function encode(code: number, value: unknown, typeName = 'sometype'): SinkCall[] {
  const sink = new RecordingSink()
  encoderFor([{ code, typeName, typeOid: 1 }])([value], sink)
  return sink.calls
}

/** The same, of a value that takes one call. */
export function encodeOne(code: number, value: unknown, typeName?: string): SinkCall {
  const calls = encode(code, value, typeName)
  if (calls.length !== 1) throw new Error(`${calls.length} calls`)
  return calls[0]!
}
