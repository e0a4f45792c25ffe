import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { backgrounds, contrastRatio, shades } from '../src/colour.ts'

const colour = fc
  .tuple(fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`)

it('measures contrast as WCAG does', () => {
  expect(contrastRatio('#ffffff', '#000000')).toBeCloseTo(21)
  expect(contrastRatio('#777777', '#ffffff')).toBeCloseTo(4.48, 2)
})

it.each(['light', 'dark'] as const)('makes every accent readable on a %s page', async (scheme) => {
  await fc.assert(
    fc.asyncProperty(colour, async (accent) => {
      const { accent: button, onAccent, link } = shades(accent, scheme)
      expect(contrastRatio(button, onAccent)).toBeGreaterThanOrEqual(4.5)
      expect(contrastRatio(link, backgrounds[scheme])).toBeGreaterThanOrEqual(4.5)
    }),
  )
})

it('keeps an accent that is readable as it is', () => {
  expect(shades('#1d4ed8', 'light').link).toBe('#1d4ed8')
})
