import type { ResultPlan } from '../decode/mapping'
import type { Form } from '../types/boundary'
import type { CallGroup } from './call-group'

/** What is wanted of a result: its rows, or only how many the command tag counts. */
export type ResultForm = (typeof Form)[keyof typeof Form]

/** How any request is made. */
export interface RequestOptions {
  /** Milliseconds after which it fails; 0 for none. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** What it ends with at the latest. */
  readonly group?: CallGroup | undefined
}

/** How a statement is executed. Objects of it are made ahead where that can be, and never changed. */
export interface StatementOptions extends RequestOptions {
  /** How its rows become values. */
  readonly plan: ResultPlan
  readonly form: ResultForm
  /** Rows after which the portal is suspended; 0 for all. */
  readonly maxRows: number
  /** Bytes of rows, as they come from the server, past which it fails; 0 for no limit. */
  readonly maxResultBytes: number
}

/** How a script is executed. */
export interface ScriptOptions extends RequestOptions {
  /** The text is the driver's own and certainly hides no COPY. */
  readonly isControl?: boolean
}
