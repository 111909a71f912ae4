// The value classes: fields, arguments, and what does not fit.
import { expectTypeOf } from 'expect-type'
import {
  BitString,
  Box,
  Circle,
  Interval,
  type IntervalFields,
  Path,
  Point,
  type PointLike,
  Range,
} from 'oxpg'

expectTypeOf(new Range(1, 5)).toEqualTypeOf<Range<number>>()
expectTypeOf(new Range(null, new Date())).toEqualTypeOf<Range<Date>>()
expectTypeOf(new Range(1, 5).lower).toEqualTypeOf<number | null>()
expectTypeOf(Range.empty<string>()).toEqualTypeOf<Range<string>>()
expectTypeOf(Range.empty()).toExtend<Range<number>>()

expectTypeOf(new Interval({ days: 1 }).microseconds).toEqualTypeOf<number | bigint>()
expectTypeOf(Interval.parse('P1D')).toEqualTypeOf<Interval>()
expectTypeOf<Interval>().toExtend<IntervalFields>()

expectTypeOf(new BitString('01').at(0)).toEqualTypeOf<0 | 1 | undefined>()
expectTypeOf([...new BitString('01')]).toEqualTypeOf<(0 | 1)[]>()
expectTypeOf(new BitString('01').toBytes()).toExtend<Uint8Array>()

expectTypeOf<Point>().toExtend<PointLike>()
expectTypeOf(new Circle({ x: 1, y: 2 }, 3).center).toEqualTypeOf<Point>()
expectTypeOf(new Path([[1, 2], new Point(3, 4)]).points).toEqualTypeOf<readonly Point[]>()

const range = new Range(1, 5)
// @ts-expect-error
range.contains('a')
// @ts-expect-error
range.isSubsetOf(new Range('a'))
// @ts-expect-error values do not change
range.lower = 2
// @ts-expect-error
new Range(1, 5, { lower_inc: true })
// @ts-expect-error
new Interval({ month: 1 })
// @ts-expect-error
new Box([1, 2, 3], [1, 2])
// @ts-expect-error
new BitString(101)
