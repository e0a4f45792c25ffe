import { examine } from '../doctor/doctor.ts'
import { type Command, parse } from './command.ts'
import { findingOptions, printFindings } from './findings.ts'

export const command: Command = {
  summary: 'looks at everything that a recovery needs, and says what to do about what is wrong',
  help: `forgot-password doctor [--strict] [--json] [--users-in-code] [--config <file>]

All of "forgot-password check", and besides: folders and the modes of files; the store and its tables; the accounts,
their columns and the kind of their passwords; the mail server as far as MAIL FROM; SPF, DKIM and DMARC of the
sender; whether site.url leads to a server with this configuration, whom it takes its visitors for, and the clocks.
Nothing is changed and nothing is mailed. Run it where the server runs, as the user that it runs as; once before the
first start, and once while it is running.

Ends with 0, with 1 if there is a fault, with 2 if the configuration cannot be used. With --strict a warning counts
as a fault. --json prints a list of { check, level, text, remedy }. With --users-in-code the accounts are left out:
a program hands them to the plugin.

  forgot-password doctor
  forgot-password doctor --json --config /etc/forgot-password/config.yaml`,
  options: findingOptions,

  async run(args) {
    const { values } = parse(args, findingOptions)
    const hasUsers = values['users-in-code'] === true
    return printFindings(examine(values.config, { hasUsers }), values)
  },
}
