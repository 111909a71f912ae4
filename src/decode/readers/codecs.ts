import { DataError } from '../../errors/index'
import { thrownReason } from '../../errors/thrown-reason'
import type { TypeCodec } from '../../types/type-codec'
import { type ColumnReader, calledReader } from './column-reader'

/**
 * Values of a type that has a codec of the application's, which gets what `source` reads: text, a Buffer, or a tuple.
 * NULL is null, whatever the codec.
 *
 * @throws DataError from `read` when the codec throws.
 */
export function codecReader(codec: TypeCodec, source: ColumnReader): ColumnReader {
  const { decode, typeName } = codec
  const read = source.read
  return {
    ...calledReader((views, cell, text) => {
      const value = read(views, cell, text)
      try {
        return decode(value)
      } catch (cause) {
        throw new DataError(`cannot decode a value of type ${typeName}: ${thrownReason('decode', cause)}`, {
          cause,
        })
      }
    }),
    mayBeBigInt: true,
    mayBeArray: true,
  }
}
