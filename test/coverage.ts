// Which lines no test runs: those that are neither run in a test's own process, as Vitest tells, nor in a process that a
// test has started, as V8 does. Fails below the share that is promised. `npm run coverage` is the whole of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const least = 0.95
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = `${root}coverage`

/** Istanbul's: statements by number, and how often each was run. */
interface FileCoverage {
  readonly path: string
  readonly statementMap: Readonly<
    Record<string, { readonly start: { readonly line: number; readonly column: number } }>
  >
  readonly s: Readonly<Record<string, number>>
}

/** V8's: the inner of two ranges counts. */
interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/** The ranges of each file in each process that a test has started. */
function childRanges(): ReadonlyMap<string, readonly (readonly Range[])[]> {
  const found = new Map<string, Range[][]>()
  const children = `${folder}/children`
  for (const name of existsSync(children) ? readdirSync(children) : []) {
    const { result } = JSON.parse(readFileSync(`${children}/${name}`, 'utf8'))
    for (const { url, functions } of result) {
      if (!url.startsWith(`file://${root}src/`)) continue
      const ranges = functions.flatMap((each: { ranges: Range[] }) => each.ranges)
      const path = fileURLToPath(url)
      found.set(path, [...(found.get(path) ?? []), ranges])
    }
  }
  return found
}

function isRun(offset: number, ranges: readonly Range[]): boolean {
  const around = ranges.filter((each) => each.startOffset <= offset && offset < each.endOffset)
  const width = (range: Range) => range.endOffset - range.startOffset
  const inner = around.toSorted((one, other) => width(one) - width(other))[0]
  return inner !== undefined && inner.count > 0
}

const children = childRanges()
const files: FileCoverage[] = Object.values(
  JSON.parse(readFileSync(`${folder}/coverage-final.json`, 'utf8')),
)
let [all, run] = [0, 0]
for (const { path, statementMap, s } of files) {
  const starts = [0]
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    starts.push((starts.at(-1) ?? 0) + line.length + 1)
  }
  const lines = new Map<number, boolean>()
  for (const [key, { start }] of Object.entries(statementMap)) {
    const offset = (starts[start.line - 1] ?? 0) + start.column
    const isTried =
      (s[key] ?? 0) > 0 || (children.get(path) ?? []).some((each) => isRun(offset, each))
    lines.set(start.line, isTried || lines.get(start.line) === true)
  }
  const missed = [...lines].filter(([, isTried]) => !isTried).map(([line]) => line)
  all += lines.size
  run += lines.size - missed.length
  if (missed.length > 0) console.log(`${relative(root, path)}: ${missed.join(' ')}`)
}
const share = run / all
console.log(`${run} of ${all} lines are run: ${(share * 100).toFixed(1)} %`)
process.exitCode = share < least ? 1 : 0
