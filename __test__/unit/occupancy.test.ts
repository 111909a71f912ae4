import test from 'ava'
import { InterfaceError } from '../../src/errors/index'
import { Occupancy } from '../../src/native/occupancy'

/** An exclusive use that ends when it is told to, or taken back. */
function use() {
  const state = { aborts: 0, end: () => {}, fail: (_: Error) => {} }
  const end = new Promise<string>((resolve, reject) => {
    state.end = () => resolve('done')
    state.fail = reject
  })
  const occupant = {
    description: 'a test, until it ends',
    abort: () => {
      state.aborts++
      setImmediate(state.end)
    },
  }
  return { state, occupant, run: () => end }
}

test('while something occupies it, everything else is refused by its name', async (t) => {
  const occupancy = new Occupancy()
  const { state, occupant, run } = use()
  t.notThrows(() => occupancy.refuse())
  const running = occupancy.occupy(occupant, run)
  const refusal = { instanceOf: InterfaceError, message: 'the connection is busy with a test, until it ends' }
  t.throws(() => occupancy.refuse(), refusal)
  const second = use()
  await t.throwsAsync(
    occupancy.occupy(second.occupant, () => Promise.reject(new Error('it ran'))),
    refusal,
  )
  t.throws(() => occupancy.refuse(), refusal)
  state.end()
  t.is(await running, 'done')
  t.notThrows(() => occupancy.refuse())
  t.is(await occupancy.occupy(second.occupant, async () => 'second'), 'second')
})

test('a use that fails leaves nothing behind', async (t) => {
  const occupancy = new Occupancy()
  const { state, occupant, run } = use()
  const running = occupancy.occupy(occupant, run)
  const reason = new Error('failed')
  state.fail(reason)
  t.is(await t.throwsAsync(running), reason)
  t.notThrows(() => occupancy.refuse())
})

test('vacating takes the use back and waits until nothing is in the way', async (t) => {
  const occupancy = new Occupancy()
  await occupancy.vacate()
  const { state, occupant, run } = use()
  const running = occupancy.occupy(occupant, run)
  await occupancy.vacate()
  t.is(state.aborts, 1)
  t.notThrows(() => occupancy.refuse())
  t.is(await running, 'done')
  await occupancy.vacate()
  t.is(state.aborts, 1)
})

test('a use that is taken back while it starts is taken back all the same', async (t) => {
  const occupancy = new Occupancy()
  const { state, occupant, run } = use()
  let vacated: Promise<void> | undefined
  const running = occupancy.occupy(occupant, () => {
    vacated = occupancy.vacate()
    return run()
  })
  await vacated
  t.is(state.aborts, 1)
  t.is(await running, 'done')
})
