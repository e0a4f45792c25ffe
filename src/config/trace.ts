import { resolve } from 'node:path'
import type { Path, Place } from './problems.ts'
import { Source, valueAt } from './source.ts'
import { defaultFolders } from './values.ts'

// A preview opens no store, asks nobody about accounts, tells no hook and signs nothing.
const unseen: readonly PropertyKey[] = ['hooks', 'secret', 'store', 'users']

const fileKeys: readonly (readonly [path: Path, usual: string | null])[] = [
  [['templates'], defaultFolders.templates],
  [['locales', 'dir'], defaultFolders.locales],
  [['theme', 'css'], null],
  [['theme', 'logo'], null],
]

/** Values with the files they came from; for a preview, faults in what it does without are passed over. */
export class TracedSource extends Source {
  readonly #isPreview: boolean
  readonly #files = new Set<string>()
  #canSend = true

  constructor(
    values: Record<string, unknown>,
    { isFile, isPreview }: { isFile: boolean; isPreview: boolean },
  ) {
    super(values, { isFile })
    this.#isPreview = isPreview
  }

  /** The files that were read, and those that could not be: their absolute paths. */
  get files(): readonly string[] {
    return [...this.#files]
  }

  /** Whether no fault in `smtp` was passed over. */
  get canSend(): boolean {
    return this.#canSend
  }

  addFile(file: string): void {
    this.#files.add(resolve(file))
  }

  /** The files and folders that pages and mails are made of, there or not, in a site's folder. */
  named(folder: string): string[] {
    return fileKeys.flatMap(([path, usual]) => {
      const name = valueAt(this.value, path) ?? usual
      return typeof name === 'string' ? [resolve(folder, name)] : []
    })
  }

  override giveUp(place: Place, rule: string): void {
    this.addFile(typeof place === 'string' ? place : place.file)
    super.giveUp(place, rule)
  }

  override mark(path: Path, keyPlace: Place, valuePlace: Place): void {
    if (typeof keyPlace !== 'string') this.addFile(keyPlace.file)
    super.mark(path, keyPlace, valuePlace)
  }

  override refuse(path: Path, rule: string): void {
    const [section = ''] = path
    if (this.#isPreview && section === 'smtp') this.#canSend = false
    else if (!this.#isPreview || !unseen.includes(section)) super.refuse(path, rule)
  }
}
