import { types } from 'node:util'
import { isNumbers, RefusedValue, type TypeEncoder, writeText } from './value-encoder'

const EXPECTED = 'an array of numbers, a typed array, or text such as [1,2]'

/**
 * pgvector's types of dense vectors: float4 elements, without NaN and infinity.
 *
 * @param limit What is as great as this, or greater, would round to infinity.
 */
function denseEncoder(limit: number, typeName: string): TypeEncoder {
  const expected = `a finite number in the range of ${typeName}`
  return {
    encode(value, sink) {
      if (typeof value === 'string') {
        writeText(value, value, sink)
        return
      }
      const numbers = numbersOf(value)
      if (numbers === undefined) throw new RefusedValue(value, EXPECTED)
      const { length } = numbers
      if (length === 0) throw new RefusedValue(value, 'one number or more')
      const floats = new Float32Array(length)
      for (let index = 0; index < length; index++) {
        const number = numbers[index]
        // Comparisons with NaN are false.
        if (typeof number !== 'number' || !(Math.abs(number) < limit)) {
          throw new RefusedValue(number, expected).within(index + 1)
        }
        floats[index] = number
      }
      sink.bytes(new Uint8Array(floats.buffer))
    },
    isValue: isNumbers,
  }
}

/** Halfway from the greatest float4 to what would be the next, 2¹²⁸. */
const FLOAT4_LIMIT = 2 ** 128 - 2 ** 103
/** Halfway from the greatest half-precision number, 65504, to what would be the next. */
const FLOAT2_LIMIT = 65_520

/** pgvector's vector */
export const vectorEncoder = denseEncoder(FLOAT4_LIMIT, 'float4')

/** pgvector's halfvec: rounded to half precision behind the boundary. */
export const halfvecEncoder = denseEncoder(FLOAT2_LIMIT, 'half precision')

function numbersOf(value: unknown): ArrayLike<unknown> | undefined {
  if (Array.isArray(value)) return value
  // A Buffer holds bytes; whose, it does not say.
  return types.isTypedArray(value) && !Buffer.isBuffer(value) ? value : undefined
}
