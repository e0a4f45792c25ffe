import { type Browser, chromium } from 'playwright'
import { inject } from 'vitest'

/** A headless Chromium that reaches for nothing but what it is told to. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: inject('chromiumPath'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
  })
}
