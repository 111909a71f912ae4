import { inspect } from 'node:util'
import { context, diag, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import test, { type ExecutionContext } from 'ava'
import { connect, createPool, type LoggedQuery, UndefinedTableError } from 'oxpg'
import { OxpgInstrumentation, type OxpgInstrumentationConfig, traceparent } from 'oxpg/otel'
import { connection, pool, uniqueName, until, url, urlWith } from '../support/server.js'

const exporter = new InMemorySpanExporter()
const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
tracerProvider.register()
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 2 ** 30 })
const meterProvider = new MeterProvider({ readers: [reader] })
test.after.always('the providers end', () =>
  Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]),
)

const { hostname, port } = new URL(url)
const PLACE = {
  'db.system.name': 'postgresql',
  'db.namespace': 'postgres',
  'server.address': hostname,
  'server.port': Number(port),
}

/** Watches until the test is over; tests are serial. */
function instrumented(t: ExecutionContext, config: OxpgInstrumentationConfig = {}): OxpgInstrumentation {
  const instrumentation = new OxpgInstrumentation(config)
  const unload = registerInstrumentations({
    instrumentations: [instrumentation],
    tracerProvider,
    meterProvider,
  })
  t.teardown(unload)
  exporter.reset()
  return instrumentation
}

const spans = () => exporter.getFinishedSpans()

test.serial('a query is a span of the conventions, below the span that is active', async (t) => {
  const c = await connection(t)
  instrumented(t)
  const tracer = trace.getTracer('test')
  await tracer.startActiveSpan('request', async (parent) => {
    await c.fetch('select $1::int as n', [42])
    await c.fetch("select 'secret', 7")
    t.is(trace.getActiveSpan(), parent)
    parent.end()
  })
  const [first, second, parent] = spans()
  t.is(first!.name, 'SELECT postgres')
  t.is(first!.kind, SpanKind.CLIENT)
  t.deepEqual(first!.attributes, {
    ...PLACE,
    'db.operation.name': 'SELECT',
    'db.query.text': 'select $1::int as n',
    'db.response.returned_rows': 1,
  })
  t.is(first!.status.code, SpanStatusCode.UNSET)
  t.is(second!.attributes['db.query.text'], 'select ?, ?')
  for (const span of [first, second]) t.is(span!.parentSpanContext?.spanId, parent!.spanContext().spanId)
})

test.serial('an error has its SQLSTATE, and its words only where they are wanted', async (t) => {
  const c = await connection(t)
  const instrumentation = instrumented(t)
  await t.throwsAsync(c.fetch('select $1::int from no_such_table_of_otel', [1]), {
    instanceOf: UndefinedTableError,
  })
  const [silent] = spans()
  t.like(silent!.attributes, { 'error.type': '42P01', 'db.response.status_code': '42P01' })
  t.deepEqual(silent!.status, { code: SpanStatusCode.ERROR })
  t.deepEqual(silent!.events, [])
  exporter.reset()
  instrumentation.setConfig({ recordErrors: true })
  await t.throwsAsync(c.fetch('select 1 from no_such_table_of_otel'))
  await t.throwsAsync(c.fetch('select pg_sleep(30)', [], { timeoutMs: 5 }))
  const [told, late] = spans()
  t.regex(told!.status.message!, /no_such_table_of_otel/)
  t.is(told!.events[0]!.name, 'exception')
  t.is(late!.attributes['error.type'], 'TimeoutError')
  t.false('db.response.status_code' in late!.attributes)
})

test.serial('calls on a pool, transactions and scripts are spans, at the place where they ran', async (t) => {
  const p = await pool(t)
  instrumented(t)
  await p.fetchVal('select 1')
  await p.transaction((transaction) => transaction.execute('create temporary table otel (n int); select 5'))
  t.deepEqual(
    spans().map(({ name, attributes }) => [
      name,
      attributes['db.operation.name'],
      attributes['db.query.text'],
    ]),
    [
      ['SELECT postgres', 'SELECT', 'select ?'],
      ['BEGIN postgres', 'BEGIN', 'BEGIN'],
      ['postgres', undefined, 'create temporary table otel (n int); select ?'],
      ['COMMIT postgres', 'COMMIT', 'COMMIT'],
    ],
  )
  for (const { attributes } of spans()) t.like(attributes, PLACE)
})

test.serial('parameters are in no span, and hooks may add what they like', async (t) => {
  const c = await connection(t)
  const instrumentation = instrumented(t)
  await c.fetch('select $1::text', ['a secret'])
  await t.throwsAsync(c.fetch('select $1::int', ['a secret']))
  await t.throwsAsync(c.fetch('select $1::text::int', ['a secret']))
  t.is(spans().length, 3)
  t.notRegex(inspect(spans(), { depth: 9 }), /a secret/)
  exporter.reset()
  const responses: (number | undefined)[] = []
  instrumentation.setConfig({
    queryText: 'none',
    requestHook: (span, { params }: LoggedQuery) => span.setAttribute('app.first', String(params?.[0])),
    responseHook: (_, { rowCount }) => responses.push(rowCount),
  })
  await c.fetch('select $1::text', ['shown'])
  t.like(spans()[0]!.attributes, { 'app.first': 'shown' })
  t.false('db.query.text' in spans()[0]!.attributes)
  t.deepEqual(responses, [1])
})

