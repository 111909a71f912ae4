import { DEFAULT_PLAN } from './decode/mapping'
import { errorFromFailure, InterfaceError, TimeoutError, UnsupportedClientFeatureError } from './errors/index'
import type { Limit } from './limit'
import { literal, type RequestOptions, type Target } from './native/door'
import { checkFunction, checkOptions } from './options'
import { Form } from './types/boundary'
import { describeArgument } from './types/describe-value'
import { TypeCode } from './types/type-code'
import type { CodecFormat, TypeCodec } from './types/type-codec'
import { isStorable } from './types/well-formed'

export type { CodecFormat } from './types/type-codec'

/** Where a type is. */
export interface TypeSchemaOptions {
  /** The type's schema. Default `'public'`; built-in types are in `'pg_catalog'`. */
  schema?: string | undefined
}

/** A codec in PostgreSQL's text format: what the type's output function prints, and its input function reads. */
export interface TextTypeCodec<T> extends TypeSchemaOptions {
  /** Default `'text'`. */
  format?: 'text' | undefined
  encode: (value: T) => string
  decode: (text: string) => T
}

/** A codec in PostgreSQL's binary format: the bytes of the type's send and receive functions. */
export interface BinaryTypeCodec<T> extends TypeSchemaOptions {
  format: 'binary'
  encode: (value: T) => ArrayBufferView
  /** The buffer is the application's to keep. */
  decode: (bytes: Buffer) => T
}

/**
 * A codec of parts: of a composite type the values of its attributes in order. Of types for time the numbers that
 * PostgreSQL keeps, exactly: `date` [days since 2000-01-01], `timestamp` and `timestamptz` [microseconds since
 * 2000-01-01, a bigint], `time` [microseconds], `timetz` [microseconds, seconds west of UTC], `interval` [months, days,
 * microseconds, a bigint]. The ends of int32 and int64 stand for -infinity and infinity.
 */
export interface TupleTypeCodec<T> extends TypeSchemaOptions {
  format: 'tuple'
  encode: (value: T) => readonly unknown[]
  /** Gets an array. */
  // biome-ignore lint/suspicious/noExplicitAny: what the parts are depends on the type, and the codec's author knows it
  decode: (parts: any) => T
}

/** How values of one type come to be the application's, and go to PostgreSQL. NULL passes by both functions. */
export type TypeCodecOptions<T = unknown> = TextTypeCodec<T> | BinaryTypeCodec<T> | TupleTypeCodec<T>

/** Makes values of a type come and go like those of a type that the driver knows. */
export interface BuiltinTypeCodecOptions extends TypeSchemaOptions {
  /** The name in `pg_type` of a built-in type, such as `'int4'`; or `'hstore'`, `'vector'`, `'halfvec'`, `'geometry'`. */
  codecName: string
}

/** A codec with the name of its type, as the option `typeCodecs` has them. */
export type NamedTypeCodec = {
  /** The type's name in `pg_type`. */
  typeName: string
  // Without the format in all of them, TypeScript does not tell what `decode` of a text codec is given.
  // biome-ignore lint/suspicious/noExplicitAny: each codec has a type of its own
} & (TypeCodecOptions<any> | (BuiltinTypeCodecOptions & { format?: undefined }))

const CODEC_OPTIONS: ReadonlySet<string> = new Set(['schema', 'format', 'encode', 'decode'])
const BUILTIN_OPTIONS: ReadonlySet<string> = new Set(['schema', 'codecName'])
const SCHEMA_OPTIONS: ReadonlySet<string> = new Set(['schema'])
const FORMATS: readonly string[] = ['text', 'binary', 'tuple']
const DEFAULT_SCHEMA = 'public'

/** Base types that have a tuple, in `pg_catalog`. */
const TUPLE_TYPES: ReadonlySet<string> = new Set([
  'date',
  'time',
  'timetz',
  'timestamp',
  'timestamptz',
  'interval',
])

/** Operators by their schema, as in `introspection.rs` of the session engine, which says why. */
const EQ = 'OPERATOR(pg_catalog.=)'
const NE = 'OPERATOR(pg_catalog.<>)'
const NONE = "'0'::pg_catalog.oid"
const CHAR = 'pg_catalog."char"'
const AS_TEXT = 'pg_catalog.text::pg_catalog.cstring'

