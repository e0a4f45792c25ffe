import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { type LoadOptions, type TracedConfig, traceConfig } from '../config/load.ts'
import { keptSecret } from '../proof/kept-secret.ts'
import { KeyRing } from '../proof/secret.ts'
import { examineStore, examineUsers } from './databases.ts'
import { examineDns, type Names } from './dns.ts'
import { examineFiles, faultsOf } from './files.ts'
import { type CheckName, type Finding, good } from './finding.ts'
import { examineMachine } from './machine.ts'
import { examineMail } from './mail.ts'
import { examineSite } from './site.ts'

/**
 * Looks at a configuration and its files. Nothing is opened and nobody is asked.
 *
 * @param options `hasUsers`: a program hands the accounts over, so that they are not looked at.
 * @returns In the end the configuration, for whoever looks further; `null` when it cannot be used.
 */
export async function* check(
  from: string | undefined,
  options: LoadOptions = {},
): AsyncGenerator<Finding, TracedConfig | null> {
  const traced = load(from, options)
  if (Array.isArray(traced)) {
    yield* traced
    return null
  }
  yield good('configuration', `${traced.file ?? 'the built-in demo'}: every key is as it should be`)
  yield* await attempt('templates', () => examineFiles(traced.config))
  return traced
}

/**
 * Looks at everything that a recovery needs: {@link check}, this machine, the databases, the mail server, DNS, and
 * the site as visitors reach it. Nothing is changed and nothing is mailed.
 *
 * @param names What looks up names; default: the system's resolver.
 */
export async function* examine(
  from: string | undefined,
  options: LoadOptions = {},
  names: Names = new Resolver({ timeout: 2000, tries: 1 }),
): AsyncGenerator<Finding> {
  const traced = yield* check(from, options)
  if (traced === null) return
  const { config } = traced
  yield* await attempt('files', async () => examineMachine(traced))
  yield* await attempt('store', () => examineStore(config, systemClock))
  if (options.hasUsers !== true) {
    yield* await attempt('users', () => examineUsers(config, systemClock))
  }
  // They have nothing to do with each other, and each may take seconds.
  const asked = [
    attempt('mail', () => examineMail(config)),
    attempt('dns', () => examineDns(config, names)),
    attempt('secret', () => askSite(config)),
  ]
  for (const found of asked) yield* await found
}

/** What cannot be looked at is a finding like any other: the rest is looked at all the same. */
async function attempt(name: CheckName, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work()
  } catch (error) {
    return faultsOf(name, error, null)
  }
}

/** The configuration, or why there is none. */
function load(from: string | undefined, options: LoadOptions): TracedConfig | Finding[] {
  try {
    return traceConfig(from, options)
  } catch (error) {
    return faultsOf('configuration', error, null)
  }
}

async function askSite(config: Config): Promise<Finding[]> {
  const [first = secretOf(config), ...others] = config.secrets
  return examineSite({ config, clock: systemClock, keys: new KeyRing([first, ...others]) })
}

/** The secret that a server has made; before its first start any other does, and none is made here. */
function secretOf({ dataDir }: Config): string {
  const isMade = existsSync(join(dataDir, 'secret.key'))
  return isMade ? keptSecret(dataDir) : randomBytes(32).toString('hex')
}
