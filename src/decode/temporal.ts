/** As much of Temporal as the readers need; TypeScript's ES2023 library does not know it. */
export interface TemporalNamespace {
  readonly PlainDate: new (year: number, month: number, day: number) => unknown
  readonly PlainTime: new (
    hour: number,
    minute: number,
    second: number,
    millisecond: number,
    microsecond: number,
  ) => unknown
  readonly PlainDateTime: new (
    year: number,
    month: number,
    day: number,
    hour: number,
    minute: number,
    second: number,
    millisecond: number,
    microsecond: number,
  ) => unknown
  readonly Instant: new (epochNanoseconds: bigint) => unknown
}

/** The runtime's Temporal. A plan asks for it only where it exists (see `planFor`). */
export function runtimeTemporal(): TemporalNamespace {
  return (globalThis as unknown as { Temporal: TemporalNamespace }).Temporal
}
