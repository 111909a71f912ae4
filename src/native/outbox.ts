import type { ParametersEncoder } from '../encode/encoders'
import type { Failure } from '../errors/index'
import { CommandWord, type Flag, Form, HEADER_WORDS, Opcode } from '../types/boundary'
import type { NativeFunctions } from './load'
import { BASE_BYTES, LONGEST_COMMAND_WORDS, ParameterCells } from './parameter-cells'
import { tooMany } from './parameters-length'

/** Past these, commands are flushed before the tick ends. */
const FULL_WORDS = (BASE_BYTES / 4) * 0.75
const FULL_BYTES = BASE_BYTES * 0.75
/** Memory for the commands, and for the heap, of an environment that was let go. */
const GONE_BYTES = 1_024

export { Opcode }

const RESOLVED = Promise.resolve()

/**
 * Commands to Rust, collected during a tick. The first of a tick queues the microtask that flushes them all.
 *
 * An encoder may run the application's code, and that may send commands of its own. They are deferred until the
 * command being encoded is complete: whoever writes commands asks {@link isEncoding} first.
 */
export class Outbox extends ParameterCells {
  /** A command is being written: others must be given to {@link defer}. */
  isEncoding = false
  private isScheduled = false
  private isWritingDeferred = false
  private deferred: (() => void)[] | undefined
  private readonly native: NativeFunctions
  private readonly onRefused: (opcode: number, slot: number, failure: Failure) => void
  private readonly flushAtTickEnd: () => void

  /** `onRefused` is called with each command that cannot be carried out, because the environment was let go. */
  constructor(native: NativeFunctions, onRefused: (opcode: number, slot: number, failure: Failure) => void) {
    super()
    this.native = native
    this.onRefused = onRefused
    this.flushAtTickEnd = () => {
      this.isScheduled = false
      try {
        if (this.deferred !== undefined) this.writeDeferred()
      } finally {
        this.flush()
      }
    }
  }

  /** Writes a command once the one being encoded is complete. */
  defer(write: () => void): void {
    this.deferred ??= []
    this.deferred.push(write)
  }

  /**
   * Writes a command without cells.
   *
   * @param form One of {@link Form}, which only BATCH looks at.
   */
  command(
    opcode: number,
    slot: number,
    target: number,
    query: number,
    form: number,
    timeoutMs: number,
  ): void {
    if (this.isEncoding) {
      this.deferCommand(opcode, slot, target, query, form, timeoutMs)
      return
    }
    const start = this.begin(slot, target, query, 0, timeoutMs, 0, 0, 0, form)
    this.words[start + CommandWord.OPCODE] = opcode | (((this.position - start) >> 1) << 8)
  }

  /** Writes a SCRIPT; `flags` are 0 or {@link Flag}'s CONTROL. */
  script(slot: number, target: number, text: string, flags: number, timeoutMs: number): void {
    if (this.isEncoding) {
      this.deferScript(slot, target, text, flags, timeoutMs)
      return
    }
    const start = this.begin(slot, target, 0, 0, timeoutMs, 0, 0, flags, Form.ROWS)
    const { byteCount } = this
    const extraCount = this.extras === undefined ? 0 : this.extras.length
    try {
      this.text(text)
    } catch (error) {
      this.position = start
      this.byteCount = byteCount
      this.extraBytes = this.extraBytesBefore
      if (this.extras !== undefined) this.extras.length = extraCount
      throw error
    }
    this.words[start + CommandWord.OPCODE] = Opcode.SCRIPT | (((this.position - start) >> 1) << 8)
  }

  /**
   * Writes a command whose parameters are texts. Not while {@link isEncoding}.
   *
   * @throws RefusedValue for one that is no well-formed text; then the outbox is as it was before.
   */
  texts(
    opcode: number,
    slot: number,
    target: number,
    query: number,
    timeoutMs: number,
    texts: readonly string[],
  ): void {
    const start = this.begin(slot, target, query, 0, timeoutMs, 0, texts.length, 0, Form.ROWS)
    const { byteCount } = this
    const extraCount = this.extras === undefined ? 0 : this.extras.length
    try {
      for (const text of texts) this.text(text)
    } catch (error) {
      this.position = start
      this.byteCount = byteCount
      this.extraBytes = this.extraBytesBefore
      if (this.extras !== undefined) this.extras.length = extraCount
      throw error
    }
    this.words[start + CommandWord.OPCODE] = opcode | (((this.position - start) >> 1) << 8)
  }

