import type { Config } from '../config/config.ts'
import { describeFaults } from './faults.ts'
import { Stage } from './stage.ts'
import { Watch } from './watch.ts'

export interface PreviewParts {
  /**
   * The configuration as it is now.
   *
   * @param onFiles Told the files that it is read from and names, usable or not.
   * @throws {ForgotError} when it cannot be used.
   */
  readonly load: (onFiles: (files: readonly string[]) => void) => Config
  /** The file it is in, where that may change; else `null`. */
  readonly configFile: string | null
  /** Whether mails may be kept in the built-in mailbox, which makes files. */
  readonly hasMailbox: boolean
  /** Links to what else is there, each with its label. */
  readonly links: readonly (readonly [label: string, href: string])[]
}

/** What can be shown now, or why nothing can. */
type Scene = { readonly stage: Stage } | { readonly faults: readonly string[] }

/** Keeps what is shown in step with its files, and tells whoever listens. */
export class Preview {
  readonly parts: PreviewParts
  readonly #watch: Watch
  readonly #listeners = new Map<object, (version: string) => void>()
  #version = ''
  #scene: Scene | null = null
  #isClosed = false
  #usable: Config | null = null

  constructor(parts: PreviewParts) {
    this.parts = parts
    this.#watch = new Watch(() => this.#change())
  }

  /** Changes with everything that is shown; the same in every process. */
  get version(): string {
    return this.#version
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** An address that leads here too; `null` while the configuration cannot be read. */
  get siteUrl(): string | null {
    const scene = this.#scene ?? this.current()
    return 'stage' in scene ? scene.stage.config.site.url : null
  }

  /** Whether changes are told by themselves. */
  get isLive(): boolean {
    return this.#watch.isComplete
  }

  /** What its files are now; read once, and anew after a change or a fault. */
  current(): Scene {
    if (this.#scene !== null && 'stage' in this.#scene && this.#isUpToDate) return this.#scene
    let config: Config | null = null
    let files: readonly string[] = []
    try {
      config = this.parts.load((each) => {
        files = each
      })
      this.#usable = config
      // Before they are read: a change in between would go unnoticed.
      this.#follow(files)
      this.#scene = { stage: new Stage(config) }
    } catch (error) {
      if (config === null) this.#follow(files)
      this.#scene = { faults: describeFaults(error) }
    }
    return this.#scene
  }

  /** Calls back with each new version; the result ends that. */
  listen(tell: (version: string) => void): () => void {
    const listener = {}
    this.#listeners.set(listener, tell)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isClosed = true
    this.#watch.close()
  }

  get #isUpToDate(): boolean {
    return this.#watch.isComplete || this.#watch.stamp() === this.#version
  }

  /** A configuration that cannot be used names less than the last one that could. */
  #follow(files: readonly string[]): void {
    if (this.#isClosed) return
    const { configFile } = this.parts
    const named = this.#usable === null ? [] : filesOf(this.#usable)
    const all = [configFile, ...files, ...named].filter((file) => file !== null)
    this.#watch.follow([...new Set(all)])
    this.#tell()
  }

  #change(): void {
    // A file may have been written as it was.
    if (this.#tell()) this.#scene = null
  }

  /** Whether anything has changed: then whoever listens is told. */
  #tell(): boolean {
    const version = this.#watch.stamp()
    if (version === this.#version) return false
    this.#version = version
    for (const tell of this.#listeners.values()) tell(version)
    return true
  }
}

/** What pages and mails are made of, but for what is built in. */
function filesOf({ templates, locales, theme }: Config): readonly (string | null)[] {
  return [templates, locales.dir, theme.css, theme.logo]
}
