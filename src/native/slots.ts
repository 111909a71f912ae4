import type { Request } from './request'

/** Small integers that name requests in flight to Rust. 0 names none. */
export class Slots {
  private readonly requests: (Request | undefined)[] = [undefined]
  private readonly free: number[] = []

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
    this.free.push(slot)
  }
}
