// The picture of docs/architecture.md, drawn from the code: what a file does is what its first comment says, the
// table of steps is that of src/steps/step.ts, and rooms stand upon those that they import from.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file on the way, and what of it is meant. */
type Stop = readonly [file: string, name: string]

const root = fileURLToPath(new URL('../../src', import.meta.url))
const picture: string = fileURLToPath(new URL('architecture.svg', import.meta.url))

/** In the order in which they are called. */
export const requestWay: readonly Stop[] = [
  ['fastify', 'mountForgot'],
  ['incoming', 'toRequest'],
  ['forgot', 'Forgot'],
  ['steps/step', 'takeStep'],
  ['respond/html', 'Pages'],
]
export const mailWay: readonly Stop[] = [
  ['courier-thread', 'CourierThread'],
  ['courier-worker', ''],
  ['mail/courier', 'Courier'],
  ['mail/delivery', 'Delivery'],
  ['mail/writer', 'AccountWriter'],
  ['mail/smtp', 'SmtpMailer'],
]

const width = 920
const column = 440
const line = 17
const gap = 22

const read = (file: string) => readFileSync(join(root, `${file}.ts`), 'utf8')

/** The files that one imports, named from `src/`. */
export function importsOf(file: string): readonly string[] {
  return [...read(file).matchAll(/(?:\bfrom |import\()'(\.[^'\n]+)'/g)].map(([, target = '']) =>
    relative(root, resolve(root, dirname(file), target)).replace(/\.ts$/, ''),
  )
}

/** The first sentence of what stands above something. */
function sentenceOf([file, name]: Stop): string {
  const text = read(file)
  const comment =
    name === ''
      ? ['', 'The courier beside the requests, with connections of its own.']
      : new RegExp(
          `/\\*\\*((?:(?!\\*/)[^])+)\\*/\\nexport (?:async )?(?:function|class) ${name}\\b`,
        ).exec(text)
  if (comment === null) throw new Error(`src/${file}.ts does not say what ${name} is`)
  const words = (comment[1] ?? '').replaceAll(/\n\s*\*|`/g, '').replaceAll(/\s+/g, ' ')
  return /^(.+?\.)(?: |$)/.exec(words.trim())?.[1] ?? words.trim()
}

/** The table of steps: what is sent, and who answers. */
function stepsOf(): readonly (readonly [sent: string, step: string])[] {
  const row = /method: '(\w+)', when: (?:(\w+)\('(\w+)'\)|always), take: (\w+)/g
  return [...read('steps/step').matchAll(row)].map(([, method, how, name, step]) => {
    const data = how === undefined ? '' : how === 'names' ? ` ?step=${name}` : ` ${name}`
    return [`${method}${data}`, step ?? '']
  })
}

/** The rooms and how deep each stands: one more than the deepest it imports from. */
function roomDepths(): ReadonlyMap<string, { depth: number; below: readonly string[] }> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && dirname(file) !== '.')
    .map((file) => file.replace(/\.ts$/, ''))
  const rooms = Map.groupBy(files, (file) => dirname(file))
  const below = (room: string) => {
    const targets = (rooms.get(room) ?? []).flatMap(importsOf).map((target) => dirname(target))
    return [...new Set(targets)].filter((each) => each !== '.' && each !== room).sort()
  }
  const depthOf = (room: string): number => Math.max(-1, ...below(room).map(depthOf)) + 1
  const names = [...rooms.keys()].sort()
  return new Map(names.map((room) => [room, { depth: depthOf(room), below: below(room) }]))
}

export function drawArchitecture(): string {
  const [left, leftEnd] = way('A request’s way', requestWay, 20, 20)
  const [steps, stepsEnd] = stepTable(column + 40, 20)
  const [mails, mailsEnd] = way('A mail’s way, in a thread of its own', mailWay, 20, leftEnd + gap)
  const [rooms, roomsEnd] = roomRows(column + 40, stepsEnd + gap)
  const height = Math.max(mailsEnd, roomsEnd) + 10
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="The ways of a request and of a mail through the files, the table of steps, and the rooms">
<style>
svg { font: 13px system-ui, sans-serif; color-scheme: light dark }
rect { fill: #f6f8fa; stroke: #8c959f }
text { fill: #1f2328 }
path { stroke: #59636e; fill: none }
.title { font-size: 15px; font-weight: 600 }
.name { font-family: ui-monospace, monospace; font-weight: 600 }
.quiet { fill: #59636e }
@media (prefers-color-scheme: dark) { rect { fill: #212830; stroke: #656c76 } text { fill: #f0f6fc } path { stroke: #9198a1 } .quiet { fill: #9198a1 } }
</style>
${[left, steps, mails, rooms].join('\n')}
</svg>
`
}

/** Something drawn, and where it ends. */
type Drawn = readonly [svg: string, end: number]

function way(title: string, stops: readonly Stop[], x: number, y: number): Drawn {
  const parts = [text(title, x, y + 12, 'title')]
  let top = y + 28
  for (const [index, stop] of stops.entries()) {
    const lines = wrap(sentenceOf(stop), 57)
    const height = 30 + lines.length * line
    if (index > 0) parts.push(arrow(x + 30, top - gap, top))
    parts.push(box(x, top, column - 20, height))
    parts.push(text(`src/${stop[0]}.ts`, x + 12, top + 20, 'name'))
    for (const [at, words] of lines.entries()) {
      parts.push(text(words, x + 12, top + 38 + at * line))
    }
    top += height + gap
  }
  return [parts.join('\n'), top - gap]
}

function stepTable(x: number, y: number): Drawn {
  const rows = stepsOf()
  const parts = [text('The table of steps: the first whose data is there', x, y + 12, 'title')]
  const height = rows.length * line + 14
  parts.push(box(x, y + 28, column - 20, height))
  for (const [index, [sent, step]] of rows.entries()) {
    const at = y + 48 + index * line
    parts.push(text(sent, x + 12, at), text(step, x + 190, at, 'name'))
  }
  return [parts.join('\n'), y + 28 + height]
}

function roomRows(x: number, y: number): Drawn {
  const rooms = roomDepths()
  const parts = [text('The rooms, each upon those that it imports from', x, y + 12, 'title')]
  const rows = [...rooms].sort(([, one], [, other]) => other.depth - one.depth)
  let top = y + 28
  for (const [room, { below }] of rows) {
    const lines = wrap(below.length === 0 ? 'no other room' : below.join(', '), 46)
    const height = 12 + lines.length * line
    parts.push(box(x, top, column - 20, height))
    parts.push(text(`${room}/`, x + 12, top + 20, 'name'))
    for (const [at, words] of lines.entries()) {
      parts.push(text(words, x + 110, top + 20 + at * line, 'quiet'))
    }
    top += height + 6
  }
  return [parts.join('\n'), top]
}

function box(x: number, y: number, boxWidth: number, height: number): string {
  return `<rect x="${x}" y="${y}" width="${boxWidth}" height="${height}" rx="6"/>`
}

function arrow(x: number, from: number, to: number): string {
  return `<path d="M${x} ${from}V${to}m-5 -7l5 7l5 -7"/>`
}

function text(words: string, x: number, y: number, kind = ''): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${escaped}</text>`
}

function wrap(words: string, most: number): readonly string[] {
  return words.split(' ').reduce<string[]>((lines, word) => {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= most) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
    return lines
  }, [])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(picture, drawArchitecture())
