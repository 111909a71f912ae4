import type { Request } from './request'

/** Slots for which memory is kept while none is in use. */
const KEPT_SLOTS = 1_024

/** Small integers that name requests in flight to Rust. 0 names none. */
export class Slots {
  private requests: (Request | undefined)[] = [undefined]
  private free: number[] = []

  take(request: Request): number {
    const slot = this.free.pop()
    if (slot === undefined) return this.requests.push(request) - 1
    this.requests[slot] = request
    return slot
  }

  /** How many requests are in flight. */
  get taken(): number {
    return this.requests.length - 1 - this.free.length
  }

  get(slot: number): Request | undefined {
    return this.requests[slot]
  }

  /** Rust has ended the request, or never heard of it. */
  release(slot: number): void {
    this.requests[slot] = undefined
    if (this.free.push(slot) > KEPT_SLOTS && this.free.length === this.requests.length - 1) {
      // Nothing is in flight any more: what a burst has taken is given back.
      this.requests = [undefined]
      this.free = []
    }
  }
}