test.serial('with requireParentSpan there are none without a parent', async (t) => {
  const c = await connection(t)
  instrumented(t, { requireParentSpan: true })
  await c.fetch('select 1')
  t.deepEqual(spans(), [])
  await trace.getTracer('test').startActiveSpan('request', async (span) => {
    await c.fetch('select 2')
    span.end()
  })
  t.is(spans().length, 2)
})

test.serial('what it has disabled makes no spans, and enabled again it does', async (t) => {
  const c = await connection(t)
  const instrumentation = instrumented(t, { enabled: false })
  t.false(instrumentation.getConfig().enabled)
  instrumentation.disable()
  await c.fetch('select 1')
  t.is(spans().length, 0)
  instrumentation.enable()
  instrumentation.enable()
  await c.fetch('select 1')
  t.is(spans().length, 1)
  instrumentation.disable()
  await c.fetch('select 1')
  t.is(spans().length, 1)
})

test.serial('connecting and waiting for a connection are spans where they are wanted', async (t) => {
  instrumented(t, { connectionSpans: true })
  await connection(t)
  const p = await pool(t)
  await p.use(async () => {})
  await t.throwsAsync(createPool('postgres://nobody_of_otel@127.0.0.1:1/none', { connectTimeoutMs: 1_000 }))
  const names = spans().map(({ name }) => name)
  t.deepEqual(names, ['oxpg.connect', 'oxpg.connect', 'oxpg.acquire'])
  for (const { attributes } of spans()) t.like(attributes, PLACE)
})

test.serial('metrics are those of the conventions', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 3 })
  instrumented(t)
  await p.fetch('select 1')
  await t.throwsAsync(p.fetch('select 1 from no_such_table_of_otel'))
  await using held = await p.acquire()
  const other = await p.acquire()
  await other.release()
  await reader.forceFlush()
  const all = metricExporter
    .getMetrics()
    .at(-1)!
    .scopeMetrics.find(({ scope }) => scope.name === 'oxpg')!.metrics
  const of = (name: string) => {
    const found = all.find(({ descriptor }) => descriptor.name === name)
    if (found === undefined) throw new Error(`no metric ${name}`)
    return found
  }
  const duration = of('db.client.operation.duration')
  t.is(duration.descriptor.unit, 's')
  const failed = duration.dataPoints.find(({ attributes }) => attributes['error.type'] === '42P01')
  t.like(failed!.attributes, { ...PLACE, 'db.operation.name': 'SELECT', 'db.response.status_code': '42P01' })
  const name = { 'db.client.connection.pool.name': `${hostname}:${port}/postgres` }
  const value = (metric: string, attributes: object = {}) =>
    of(metric).dataPoints.find((point) => {
      return inspect({ ...name, ...attributes }) === inspect(point.attributes)
    })?.value
  const { stats } = p
  t.is(value('db.client.connection.count', { 'db.client.connection.state': 'used' }), stats.inUse)
  t.is(value('db.client.connection.count', { 'db.client.connection.state': 'idle' }), stats.idle)
  t.is(value('db.client.connection.max'), 3)
  t.is(value('db.client.connection.idle.max'), 3)
  t.is(value('db.client.connection.idle.min'), 1)
  t.is(value('db.client.connection.pending_requests'), 0)
  t.is(value('db.client.connection.timeouts'), 0)
  for (const histogram of ['wait_time', 'use_time']) {
    t.true((value(`db.client.connection.${histogram}`) as unknown as { count: number }).count >= 1, histogram)
  }
  t.true(of('db.client.connection.create_time').dataPoints.length > 0)
  t.false(held.isReleased)
})

test.serial('what a hook throws goes to diag, and the query goes on', async (t) => {
  const c = await connection(t)
  const thrown = new Error('a broken hook')
  const hook = () => {
    throw thrown
  }
  instrumented(t, { requestHook: hook, responseHook: hook })
  const told: unknown[][] = []
  const ignore = () => {}
  const logger = {
    error: (...all: unknown[]) => void told.push(all),
    warn: ignore,
    info: ignore,
    debug: ignore,
  }
  diag.setLogger({ ...logger, verbose: ignore }, { suppressOverrideMessage: true })
  t.teardown(() => diag.disable())
  t.is(await c.fetchVal('select 1'), 1)
  t.deepEqual(
    told.map(([message, error]) => [message, error]),
    ['requestHook', 'responseHook'].map((name) => [`oxpg: ${name} of the instrumentation threw`, thrown]),
  )
  t.is(spans().length, 1)
})

