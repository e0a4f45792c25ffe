import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ConfigInput } from '../../src/config/config.ts'
import { ForgotError } from '../../src/errors.ts'
import { Cli, type ProcessOptions } from '../support/process.ts'
import { Site } from '../support/site.ts'
import { inFile } from '../support/store.ts'
import type { Disk } from './disk.ts'

/** A site whose server is a process of its own: it can be killed, starved, and started again. */
export class Served {
  readonly site: Site
  readonly #file: string
  readonly #processes: Cli[] = []

  private constructor(site: Site) {
    this.site = site
    this.#file = join(site.folder, 'config.yaml')
  }

  /** @param disk Where the file of its store is to be, instead of beside the rest of the site. */
  static async prepare(config: ConfigInput = {}, disk?: Disk): Promise<Served> {
    const site = await Site.start(disk === undefined ? config : { ...config, store: inFile })
    await site.server?.close()
    // The processes make their own: what is left open of one in this process would spare them its recovery.
    await site.store.clear()
    if (disk !== undefined) symlinkSync(join(disk.folder, 'store.db'), site.storeFile)
    const served = new Served(site)
    writeFileSync(served.#file, stringify(site.config))
    return served
  }

  /** Begins to start a process, which may never serve. */
  launch(options: ProcessOptions = {}): Cli {
    const cli = new Cli(['serve', '--config', this.#file], options, 'dist/cli/main.js')
    this.#processes.push(cli)
    return cli
  }

  /** Starts a process, and resolves when it serves. */
  async run(options: ProcessOptions = {}): Promise<Cli> {
    const cli = this.launch(options)
    if (options.stdout === undefined) await cli.listening()
    else await cli.answering(`${this.site.url}/health`)
    return cli
  }

  /** Why a server does not start now: asked of one in this process, which is sooner told. */
  async refusal(): Promise<string> {
    try {
      await this.site.listen()
    } catch (error) {
      if (error instanceof ForgotError) return error.message
      throw error
    }
    await this.site.server?.close()
    return 'It starts'
  }

  /** Ends every process by `kill -9`. */
  async kill(): Promise<void> {
    for (const cli of this.#processes.splice(0)) {
      cli.kill('SIGKILL')
      await cli.ended()
      this.site.logLines.push(cli.output, cli.errors)
    }
  }

  async stop(): Promise<void> {
    await this.kill()
    await this.site.stop()
  }
}
