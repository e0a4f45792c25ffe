import { mkdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { TracedConfig } from '../config/load.ts'
import { resolvedKeys } from '../config/resolved.ts'
import { storeFile } from '../databases.ts'
import { type Finding, fault, good, warning } from './finding.ts'

/** Whether this user can write where it must, and nobody else can read what is secret. */
export function examineMachine(traced: TracedConfig): Finding[] {
  const folders = writtenFolders(traced)
  const found = [
    ...folders.flatMap(examineFolder),
    ...examineKeyFile(traced),
    ...examineModes(traced),
  ]
  return found.length > 0 ? found : [good('files', written(folders))]
}

function written(folders: readonly string[]): string {
  return folders.length === 0
    ? 'nothing is written on this machine, and others cannot read the configuration'
    : `${folders.join(' and ')} can be written, and others cannot read what is secret`
}

/** Where a server will write. */
function writtenFolders({ config }: TracedConfig): string[] {
  const { dataDir, secrets, hasMailbox, users, store } = config
  const isKept = secrets.length === 0 || hasMailbox || users === null
  const file = storeFile(store)
  return [...new Set([...(isKept ? [dataDir] : []), ...(file === null ? [] : [dirname(file)])])]
}

/** By writing: what the modes of a folder say is not all there is to it. */
function examineFolder(folder: string): Finding[] {
  const made = mkdirOrFail(folder)
  if (typeof made !== 'string' && made !== null) return [unwritable(folder, made.code)]
  const trial = join(folder, `.doctor-${process.pid}`)
  try {
    writeFileSync(trial, '', { flag: 'wx' })
    unlinkSync(trial)
    return []
  } catch (error) {
    return [unwritable(folder, (error as NodeJS.ErrnoException).code)]
  } finally {
    if (typeof made === 'string') removeEmpty(folder, made)
  }
}

/** Folders that were made, from the inside out; one that a server has put something into meanwhile stays. */
function removeEmpty(folder: string, uppermost: string): void {
  try {
    rmdirSync(folder)
    if (folder !== uppermost) removeEmpty(dirname(folder), uppermost)
  } catch {
    // Somebody needs it.
  }
}

/** The uppermost folder that had to be made; `null` when there was nothing to make. */
function mkdirOrFail(folder: string): string | null | { readonly code: string | undefined } {
  try {
    return mkdirSync(folder, { recursive: true, mode: 0o700 }) ?? null
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code }
  }
}

function unwritable(folder: string, code: string | undefined): Finding {
  const text = `${folder}: this user cannot write there (${code})`
  return fault('files', text, 'make the folder and give it to the user that the server runs as')
}

const others = 0o077
const worldReadable = 0o004

function examineKeyFile({ config }: TracedConfig): Finding[] {
  if (config.secrets.length > 0) return []
  const file = join(config.dataDir, 'secret.key')
  const mode = modeOf(file)
  if (mode === null || (mode & others) === 0) return []
  const text = `${file}: other users can read it, and with it every link that is mailed`
  return [fault('secret', text, `chmod 600 ${file}`)]
}

/** A file that holds a secret itself must not be everybody's to read. */
function examineModes(traced: TracedConfig): Finding[] {
  const secrets = resolvedKeys(traced, false).filter(
    ({ path, value }) =>
      JSON.stringify(value).includes('***') && traced.given(path)?.isFromEnvironment !== true,
  )
  const places = secrets.map(({ from }) => /^(.+):\d+:\d+$/.exec(from)?.[1])
  const env = traced.file === null ? [] : [join(dirname(resolve(traced.file)), '.env')]
  const files = new Set([...places.filter((file) => file !== undefined), ...env])
  return [...files].flatMap((file) => {
    const mode = modeOf(file)
    if (mode === null || (mode & worldReadable) === 0) return []
    const text = `${file}: holds secrets, and every user of this machine can read it`
    const isEnv = env.includes(file)
    return [
      warning(
        'files',
        text,
        isEnv ? `chmod 600 ${file}` : `chmod 640 ${file}, or move them to an .env beside it`,
      ),
    ]
  })
}

/** `null` where there is no such file, or none that this user may look at. */
function modeOf(file: string): number | null {
  try {
    return statSync(file).mode
  } catch {
    return null
  }
}