const BELOW = `t.typname, t.typnamespace, CASE WHEN t.typtype ${EQ} 'd'::${CHAR} THEN t.typbasetype
        WHEN t.typcategory ${EQ} 'A'::${CHAR} THEN t.typelem END AS part`

/**
 * For each name: what kind of type it is, and what is to be said about it. The part of a domain or an array is the type
 * below all of them. All values cross as cstring, a pseudo-type: no codec that the application has set can be in their way.
 */
const LOOK_UP = `
  SELECT type.typtype::${AS_TEXT} AS kind,
    (type.typcategory ${EQ} 'A'::${CHAR})::${AS_TEXT} AS is_array,
    (type.typsend::pg_catalog.oid ${NE} ${NONE} AND type.typreceive::pg_catalog.oid ${NE} ${NONE})::${AS_TEXT} AS is_binary,
    part.name AS part, part.schema AS part_schema,
    (EXISTS (SELECT FROM pg_catalog.pg_type built_in JOIN pg_catalog.pg_namespace catalog
      ON catalog.oid ${EQ} built_in.typnamespace
      WHERE catalog.nspname ${EQ} 'pg_catalog'::pg_catalog.name AND built_in.typname ${EQ} asked.name))::${AS_TEXT} AS is_built_in
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.cstring::pg_catalog.text::pg_catalog.text[]),
    pg_catalog.unnest($2::pg_catalog.cstring::pg_catalog.text::pg_catalog.text[])) WITH ORDINALITY asked (schema, name, position)
  LEFT JOIN pg_catalog.pg_namespace schema ON schema.nspname ${EQ} asked.schema
  LEFT JOIN pg_catalog.pg_type type ON type.typnamespace ${EQ} schema.oid AND type.typname ${EQ} asked.name
  LEFT JOIN LATERAL (
    WITH RECURSIVE below AS (
      SELECT ${BELOW} FROM pg_catalog.pg_type t WHERE t.oid ${EQ} type.oid
      UNION SELECT ${BELOW} FROM below JOIN pg_catalog.pg_type t ON t.oid ${EQ} below.part
    ) SELECT below.typname::${AS_TEXT} AS name, place.nspname::${AS_TEXT} AS schema
      FROM below JOIN pg_catalog.pg_namespace place ON place.oid ${EQ} below.typnamespace WHERE below.part IS NULL
  ) part ON true
  ORDER BY asked.position`

/** A row of the look-up: PostgreSQL's text. */
interface Found {
  kind: string | null
  is_array: string
  is_binary: string
  part: string | null
  part_schema: string | null
  is_built_in: string
}

const TRUE = 'true'

/** What the SQL standard and `format_type` call types whose name in `pg_type` is another. */
const PG_TYPE_NAMES: { readonly [name: string]: string } = {
  bigint: 'int8',
  'bit varying': 'varbit',
  boolean: 'bool',
  character: 'bpchar',
  'character varying': 'varchar',
  'double precision': 'float8',
  integer: 'int4',
  real: 'float4',
  smallint: 'int2',
  'time with time zone': 'timetz',
  'time without time zone': 'time',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
}

/** The name in `pg_type`. Other schemas than `pg_catalog` may have types with any of those names. */
function pgTypeName(name: string, schema: string): string {
  const isOther = schema === 'pg_catalog' && Object.hasOwn(PG_TYPE_NAMES, name)
  return isOther ? PG_TYPE_NAMES[name]! : name
}

/** A codec that has been checked as far as that goes without a server. */
interface Checked {
  readonly schema: string
  readonly name: string
  readonly codec: TypeCodecOptions | undefined
  readonly codecName: string | undefined
}

/** @throws InterfaceError */
export function checkTypeCodec(typeName: unknown, options: unknown): Checked {
  const where = `codec of type ${describeArgument(typeName)}`
  checkName('the type name', typeName)
  checkOptions(options as object, CODEC_OPTIONS, where)
  const codec = options as TypeCodecOptions
  const format: unknown = codec.format ?? 'text'
  if (typeof format !== 'string' || !FORMATS.includes(format)) {
    throw new InterfaceError(
      `${where}: format must be 'text', 'binary' or 'tuple', not ${describeArgument(format)}`,
    )
  }
  checkFunction(`${where}: encode`, codec.encode)
  checkFunction(`${where}: decode`, codec.decode)
  const schema = schemaOf(codec)
  return { schema, name: pgTypeName(typeName, schema), codec, codecName: undefined }
}

