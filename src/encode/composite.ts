import { describeValue } from '../types/describe-value'
import type { CompositeNode, TypeNode } from '../types/type-node'
import { FieldNames } from './named-fields'
import type { ParameterSink } from './parameter-sink'
import { qualifiedName } from './type-name'
import { RefusedValue, type TypeEncoder, writePart, writeText } from './value-encoder'

/**
 * Composites: objects by attribute name, where an attribute that is missing is NULL and a property that is no
 * attribute is refused; arrays with a value for each attribute, in order; PostgreSQL's text (manual, section 8.16.6).
 *
 * @param encoderOf The encoders of the attributes' types.
 */
export function compositeEncoder(
  type: CompositeNode,
  encoderOf: (type: TypeNode) => TypeEncoder,
): TypeEncoder {
  const attributes = type.fields.map((field) => ({
    name: field.name,
    encode: encoderOf(field.type).encode,
    place: `attribute ${describeValue(field.name)}`,
    typeName: qualifiedName(field.type),
  }))
  const names = new FieldNames(attributes.map(({ name }) => name))
  const count = attributes.length

  const writeAttribute = (index: number, value: unknown, sink: ParameterSink): void => {
    const { encode, place, typeName } = attributes[index]!
    writePart(value, encode, sink, place, typeName)
  }

  return {
    encode(value, sink) {
      if (typeof value === 'string') {
        writeText(value, value, sink)
        return
      }
      if (Array.isArray(value)) {
        if (value.length !== count) {
          throw new RefusedValue(value, `an array of ${count} values, one for each attribute`)
        }
        sink.composite(count)
        for (let index = 0; index < count; index++) writeAttribute(index, value[index], sink)
        return
      }
      const object = names.objectOf(value)
      if (object === undefined) {
        throw new RefusedValue(value, "an object by attribute name, an array, or PostgreSQL's text of a row")
      }
      sink.composite(count)
      for (let index = 0; index < count; index++) {
        writeAttribute(index, names.read(object, attributes[index]!.name), sink)
      }
    },
    takesArrays: true,
  }
}
