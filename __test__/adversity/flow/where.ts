// The sessions of these rows.
import { type Connection, connect } from 'oxpg'
import { url } from '../../support/server.js'

export const session = (): Promise<Connection> => connect(url)
