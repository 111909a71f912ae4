import { InternalClientError } from '../../errors/index'
import { elementCode, isArrayCode, TypeCode } from '../../types/type-code'
import { codecOf, type TypeCodec } from '../../types/type-codec'
import type { CompositeNode, TypeNode } from '../../types/type-node'
import type { ResultPlan, RowMode } from '../mapping'
import { arrayReader } from './arrays'
import { bitReader } from './bits'
import { byteaReader } from './bytea'
import { codecReader } from './codecs'
import type { ColumnReader } from './column-reader'
import { dateColumnReader, timeReader } from './dates'
import {
  boxReader,
  circleReader,
  lineReader,
  pathReader,
  pointReader,
  polygonReader,
  segmentReader,
} from './geometry'
import { hstoreReader } from './hstore'
import { intervalReader } from './intervals'
import { jsonReader } from './json'
import { boolReader, floatReader, int8Reader, int32Reader, oidReader, xid8Reader } from './numbers'
import { numericReader } from './numeric'
import { multirangeReader, rangeReader } from './ranges'
import { compositeReader, recordReader, type ValueType } from './records'
import { textReader, voidReader } from './text'
import { timestampReader, timestamptzReader } from './timestamps'
import { tupleReader } from './tuples'
import { uuidReader } from './uuid'
import { vectorReader } from './vectors'

/** The reader of values of a type. Codes that this version does not know come as text. */
export function readerFor(value: ValueType, plan: ResultPlan): ColumnReader {
  const { code, type } = value
  const codec = type === undefined ? undefined : codecOf(type.codec)
  if (type !== undefined && codec !== undefined) {
    const source = sourceReader(codec, type, plan)
    return plan.passesByCodecs === true ? source : codecReader(codec, source)
  }
  if (isArrayCode(code)) {
    const element = type?.kind === 'array' ? partReader(type.element, plan) : undefined
    return arrayReader(element ?? familyReader(elementCode(code), plan))
  }
  if (code !== TypeCode.COMPOUND && code !== TypeCode.COMPOUND_TEXT) return familyReader(code, plan)
  if (type !== undefined) return compoundReader(type, plan)
  throw new InternalClientError('a value with parts came without its type')
}

function partReader(type: TypeNode, plan: ResultPlan): ColumnReader {
  return readerFor({ code: type.code, type }, plan)
}

/** What the application's codec is given. */
function sourceReader({ format, typeName }: TypeCodec, type: TypeNode, plan: ResultPlan): ColumnReader {
  if (format === 'text') return textReader
  if (format === 'binary') return byteaReader
  const reader = type.kind === 'composite' ? fieldsReader(type, plan, 'array') : tupleReader(type.code)
  if (reader === undefined) throw new InternalClientError(`values of type ${typeName} have no tuple form`)
  return reader
}

function compoundReader(type: TypeNode, plan: ResultPlan): ColumnReader {
  switch (type.kind) {
    case 'array':
      return arrayReader(partReader(type.element, plan))
    case 'composite':
      return fieldsReader(type, plan, plan.partMode)
    case 'range':
      return rangeReader(partReader(type.subtype, plan))
    case 'multirange':
      return multirangeReader(partReader(type.range, plan))
    case 'scalar':
      throw new InternalClientError(`type ${type.schema}.${type.name} came with parts that are not described`)
  }
}

function fieldsReader({ fields }: CompositeNode, plan: ResultPlan, mode: RowMode): ColumnReader {
  return compositeReader(
    fields.map((field) => field.name),
    fields.map((field) => partReader(field.type, plan)),
    mode,
  )
}

function familyReader(family: number, plan: ResultPlan): ColumnReader {
  const { mapping } = plan
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
    case TypeCode.EWKB:
    case TypeCode.RAW:
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
    case TypeCode.INTERVAL:
      return intervalReader(mapping)
    case TypeCode.BIT:
      return bitReader(mapping)
    case TypeCode.POINT:
      return pointReader
    case TypeCode.LINE:
      return lineReader
    case TypeCode.LSEG:
      return segmentReader
    case TypeCode.BOX:
      return boxReader
    case TypeCode.PATH:
      return pathReader
    case TypeCode.POLYGON:
      return polygonReader
    case TypeCode.CIRCLE:
      return circleReader
    case TypeCode.XID8:
      return xid8Reader(mapping)
    case TypeCode.HSTORE:
      return hstoreReader
    case TypeCode.VECTOR:
    case TypeCode.HALFVEC:
      return vectorReader
    case TypeCode.RECORD:
      return recordReader((type) => readerFor(type, plan), plan.partMode)
    default:
      return textReader
  }
}
