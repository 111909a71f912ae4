import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import {
  context,
  diag,
  type MeterProvider,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { AcquireTrace, ConnectTrace, LoggedQuery, ReleaseMessage } from '../index'
import { nameOf, operationOf, outcomeOf, placeOf, sizeOf, textOf } from './attributes'
import { Metrics } from './metrics'

const { version } = require('../package.json') as { version: string }

/** Options of the instrumentation. */
export interface OxpgInstrumentationConfig {
  /** Whether it is enabled when it is made. Default true. */
  enabled?: boolean | undefined
  /** Makes spans only where another one is active. Default false. */
  requireParentSpan?: boolean | undefined
  /**
   * `db.query.text`: `'sanitized'`, the default, has the text as it is where its values are parameters, and `?` in place of
   * the literals of others; `'none'` leaves it out, `'verbatim'` has all as it is.
   */
  queryText?: 'sanitized' | 'verbatim' | 'none' | undefined
  /**
   * Has the messages of errors as the span's status and as `exception` events. The server's messages may have values of the
   * application's in them. Default false.
   */
  recordErrors?: boolean | undefined
  /** Makes spans of `connect()` and of the wait for a connection of a pool as well. Default false. */
  connectionSpans?: boolean | undefined
  /**
   * Called with each span of a query when it has been started; `query.params` has the parameters. What a hook throws goes to
   * `diag.error`.
   */
  requestHook?: ((span: Span, query: LoggedQuery) => void) | undefined
  /** Called with each span of a query before it is ended. */
  responseHook?: ((span: Span, query: LoggedQuery) => void) | undefined
}

/** What the channels tell about. */
type Told = LoggedQuery | ConnectTrace | AcquireTrace

const RELEASE = 'oxpg:pool:release'

/**
 * Spans and metrics of what oxpg does, by the stable semantic conventions for database clients: for `registerInstrumentations`
 * of `@opentelemetry/instrumentation`, or alone. It reads the channels of `node:diagnostics_channel` and changes nothing.
 */
export class OxpgInstrumentation {
  readonly instrumentationName = 'oxpg'
  readonly instrumentationVersion = version
  #config: OxpgInstrumentationConfig = {}
  #tracer: Tracer | undefined
  #metrics: Metrics | undefined
  #meterProvider: MeterProvider | undefined
  #isEnabled = false
  readonly #spans = new WeakMap<object, Span>()
  readonly #channels = [
    this.#channel<LoggedQuery>(
      'oxpg:query',
      (query) => this.#queryStarted(query),
      (query) => this.#queryEnded(query),
    ),
    this.#channel<ConnectTrace>(
      'oxpg:connect',
      (told) => this.#sessionStarted('connect', told),
      (told) => {
        this.#metrics?.opened(told)
        this.#sessionEnded(told)
      },
    ),
    this.#channel<AcquireTrace>(
      'oxpg:pool:acquire',
      (told) => this.#sessionStarted('acquire', told),
      (told) => {
        this.#metrics?.acquired(told)
        this.#sessionEnded(told)
      },
    ),
  ]
  readonly #released = (message: unknown): void => this.#metrics?.released(message as ReleaseMessage)

  constructor(config: OxpgInstrumentationConfig = {}) {
    this.setConfig(config)
    if (this.#config.enabled) this.enable()
  }

  /** The tracer's provider; without one it is the global one. */
  setTracerProvider(provider: TracerProvider): void {
    this.#tracer = provider.getTracer(this.instrumentationName, this.instrumentationVersion)
  }

  /** The meter's provider; without one it is the global one. */
  setMeterProvider(provider: MeterProvider): void {
    this.#meterProvider = provider
    if (!this.#isEnabled) return
    this.#metrics?.stop()
    this.#measure()
  }

  /** Takes other options into use. `enabled` is for the constructor alone. */
  setConfig(config: OxpgInstrumentationConfig): void {
    this.#config = { enabled: true, ...config }
  }

  getConfig(): OxpgInstrumentationConfig & { enabled: boolean } {
    return { ...this.#config, enabled: this.#config.enabled !== false }
  }

  enable(): void {
    if (this.#isEnabled) return
    this.#isEnabled = true
    this.#measure()
    for (const { channel, subscribers } of this.#channels) channel.subscribe(subscribers)
    subscribe(RELEASE, this.#released)
  }

  disable(): void {
    if (!this.#isEnabled) return
    this.#isEnabled = false
    this.#metrics?.stop()
    this.#metrics = undefined
    for (const { channel, subscribers } of this.#channels) channel.unsubscribe(subscribers)
    unsubscribe(RELEASE, this.#released)
  }

  #measure(): void {
    const provider = this.#meterProvider ?? metrics.getMeterProvider()
    this.#metrics = new Metrics(provider.getMeter(this.instrumentationName, this.instrumentationVersion))
    this.#metrics.start()
  }

  #channel<C extends Told>(name: string, started: (told: C) => void, ended: (told: C) => void) {
    const subscribers = {
      start: (told: object) => started(told as C),
      end: () => {},
      asyncStart: () => {},
      asyncEnd: (told: object) => ended(told as C),
      error: () => {},
    }
    return { channel: tracingChannel<unknown, object>(name), subscribers }
  }

  get #activeTracer(): Tracer {
    return this.#tracer ?? trace.getTracer(this.instrumentationName, this.instrumentationVersion)
  }

  get #isWanted(): boolean {
    return this.#config.requireParentSpan !== true || trace.getSpan(context.active()) !== undefined
  }

  #queryStarted(query: LoggedQuery): void {
    if (!this.#isWanted) return
    const { queryText = 'sanitized', requestHook } = this.#config
    const attributes = { ...placeOf(query), ...operationOf(query), ...sizeOf(query) }
    if (queryText !== 'none')
      attributes['db.query.text'] = queryText === 'verbatim' ? query.query : textOf(query)
    const span = this.#activeTracer.startSpan(nameOf(query), { kind: SpanKind.CLIENT, attributes })
    this.#spans.set(query, span)
    callHook('requestHook', requestHook, span, query)
  }

  #queryEnded(query: LoggedQuery): void {
    this.#metrics?.ended(query)
    const span = this.#spans.get(query)
    if (span === undefined) return
    // Of a call on a pool it was not known before.
    span.setAttributes(placeOf(query))
    // Of a batch its rows are those of the last statement alone.
    const isAlone = query.statements === undefined || query.statements.length === 1
    if (isAlone && query.operation === 'SELECT' && query.rowCount !== undefined)
      span.setAttribute('db.response.returned_rows', query.rowCount)
    callHook('responseHook', this.#config.responseHook, span, query)
    this.#end(span, query)
  }

  #sessionStarted(what: string, told: ConnectTrace | AcquireTrace): void {
    if (this.#config.connectionSpans !== true || !this.#isWanted) return
    // One that a pool has opened is told of when it is open.
    const startTime = told.elapsedMs === undefined ? undefined : Date.now() - told.elapsedMs
    const options = {
      kind: SpanKind.CLIENT,
      attributes: placeOf(told),
      ...(startTime === undefined ? {} : { startTime }),
    }
    this.#spans.set(told, this.#activeTracer.startSpan(`oxpg.${what}`, options))
  }

  #sessionEnded(told: ConnectTrace | AcquireTrace): void {
    const span = this.#spans.get(told)
    if (span === undefined) return
    span.setAttributes(placeOf(told))
    this.#end(span, told)
  }

  #end(span: Span, told: Told): void {
    this.#spans.delete(told)
    if ('error' in told) {
      const { error } = told
      span.setAttributes(outcomeOf(told))
      const isTold = this.#config.recordErrors === true && error instanceof Error
      if (isTold) span.recordException(error)
      span.setStatus({ code: SpanStatusCode.ERROR, ...(isTold ? { message: error.message } : {}) })
    }
    span.end()
  }
}

/** The query goes on whatever it does. */
function callHook(
  name: string,
  hook: ((span: Span, query: LoggedQuery) => void) | undefined,
  span: Span,
  query: LoggedQuery,
): void {
  try {
    hook?.(span, query)
  } catch (error) {
    diag.error(`oxpg: ${name} of the instrumentation threw`, error)
  }
}
