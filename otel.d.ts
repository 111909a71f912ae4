// The public surface of oxpg. Generated from src by `npm run build`: edit there, not here.

import { Span, TracerProvider, MeterProvider } from '@opentelemetry/api';
import { LoggedQuery } from './index.js';

/** Options of the instrumentation. */
interface OxpgInstrumentationConfig {
    /** Whether it is enabled when it is made. Default true. */
    enabled?: boolean | undefined;
    /** Makes spans only where another one is active. Default false. */
    requireParentSpan?: boolean | undefined;
    /**
     * `db.query.text`: `'sanitized'`, the default, has the text as it is where its values are parameters, and `?` in place of
     * the literals of others; `'none'` leaves it out, `'verbatim'` has all as it is.
     */
    queryText?: 'sanitized' | 'verbatim' | 'none' | undefined;
    /**
     * Has the messages of errors as the span's status and as `exception` events. The server's messages may have values of the
     * application's in them. Default false.
     */
    recordErrors?: boolean | undefined;
    /** Makes spans of `connect()` and of the wait for a connection of a pool as well. Default false. */
    connectionSpans?: boolean | undefined;
    /**
     * Called with each span of a query when it has been started; `query.params` has the parameters. What a hook throws goes to
     * `diag.error`.
     */
    requestHook?: ((span: Span, query: LoggedQuery) => void) | undefined;
    /** Called with each span of a query before it is ended. */
    responseHook?: ((span: Span, query: LoggedQuery) => void) | undefined;
}
/**
 * Spans and metrics of what oxpg does, by the stable semantic conventions for database clients: for `registerInstrumentations`
 * of `@opentelemetry/instrumentation`, or alone. It reads the channels of `node:diagnostics_channel` and changes nothing.
 */
declare class OxpgInstrumentation {
    #private;
    readonly instrumentationName = "oxpg";
    readonly instrumentationVersion: string;
    constructor(config?: OxpgInstrumentationConfig);
    /** The tracer's provider; without one it is the global one. */
    setTracerProvider(provider: TracerProvider): void;
    /** The meter's provider; without one it is the global one. */
    setMeterProvider(provider: MeterProvider): void;
    /** Takes other options into use. `enabled` is for the constructor alone. */
    setConfig(config: OxpgInstrumentationConfig): void;
    getConfig(): OxpgInstrumentationConfig & {
        enabled: boolean;
    };
    enable(): void;
    disable(): void;
}

/**
 * The active span as the W3C's `traceparent` header has it, for `queryTags: { traceparent }`; undefined where there is none,
 * or it is not sampled.
 */
declare function traceparent(): string | undefined;

export { OxpgInstrumentation, traceparent };
export type { OxpgInstrumentationConfig };

export * as default from './otel.js'
