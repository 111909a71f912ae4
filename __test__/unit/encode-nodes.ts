import { encoderFor } from '../../src/encode/encoders'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { registerCodec, type TypeCodec } from '../../src/types/type-codec'
import type { TypeNode } from '../../src/types/type-node'
import { RecordingSink, type SinkCall } from './encode-sink'

let lastId = 0

function base(name: string, code: number, codec = 0) {
  lastId += 1
  return { id: lastId, oid: lastId, schema: 'public', name, code, codec }
}

export function scalar(name: string, code: number, codec?: number): TypeNode {
  return { ...base(name, code, codec), kind: 'scalar', schema: 'pg_catalog' }
}

/** A scalar outside of `pg_catalog`. */
export function extension(name: string, code: number, codec?: number): TypeNode {
  return { ...base(name, code, codec), kind: 'scalar' }
}

export function array(element: TypeNode): TypeNode {
  const { code } = element
  const isPlain = code !== TypeCode.UNKNOWN && code !== TypeCode.COMPOUND && (code & ARRAY_BIT) === 0
  const own = isPlain ? code | ARRAY_BIT : TypeCode.COMPOUND
  return { ...base(`${element.name}[]`, own), kind: 'array', element, delimiter: ',' }
}

export function composite(name: string, fields: { [name: string]: TypeNode }, codec?: number): TypeNode {
  return {
    ...base(name, TypeCode.COMPOUND, codec),
    kind: 'composite',
    fields: Object.keys(fields).map((field) => ({ name: field, type: fields[field]! })),
  }
}

export function range(name: string, subtype: TypeNode, codec?: number): TypeNode {
  return { ...base(name, TypeCode.COMPOUND, codec), kind: 'range', subtype }
}

export function multirange(name: string, ranges: TypeNode): TypeNode {
  return { ...base(name, TypeCode.COMPOUND), kind: 'multirange', range: ranges }
}

/** A codec's id; what is not given is the identity. */
export function codec(given: Partial<TypeCodec>): number {
  const same = (value: unknown) => value
  return registerCodec({ typeName: 'public.mood', format: 'text', encode: same, decode: same, ...given })
}

/** What the encoder of one parameter of a described type writes for a value. */
export function encodeNode(type: TypeNode, value: unknown): SinkCall[] {
  const sink = new RecordingSink()
  const { code, name, oid } = type
  encoderFor([{ code, typeName: `public.${name}`, typeOid: oid, type }])([value], sink)
  return sink.calls
}
