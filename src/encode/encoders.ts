import { DataError, InterfaceError } from '../errors/index'
import type { ParameterMode } from '../types/parameter-mode'
import type { TypeNode } from '../types/type-node'
import { encoderOfCode, encoderOfType } from './described-types'
import type { ParameterSink } from './parameter-sink'
import { RefusedValue, refusalFor, type ValueEncoder } from './value-encoder'

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

/**
 * The encoder for a statement's parameters; meant to be made once per description.
 *
 * @param mode The bits of {@link ParameterMode}.
 */
export function encoderFor(parameters: readonly ParameterDescription[], mode = 0): ParametersEncoder {
  const encoders = parameters.map((parameter) => valueEncoder(parameter, mode))
  const expected = encoders.length
  return (values, sink) => {
    if (values.length !== expected) throw wrongCount(expected, values.length)
    let index = 0
    try {
      for (; index < expected; index++) {
        const value = values[index]
        if (value === null || value === undefined) {
          sink.null()
          continue
        }
        if (sink.hasBorrowedBytes && mayRunCode(value, parameters[index]!)) sink.takeBorrowedBytes()
        encoders[index]!(value, sink)
      }
    } catch (error) {
      const refusal = refusalFor(error, values[index])
      throw refusal instanceof RefusedValue ? dataError(refusal, index, parameters[index]!) : refusal
    }
  }
}

/** Whether encoding a value may run the application's code: `toJSON`, getters, a codec. */
function mayRunCode(value: unknown, { type }: ParameterDescription): boolean {
  return type !== undefined || (typeof value === 'object' && !ArrayBuffer.isView(value))
}

function valueEncoder({ code, typeName, type }: ParameterDescription, mode: number): ValueEncoder {
  return (type === undefined ? encoderOfCode(code, typeName, mode) : encoderOfType(type, mode)).encode
}

function wrongCount(expected: number, given: number): InterfaceError {
  const parameters = expected === 1 ? '1 parameter' : `${expected} parameters`
  return new InterfaceError(
    `the query takes ${parameters}, but ${given} ${given === 1 ? 'was' : 'were'} given`,
  )
}

function dataError(refused: RefusedValue, index: number, parameter: ParameterDescription): DataError {
  const { typeName, typeOid } = parameter
  const { places, cause } = refused
  const parts = places.map((place) => (typeof place === 'number' ? `element ${place}` : place))
  const position = [`parameter $${index + 1}`, ...parts].join(', ')
  const type = typeName === '' ? `with OID ${typeOid}` : typeName
  const outermost = places[0]
  return new DataError(`${position}: ${refused.messageFor(type)}`, {
    parameter: index + 1,
    element: typeof outermost === 'number' ? outermost : undefined,
    // Nothing has been sent.
    safeToRetry: true,
    ...(cause === undefined ? undefined : { cause }),
  })
}
