import { z } from 'zod'
import type { Parsed } from './config.ts'
import { breachUrl, duration, limits as limitList, linkUrl, oneLimit } from './values.ts'

/** `recovery:` */
export const recovery: z.ZodType<Parsed['recovery']> = z.strictObject({
  methods: z
    .array(z.enum(['link', 'code'], 'must be link or code'), 'must be a list of link and code')
    .min(1, 'must name at least one way to recover')
    .default(['link'])
    .describe(
      'How people prove that the mailbox is theirs: link, code (digits to type), or both in one mail.',
    ),
  linkLifetime: duration('1s', '24h')
    .prefault('60m')
    .describe(
      'How long a mailed link works. 1s to 24h; an hour at most is what OWASP WSTG-ATHN-09 asks.',
    ),
  linkUrl: linkUrl
    .nullable()
    .default(null)
    .describe(
      'Where the mailed link leads, when your reset page is your own: {token} must be in it, {reference} and ' +
        '{sealedEmail} may. null: to the page here.',
    ),
  codeLifetime: duration('1s', '1h')
    .prefault('10m')
    .describe(
      'How long a mailed code works. 1s to 1h; OWASP ASVS 6.5.5 asks for 10 minutes at most.',
    ),
  codeDigits: z
    .int('must be a whole number')
    .min(6, 'must be 6 or more (NIST SP 800-63B-4 §3.1.3.1)')
    .max(10, 'must be 10 or less')
    .default(6)
    .describe('Digits of a code: 6 to 10.'),
  codeTries: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(10, 'must be 10 or less')
    .default(5)
    .describe(
      'Wrong tries at one code, then it is locked. A link in the same mail goes on working.',
    ),
  dailyTries: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(100, 'must be 100 or less')
    .default(15)
    .describe(
      'Wrong tries at all codes of one address within 24 hours: asking for a new code does not add any.',
    ),
  unknownAddress: z
    .enum(['silent', 'mail'], 'must be silent or mail')
    .default('silent')
    .describe(
      'An address without an account: silent mails nothing; mail tells it, once a day, that there is no account. The ' +
        'page says the same either way. mail lets anybody make your server write to any address.',
    ),
})

/** `password:` */
export const password: z.ZodType<Parsed['password']> = z.strictObject({
  minLength: z
    .int('must be a whole number')
    .min(6, 'must be 6 or more')
    .max(64, 'must be 64 or less: NIST SP 800-63B-4 §3.1.1.2 has 64 accepted')
    .default(15)
    .describe(
      'Fewest characters (code points). NIST SP 800-63B-4 §3.1.1.2: 15, or 8 beside a second factor.',
    ),
  maxLength: z
    .int('must be a whole number')
    .min(64, 'must be 64 or more: NIST SP 800-63B-4 §3.1.1.2 has 64 accepted')
    .max(1024, 'must be 1024 or less')
    .default(128)
    .describe(
      'Most characters (code points). bcrypt also refuses more than 72 bytes, with a message of its own.',
    ),
  confirm: z
    .boolean('must be true or false')
    .default(false)
    .describe('Ask for the password twice. Showing it helps people more.'),
  hash: z
    .enum(['bcrypt', 'argon2id', 'scrypt'], 'must be bcrypt, argon2id or scrypt')
    .default('bcrypt')
    .describe(
      'What the user table gets; your login must know it. bcrypt: $2b$. argon2id (Node 24.7 or later) and scrypt: PHC strings.',
    ),
  cost: z
    .int('must be a whole number')
    .min(4, 'must be 4 or more')
    .max(17, 'must be 17 or less')
    .default(12)
    .describe(
      'bcrypt: rounds as a power of two; 12 takes about 0.3 s. 10 is the least that OWASP accepts. The others have fixed costs.',
    ),
  blockCommon: z
    .boolean('must be true or false')
    .default(true)
    .describe('Refuse the 49,000 passwords that attackers try first (NIST SP 800-63B-4 §3.1.1.2).'),
  strength: z
    .int('must be a whole number')
    .min(0, 'must be 0 or more')
    .max(4, 'must be 4 or less')
    .default(2)
    .describe(
      'The least zxcvbn score, 0 to 4. 2: more than a million guesses, whatever the length. 0: not looked at.',
    ),
  breached: z
    .union([z.boolean(), breachUrl], 'must be true, false or the address of a range API')
    .default(false)
    .describe(
      'Refuse passwords of published breaches, by Have I Been Pwned: five hex digits of a SHA-1 are sent, and when ' +
        'there is no answer within 2 s the password passes. Or the address of a mirror.',
    ),
  composition: z
    .union(
      [z.literal('none'), z.array(z.enum(['lower', 'upper', 'digit', 'special'])).min(1)],
      'must be none or a list of lower, upper, digit, special',
    )
    .default('none')
    .describe(
      'Kinds of characters that must occur, for sites that are obliged to ask; NIST and OWASP advise none.',
    ),
})

/** `limits:` */
export const limits: z.ZodType<Parsed['limits']> = z.strictObject({
  perAccount: limitList
    .prefault(['1/60s', '5/1h', '10/24h'])
    .describe(
      'Mails for one address, known or not: beyond it requests are answered as ever but nothing is mailed. off: no limit.',
    ),
  perClient: oneLimit
    .prefault('20/10m')
    .describe(
      'Requests from one client (an IPv4 address or an IPv6 /64): beyond it a page says how long to wait.',
    ),
  badProofs: oneLimit
    .prefault('30/15m')
    .describe(
      'Unknown links and wrong codes from one client. A valid link is never stopped by it.',
    ),
  wrongCodes: oneLimit
    .prefault('500/1h')
    .describe(
      'Wrong codes on the whole site, whoever sends them: beyond it no code is compared for a while, and links go ' +
        'on. Raise it on a site where more people than that mistype.',
    ),
})
