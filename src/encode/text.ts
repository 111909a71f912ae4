import { bytesOfView, type FamilyEncoder, RefusedValue, writeText } from './value-encoder'

/** text, varchar, bpchar, name, xml */
export const textEncoder: FamilyEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string') throw new RefusedValue(value, 'a string')
    writeText(value, value, sink)
  },
}

/** One byte as PostgreSQL prints it: an ASCII character, an octal escape from 128 on, empty for 0. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: "char" may hold control characters
const ONE_BYTE = /^(?:[\x01-\x7f]|\\[2-3][0-7]{2})?$/

/** "char" */
export const charEncoder: FamilyEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string' || !ONE_BYTE.test(value))
      throw new RefusedValue(value, 'one ASCII character')
    sink.text(value)
  },
}

/** bytea */
export const byteaEncoder: FamilyEncoder = {
  encode(value, sink) {
    const bytes = bytesOfView(value)
    if (bytes === undefined) throw new RefusedValue(value, 'a Buffer or another ArrayBuffer view')
    sink.bytes(bytes)
  },
}

const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i
const UUID_EXPECTED = '32 hexadecimal digits, with or without hyphens, or 16 bytes'

/** uuid */
export const uuidEncoder: FamilyEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      if (!UUID.test(value)) throw new RefusedValue(value, UUID_EXPECTED)
      sink.text(value)
      return
    }
    const bytes = bytesOfView(value)
    if (bytes?.length !== 16) throw new RefusedValue(value, UUID_EXPECTED)
    sink.text(Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex'))
  },
}
