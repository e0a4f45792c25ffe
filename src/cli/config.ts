import { documentConfig } from '../config/document.ts'
import { configSchema } from '../config/keys.ts'
import { type Command, parse, UsageError } from './command.ts'

export const command: Command = {
  summary: 'prints a config.yaml with every key, or its JSON Schema',
  help: `forgot-password config example [--schema <path>]
forgot-password config schema

example prints a config.yaml with every key, its default and what it means.
schema prints its JSON Schema: an editor that is given it completes and checks the keys.

  forgot-password config example > config.yaml
  forgot-password config schema > config.schema.json`,

  async run(args) {
    const { positionals, values } = parse(args, { schema: { type: 'string' } }, 1)
    const [what] = positionals
    const path = values.schema ?? './node_modules/fastify-forgot-password/dist/config.schema.json'
    if (what === 'example') process.stdout.write(documentConfig(path))
    else if (what === 'schema') process.stdout.write(`${JSON.stringify(configSchema, null, 2)}\n`)
    else throw new UsageError('config: say "config example" or "config schema"')
  },
}
