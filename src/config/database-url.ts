import { resolve } from 'node:path'

const scheme = 'sqlite:'

/** The file that a database lies in; `null` where it is a server's. */
export function databaseFile(url: string): string | null {
  return url.startsWith(scheme) ? url.slice(scheme.length) : null
}

/** The same database, whatever folder is the working one. */
export function absoluteDatabaseUrl(url: string, folder: string): string {
  const file = databaseFile(url)
  return file === null ? url : `${scheme}${resolve(folder, file)}`
}
