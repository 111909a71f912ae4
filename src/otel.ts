export { OxpgInstrumentation, type OxpgInstrumentationConfig } from './otel/instrumentation'
export { traceparent } from './otel/traceparent'
