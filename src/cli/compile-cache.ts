import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache, flushCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

// By then everything is there that a server compiles.
const startedMs = 2000

/**
 * Has Node keep what it has compiled, so that the next start need not compile it again. Whoever can write there
 * chooses what runs here: only a folder that is this user's alone is used, never one in the common temporary folder.
 * Where there is none, every start compiles.
 */
export function keepCompiled(): void {
  const base = cacheFolder()
  // Whoever has told Node of a folder has chosen.
  if (base === null || process.env['NODE_COMPILE_CACHE'] !== undefined) return
  const folder = join(base, 'fastify-forgot-password')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = lstatSync(folder)
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return
    enableCompileCache(folder)
    // Whoever is killed, as containers are, would have kept nothing.
    setTimeout(flushCompileCache, startedMs).unref()
  } catch {
    // A service without a home, or a disk without room: it starts all the same.
  }
}

/** That of systemd's `CacheDirectory=`, or of the XDG Base Directory Specification. */
function cacheFolder(): string | null {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env
  const candidates = [CACHE_DIRECTORY, XDG_CACHE_HOME, join(homedir(), '.cache')]
  return candidates.find((each) => each !== undefined && isAbsolute(each)) ?? null
}
