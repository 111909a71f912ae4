import type { CompleteResultMapping } from '../mapping'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

const parsedReader = calledReader((views, cell, text) => JSON.parse(readText(views, cell, text)))

/** json, jsonb */
export function jsonReader(mapping: CompleteResultMapping): ColumnReader {
  return { ...readerOfChoice(mapping.json), mayBeArray: true }
}

function readerOfChoice(choice: CompleteResultMapping['json']): ColumnReader {
  if (choice === 'string') return textReader
  if (choice === 'parse') return parsedReader
  return calledReader((views, cell, text) => choice(readText(views, cell, text)))
}
