import { elementCode, isArrayCode, TypeCode } from '../../types/type-code'
import type { CompleteResultMapping } from '../mapping'
import { arrayReader } from './arrays'
import { byteaReader } from './bytea'
import type { ColumnReader } from './column-reader'
import { dateColumnReader, timeReader } from './dates'
import { jsonReader } from './json'
import {
  boolReader,
  floatReader,
  int8Reader,
  int8Rounded,
  int8Value,
  int32Reader,
  oidReader,
} from './numbers'
import { numericReader } from './numeric'
import { asideOrNull, directText, textReader, voidReader } from './text'
import { dateOf, timestampReader, timestamptzReader } from './timestamps'
import { uuidReader } from './uuid'

/** The functions that source fragments may call, by name. */
export const FRAGMENT_FUNCTIONS = { asideOrNull, dateOf, directText, int8Rounded, int8Value } as const

/** The reader of columns with a type code. Codes that this version does not know come as text. */
export function readerFor(code: number, mapping: CompleteResultMapping): ColumnReader {
  return isArrayCode(code)
    ? arrayReader(code, familyReader(elementCode(code), mapping))
    : familyReader(code, mapping)
}

function familyReader(family: number, mapping: CompleteResultMapping): ColumnReader {
  switch (family) {
    case TypeCode.BOOL:
      return boolReader
    case TypeCode.INT2:
    case TypeCode.INT4:
      return int32Reader
    case TypeCode.INT8:
      return int8Reader(mapping)
    case TypeCode.OID:
      return oidReader
    case TypeCode.FLOAT4:
    case TypeCode.FLOAT8:
      return floatReader
    case TypeCode.NUMERIC:
      return numericReader(mapping)
    case TypeCode.BYTEA:
      return byteaReader
    case TypeCode.JSON:
    case TypeCode.JSONB:
      return jsonReader(mapping)
    case TypeCode.UUID:
      return uuidReader(mapping)
    case TypeCode.DATE:
      return dateColumnReader(mapping)
    case TypeCode.TIME:
      return timeReader(mapping)
    case TypeCode.TIMESTAMP:
      return timestampReader(mapping)
    case TypeCode.TIMESTAMPTZ:
      return timestamptzReader(mapping)
    case TypeCode.VOID:
      return voidReader
    default:
      return textReader
  }
}
