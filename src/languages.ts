import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from './config/config.ts'
import { localeFileNames } from './locale/files.ts'
import type { Messages } from './locale/locale.ts'
import { offer } from './locale/negotiate.ts'
import { type PlacedFile, readPlacedFile } from './locale/places.ts'
import { mailKinds } from './mail/message.ts'
import { builtInTemplates, packagePath } from './templates.ts'

/** One language in one place: those that come with the module, or the site's own. */
export interface Language {
  /** BCP 47. */
  readonly tag: string
  readonly isOwn: boolean
  /** Its texts; `null` when there are only mails. */
  readonly texts: PlacedFile | null
  /** The folder of its mails, whether there are any or not; `null` when the site has no folder of templates. */
  readonly mails: string | null
}

/** The languages that come with the module, and the site's own. */
export interface Languages {
  readonly all: readonly Language[]
  /** The texts of the source language. */
  readonly english: Messages
  /** Own files that are not named after a language. */
  readonly misnamed: readonly string[]
}

/** Reads every language there is, on offer or not, as far as it can be read. */
export function readLanguages({ locales, templates }: Config): Languages {
  const builtIn = packagePath('locales')
  // In a checkout the site's own folders are the built-in ones.
  const ownTexts = isOther(locales.dir, builtIn) ? locales.dir : null
  const ownMails = isOther(templates, builtInTemplates) ? templates : null
  const own = languagesIn(ownTexts, ownMails, true)
  const all = [...languagesIn(builtIn, builtInTemplates, false), ...own]
  const english = all.find(({ tag, isOwn }) => tag === 'en' && !isOwn)?.texts?.messages
  return {
    all: all.filter(({ tag }) => offer(tag) !== null),
    english: english ?? new Map(),
    misnamed: all.flatMap(({ tag, texts }) =>
      texts === null || offer(tag) !== null ? [] : [texts.path],
    ),
  }
}

/** The mails of a language that are in its own folder, by their kinds. */
export function mailFiles({ mails }: Language): ReadonlyMap<string, string> {
  const files = mailKinds.map((kind) => [kind, join(mails ?? '', `${kind}.eta`)] as const)
  return new Map(mails === null ? [] : files.filter(([, file]) => existsSync(file)))
}

function isOther(folder: string | null, builtIn: string): boolean {
  return folder !== null && resolve(folder) !== resolve(builtIn)
}

function languagesIn(texts: string | null, templates: string | null, isOwn: boolean): Language[] {
  const mails = templates === null ? null : join(templates, 'email')
  const files = texts === null ? [] : localeFileNames(texts)
  const written = files.map((file) => file.replace(/\.ya?ml$/, ''))
  const mailed =
    mails === null || !isFolder(mails)
      ? []
      : readdirSync(mails).filter((name) => hasMail(join(mails, name)))
  const folder = (tag: string) => (mails === null ? null : join(mails, tag))
  return [
    ...files.map((file, index) => {
      const tag = written[index] ?? ''
      const placed = readPlacedFile(join(texts ?? '', file), tag)
      return { tag, isOwn, texts: placed, mails: folder(tag) }
    }),
    ...mailed
      .filter((name) => !written.includes(name))
      .map((name) => ({ tag: name, isOwn, texts: null, mails: folder(name) })),
  ]
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** A folder without one holds what mails have in common, or nothing. */
function hasMail(folder: string): boolean {
  return mailKinds.some((kind) => existsSync(join(folder, `${kind}.eta`)))
}
