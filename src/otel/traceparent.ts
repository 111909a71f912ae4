import { isSpanContextValid, trace } from '@opentelemetry/api'

/**
 * The active span as the W3C's `traceparent` header has it, for `queryTags: { traceparent }`; undefined where there is none,
 * or it is not sampled.
 */
export function traceparent(): string | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined || !isSpanContextValid(context) || (context.traceFlags & 1) === 0)
    return undefined
  return `00-${context.traceId}-${context.spanId}-01`
}
