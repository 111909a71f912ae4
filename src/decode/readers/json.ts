import type { CompleteResultMapping, TextParser } from '../mapping'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

const parsedReader = calledReader((views, cell, text) => JSON.parse(readText(views, cell, text)))

/** A function of the application's: the call's own, for calls with other functions share the shape. */
const parserReader = calledReader((views, cell, text) =>
  (text.mapping.json as TextParser)(readText(views, cell, text)),
)

/** json, jsonb */
export function jsonReader(mapping: CompleteResultMapping): ColumnReader {
  return { ...readerOfChoice(mapping.json), mayBeArray: true }
}

function readerOfChoice(choice: CompleteResultMapping['json']): ColumnReader {
  if (choice === 'string') return textReader
  if (choice === 'parse') return parsedReader
  return parserReader
}
