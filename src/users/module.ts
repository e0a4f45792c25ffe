import { pathToFileURL } from 'node:url'
import { ForgotError } from '../errors.ts'
import type { Users } from './users.ts'

/** What a module of the site's own exports as its default: its accounts, or what makes them. */
export type UsersModule = Users | (() => Users | Promise<Users>)

const required = ['findByEmail', 'findById', 'setPassword'] as const

/**
 * The accounts of an ES module. It is loaded in each thread that looks accounts up.
 *
 * @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be loaded or lacks a function.
 */
export async function loadUsers(file: string): Promise<Users> {
  const users = await evaluate(file)
  const missing = required.filter((name) => typeof users?.[name] !== 'function')
  if (missing.length === 0) return users as Users
  const message = `users: ${file} must export as default an object with ${missing.join(', ')}, or a function that makes it`
  throw new ForgotError('ERR_FORGOT_USERS', message)
}

async function evaluate(file: string): Promise<Partial<Users> | undefined> {
  try {
    const { default: exported } = (await import(pathToFileURL(file).href)) as {
      default?: UsersModule
    }
    return typeof exported === 'function' ? await exported() : exported
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ForgotError('ERR_FORGOT_USERS', `users: ${file} cannot be loaded: ${why}`, { cause })
  }
}
