import type { Locale } from './locale/locale.ts'
import type { RehearsalServices } from './rehearsal.ts'
import type { Assets } from './respond/assets.ts'

/**
 * Looks through the templates and texts that the site has written itself.
 *
 * @param languages Those in which every page and mail is tried; default: the site's first one, since a start is felt.
 * @returns What is odd in them and yet does no harm, a line each.
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` with the faults of all templates, each with its line.
 */
export async function inspectOwnFiles(
  services: RehearsalServices,
  assets: Assets,
  languages: readonly Locale[] = [services.locales.choose([services.config.locales.default], '')],
): Promise<string[]> {
  const { templates } = services.config
  if (templates === null) return [...services.locales.notes]
  const { rehearse } = await import('./rehearsal.ts')
  const unused = await rehearse(templates, services, assets, languages)
  return [...services.locales.notes, ...unused]
}
