export * from './otel.js'
export { default } from './otel.js'
