import type { Render } from './respond/html.ts'
import type { View } from './respond/view.ts'

/**
 * A page of the site's own around a fragment; what it needs of it is given.
 *
 * ```ts
 * import type { Layout } from 'fastify-forgot-password'
 *
 * const layout: Layout = ({ body, dir, lang, title }) =>
 *   `<!doctype html><html lang="${lang}" dir="${dir}"><title>${title}</title>${body}</html>`
 * export default layout
 * ```
 */
export type Layout = (page: Fragment) => Promise<string> | string

/** What a step shows, without a page around it. */
export interface Fragment
  extends Pick<View, 'step' | 'reason' | 'title' | 'lang' | 'dir' | 'assets' | 'languages'> {
  /** HTML, to be put into the page as it is. */
  readonly body: string
}

/** What renders a step and puts it into a page of the site's own. */
export function within(layout: Layout, render: Render): Render {
  return async (template, view) => {
    const body = await render(template, view)
    const { step, reason, title, lang, dir, assets, languages } = view
    return layout({ step, reason, title, lang, dir, assets, languages, body })
  }
}
