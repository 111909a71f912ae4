import type { Failure } from '../errors/index'

/** What can be ended by what it is part of. */
export interface GroupMember {
  /** Nobody waits for it any more, for this reason. It never throws. */
  endBy(failure: Failure): void
  /** Whether it certainly ends no transaction, as a COMMIT does. */
  keepsTransaction(): boolean
  /** Whether it is a call of the application's, of which it waits for the answer. */
  readonly isCall: boolean
}

/** What ends together: the calls that are made in a transaction, and the transactions inside it. */
export class CallGroup {
  private readonly members = new Set<GroupMember>()

  add(member: GroupMember): void {
    this.members.add(member)
  }

  delete(member: GroupMember): void {
    this.members.delete(member)
  }

  /**
   * A call of the application's has begun that is more than one request, and which these end by themselves.
   *
   * @returns Says that it has been answered, or that nobody waits for it any more.
   */
  begun(): () => void {
    const call: GroupMember = { endBy: () => {}, keepsTransaction: () => true, isCall: true }
    this.members.add(call)
    return () => void this.members.delete(call)
  }

  endBy(failure: Failure): void {
    for (const member of this.members) member.endBy(failure)
  }

  /** How many calls are not answered; those of transactions inside are theirs. */
  get unanswered(): number {
    let count = 0
    for (const member of this.members) count += member.isCall ? 1 : 0
    return count
  }

  keepsTransaction(): boolean {
    for (const member of this.members) {
      if (!member.keepsTransaction()) return false
    }
    return true
  }
}
