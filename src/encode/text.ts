import { BitString } from '../types/bit-string'
import { bytesOfView, RefusedValue, type TypeEncoder, writeText } from './value-encoder'
import { bufferOf, byteCountOf } from './view-bytes'

/**
 * text, varchar, bpchar, name, xml, enums; and the types that have no class in JavaScript: timetz, network addresses,
 * WAL locations, tuple ids, snapshots and the like.
 */
export const textEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string') throw new RefusedValue(value, 'a string')
    writeText(value, value, sink)
  },
}

/** One byte as PostgreSQL prints it: an ASCII character, an octal escape from 128 on, empty for 0. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: "char" may hold control characters
const ONE_BYTE = /^(?:[\x01-\x7f]|\\[2-3][0-7]{2})?$/

/** "char" */
export const charEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string' || !ONE_BYTE.test(value))
      throw new RefusedValue(value, 'one ASCII character')
    sink.text(value)
  },
}

/** bytea */
export const byteaEncoder: TypeEncoder = {
  encode(value, sink) {
    const bytes = bytesOfView(value)
    if (bytes === undefined) throw new RefusedValue(value, 'a Buffer or another ArrayBuffer view')
    sink.bytes(bytes)
  },
}

const BIT_EXPECTED = 'a BitString or a string of 0 and 1'

/** bit, varbit */
export const bitEncoder: TypeEncoder = {
  encode(value, sink) {
    const digits = value instanceof BitString ? value.toString() : value
    if (typeof digits !== 'string' || !/^[01]*$/.test(digits)) throw new RefusedValue(value, BIT_EXPECTED)
    sink.text(digits)
  },
}

/** PostGIS' geometry and geography: EWKB, or what their input functions read (`LWGEOM_in`), such as WKT. */
export const ewkbEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      writeText(value, value, sink)
      return
    }
    const bytes = bytesOfView(value)
    if (bytes === undefined) throw new RefusedValue(value, 'a Buffer of EWKB, or WKT')
    sink.bytes(bytes)
  },
}

/** record: the server reads none (`record_in`, `record_recv`), and may say so itself about text. */
export const recordEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string') {
      throw new RefusedValue(value, 'a composite type: PostgreSQL takes no anonymous records')
    }
    writeText(value, value, sink)
  },
}

const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i
const UUID_EXPECTED = '32 hexadecimal digits, with or without hyphens, or 16 bytes'

/** uuid */
export const uuidEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      if (!UUID.test(value)) throw new RefusedValue(value, UUID_EXPECTED)
      sink.text(value)
      return
    }
    const bytes = bytesOfView(value)
    if (bytes === undefined || byteCountOf(bytes) !== 16) throw new RefusedValue(value, UUID_EXPECTED)
    sink.text(bufferOf(bytes).toString('hex'))
  },
}
