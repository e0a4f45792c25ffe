import {
  type Command,
  configOption,
  jsonOption,
  parse,
  print,
  printJson,
  UsageError,
} from './command.ts'
import { atDesk } from './desk.ts'

const options = { ...configOption, ...jsonOption } as const

export const command: Command = {
  summary: 'makes a link for somebody whom mail does not reach, or ends those of an address',
  help: `forgot-password link issue <email> [--json] [--config <file>]
forgot-password link revoke <email> [--json] [--config <file>]

issue  prints a link with which the account of this address gets a new password, for your support desk: be sure
       who asks. It is printed once, works once and for as long as a mailed one; links and codes that were mailed
       before stop working. The account's mailbox is told of the change, as always.
revoke ends the links and codes of an address. What was mailed for it does not work any more.

Both are written down: see "forgot-password audit". issue ends with 1 where no account can be recovered with the
address, revoke where nothing was left to end.

  forgot-password link issue maria@site.example
  forgot-password link revoke maria@site.example --config /etc/forgot-password/config.yaml`,
  options,
  actions: ['issue', 'revoke'],

  async run(args) {
    const { positionals, values } = parse(args, options, 2)
    const [action, email = ''] = positionals
    if (action === 'issue') {
      const issued = await atDesk(values.config, (desk) => desk.issue(email))
      const until = new Date(issued.expiresAt).toISOString()
      if (values.json === true) printJson({ ...issued, expiresAt: until })
      else print(`${issued.link}\nReference ${issued.reference}; works once, until ${until}\n`)
      return 0
    }
    if (action !== 'revoke') throw new UsageError('link: say "link issue" or "link revoke"')
    const revoked = await atDesk(values.config, (desk) => desk.revoke(email))
    if (values.json === true) printJson({ revoked })
    else print(revoked ? 'Links and codes of this address are void now.\n' : 'There was none.\n')
    return revoked ? 0 : 1
  },
}
