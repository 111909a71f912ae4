import type { CompleteResultMapping, TextParser } from '../mapping'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

/** `Number` reads all that PostgreSQL prints, `NaN` and `Infinity` included. */
const roundedReader = calledReader((views, cell, text) => Number(readText(views, cell, text)))

/** A function of the application's: the call's own, for calls with other functions share the shape. */
const parserReader = calledReader((views, cell, text) =>
  (text.mapping.numeric as TextParser)(readText(views, cell, text)),
)

/** numeric */
export function numericReader(mapping: CompleteResultMapping): ColumnReader {
  const choice = mapping.numeric
  if (choice === 'string') return textReader
  if (choice === 'number') return roundedReader
  return parserReader
}
