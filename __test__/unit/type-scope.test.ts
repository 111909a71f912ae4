import test from 'ava'
import { TypeScope } from '../../src/native/type-scope'
import { codecOf, hasCodecs, type TypeCodec } from '../../src/types/type-codec'

/** A scope whose calls are in flight or not, and the ids that Rust has been told. */
function makeScope() {
  const ids: number[] = []
  const calls = { inFlight: 0 }
  const native = { chooseCodec: (...given: unknown[]) => void ids.push(given[4] as number) }
  const scope = new TypeScope(native as never, 7, () => calls.inFlight === 0)
  return { scope, ids, calls }
}

function codec(): TypeCodec {
  const same = (value: unknown) => value
  return { typeName: 'public.mood', format: 'text', encode: same, decode: same }
}

test('a codec that is replaced, reset or closed is forgotten when no call can go by it', (t) => {
  const { scope, ids, calls } = makeScope()
  for (let turn = 0; turn < 1000; turn++) scope.setCodec('public', 'mood', codec())
  t.deepEqual(
    ids.filter((id) => codecOf(id) !== undefined),
    [ids[999]!],
  )
  calls.inFlight = 1
  const late = codec()
  scope.setCodec('public', 'mood', late)
  t.truthy(codecOf(ids[999]!))
  scope.setCodec('public', 'other', codec())
  t.truthy(codecOf(ids[999]!))
  calls.inFlight = 0
  scope.reset('public', 'other')
  t.is(codecOf(ids[999]!), undefined)
  t.is(codecOf(ids[1000]!), late)
  scope.setFamily('public', 'mood', 9)
  t.is(codecOf(ids[1000]!), undefined)
  scope.setCodec('public', 'mood', codec())
  t.true(hasCodecs())
  scope.close()
  t.false(hasCodecs())
})
