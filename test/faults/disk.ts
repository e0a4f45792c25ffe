import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A place for files on which there is no room, or that cannot be written, for a while. */
export interface Disk {
  readonly folder: string
  /** Whether it is a file system of its own. */
  readonly isMounted: boolean
  /** @param pid The process that is to find no room. */
  fill(pid: number): void
  free(pid: number): void
  remove(): void
}

/** One that can be full: a small file system where one can be mounted, else a limit of the process. */
export function makeDisk(): Disk {
  const mounted = mount()
  if (mounted !== null) {
    const filler = join(mounted.folder, 'filler')
    return { ...mounted, fill: () => fillUp(filler), free: () => rmSync(filler) }
  }
  const fill = (pid: number) => limit(pid, 'fsize', '1')
  return { ...makeFolder(), fill, free: (pid) => limit(pid, 'fsize', 'unlimited') }
}

/** One that can be made read-only while nobody has a file of it open. */
export function makeReadOnlyDisk(): Disk {
  const mounted = mount()
  if (mounted !== null) {
    const remount = (mode: string) =>
      execFileSync('mount', ['-o', `remount,${mode}`, mounted.folder])
    return { ...mounted, fill: () => remount('ro'), free: () => remount('rw') }
  }
  const made = makeFolder()
  return {
    ...made,
    fill: () => protect(made.folder, 0o500),
    free: () => protect(made.folder, 0o700),
  }
}

type Place = Pick<Disk, 'folder' | 'isMounted' | 'remove'>

/** `null` for whom may not mount. */
function mount(): Place | null {
  const place = makeFolder()
  const words = ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', place.folder]
  if (spawnSync('mount', words).status !== 0) {
    place.remove()
    return null
  }
  const remove = () => {
    // Lazily: a connection that was not closed would keep it.
    execFileSync('umount', ['-l', place.folder])
    place.remove()
  }
  return { ...place, isMounted: true, remove }
}

function makeFolder(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'forgot-disk-'))
  return { folder, isMounted: false, remove: () => rmSync(folder, { recursive: true }) }
}

/** Sets a soft limit of a process that runs. */
export function limit(pid: number, resource: 'fsize' | 'data', value: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--${resource}=${value}:`])
}

function fillUp(file: string): void {
  const descriptor = openSync(file, 'a')
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(4096))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(descriptor)
  }
}

function protect(folder: string, mode: number): void {
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), mode & 0o600)
  chmodSync(folder, mode)
}
