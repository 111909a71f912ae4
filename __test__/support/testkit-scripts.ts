// What the testkit's program takes and tells, as crates/testkit/src has it: plans of proxies, scripts of servers, events.

/** What becomes of one connection through a proxy; as it comes where nothing is said. */
export interface Plan {
  /** Taken, and nothing is ever passed on: the server hears of nothing. */
  isBlackHole?: boolean
  toServer?: Flow
  toClient?: Flow
  /** Cancel requests: they go on and the server's end of the stream does not come back, or they do not go on either. */
  cancels?: 'pass' | 'keepOpen' | 'swallow'
}

/** One direction. */
export interface Flow {
  fault?: Fault
  pieces?: 'asTheyCome' | 'dribble' | { glue: { seed: number; longest: number } }
  /** How long each byte is under way; bytes wait beside each other. */
  delayMs?: number
}

export interface Fault {
  /** Behind so many bytes, or behind (so many of) the first bytes that come together and contain a text. */
  at: { after: number } | { marker: { text: string; passed?: number } }
  effect: Effect
  /** A file that is made once it has happened, see `standStillUntil`. */
  touch?: string
}

/**
 * `fin` and `rst` end both sides; `stall` reads and passes nothing on any more, `blackHole` reads all and passes nothing
 * on; `mute` passes nothing on in one direction; `hold` waits for `release` in one direction; `tell` does nothing but say
 * that its place was passed.
 */
export type Effect = 'fin' | 'rst' | 'stall' | 'blackHole' | 'mute' | 'hold' | 'tell'

/** What happens on a proxy's connections, which are counted from 1. */
export type ProxyEvent =
  | { event: 'connected'; connection: number }
  | { event: 'fault'; connection: number; direction: 'toServer' | 'toClient'; effect: Effect }
  | {
      event: 'closed'
      connection: number
      by: 'client' | 'server' | 'proxy'
      toServer: number
      toClient: number
    }

export interface ProxyCounts {
  connections: number
  open: number
  toServer: number
  toClient: number
}

export interface ScriptColumn {
  name: string
  oid: number
}

/** What a scripted server sends; bytes are in base64, fields of errors and notices go by their letters. */
export type Part =
  | 'welcome'
  | { bytes: string }
  | { message: { tag: string; body?: string; length?: number } }
  | { authentication: { code: number; rest?: string } }
  | { parameter: [name: string, value: string] }
  | { keyData: { pid: number; key: string } }
  | { ready: string }
  | { complete: string }
  | { error: Record<string, string> }
  | { notice: Record<string, string> }
  | { rowDescription: ScriptColumn[] }
  | { dataRow: (string | null)[] }
  | { parameterDescription: number[] }

/** What a scripted server does; crates/testkit/src/scripted/script.rs says more. */
export type Step =
  | 'hold'
  | 'ignore'
  | 'drain'
  | { expect: 'startup' | 'ssl' | 'gss' | 'cancel' | 'any' | { tag: string } }
  | { read: number }
  | { send: Part[] }
  | { waitMs: number }
  | { repeat: { times?: number; steps: Step[] } }
  | { tls: { certificate: string; key: string } }
  | { scramFirst: string }
  | { scram: { password: string; iterations?: number; isSigned?: boolean } }
  | { answer: { columns: ScriptColumn[]; rows: (string | null)[][] } }
  | { close: 'fin' | 'rst' }

/** What a scripted server tells of its connections, which are counted from 1. */
export type ServerEvent =
  | { event: 'connected'; connection: number }
  | { event: 'received'; connection: number; tag: string; body: string }
  | {
      event: 'ended'
      connection: number
      error: string | null
      /** In base64, what the script read of what the client said, without encryption and as it came over the wire. */
      said: string
      wire: string
      /** How many bytes were sent, or lie in the buffers between. */
      sent: number
    }
