import { readFileSync } from 'node:fs'

/**
 * How many transactions the write-ahead log of an SQLite file holds: in a frame that ends one, the header's second word is
 * the size of the database (https://www.sqlite.org/fileformat2.html#walformat).
 */
export function commitsOf(file: string): number {
  const log = readFileSync(`${file}-wal`)
  if (log.length === 0) return 0
  const frameBytes = 24 + log.readUInt32BE(8)
  let count = 0
  for (let offset = 32; offset + frameBytes <= log.length; offset += frameBytes) {
    const isOfThisLog = log.subarray(offset + 8, offset + 16).equals(log.subarray(16, 24))
    if (isOfThisLog && log.readUInt32BE(offset + 4) !== 0) count += 1
  }
  return count
}
