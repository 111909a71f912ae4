// What was asked, what is still under way, and what came that should not have.

/** So many problems are told in full. */
const TOLD = 20

/** How a question can end. */
const NOTHING = { asked: 0, answered: 0, failed: 0 }

/**
 * @typedef {object} Report
 * @property {number} asked questions
 * @property {number} answered that have ended, in whatever way
 * @property {number} mismatched that were given another's answer or error, or ran inside another's transaction
 * @property {number} failed that ended with an error although nothing had been done to them
 * @property {number} lost rows that were acknowledged and are not stored, or are stored and were not acknowledged
 * @property {number} uncaught exceptions and rejections that nobody was given
 * @property {Record<string, { asked: number, answered: number, failed: number }>} kinds by the kind of question; there
 * `failed` counts all that was wrong
 * @property {string[]} problems the first of them
 * @property {{ kind: string, tag: number, ageMs: number }[]} waiting those that wait for the longest time
 */
export class Account {
  asked = 0
  #answered = 0
  #mismatched = 0
  #failed = 0
  #lost = 0
  #uncaught = 0
  #kinds = {}
  #problems = []
  #waiting = new Map()
  /** Rows that are stored for certain, by their tag. */
  written = new Map()
  /** Tags of which nobody knows. */
  uncertain = new Set()
  #lastTag = 0

  /** A number that nothing else has. */
  nextTag() {
    this.#lastTag += 1
    return this.#lastTag
  }

  /**
   * Asks a question, and judges what comes.
   *
   * @param {string} kind
   * @param {(tag: number) => Promise<unknown>} send
   * @param {object} right
   * @param {(answer: unknown, tag: number) => boolean} [right.answer] whether it is this question's; none is where missing
   * @param {(error: Error, tag: number) => boolean} [right.error] the same of an error
   * @returns {Promise<{ tag: number, answer?: unknown, error?: Error, isRight: boolean }>}
   */
  async ask(kind, send, right) {
    const tag = this.nextTag()
    this.#of(kind).asked += 1
    this.asked += 1
    this.started(kind, tag)
    let outcome
    try {
      const answer = await send(tag)
      outcome = { tag, answer, isRight: right.answer?.(answer, tag) === true }
      if (!outcome.isRight) this.#mismatch(kind, tag, `was answered ${shown(answer)}`)
    } catch (error) {
      outcome = { tag, error, isRight: right.error?.(error, tag) === true }
      if (!outcome.isRight) this.wrongError(kind, tag, error)
    }
    this.settled(tag)
    this.#answered += 1
    this.#of(kind).answered += 1
    return outcome
  }

  /** Something with this tag is under way. */
  started(kind, tag) {
    this.#waiting.set(tag, { kind, since: performance.now() })
  }

  settled(tag) {
    this.#waiting.delete(tag)
  }

  /** An error that is not this question's: another's, or one that nothing accounts for. */
  wrongError(kind, tag, error) {
    const text = `failed with ${error?.code ?? ''} ${error?.message ?? error}`
    // Nobody cancelled it, or the error names somebody else.
    const isOthers = /57014|tag \d|no_such_\d/.test(`${error?.code} ${error?.errno} ${error?.message}`)
    if (isOthers) this.#mismatch(kind, tag, text)
    else {
      this.#failed += 1
      this.#problem(kind, tag, text)
    }
  }

  #mismatch(kind, tag, text) {
    this.#mismatched += 1
    this.#problem(kind, tag, text)
  }

  #problem(kind, tag, text) {
    this.#of(kind).failed += 1
    if (this.#problems.length < TOLD) this.#problems.push(`${kind} ${tag} ${text}`)
  }

  /** An exception, or a rejection, that reached nobody. */
  uncaught(error) {
    this.#uncaught += 1
    if (this.#problems.length < TOLD) this.#problems.push(`uncaught: ${error?.stack ?? error}`)
  }

  /** Compares what is stored with what was acknowledged. */
  compare(stored) {
    const lose = (tag, count, expected) => {
      this.#lost += Math.abs(count - expected)
      this.#problem('insert', tag, `is stored ${count} times, ${expected} were acknowledged`)
    }
    for (const { tag, count } of stored) {
      const expected = this.written.get(tag) ?? 0
      if (count !== expected && !this.uncertain.has(tag)) lose(tag, count, expected)
    }
    const there = new Set(stored.map(({ tag }) => tag))
    for (const [tag, expected] of this.written) if (!there.has(tag)) lose(tag, 0, expected)
  }

  #of(kind) {
    this.#kinds[kind] ??= { ...NOTHING }
    return this.#kinds[kind]
  }

  /** @returns {Report} */
  report() {
    const now = performance.now()
    // In the order in which they began.
    const oldest = [...this.#waiting].slice(0, 5)
    return {
      asked: this.asked,
      answered: this.#answered,
      mismatched: this.#mismatched,
      failed: this.#failed,
      lost: this.#lost,
      uncaught: this.#uncaught,
      kinds: this.#kinds,
      problems: this.#problems,
      waiting: oldest.map(([tag, { kind, since }]) => ({ kind, tag, ageMs: Math.round(now - since) })),
    }
  }
}

function shown(answer) {
  const text = JSON.stringify(answer) ?? String(answer)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
