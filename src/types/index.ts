export { JsonValue, json } from './json'
