import { randomBytes } from 'node:crypto'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { ownTemplates } from '../ejected.ts'
import { ForgotError } from '../errors.ts'
import { Locales } from '../locale/locales.ts'
import { inspectOwnFiles } from '../own-files.ts'
import { KeyRing } from '../proof/secret.ts'
import { loadAssets } from '../respond/assets.ts'
import { Templates } from '../templates.ts'
import { examineColours } from './colours.ts'
import { type CheckName, type Finding, fault, good, warning } from './finding.ts'

/** What can be told from the configuration and its files alone: nothing is opened, nobody is asked. */
export async function examineFiles(config: Config): Promise<Finding[]> {
  try {
    const templates = new Templates(config.templates, { isWhole: config.theme.layout })
    const locales = Locales.load(config.locales)
    return [
      ...examineProxy(config),
      ...(await examineTemplates(config, templates, locales)),
      ...examineLocales(locales),
      ...examineColours(config, templates),
    ]
  } catch (error) {
    // A language that is not there, a file of texts or an image that cannot be read.
    return faultsOf('templates', error, null)
  }
}

/** What the author of an error had to say, a finding for each problem; a file or a network that fails is one too. */
export function faultsOf(check: CheckName, error: unknown, remedy: string | null): Finding[] {
  if (error instanceof ForgotError) {
    return error.problems.map((problem) => fault(check, problem, remedy))
  }
  const { code, path } = error as NodeJS.ErrnoException
  if (code === undefined) throw error
  const text = path === undefined ? (error as Error).message : `${path}: cannot be used (${code})`
  return [fault(check, text, remedy ?? 'let the user that the server runs as read it')]
}

function examineProxy({ server }: Config): Finding[] {
  if (server.trustProxy !== true) return []
  const text =
    'server.trustProxy: true takes any X-Forwarded-For for true, and with it any address that a visitor makes up: no limit per client holds'
  return [fault('proxy', text, 'name your proxy instead, such as 127.0.0.1 or 10.0.0.0/8')]
}

async function examineTemplates(
  config: Config,
  templates: Templates,
  locales: Locales,
): Promise<Finding[]> {
  const remedy = 'mend the file, or remove it: then the built-in one counts'
  const keys = new KeyRing([randomBytes(32).toString('hex')])
  try {
    const assets = loadAssets(config, templates)
    const services = { config, clock: systemClock, keys, locales }
    const notes = await inspectOwnFiles(services, assets, locales.all)
    const unused = notes
      .filter((note) => !locales.notes.includes(note))
      .map((note) =>
        warning('templates', note, 'remove it, or give it the name of what it is to replace'),
      )
    const stale = staleTemplates(config)
    const many = `${locales.all.length} languages`
    if (unused.length + stale.length > 0) return [...stale, ...unused]
    return [good('templates', `every page and mail can be made in ${many}`)]
  } catch (error) {
    return faultsOf('templates', error, remedy)
  }
}

function staleTemplates({ templates }: Config): Finding[] {
  if (templates === null) return []
  return ownTemplates(templates)
    .filter(({ state }) => state === 'stale')
    .map(({ file, path }) =>
      warning(
        'templates',
        `${path}: is stale: the built-in one has changed since it was copied`,
        `see "forgot-password templates diff ${file}", take over what you need, or remove yours`,
      ),
    )
}

function examineLocales(locales: Locales): Finding[] {
  if (locales.notes.length === 0) {
    return [good('locales', `${locales.all.length} languages are on offer, all of them complete`)]
  }
  const remedy = 'see "forgot-password locales check"; what is missing is shown in another language'
  return locales.notes.map((note) => warning('locales', note, remedy))
}
