/** `good`: as it should be; `warning`: works, and somebody may regret it; `fault`: does not work, or is not safe. */
export type Level = 'good' | 'warning' | 'fault'

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at; the names are stable. */
  readonly check: CheckName
  readonly level: Level
  /** What was found, in words that hold no secret and no person's address. */
  readonly text: string
  /** What to do about it; `null` where it is good, or the text tells. */
  readonly remedy: string | null
}

export type CheckName =
  | 'configuration'
  | 'templates'
  | 'locales'
  | 'colours'
  | 'proxy'
  | 'secret'
  | 'files'
  | 'store'
  | 'users'
  | 'passwords'
  | 'mail'
  | 'dns'
  | 'site'
  | 'clock'

export function good(check: CheckName, text: string): Finding {
  return { check, level: 'good', text, remedy: null }
}

export function warning(check: CheckName, text: string, remedy: string | null): Finding {
  return { check, level: 'warning', text, remedy }
}

export function fault(check: CheckName, text: string, remedy: string | null): Finding {
  return { check, level: 'fault', text, remedy }
}
