import { DataError, InterfaceError, InternalClientError, PostgresError } from '../errors/index'
import { elementCode, isArrayCode, TypeCode } from '../types/type-code'
import type { TypeNode } from '../types/type-node'
import { arrayEncoder } from './arrays'
import { dateEncoder, timeEncoder, timestampEncoderFamily, timestamptzEncoderFamily } from './date-time'
import { describeValue } from './describe-value'
import { jsonEncoder } from './json'
import {
  boolEncoder,
  float4Encoder,
  float8Encoder,
  int2Encoder,
  int4Encoder,
  int8Encoder,
  numericEncoder,
  oidEncoder,
} from './numbers'
import type { ParameterSink } from './parameter-sink'
import { byteaEncoder, charEncoder, textEncoder, uuidEncoder } from './text'
import { unknownEncoder } from './unknown'
import { type FamilyEncoder, RefusedValue, type ValueEncoder } from './value-encoder'

/** A parameter of a statement, as the server describes it. */
export interface ParameterDescription {
  typeOid: number
  typeName: string
  /** The type code: how values cross the boundary. */
  code: number
  /** The type, unless it is a built-in one without parts. */
  type?: TypeNode | undefined
}

/**
 * Writes the values of one execution to the sink.
 *
 * @throws InterfaceError when the number of values is not the number of parameters.
 * @throws DataError when a value does not fit its parameter; the message names the parameter and its type.
 */
export type ParametersEncoder = (values: readonly unknown[], sink: ParameterSink) => void

const FAMILIES: { readonly [code: number]: FamilyEncoder } = {
  [TypeCode.BOOL]: boolEncoder,
  [TypeCode.INT2]: int2Encoder,
  [TypeCode.INT4]: int4Encoder,
  [TypeCode.INT8]: int8Encoder,
  [TypeCode.OID]: oidEncoder,
  [TypeCode.FLOAT4]: float4Encoder,
  [TypeCode.FLOAT8]: float8Encoder,
  [TypeCode.NUMERIC]: numericEncoder,
  [TypeCode.TEXT]: textEncoder,
  [TypeCode.CHAR]: charEncoder,
  [TypeCode.BYTEA]: byteaEncoder,
  [TypeCode.JSON]: jsonEncoder,
  [TypeCode.JSONB]: jsonEncoder,
  [TypeCode.UUID]: uuidEncoder,
  [TypeCode.DATE]: dateEncoder,
  [TypeCode.TIME]: timeEncoder,
  [TypeCode.TIMESTAMP]: timestampEncoderFamily,
  [TypeCode.TIMESTAMPTZ]: timestamptzEncoderFamily,
}

/** The encoder for a statement's parameters; meant to be made once per description. */
export function encoderFor(parameters: readonly ParameterDescription[]): ParametersEncoder {
  const encoders = parameters.map(valueEncoder)
  const expected = encoders.length
  return (values, sink) => {
    if (values.length !== expected) throw wrongCount(expected, values.length)
    let index = 0
    try {
      for (; index < expected; index++) {
        const value = values[index]
        if (value === null || value === undefined) sink.null()
        else encoders[index]!(value, sink)
      }
    } catch (error) {
      if (isOurs(error)) throw error
      throw dataError(refusalFor(error, values[index]), index, parameters[index]!)
    }
  }
}

function valueEncoder({ code, typeName }: ParameterDescription): ValueEncoder {
  const family = elementCode(code)
  const encoder = FAMILIES[family]
  if (encoder === undefined) return unknownEncoder(typeName).encode
  if (!isArrayCode(code)) return encoder.encode
  return arrayEncoder(encoder, family !== TypeCode.JSON && family !== TypeCode.JSONB)
}

/** Errors that say by themselves what is wrong. */
function isOurs(error: unknown): boolean {
  return (
    error instanceof PostgresError || error instanceof InterfaceError || error instanceof InternalClientError
  )
}

/** What the engine throws about revoked proxies, detached memory and the like says nothing of the parameter. */
function refusalFor(error: unknown, value: unknown): RefusedValue {
  return error instanceof RefusedValue ? error : new RefusedValue(value, 'a value that can be read', error)
}

function wrongCount(expected: number, given: number): InterfaceError {
  const parameters = expected === 1 ? '1 parameter' : `${expected} parameters`
  return new InterfaceError(
    `the query takes ${parameters}, but ${given} ${given === 1 ? 'was' : 'were'} given`,
  )
}

function dataError(refused: RefusedValue, index: number, parameter: ParameterDescription): DataError {
  const { typeName, typeOid } = parameter
  const { element, cause } = refused
  const position = `parameter $${index + 1}${element === undefined ? '' : `, element ${element}`}`
  const type = typeName === '' ? `with OID ${typeOid}` : typeName
  return new DataError(
    `${position}: invalid input for type ${type}: ${describeValue(refused.value)} (expected ${refused.expected})`,
    // Nothing has been sent.
    { parameter: index + 1, element, safeToRetry: true, ...(cause === undefined ? undefined : { cause }) },
  )
}
