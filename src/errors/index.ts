export { errorFromFailure, type Failure, type FailureContext, logMessageFromFields } from './from-failure'
export * from './public'
