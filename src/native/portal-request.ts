import type { ResultPlan } from '../decode/mapping'
import { Form, type Opcode } from '../types/boundary'
import type { Environment } from './environment'
import { type Description, type Query, StatementDescription } from './queries'
import { NO_PARAMETERS } from './request'
import { StreamRequest } from './stream-request'
import type { Target } from './target'

/** What is asked of a portal that is open. */
type Step = typeof Opcode.PORTAL_FETCH | typeof Opcode.PORTAL_MOVE

/** Of ALLOW: other requests of the connection are not held up. */
const YIELDS = 1

/**
 * The opening of a portal, or a step of one that is open. Its rows can be taken while they come, no faster than they are wanted,
 * until something is sent behind it, which would wait for them: then all of them come.
 */
export class PortalRequest extends StreamRequest {
  private readonly portalFlags: number

  /**
   * @param query The query of an opening; steps have none.
   * @param portalFlags Of an opening: bits of `Flag`, and the portal's number above their low 8 bits.
   */
  constructor(
    environment: Environment,
    target: Target,
    query: Query | undefined,
    params: readonly unknown[],
    plan: ResultPlan,
    portalFlags: number,
  ) {
    super(environment, target, query, params, plan)
    this.portalFlags = portalFlags
  }

  protected override sendAllow(): void {
    super.sendAllow(YIELDS)
  }

  /** Ending it would cancel it, and the transaction with it. */
  protected override readingFailed(): void {
    this.flow()
  }

  /** What the portal's rows are read by, as far as it is known. */
  get known(): StatementDescription | undefined {
    return this.statement
  }

  /** Writes a step. `known` is that of the request of this portal's before. */
  sendStep(
    step: Step,
    portal: number,
    maxRows: number,
    timeoutMs: number,
    known: StatementDescription | undefined,
  ): void {
    const { outbox } = this.environment
    if (outbox.isEncoding) {
      outbox.defer(() => this.sendStep(step, portal, maxRows, timeoutMs, known))
      return
    }
    this.statement = known
    const { slot, target } = this
    outbox.parameters(
      step,
      slot,
      target!.id,
      portal,
      maxRows,
      timeoutMs,
      known === undefined ? 0 : known.id,
      0,
      Form.ROWS,
      undefined,
      NO_PARAMETERS,
    )
  }

  /** Of a step: the rows that follow are others than those of the opening. */
  override takeDescription(facts: Description | undefined, needsBind: boolean, part: number): void {
    if (this.query !== undefined) super.takeDescription(facts, needsBind, part)
    else if (facts !== undefined) this.readBy(new StatementDescription(facts))
  }

  /** A reader that leaves its loop waits for no step; the portal ends with its transaction. */
  override get isCall(): boolean {
    return false
  }

  /** A step ends no transaction. */
  override keepsTransaction(): boolean {
    return this.query === undefined || super.keepsTransaction()
  }

  protected override flags(): number {
    return this.portalFlags
  }
}