test.serial('a batch is one span, named by what its statements have in common', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table batched (n int)')
  instrumented(t)
  const insert = 'insert into batched values ($1)'
  await c.batch([
    [insert, [1]],
    [insert, [2]],
  ])
  await c.batch([[insert, [3]], "select 'secret'", 'delete from batched'])
  await c.batch([[insert, [4]]])
  await c.batch(['select 1', 'select 2 from batched'])
  t.deepEqual(
    spans().map(({ name, attributes }) => [
      name,
      attributes['db.operation.name'],
      attributes['db.operation.batch.size'],
      attributes['db.query.text'],
    ]),
    [
      ['BATCH INSERT postgres', 'BATCH INSERT', 2, `${insert};\n${insert}`],
      ['BATCH postgres', 'BATCH', 3, `${insert};\nselect ?;\ndelete from batched`],
      ['INSERT postgres', 'INSERT', undefined, insert],
      ['BATCH SELECT postgres', 'BATCH SELECT', 2, 'select ?;\nselect ? from batched'],
    ],
  )
  // That of the last one says nothing of all.
  t.false('db.response.returned_rows' in spans().at(-1)!.attributes)
})

test.serial('a connection that cannot be opened is a span at the place that was meant', async (t) => {
  instrumented(t, { connectionSpans: true })
  await t.throwsAsync(connect('postgres://somebody@127.0.0.1:1/none'))
  await t.throwsAsync(connect('postgres://somebody@127.0.0.1:1,127.0.0.2:1/none'))
  const [one, several] = spans()
  const place = { 'db.system.name': 'postgresql', 'db.namespace': 'none' }
  const error = { 'error.type': 'ConnectionFailureError' }
  t.deepEqual(one!.attributes, { ...place, 'server.address': '127.0.0.1', 'server.port': 1, ...error })
  // It may be any of them.
  t.deepEqual(several!.attributes, { ...place, ...error })
})

test.serial('a stream that is left early is a span that has gone well', async (t) => {
  const c = await connection(t)
  instrumented(t)
  for await (const _ of c.stream('select generate_series(1, 1000000)')) break
  await until(async () => spans().length === 1, 'the end of the stream')
  t.is(spans()[0]!.status.code, SpanStatusCode.UNSET)
  t.false('error.type' in spans()[0]!.attributes)
  t.true((spans()[0]!.attributes['db.response.returned_rows'] as number) > 0)
})

test.serial('metrics of a pool end with it, and its timeouts are not forgotten', async (t) => {
  const cumulative = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const all = new PeriodicExportingMetricReader({ exporter: cumulative, exportIntervalMillis: 2 ** 30 })
  const meters = new MeterProvider({ readers: [all] })
  t.teardown(() => meters.shutdown())
  const instrumentation = new OxpgInstrumentation()
  t.teardown(() => instrumentation.disable())
  instrumentation.setMeterProvider(meters)
  const database = uniqueName('otel')
  const c = await connection(t)
  await c.execute(`create database ${database}`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop database ${database} with (force)`)
    await last.close()
  })
  const open = () => createPool(urlWith({ pathname: `/${database}` }), { minSize: 1, maxSize: 1 })
  const name = `${hostname}:${port}/${database}`
  const now = async () => {
    cumulative.reset()
    await all.forceFlush()
    const points = cumulative
      .getMetrics()
      .flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics: some }) =>
          some.flatMap(({ descriptor, dataPoints }) => dataPoints.map((point) => ({ descriptor, ...point }))),
        ),
      )
    return Object.fromEntries(
      points
        .filter(({ attributes }) => attributes['db.client.connection.pool.name'] === name)
        .filter(({ value }) => typeof value === 'number')
        .map(({ descriptor, attributes, value }) => [
          [descriptor.name.slice('db.client.connection.'.length), attributes['db.client.connection.state']]
            .filter((part) => part !== undefined)
            .join(' '),
          value,
        ]),
    )
  }
  const closed = {
    'count idle': 0,
    'count used': 0,
    'idle.max': 0,
    'idle.min': 0,
    max: 0,
    pending_requests: 0,
  }
  const first = await open()
  const timedOut = () => first.use(() => t.throwsAsync(first.acquire({ timeoutMs: 1 })))
  await timedOut()
  t.like(await now(), { 'count idle': 1, 'count used': 0, max: 1, timeouts: 1 })
  await timedOut()
  await first.close()
  t.deepEqual(await now(), { ...closed, timeouts: 2 })
  const second = await open()
  t.like(await now(), { 'count idle': 1, max: 1, timeouts: 2 })
  await second.use(() => t.throwsAsync(second.acquire({ timeoutMs: 1 })))
  second.terminate()
  t.deepEqual(await now(), { ...closed, timeouts: 3 })
  // One that is opened and closed between two looks.
  const third = await open()
  await third.use(() => t.throwsAsync(third.acquire({ timeoutMs: 1 })))
  await third.close()
  t.deepEqual(await now(), { ...closed, timeouts: 4 })
})

test.serial('traceparent is that of the active span, if it is sampled', async (t) => {
  t.is(traceparent(), undefined)
  trace.getTracer('test').startActiveSpan('request', (span) => {
    const { traceId, spanId } = span.spanContext()
    t.is(traceparent(), `00-${traceId}-${spanId}-01`)
    span.end()
  })
  const unsampled = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 0 })
  context.with(trace.setSpan(context.active(), unsampled), () => t.is(traceparent(), undefined))
  t.truthy(metrics.getMeterProvider())
})
