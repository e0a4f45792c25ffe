import { Binary, type Document, Long, ObjectId } from 'mongodb'

// What MongoDB does with the conditions and updates that are sent, and with those that must not be.

/** Whether a document meets a condition. */
export function matches(document: Document, condition: Document): boolean {
  return Object.entries(condition).every(([key, wanted]) => {
    if (key === '$and') return wanted.every((each: Document) => matches(document, each))
    if (key === '$expr') return evaluate(document, wanted) === true
    if (key.startsWith('$')) throw new Error(`unknown top level operator: ${key}`)
    const value = valueAt(document, key)
    if (!isOperators(wanted)) return isEqual(value, wanted)
    return Object.entries(wanted).every(([name, operand]) => meets(value, name, operand))
  })
}

function meets(value: unknown, name: string, operand: unknown): boolean {
  const values = Array.isArray(value) ? [value, ...value] : [value]
  if (name === '$eq') return values.some((each) => isEqual(each, operand))
  if (name === '$ne') return !values.some((each) => isEqual(each, operand))
  if (name === '$gt') return values.some((each) => isGreater(each, operand))
  if (name === '$exists') return (value !== undefined) === operand
  if (name === '$type') return values.some((each) => typeof each === operand)
  if (name === '$in') {
    return (operand as unknown[]).some((one) => values.some((each) => isEqual(each, one)))
  }
  throw new Error(`unknown operator: ${name}`)
}

/** An expression of an aggregation, in which text that begins with $ is a field. */
function evaluate(document: Document, expression: unknown): unknown {
  if (typeof expression === 'string' && expression.startsWith('$')) {
    return valueAt(document, expression.slice(1))
  }
  if (Array.isArray(expression)) return expression.map((each) => evaluate(document, each))
  if (!isOperators(expression)) return expression
  const [[name, operand] = ['', null]] = Object.entries(expression)
  if (name === '$literal') return operand
  const value = evaluate(document, operand)
  if (name === '$type') return value === undefined ? 'missing' : typeof value
  if (name === '$toLower') return lower(value)
  const [first, second, third] = value as unknown[]
  if (name === '$eq') return isEqual(first, second)
  if (name === '$cond') return first === true ? second : third
  throw new Error(`Unrecognized expression '${name}'`)
}

function lower(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'object') throw new Error("can't convert from BSON type object to String")
  // https://www.mongodb.com/docs/manual/reference/operator/aggregation/toLower/: ASCII alone.
  return String(value).replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function isOperators(value: unknown): value is Document {
  if (typeof value !== 'object' || value === null || value instanceof ObjectId) return false
  return Object.keys(value)[0]?.startsWith('$') ?? false
}

/** Equal in value and in type; all numbers are of one. */
function isEqual(a: unknown, b: unknown): boolean {
  if (b === null) return a === null || a === undefined
  return typeof a === typeof b && textOf(a) === textOf(b) && kindOf(a) === kindOf(b)
}

const kindOf = (value: unknown) => (value as object | undefined)?.constructor.name ?? ''

function textOf(value: unknown): string {
  if (value instanceof ObjectId || value instanceof Long) return value.toString()
  return value instanceof Binary ? value.toString('hex') : JSON.stringify(value)
}

function isGreater(a: unknown, b: unknown): boolean {
  return typeof a === 'string' && typeof b === 'string' && a > b
}

/** What stands at `name` or `name.inner`. */
export function valueAt(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Document)?.[key], document)
}

/** A document after `$set`. */
export function updated(document: Document, update: Document): Document {
  const copy = structuredCopy(document)
  for (const [path, value] of Object.entries(update['$set'] as Document)) {
    const keys = path.split('.')
    let holder = copy
    for (const key of keys.slice(0, -1)) {
      holder[key] ??= {}
      holder = holder[key]
    }
    holder[keys.at(-1) ?? ''] = value
  }
  return copy
}

/** A document with the fields of a projection alone. */
export function projected(document: Document, projection: Document | undefined): Document {
  const paths = Object.entries(projection ?? {}).filter(([, wanted]) => wanted === 1)
  if (paths.length === 0) return document
  const found = paths.filter(([path]) => valueAt(document, path) !== undefined)
  const set = Object.fromEntries(found.map(([path]) => [path, valueAt(document, path)]))
  return updated({}, { $set: set })
}

function structuredCopy(value: Document): Document {
  const isPlain = (each: unknown) => Object.getPrototypeOf(each ?? 0) === Object.prototype
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, isPlain(each) ? structuredCopy(each) : each]),
  )
}
