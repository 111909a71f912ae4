import type { Attributes, BatchObservableCallback, Histogram, Meter, Observable } from '@opentelemetry/api'
import type { AcquireTrace, ConnectTrace, LoggedQuery, ReleaseMessage } from '../index'
import { operationOf, outcomeOf, placeOf, poolNameOf } from './attributes'
import { type Figures, PoolFigures } from './pool-figures'

/** Seconds, as the conventions advise. */
const BOUNDARIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
const POOL = 'db.client.connection.pool.name'
const STATE = 'db.client.connection.state'

/** The metrics of the conventions for database clients, of all that this thread has open. */
export class Metrics {
  readonly #meter: Meter
  readonly #duration: Histogram
  readonly #createTime: Histogram
  readonly #waitTime: Histogram
  readonly #useTime: Histogram
  readonly #observed: Observable[]
  readonly #observe: BatchObservableCallback
  readonly #figures = new PoolFigures()

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: BOUNDARIES }
    const histogram = (name: string, description: string) =>
      meter.createHistogram(name, { description, unit: 's', advice })
    this.#meter = meter
    this.#duration = histogram('db.client.operation.duration', 'Duration of database client operations.')
    this.#createTime = histogram(
      'db.client.connection.create_time',
      'The time it took to create a new connection.',
    )
    this.#waitTime = histogram(
      'db.client.connection.wait_time',
      'The time it took to obtain an open connection from the pool.',
    )
    this.#useTime = histogram(
      'db.client.connection.use_time',
      'The time between borrowing a connection and returning it to the pool.',
    )
    const upDown = (name: string, description: string, unit = '{connection}') =>
      meter.createObservableUpDownCounter(`db.client.connection.${name}`, { description, unit })
    const count = upDown('count', 'The number of connections in the state described by the state attribute.')
    const figures: [Observable, keyof Figures][] = [
      [upDown('idle.max', 'The maximum number of idle open connections allowed.'), 'maxSize'],
      [upDown('idle.min', 'The minimum number of idle open connections allowed.'), 'minSize'],
      [upDown('max', 'The maximum number of open connections allowed.'), 'maxSize'],
      [
        upDown('pending_requests', 'The number of pending requests for an open connection.', '{request}'),
        'waiting',
      ],
      [
        meter.createObservableCounter('db.client.connection.timeouts', {
          description: 'The number of requests for a connection that have timed out.',
          unit: '{timeout}',
        }),
        'timedOut',
      ],
    ]
    this.#observed = [count, ...figures.map(([instrument]) => instrument)]
    this.#observe = (result) => {
      for (const [name, stats] of this.#figures.now()) {
        result.observe(count, stats.idle, { [POOL]: name, [STATE]: 'idle' })
        result.observe(count, stats.inUse, { [POOL]: name, [STATE]: 'used' })
        for (const [instrument, figure] of figures)
          result.observe(instrument, stats[figure], { [POOL]: name })
      }
    }
  }

  start(): void {
    this.#figures.start()
    this.#meter.addBatchObservableCallback(this.#observe, this.#observed)
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#observed)
    this.#figures.stop()
  }

  ended(query: LoggedQuery): void {
    const attributes: Attributes = { ...placeOf(query), ...operationOf(query), ...outcomeOf(query) }
    this.#duration.record(query.elapsedMs! / 1e3, attributes)
  }

  opened(trace: ConnectTrace): void {
    if (trace.isPooled) this.#createTime.record(trace.elapsedMs! / 1e3, { [POOL]: poolNameOf(trace) })
  }

  acquired(trace: AcquireTrace): void {
    if (!('error' in trace)) this.#waitTime.record(trace.elapsedMs! / 1e3, { [POOL]: poolNameOf(trace) })
  }

  released(message: ReleaseMessage): void {
    this.#useTime.record(message.heldMs / 1e3, { [POOL]: poolNameOf(message) })
  }
}
