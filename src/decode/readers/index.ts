import { InternalClientError } from '../../errors/index'
import { elementCode, isArrayCode, TypeCode } from '../../types/type-code'
import { codecOf, type TypeCodec } from '../../types/type-codec'
import type { CompositeNode, TypeNode } from '../../types/type-node'
import type { ResultPlan, RowMode } from '../mapping'
import { arrayReader } from './arrays'
import { byteaReader } from './bytea'
import { codecReader } from './codecs'
import type { ColumnReader } from './column-reader'
import { readerOfFamily } from './families'
import { multirangeReader, rangeReader } from './ranges'
import { compositeReader, recordReader, type ValueType } from './records'
import { textReader } from './text'
import { tupleReader } from './tuples'

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
  if (family === TypeCode.RECORD) return recordReader((type) => readerFor(type, plan), plan.partMode)
  return readerOfFamily(family, plan.mapping) ?? textReader
}
