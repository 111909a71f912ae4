import test from 'ava'
import { operationOf } from '../../src/native/logged-query'
import { sanitize } from '../../src/otel/sanitize'

const TEXTS: [text: string, shown: string][] = [
  ['select 1', 'select ?'],
  ['select $1, t1.c2 from t1', 'select $1, t1.c2 from t1'],
  ["select 'a' , 'it''s', E'a\\'b', e'\\\\', U&'x', x'1f', b'01'", 'select ? , ?, ?, ?, ?, ?, ?'],
  ["select date'2020-01-01' 'x\\y', 'secret'", 'select date? ?, ?'],
  // With standard_conforming_strings off the first literal goes on to the third quote.
  ["select 'it\\'s secret'", 'select ?'],
  ["select date'2020-01-01', E'x\\'', 'C:\\', 'secret'", 'select date?, ?, ?'],
  ["select $$a'b$$, $f$a$$b$f$, 2", 'select ?, ?, ?'],
  ['select "a\'b", u&"c""d"', 'select "a\'b", u&"c""d"'],
  ['select 1.5e10, .5, 1e-5, 0xff, 1_000, -3', 'select ?, ?, ?, ?, ?, -?'],
  ["select 1 -- it's 5\n, 2", 'select ?  \n, ?'],
  ["select/* a /* 'b' */ c */1", 'select ?'],
  ["select 'no end", 'select ?'],
  ['select 1 /* no end', 'select ?'],
  ["select 'a\nb', ä1, 'ö'", 'select ?, ä1, ?'],
]

for (const [text, shown] of TEXTS) {
  test(`what may be secret is left out of ${JSON.stringify(text)}`, (t) => t.is(sanitize(text), shown))
}

// One that took longer than its length would not come to an end here.
test('long texts take no longer than their length', (t) => {
  for (const text of [
    '/*'.repeat(50_000),
    "'".repeat(99_999),
    '$'.repeat(2_000),
    'select /**/ '.repeat(10_000),
  ]) {
    sanitize(text)
    operationOf(text)
  }
  t.pass()
})

test('the operation is the first word behind spaces, comments and parentheses', (t) => {
  for (const [text, operation] of [
    ['select 1', 'SELECT'],
    ['\n -- note\n/* a /* b */ */ ((With x as', 'WITH'],
    ['', ''],
    ['-- all', ''],
    ['/* open', ''],
    ['$1', ''],
  ] as const)
    t.is(operationOf(text), operation)
})