  /**
   * Writes a command with parameters. Not while {@link isEncoding}.
   *
   * @param query The query's id, or the index of a batch's row.
   * @param descriptionId The description that `encode` was made for; 0 when it is not known.
   * @param flags 0 or {@link Flag}'s FRESH.
   * @param form One of {@link Form}.
   * @param encode Undefined when `params` stay here.
   * @returns The command's rough size in bytes.
   * @throws what the encoder throws, and RangeError where the stack ends; then the outbox is as it was before.
   */
  parameters(
    opcode: number,
    slot: number,
    target: number,
    query: number,
    maxRows: number,
    timeoutMs: number,
    descriptionId: number,
    flags: number,
    form: number,
    encode: ParametersEncoder | undefined,
    params: readonly unknown[],
  ): number {
    const { length } = params
    const start = this.begin(slot, target, query, maxRows, timeoutMs, descriptionId, length, flags, form)
    const { byteCount, extraBytes } = this
    const extraCount = this.extras === undefined ? 0 : this.extras.length
    let size = 0
    try {
      if (encode !== undefined) {
        this.isEncoding = true
        this.isNested = false
        encode(params, this)
        this.isEncoding = false
        if (this.position - start > LONGEST_COMMAND_WORDS) throw tooMany()
      }
      size = (this.position - start) * 4 + this.byteCount - byteCount + this.extraBytes - extraBytes
      this.words[start + CommandWord.OPCODE] = opcode | (((this.position - start) >> 1) << 8)
      if (this.hasBorrowedBytes) this.flush()
    } catch (error) {
      // No calls before all is taken back: where the stack ends, they would fail as well.
      this.isEncoding = false
      if (this.position > start) {
        this.position = start
        this.byteCount = byteCount
        this.extraBytes = extraBytes
        if (this.extras !== undefined) this.extras.length = extraCount
        this.hasBorrowedBytes = false
      }
      if (this.deferred !== undefined) this.writeDeferred()
      throw error
    }
    if (this.deferred !== undefined) {
      try {
        this.writeDeferred()
      } catch {
        // The stack ends here. This command is complete, and must not fail because of those behind it.
      }
    }
    return size
  }

  /** Hands everything over. Does nothing while a command is being encoded: the tick's end will. */
  flush(): void {
    if (this.position === 0 || this.isEncoding) return
    const { position } = this
    if (this.isMoved) {
      this.native.setOutbox(new Uint8Array(this.words.buffer), this.heap)
      this.isMoved = false
    }
    const refusal = this.native.flush(position * 4, this.extras)
    // Not before: where the stack ends at the calls above, the commands are still to be carried out.
    this.position = 0
    this.byteCount = 0
    this.extras = undefined
    this.extraBytes = 0
    this.hasBorrowedBytes = false
    if (refusal !== undefined) this.refuse(position, refusal)
    try {
      this.shrink()
    } catch {
      // The stack ends here; another flush will. What was asked for has been done.
    }
  }

  /** Nothing is carried out from here on: commands are few, and their memory small. */
  letGo(): void {
    if (this.position === 0 && !this.isEncoding) this.useMemory(GONE_BYTES)
  }

  private refuse(end: number, failure: Failure): void {
    const { words } = this
    for (let at = 0; at < end; at += (words[at]! >>> 8) * 2) {
      this.onRefused(words[at]! & 0xff, words[at + 1]!, failure)
    }
  }

  private begin(
    slot: number,
    target: number,
    query: number,
    maxRows: number,
    timeoutMs: number,
    descriptionId: number,
    parameterCount: number,
    flags: number,
    form: number,
  ): number {
    if (this.deferred !== undefined) this.writeDeferred()
    this.schedule()
    if (this.position > FULL_WORDS || this.byteCount > FULL_BYTES) this.flush()
    if (this.position + HEADER_WORDS > this.words.length) this.growWords(HEADER_WORDS)
    this.extraBytesBefore = this.extraBytes
    const { position, words } = this
    words[position + CommandWord.SLOT] = slot
    words[position + CommandWord.TARGET] = target
    words[position + CommandWord.QUERY] = query
    words[position + CommandWord.MAX_ROWS] = maxRows
    words[position + CommandWord.TIMEOUT] = timeoutMs
    words[position + CommandWord.DESCRIPTION] = descriptionId
    words[position + CommandWord.PARAMETERS] = parameterCount
    words[position + CommandWord.FLAGS] = flags
    words[position + CommandWord.FORM] = form
    this.position = position + HEADER_WORDS
    return position
  }

  /** Before a command is written, so that no command can be left without a flush. */
  private schedule(): void {
    if (this.isScheduled) return
    // A fulfilled promise's reaction is a microtask like queueMicrotask's, without its asynchronous resource.
    RESOLVED.then(this.flushAtTickEnd)
    this.isScheduled = true
  }

  /**
   * In the order of the calls: what encoders of deferred commands send goes to the end of the same list. What the end of
   * the stack keeps from being written is written before the next command, at the tick's end at the latest.
   */
  private writeDeferred(): void {
    const { deferred } = this
    if (this.isWritingDeferred || deferred === undefined) return
    this.isWritingDeferred = true
    let index = 0
    try {
      for (; index < deferred.length; index++) deferred[index]!()
      this.deferred = undefined
    } catch (error) {
      deferred.splice(0, error instanceof RangeError ? index : index + 1)
      throw error
    } finally {
      this.isWritingDeferred = false
    }
  }

  // Apart from the writers, so that calls which are not deferred allocate no context for a closure.
  private deferCommand(
    opcode: number,
    slot: number,
    target: number,
    query: number,
    form: number,
    timeoutMs: number,
  ): void {
    this.defer(() => this.command(opcode, slot, target, query, form, timeoutMs))
  }

  private deferScript(slot: number, target: number, text: string, flags: number, timeoutMs: number): void {
    this.defer(() => this.script(slot, target, text, flags, timeoutMs))
  }
}
