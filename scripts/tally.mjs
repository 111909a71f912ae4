// Reads how many tests passed and failed out of what each test runner writes.

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */

const sum = (matches, index) => matches.reduce((total, match) => total + Number(match[index] ?? 0), 0)

/** cargo nextest's last lines: `Summary [  2.4s] 310 tests run: 309 passed (1 slow), 1 failed, 2 skipped`. */
export function tallyNextest(output) {
  const summary = /Summary \[[^\]]*\]\s+.*tests? run: (.*)/.exec(withoutColours(output))?.[1] ?? ''
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0)
  return { passed: count('passed'), failed: count('failed') + count('timed out'), skipped: count('skipped') }
}

/** cargo test: one `test result: ok. 12 passed; 0 failed; 1 ignored; …` per binary. */
export function tallyCargoTest(output) {
  const results = [
    ...withoutColours(output).matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm),
  ]
  return { passed: sum(results, 1), failed: sum(results, 2), skipped: sum(results, 3) }
}

/** TAP, as ava writes it: `ok 3 - title`, `not ok 4 - title`, `ok 5 - title # SKIP`. */
export function tallyTap(output) {
  const tally = { passed: 0, failed: 0, skipped: 0 }
  for (const [, not, directive] of output.matchAll(/^(not )?ok \d+.*?(# (?:SKIP|TODO).*)?$/gim)) {
    if (directive) tally.skipped++
    else if (not) tally.failed++
    else tally.passed++
  }
  return tally
}

/** The last `12 passed, 1 failed` of a script of our own. */
export function tallyScript(output) {
  const last = [...output.matchAll(/(\d+) passed, (\d+) failed/g)].at(-1)
  return { passed: Number(last?.[1] ?? 0), failed: Number(last?.[2] ?? 1), skipped: 0 }
}

/** The part of a TAP report that a reader needs: failed tests with their diagnostics, and comments of crashes. */
export function failuresInTap(output) {
  const blocks = []
  let block
  for (const line of output.split('\n')) {
    if (/^(not )?ok \d+/.test(line)) {
      block = line.startsWith('not ') && !/# (SKIP|TODO)/i.test(line) ? [] : undefined
      if (block) blocks.push(block)
    }
    block?.push(line)
  }
  return blocks.map((lines) => lines.join('\n').trimEnd()).join('\n')
}

function withoutColours(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with a control character
  return text.replace(/\u001b\[[0-9;]*m/g, '')
}
