import { z } from 'zod'
import type { User } from '../user.ts'

const account: z.ZodType<User> = z.strictObject({
  id: z.string().min(1),
  email: z.string().min(1),
  name: z.string().nullable().default(null),
  locale: z.string().nullable().default(null),
  canReset: z.boolean().default(true),
  version: z.string(),
})

/** What the endpoint of a site may answer, and how its owner is told so. */
export interface Shape<T> {
  readonly schema: z.ZodType<T>
  readonly expected: string
}

export const found: Shape<{ readonly user: User | null }> = {
  schema: z.strictObject({ user: account.nullable() }),
  expected:
    '{"user":null}, or {"user":{…}} with id, email and version as text, name and locale as text or null, ' +
    'canReset as true or false, and nothing else',
}

export const written: Shape<{ readonly written: boolean }> = {
  schema: z.strictObject({ written: z.boolean() }),
  expected: '{"written":true} or {"written":false}',
}

export const used: Shape<{ readonly used: boolean }> = {
  schema: z.strictObject({ used: z.boolean() }),
  expected: '{"used":true} or {"used":false}',
}

/** What a text says in a shape, or `null` when it has another. */
export function readAnswer<T>(text: string, { schema }: Shape<T>): T | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
