import axe from 'axe-core'
import type { Page } from 'playwright'
import { expect } from 'vitest'

const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** Makes a window ready for {@link expectNoBarriers}: once, for the documents are replaced within it. */
export async function prepareForBarriers(on: Page): Promise<void> {
  await on.evaluate(axe.source)
}

/**
 * Looks for barriers, and whether a page is too wide.
 *
 * @param seen Structures in which there is no barrier: pages that differ in their words alone have the same.
 * @param isNewAlone Whether only pages of other structures are looked at.
 */
export async function expectNoBarriers(
  on: Page,
  shown: Iterable<[string, string]>,
  seen: Set<string> = new Set(),
  isNewAlone = false,
): Promise<void> {
  for (const [name, html] of shown) {
    const structure = structureOf(html)
    const isNew = !seen.has(structure)
    if (isNewAlone && !isNew) continue
    await on.setContent(html)
    expect([name, await sideways(on)]).toEqual([name, 0])
    if (isNew) expect([name, await findBarriers(on)]).toEqual([name, []])
    seen.add(structure)
  }
}

/** By how many pixels the page is wider than the window. */
export function sideways(on: Page): Promise<number> {
  return on.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth))
}

/** The tags of a page, with the names of their attributes, and the direction it is read in. */
function structureOf(html: string): string {
  const [direction] = /dir="[^"]*"/.exec(html) ?? []
  // Which of the languages is the page's own is no other structure.
  const tags = html.replace(/>[^<]*</g, '><').replace(/="[^"]*"| aria-current/g, '')
  return `${direction} ${tags}`
}

function findBarriers(on: Page): Promise<string[]> {
  return on.evaluate(async (values) => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run({
      runOnly: values,
    })
    return violations.map(
      (each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`,
    )
  }, standards)
}
