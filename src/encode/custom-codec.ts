import { thrownReason } from '../errors/thrown-reason'
import { describeValue } from '../types/describe-value'
import type { TypeCodec } from '../types/type-codec'
import type { TypeNode } from '../types/type-node'
import { originalOf } from './held-object'
import { tupleFormOf } from './tuples'
import { bytesOfView, RefusedValue, type TypeEncoder, type ValueEncoder } from './value-encoder'

/** A codec of the application's threw, or gave what its format does not have. */
class FailedCodec extends RefusedValue {
  private readonly reason: string

  constructor(codec: TypeCodec, value: unknown, reason: string, cause?: unknown) {
    super(value, reason, cause)
    this.typeName = codec.typeName
    this.reason = reason
  }

  override messageFor(): string {
    return `cannot encode for type ${this.typeName}: ${this.reason}`
  }
}

/**
 * Values of a type with a codec of the application's: its `encode` makes text, bytes or a tuple of what it is given.
 *
 * @param plain How the type is encoded without the codec.
 */
export function codecEncoder(codec: TypeCodec, type: TypeNode, plain: TypeEncoder): TypeEncoder {
  return { encode: encodeBy(codec, type, plain), takesArrays: true }
}

function encodeBy(codec: TypeCodec, type: TypeNode, plain: TypeEncoder): ValueEncoder {
  switch (codec.format) {
    case 'text':
      return (value, sink) => {
        const text = run(codec, value)
        if (typeof text !== 'string') throw wrongReturn(codec, value, text, 'a string')
        if (text.includes('\0')) throw wrongReturn(codec, value, text, 'text without NUL characters')
        sink.text(text)
      }
    case 'binary':
      return (value, sink) => {
        const result = run(codec, value)
        const bytes = bytesOfView(result)
        if (bytes === undefined)
          throw wrongReturn(codec, value, result, 'a Buffer or another ArrayBuffer view')
        sink.bytes(bytes)
      }
    case 'tuple':
      return type.kind === 'composite'
        ? encodeComposite(codec, type.fields.length, plain)
        : encodeTuple(codec, type.code)
  }
}

/** A composite's tuple: its attributes' values in order, each encoded by its own type. */
function encodeComposite(codec: TypeCodec, count: number, plain: TypeEncoder): ValueEncoder {
  return (value, sink) => {
    const tuple = run(codec, value)
    if (!Array.isArray(tuple) || tuple.length !== count) {
      throw wrongReturn(codec, value, tuple, `an array of ${count} values, one for each attribute`)
    }
    plain.encode(tuple, sink)
  }
}

function encodeTuple(codec: TypeCodec, code: number): ValueEncoder {
  const form = tupleFormOf(code)
  return (value, sink) => {
    if (form === undefined) throw new FailedCodec(codec, value, 'the type has no tuple format')
    const tuple = run(codec, value)
    if (!Array.isArray(tuple) || !form.write(tuple, sink)) throw wrongReturn(codec, value, tuple, form.parts)
  }
}

function run(codec: TypeCodec, value: unknown): unknown {
  try {
    return codec.encode(originalOf(value))
  } catch (error) {
    throw new FailedCodec(codec, value, thrownReason('encode', error), error)
  }
}

function wrongReturn(codec: TypeCodec, value: unknown, result: unknown, needed: string): FailedCodec {
  const reason = `encode returned ${describeValue(result)}, where the format ${codec.format} needs ${needed}`
  return new FailedCodec(codec, value, reason)
}