/** @throws InterfaceError */
export function checkBuiltinTypeCodec(typeName: unknown, options: unknown): Checked {
  checkName('the type name', typeName)
  checkOptions(options as object, BUILTIN_OPTIONS, `codec of type ${describeArgument(typeName)}`)
  const { codecName } = options as BuiltinTypeCodecOptions
  checkName('codecName', codecName)
  const schema = schemaOf(options as TypeSchemaOptions)
  const name = pgTypeName(typeName, schema)
  return { schema, name, codec: undefined, codecName: pgTypeName(codecName, 'pg_catalog') }
}

/** @throws InterfaceError */
export function checkTypeSchema(typeName: unknown, options: unknown): { schema: string; name: string } {
  checkName('the type name', typeName)
  if (options !== undefined) checkOptions(options as object, SCHEMA_OPTIONS, 'options of resetTypeCodec')
  const schema = schemaOf((options ?? {}) as TypeSchemaOptions)
  return { schema, name: pgTypeName(typeName, schema) }
}

/**
 * The codecs of the option `typeCodecs`.
 *
 * @throws InterfaceError
 */
export function checkNamedTypeCodecs(value: unknown): readonly Checked[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) {
    throw new InterfaceError(`option 'typeCodecs' must be an array of codecs, not ${describeArgument(value)}`)
  }
  return value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) {
      throw new InterfaceError(`option 'typeCodecs' must hold objects, not ${describeArgument(entry)}`)
    }
    const { typeName, ...codec } = entry as NamedTypeCodec
    return 'codecName' in codec ? checkBuiltinTypeCodec(typeName, codec) : checkTypeCodec(typeName, codec)
  })
}

/**
 * Takes the codecs of the option `typeCodecs` into use on what has just been opened, which is closed when that fails.
 *
 * @throws what {@link useTypeCodecs} throws.
 */
export async function openWithTypeCodecs(
  target: Target,
  checked: readonly Checked[],
  limit: Limit,
): Promise<void> {
  if (checked.length === 0) return
  try {
    await useTypeCodecs(target, checked, { timeoutMs: limit.remainingMs, signal: limit.signal })
  } catch (error) {
    target.terminate()
    if (error instanceof TimeoutError) throw lateLookUp(limit.timeoutMs)
    throw error
  }
}

function lateLookUp(timeoutMs: number): Error {
  const message = `the types of option 'typeCodecs' were not looked up within the ${timeoutMs} ms of connectTimeoutMs`
  return new TimeoutError(message, { safeToRetry: true })
}

/** Looks the types up, and takes the codecs into use: all of them, or none. */
export async function useTypeCodecs(
  target: Target,
  checked: readonly Checked[],
  limit: RequestOptions,
): Promise<void> {
  const found = await lookUp(target, checked, limit)
  const uses = checked.map((entry, index) => useOf(target, entry, found[index]))
  for (const use of uses) use()
}

/** Takes a codec of the application's, or an alias, out of use. */
export async function resetTypeCodecOf(
  target: Target,
  type: { schema: string; name: string },
  limit: RequestOptions,
): Promise<void> {
  const [found] = await lookUp(target, [type], limit)
  if (found === undefined || found.kind === null) throw unknownType(type, found)
  target.types.reset(type.schema, type.name)
}

async function lookUp(
  target: Target,
  types: readonly { schema: string; name: string }[],
  { timeoutMs, signal }: RequestOptions,
): Promise<readonly Found[]> {
  const names = [arrayText(types.map(({ schema }) => schema)), arrayText(types.map(({ name }) => name))]
  // The simple protocol has no parameters.
  const query = target.isSimple
    ? LOOK_UP.replace(/\$([12])/g, (_, place) => literal(names[place - 1]!))
    : LOOK_UP
  const request = target.query(query, target.isSimple ? undefined : names, {
    timeoutMs,
    signal,
    plan: DEFAULT_PLAN,
    form: Form.ROWS,
    maxRows: 0,
    maxResultBytes: 0,
  })
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure, { query })
  return request.rows as readonly Found[]
}

/** PostgreSQL's text of an array (manual, section 8.15.2, Array Value Input). */
function arrayText(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}

