/** How parameters are meant, where that follows from how results are given: what is read can be written back. */
export const ParameterMode = {
  /** A Date for a timestamp is the clock on the wall of this process, as `timestamp: 'local'` reads it. */
  LOCAL_TIMESTAMPS: 1,
  /** A string for json within another value is JSON text, as `json: 'string'` reads it. */
  JSON_TEXT: 2,
} as const

/** How many modes there are: their bits are combined. */
export const PARAMETER_MODES = 4
