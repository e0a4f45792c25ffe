import type { Config } from '../config/config.ts'
import type { Sample } from '../samples.ts'
import type { Choice } from './choice.ts'

/** A configuration with other things switched on, and why when nobody asked for that. */
interface Switched {
  readonly config: Config
  /** `null` when the configuration is the owner's own, or was chosen. */
  readonly note: string | null
}

/** The configuration that a page is shown with: a state that needs codes is shown as if they were on. */
export function switchSettings(
  config: Config,
  wish: Choice['settings'],
  outcome: Sample['outcome'] | null,
): Switched {
  if (wish !== 'own') return { config: withSettings(config, wish), note: null }
  const lack = outcome === null ? null : lackOf(config, outcome)
  if (lack === null) return { config, note: null }
  const note = `${lack} in your configuration: shown as if everything were on`
  return { config: withSettings(config, 'all'), note }
}

function withSettings(config: Config, wish: Exclude<Choice['settings'], 'own'>): Config {
  const { password, recovery } = config
  if (wish !== 'all') return { ...config, recovery: { ...recovery, methods: [wish] } }
  return {
    ...config,
    recovery: { ...recovery, methods: ['link', 'code'] },
    password: { ...password, confirm: true, composition: ['lower', 'upper', 'digit', 'special'] },
  }
}

/** What a page needs that is switched off; `null` when it lacks nothing. */
function lackOf({ password, recovery }: Config, outcome: Sample['outcome']): string | null {
  const problems = 'problems' in outcome ? outcome.problems : []
  const fields = problems.map(({ field }) => field)
  const isOfCode =
    outcome.page === 'code' ||
    (outcome.page === 'sent' && outcome.flow.codeExpiresAt === 0) ||
    fields.includes('code') ||
    (outcome.page === 'error' && outcome.reason.startsWith('code'))
  if (isOfCode && !recovery.methods.includes('code')) return 'Codes are off'
  if (fields.includes('confirm') && !password.confirm) return 'password.confirm is off'
  const isOfKinds = problems.some(({ reason }) => reason === 'password-composition')
  if (isOfKinds && password.composition === 'none') return 'password.composition is none'
  return null
}
