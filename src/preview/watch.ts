import { createHash } from 'node:crypto'
import { existsSync, type FSWatcher, readdirSync, type Stats, statSync, watch } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packagePath } from '../templates.ts'

// An editor writes a file in several steps.
const quietMs = 60

interface Watched {
  readonly folder: string
  readonly recursive: boolean
  /** Whether a file of the folder counts. */
  readonly isMeant: (name: string) => boolean
}

/** Calls back once the files that pages and mails are made of have changed and come to rest. */
export class Watch {
  readonly #onChange: () => void
  #watchers: FSWatcher[] = []
  #folders: Watched[] = []
  #timer: NodeJS.Timeout | undefined
  #isComplete = false

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Whether no change can go unnoticed. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /**
   * Watches files and folders, there or not, instead of those before; beside them, what is built in.
   *
   * @param paths Absolute ones. Of a folder, everything in it counts.
   */
  follow(paths: readonly string[]): void {
    this.close()
    this.#isComplete = true
    const folders = paths.filter((path) => isFolder(path))
    for (const folder of [packagePath('templates'), packagePath('locales'), ...folders]) {
      this.#watch({ folder, recursive: true, isMeant: () => true })
    }
    // The folder of a file, since many editors put another file in its place.
    const names = Map.groupBy(paths.map(firstThatMayCome), dirname)
    for (const [folder, files] of names) {
      const isMeant = (name: string) => files.some((file) => basename(file) === name)
      this.#watch({ folder, recursive: false, isMeant })
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = []
    this.#folders = []
    this.#isComplete = false
  }

  /** A text that is another whenever a file is. */
  stamp(): string {
    const hash = createHash('sha256')
    for (const watched of this.#folders) {
      for (const name of namesIn(watched)) {
        const file = join(watched.folder, name)
        const stats = statsOf(file)
        hash.update(`${file} ${stats?.mtimeMs} ${stats?.size}\n`)
      }
    }
    return hash.digest('base64url')
  }

  #watch(watched: Watched): void {
    const { folder, recursive, isMeant } = watched
    if (!existsSync(folder)) return
    this.#folders.push(watched)
    try {
      const watcher = watch(folder, { persistent: false, recursive }, (_, name) => {
        if (name === null || isMeant(name)) this.#change()
      })
      watcher.on('error', () => this.#lose())
      this.#watchers.push(watcher)
    } catch {
      this.#lose()
    }
  }

  /** A system that watches no more files is no reason to show nothing. */
  #lose(): void {
    this.#isComplete = false
  }

  #change(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#onChange(), quietMs)
    this.#timer.unref()
  }
}

/** None where the folder, or one in it, has gone while it was read. */
function namesIn({ folder, recursive, isMeant }: Watched): string[] {
  try {
    return readdirSync(folder, { recursive, encoding: 'utf8' }).filter(isMeant).sort()
  } catch {
    return []
  }
}

/** `null` where there is none, or its folder is not for this user. */
function statsOf(path: string): Stats | null {
  try {
    return statSync(path)
  } catch {
    return null
  }
}

function isFolder(path: string): boolean {
  return statsOf(path)?.isDirectory() === true
}

/** Where even the folder of a file is missing, that is what is to come first. */
function firstThatMayCome(path: string): string {
  const folder = dirname(path)
  return existsSync(folder) || folder === path ? path : firstThatMayCome(folder)
}
