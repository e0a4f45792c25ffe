import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limiterContract, prefix } from './contract.ts'

limiterContract('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forgot-limits-'))
  return {
    place: async () => ({ url: `sqlite:${join(folder, 'store.db')}`, tablePrefix: prefix }),
    clean: async () => rmSync(folder, { recursive: true }),
  }
})
