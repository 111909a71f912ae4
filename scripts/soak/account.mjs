// The account of scripts/tagged/account.mjs under faults: what they may lead to is no problem, anything else is.
import { PostgresError, TimeoutError } from 'oxpg'
import { Account } from '../tagged/account.mjs'

/** Connections that are lost, and servers that are on their way down or up (PostgreSQL's error codes). */
const LOST = /^(?:08|57P0[1-5]|53300)/

/** What a fault may lead to. */
function isOfFaults(error) {
  if (error instanceof TimeoutError) return true
  if (error instanceof PostgresError && LOST.test(error.sqlstate ?? '')) return true
  // A transaction whose connection is gone says so.
  return error?.isTransient === true || (error?.cause !== undefined && isOfFaults(error.cause))
}

/** Keeps nothing that grows: what is stored is compared by scripts/tagged.mjs. */
const NOTHING = { set() {}, add() {} }

export class SoakAccount extends Account {
  /** Questions and transactions that a fault has ended. */
  hit = 0
  written = NOTHING
  uncertain = NOTHING

  wrongError(kind, tag, error) {
    if (isOfFaults(error)) this.hit += 1
    else super.wrongError(kind, tag, error)
  }
}
