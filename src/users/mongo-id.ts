/** The types of the driver that an identifier may have, besides text and number. */
type IdTypes = Pick<typeof import('mongodb'), 'Binary' | 'Long' | 'ObjectId' | 'UUID'>

/**
 * An identifier as text, or `null` where it is of no type that text can stand for. Numbers beyond 2^53 come
 * from the driver as `Long`, and are exact.
 */
export function textOf(id: unknown, { Binary, Long, ObjectId, UUID }: IdTypes): string | null {
  if (typeof id === 'string') return id
  if (typeof id === 'number') return String(id)
  if (id instanceof ObjectId) return id.toHexString()
  if (id instanceof Long) return id.toString()
  const isUuid = id instanceof Binary && id.sub_type === Binary.SUBTYPE_UUID
  return isUuid ? new UUID(id.buffer).toString() : null
}

/** Every value that reads as this text: it is not known which of them the site has stored. */
export function formsOf(text: string, types: IdTypes): readonly unknown[] {
  const { Long, ObjectId, UUID } = types
  const makers = [
    () => text,
    () => Number(text),
    () => Long.fromString(text),
    () => new ObjectId(text),
    () => new UUID(text),
  ]
  return makers.map(attempt).filter((form) => textOf(form, types) === text)
}

function attempt(make: () => unknown): unknown {
  try {
    return make()
  } catch {
    return null
  }
}
