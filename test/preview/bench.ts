import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { loadConfig } from '../../src/config/load.ts'
import type { PreviewParts } from '../../src/preview/preview.ts'
import { createPreviewServer } from '../../src/server.ts'
import { Visitor } from '../support/visitor.ts'
import { freePort } from '../support/wait.ts'

/** The files of a site somebody works on, and the preview of it, listening on TCP. */
export class Bench {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'forgot-preview-'))
  url = ''
  #server: FastifyInstance | null = null

  /**
   * @param files By their names: `config.yaml` is among them.
   * @param isServed Whether the preview listens; default: it does.
   */
  static async start(
    files: Readonly<Record<string, string>>,
    { isServed = true } = {},
  ): Promise<Bench> {
    const bench = new Bench()
    for (const [name, text] of Object.entries(files)) bench.write(name, text)
    if (!isServed) return bench
    const configFile = join(bench.folder, 'config.yaml')
    const load: PreviewParts['load'] = (onFiles) =>
      loadConfig(configFile, { env: {}, isPreview: true, onFiles })
    const parts = { load, configFile, hasMailbox: false, links: [] }
    bench.#server = await createPreviewServer(
      load(() => {}),
      parts,
    )
    const port = await freePort()
    await bench.#server.listen({ host: '127.0.0.1', port })
    bench.url = `http://127.0.0.1:${port}`
    return bench
  }

  /** A client that says it is a page of the preview. */
  get visitor(): Visitor {
    return new Visitor(this.url)
  }

  write(name: string, text: string): void {
    const file = join(this.folder, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }

  /** The page at a path of the preview; fails unless it has this status. */
  async page(query: string, status = 200): Promise<string> {
    const answer = await this.visitor.get(`/dev/preview${query}`)
    if (answer.status !== status) throw new Error(`${query}: ${answer.status} ${answer.body}`)
    return answer.body
  }

  async stop(): Promise<void> {
    await this.#server?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