/** What has to be done to take a codec into use, once all are known to fit their types. */
function useOf(target: Target, entry: Checked, found: Found | undefined): () => void {
  const { schema, name, codec, codecName } = entry
  const typeName = `${schema}.${name}`
  if (found === undefined || found.kind === null) throw unknownType(entry, found)
  if (found.kind === 'd') {
    throw new InterfaceError(
      `a codec cannot be set on a domain: set it on the base type of ${typeName}, ${partOf(found)}`,
    )
  }
  if (found.is_array === TRUE) {
    throw new InterfaceError(
      `a codec cannot be set on an array type: set it on the element type of ${typeName}, ${partOf(found)}`,
    )
  }
  if (found.kind === 'm' || found.kind === 'p') {
    const kind = found.kind === 'm' ? 'a multirange type: set it on its range type' : 'a pseudo-type'
    throw new InterfaceError(`a codec cannot be set on ${typeName}, ${kind}`)
  }
  if (codecName !== undefined) return useFamily(target, entry, found, codecName)
  const { encode, decode, format = 'text' } = codec!
  checkFormat(format, typeName, name, schema, found)
  const made = { typeName, format, encode: encode as (value: unknown) => unknown, decode }
  return () => target.types.setCodec(schema, name, made)
}

/** The type that a domain or an array is made of, as `setTypeCodec` takes it. */
function partOf({ part, part_schema: schema }: Found): string {
  const [name, place] = [part, schema].map((text) => describeArgument(text))
  return `${schema}.${part}: (${name}, { schema: ${place}, … })`
}

function checkFormat(
  format: CodecFormat,
  typeName: string,
  name: string,
  schema: string,
  found: Found,
): void {
  const isComposite = found.kind === 'c'
  if (isComposite && format !== 'tuple') {
    throw new UnsupportedClientFeatureError(
      `a codec of the composite type ${typeName} must have the format 'tuple', not '${format}'`,
    )
  }
  if (format === 'tuple' && !isComposite && !(schema === 'pg_catalog' && TUPLE_TYPES.has(name))) {
    throw new UnsupportedClientFeatureError(
      `${typeName} has no tuple: only composite types, date, time, timetz, timestamp, timestamptz and interval have`,
    )
  }
  if (format === 'binary' && found.is_binary !== TRUE) {
    throw new UnsupportedClientFeatureError(
      `${typeName} has no binary format: its codec must have the format 'text'`,
    )
  }
}

function useFamily(target: Target, { schema, name }: Checked, found: Found, codecName: string): () => void {
  const code = target.familyOf(codecName)
  if (code === 0) {
    throw new InterfaceError(
      `there is no built-in codec ${describeArgument(codecName)} for scalars: it must be the name of a built-in type in pg_type`,
    )
  }
  if (found.kind === 'c' || found.kind === 'r') {
    throw new InterfaceError(`${schema}.${name} has parts, and cannot come and go like ${codecName}`)
  }
  if (found.is_binary !== TRUE) {
    throw new UnsupportedClientFeatureError(
      `${schema}.${name} has no binary format, in which the codec ${codecName} works`,
    )
  }
  // The binary form of most types is not their text; PostgreSQL's text of them is.
  if (code === TypeCode.TEXT) return () => target.types.setCodec(schema, name, asText(`${schema}.${name}`))
  return () => target.types.setFamily(schema, name, code)
}

/** Values as PostgreSQL prints and reads them. */
function asText(typeName: string): TypeCodec {
  const same = (value: unknown) => value
  return { typeName, format: 'text', encode: same, decode: same }
}

function unknownType({ schema, name }: { schema: string; name: string }, found: Found | undefined): Error {
  const hint =
    schema !== 'pg_catalog' && (found?.is_built_in === TRUE || Object.hasOwn(PG_TYPE_NAMES, name))
      ? "; the built-in type of this name is in schema 'pg_catalog': { schema: 'pg_catalog' }"
      : ''
  return new InterfaceError(`there is no type ${name} in schema ${schema}${hint}`)
}

function schemaOf({ schema }: TypeSchemaOptions): string {
  if (schema === undefined) return DEFAULT_SCHEMA
  checkName('option schema', schema)
  return schema
}

function checkName(what: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '' || !isStorable(value)) {
    throw new InterfaceError(`${what} must be a name, not ${describeArgument(value)}`)
  }
}
