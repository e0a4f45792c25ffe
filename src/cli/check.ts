import { check } from '../doctor/doctor.ts'
import { type Command, parse } from './command.ts'
import { findingOptions, printFindings } from './findings.ts'

export const command: Command = {
  summary: 'looks whether the configuration, templates, texts and colours are right',
  help: `forgot-password check [--strict] [--json] [--users-in-code] [--config <file>]

Reads the configuration, makes every page and mail in every language once, and looks at texts and colours. Nothing
is opened, nobody is asked: it fits where changes are tested before they go out. Every finding has a sign: ✓ as it
should be, ! works but somebody may regret it, ✗ does not work or is not safe.

Ends with 0, with 1 if there is a fault, with 2 if the configuration cannot be used. With --strict a warning counts
as a fault. --json prints a list of { check, level, text, remedy }. With --users-in-code the accounts are left out:
a program hands them to the plugin.

  forgot-password check
  forgot-password check --strict --config /etc/forgot-password/config.yaml`,
  options: findingOptions,

  async run(args) {
    const { values } = parse(args, findingOptions)
    const hasUsers = values['users-in-code'] === true
    return printFindings(check(values.config, { hasUsers }), values)
  },
}
