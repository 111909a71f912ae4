import test from 'ava'
import type { Request } from '../../src/native/request'
import { Slots } from '../../src/native/slots'

const request = {} as Request

test('a slot names its request until it is released, and is used again', (t) => {
  const slots = new Slots()
  const [one, two] = [slots.take(request), slots.take(request)]
  t.deepEqual([one, two], [1, 2])
  slots.release(one)
  t.is(slots.get(one), undefined)
  t.is(slots.get(two), request)
  t.is(slots.take(request), one)
})

test('the memory of a burst is given back when nothing is in flight any more', (t) => {
  const slots = new Slots()
  const burst = Array.from({ length: 10_000 }, () => slots.take(request))
  const last = burst.pop()!
  for (const slot of burst) slots.release(slot)
  // One of the burst is in flight: its slot stays where it is.
  t.is(slots.get(last), request)
  slots.release(last)
  t.is(slots.take(request), 1, 'numbers begin anew')
  t.is(slots.get(last), undefined)
})
