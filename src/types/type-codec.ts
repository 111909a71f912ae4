/** What a codec's functions get and give: PostgreSQL's text, its bytes, or a tuple of parts. */
export type CodecFormat = 'text' | 'binary' | 'tuple'

/**
 * A codec of the application's for one type. `encode` gets what the application gave and returns a string, bytes or an
 * array, by the format; `decode` gets such a one and returns what the application is to have.
 */
export interface TypeCodec {
  /** The type's name with its schema, for messages: `public.mood`. */
  readonly typeName: string
  readonly format: CodecFormat
  readonly encode: (value: unknown) => unknown
  // biome-ignore lint/suspicious/noExplicitAny: a string, a Buffer or an array, by the format
  readonly decode: (value: any) => unknown
}

/** All codecs of this thread by the ids that type nodes have. */
const codecs = new Map<number, TypeCodec>()
let lastId = 0

/** Takes a codec into use and gives its id, at least 1; ids are never used again. */
export function registerCodec(codec: TypeCodec): number {
  lastId += 1
  codecs.set(lastId, codec)
  return lastId
}

/** Forgets a codec that no type refers to any more. */
export function unregisterCodec(id: number): void {
  codecs.delete(id)
}

/** Whether there are any in this thread. */
export function hasCodecs(): boolean {
  return codecs.size > 0
}

/** The codec with this id; undefined for 0 and once it is forgotten. */
export function codecOf(id: number): TypeCodec | undefined {
  return codecs.get(id)
}
