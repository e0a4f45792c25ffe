import type { Command } from './command.ts'

/** Each command is one file of its name, loaded when it is called. */
export const commands: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  audit: () => import('./audit.ts'),
  check: () => import('./check.ts'),
  completion: () => import('./completion.ts'),
  config: () => import('./config.ts'),
  courier: () => import('./courier.ts'),
  doctor: () => import('./doctor.ts'),
  init: () => import('./init.ts'),
  link: () => import('./link.ts'),
  locales: () => import('./locales.ts'),
  mail: () => import('./mail.ts'),
  migrate: () => import('./migrate.ts'),
  preview: () => import('./preview.ts'),
  prune: () => import('./prune.ts'),
  serve: () => import('./serve.ts'),
  store: () => import('./store.ts'),
  templates: () => import('./templates.ts'),
}

/** All of them by their names, loaded. */
export async function loadCommands(): Promise<ReadonlyMap<string, Command>> {
  const loaded = Object.entries(commands).map(async ([name, load]) => {
    const { command } = await load()
    return [name, command] as const
  })
  return new Map(await Promise.all(loaded))
}
