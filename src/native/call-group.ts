import type { Failure } from '../errors/index'

/** What can be ended by what it is part of. */
export interface GroupMember {
  /** Nobody waits for it any more, for this reason. It never throws. */
  endBy(failure: Failure): void
  /** Whether it certainly ends no transaction, as a COMMIT does. */
  keepsTransaction(): boolean
}

/** What ends together, such as the calls that are made in a transaction with a limit. */
export class CallGroup {
  private readonly members = new Set<GroupMember>()

  add(member: GroupMember): void {
    this.members.add(member)
  }

  delete(member: GroupMember): void {
    this.members.delete(member)
  }

  endBy(failure: Failure): void {
    for (const member of this.members) member.endBy(failure)
  }

  keepsTransaction(): boolean {
    for (const member of this.members) {
      if (!member.keepsTransaction()) return false
    }
    return true
  }
}
