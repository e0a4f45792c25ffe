import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseDocument } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { checkLanguages } from '../../src/language-check.ts'
import { readLanguages } from '../../src/languages.ts'
import { sourceMark } from '../../src/locale/compare.ts'
import { readLocaleFiles } from '../../src/locale/files.ts'
import { type Finding, showFinding } from '../../src/locale/finding.ts'
import { lintTexts } from '../../src/locale/lint.ts'
import { readPlacedFile } from '../../src/locale/places.ts'
import { Templates } from '../../src/templates.ts'

const builtIn = readLanguages(loadConfig({}, { env: {} }))
const { english } = builtIn
const mark = sourceMark(english)

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-lint-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(file: string, text: string): string {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

function shown(findings: readonly Finding[]): string[] {
  return findings.map((each) =>
    `${each.level} ${each.rule} ${showFinding(each)}`.replace(`${folder}/`, ''),
  )
}

/** What is found in an own file of a few texts, but that others are missing. */
function lint(tag: string, yaml: string, isOwn = true): string[] {
  const file = readPlacedFile(write(`${tag}.yaml`, yaml), tag)
  const found = lintTexts(file, { english, isOwn })
  return shown(found.filter(({ rule }) => rule !== 'missing'))
}

describe('the languages that come with the module', () => {
  it('have no fault and no warning, in texts, pages and mails', async () => {
    const findings = await checkLanguages(loadConfig({}, { env: {} }), builtIn, { isStrict: true })
    expect(findings.map(showFinding)).toEqual([])
    expect(builtIn.all.length).toBeGreaterThan(3)
  })
})

describe('a language file is told', () => {
  const cases: readonly [what: string, tag: string, yaml: string, findings: readonly string[]][] = [
    [
      'that it cannot be read',
      'de',
      'form:\n  title: "Neu\n',
      ['fault syntax de.yaml:3:1 Missing closing "quote'],
    ],
    [
      'that it takes a text from another place',
      'de',
      'form:\n  title: &title Neu\n  email: *title\n',
      [
        'fault syntax de.yaml:3:10 *title must be written out: a text is never taken from another place',
      ],
    ],
    ['that it holds no keys', 'de', '- Neu', ['fault syntax de.yaml:1:1 must be keys and texts']],
    [
      'which key stands there twice',
      'de',
      'form:\n  title: Neu\n  title: Alt\n',
      ['fault duplicate de.yaml:3:3 form.title: this key stands here for the second time'],
    ],
    [
      'which plural form stands there twice',
      'de',
      'reset:\n  hint:\n    length:\n      one: "{min} Zeichen."\n      other: "{min} Zeichen."\n      one: "{min}"\n',
      [
        'fault duplicate de.yaml:6:7 reset.hint.length.one: this key stands here for the second time',
      ],
    ],
    [
      'which status is none',
      'de',
      '_meta:\n  status: good\n',
      ['fault meta de.yaml:2:3 _meta.status: must be machine, community or reviewed'],
    ],
    [
      'that its formality is no text',
      'de',
      '_meta:\n  formality: [Sie]\n',
      [
        'fault meta de.yaml:2:3 _meta.formality: must be text that says which form of address the texts have',
      ],
    ],
    [
      'that the English texts have changed',
      'de',
      '_meta:\n  source: "0123abcd"\n',
      [
        `warning source de.yaml:2:3 _meta.source: the English texts have changed since; set it to "${mark}" once these follow`,
      ],
    ],
    [
      'which mark is none',
      'de',
      '_meta:\n  source: 12345678\n',
      [
        `fault meta de.yaml:2:3 _meta.source: must be 8 hex characters in quotes, such as "${mark}"`,
      ],
    ],
    [
      'which value is no text',
      'de',
      'form:\n  title: 5\n',
      ['fault textless de.yaml:2:3 form.title: must be text, in quotes if need be'],
    ],
    [
      'which key is unknown',
      'de',
      'form:\n  titel: Neu\nown:\n  motto: Unser\n',
      ['fault unknown de.yaml:2:3 form.titel: unknown key (did you mean form.title?)'],
    ],
    [
      'what is in English',
      'de',
      'form:\n  title: Reset your password\n',
      ['fault untranslated de.yaml:2:3 form.title: is the English text'],
    ],
    [
      'what is in English within a text',
      'de',
      'form:\n  title: "Bitte: Reset your password"\n',
      ['fault leftover de.yaml:2:3 form.title: is in English: “Reset your password”'],
    ],
    [
      'what need not be allowed any more',
      'de',
      '_meta:\n  same: [sent.reference, form.title]\nform:\n  title: Neu\nsent:\n  reference: Reference\n',
      [
        'fault same de.yaml:2:3 _meta.same: form.title is not the English text: take it off the list',
      ],
    ],
    [
      'what it leaves out, and what nothing fills in',
      'de',
      'sent:\n  intro: An {emial} bei {site}\n',
      [
        'fault placeholders de.yaml:2:3 sent.intro: nothing fills in {emial}; there is {email}, {site}',
        'fault placeholders de.yaml:2:3 sent.intro: leaves out {email}',
      ],
    ],
    [
      'which plural form leaves something out',
      'de',
      'reset:\n  hint:\n    length:\n      one: Mindestens ein Zeichen.\n      other: Mindestens {min} Zeichen.\n',
      ['fault placeholders de.yaml:3:5 reset.hint.length: leaves out {min} in its form one'],
    ],
    [
      'which plural forms there must be',
      'pl',
      'reset:\n  hint:\n    length:\n      one: "{min} znak."\n      other: "{min} znaku."\n',
      [
        'fault plural pl.yaml:3:5 reset.hint.length: must have exactly the plural forms one, few, many, other',
      ],
    ],
    [
      'which plural form is none',
      'de',
      'reset:\n  hint:\n    length:\n      one: "{min} Zeichen."\n      others: "{min} Zeichen."\n',
      [
        'fault plural de.yaml:4:7 reset.hint.length.one: must have exactly the plural forms one, other',
        'fault plural de.yaml:5:7 reset.hint.length.others: must have exactly the plural forms one, other',
      ],
    ],
    [
      'which text has no forms',
      'de',
      'form:\n  title:\n    one: Neu\n    other: Neue\n',
      ['fault plural de.yaml:2:3 form.title: must be one text, without forms'],
    ],
    [
      'where a quote is straight',
      'fr',
      'form:\n  title: "L\'oubli"\n',
      [
        "warning quotes fr.yaml:2:3 form.title: has a straight ': use the marks of the language, such as ’ or “”",
      ],
    ],
    [
      'where there is markup',
      'de',
      'form:\n  title: <b>Neu</b>\n  email: Adresse&nbsp;hier\n',
      [
        'fault markup de.yaml:2:3 form.title: must be text without markup',
        'fault markup de.yaml:3:3 form.email: must be text without markup',
      ],
    ],
    [
      'where a blank ends a text',
      'de',
      'form:\n  title: "Neu "\n',
      ['fault blanks de.yaml:2:3 form.title: has a blank at an end'],
    ],
    [
      'where a direction does not end',
      'ar',
      'form:\n  title: "\\u2066إعادة"\n  email: "\\u2066البريد\\u2069"\n',
      [
        'fault bidi ar.yaml:2:3 form.title: begins or ends a direction that it does not end or begin',
      ],
    ],
    [
      'where a letter is of another script',
      'de',
      'form:\n  title: Pаsswort\n',
      ['fault script de.yaml:2:3 form.title: “а” is no letter of Latin'],
    ],
    [
      'where letters only look alike',
      'ru',
      'form:\n  title: Новый пaроль\n  email: E-mail или SMS-код\n',
      ['fault script ru.yaml:2:3 form.title: “пaроль” has letters of two scripts that look alike'],
    ],
    [
      'where a sentence is in Latin letters',
      'th',
      'form:\n  title: กรุณา please choose a password\n  email: อีเมล Email\n',
      ['fault script th.yaml:2:3 form.title: “please choose a password” is in Latin letters'],
    ],
    [
      'what is much longer than in English',
      'de',
      `form:\n  email: ${'Adresse '.repeat(5).trim()}\n`,
      ['warning length de.yaml:2:3 form.email: has 39 characters where the English text has 13'],
    ],
    [
      'which key is not in its place',
      'de',
      'form:\n  email: Adresse\n  title: Neu\n',
      ['warning order de.yaml:3:3 form.title: stands after form.email: en.yaml has it before'],
    ],
  ]

  it.each(cases)('%s', (_, tag, yaml, findings) => {
    expect(lint(tag, yaml)).toEqual(findings)
  })

  it('that a variety of English has the English texts', () => {
    expect(lint('en-GB', 'form:\n  title: Reset your password\n')).toEqual([])
  })

  it('how many texts are missing where it is the site’s own, and each where it is not', () => {
    const file = readPlacedFile(
      write('de.yaml', '_meta: { status: machine }\nform:\n  title: Neu\n'),
      'de',
    )
    expect(shown(lintTexts(file, { english, isOwn: true }))).toEqual([
      `warning missing de.yaml:1:1 ${english.size - 1} of ${english.size} texts are missing and shown in another language: layout.skip and ${english.size - 2} more`,
    ])
    const each = shown(lintTexts(file, { english, isOwn: false }))
    expect(each).toHaveLength(english.size - 1)
    expect(each).toContain('fault missing de.yaml:2:1 form.email: is missing: “Email address”')
    expect(shown(lintTexts(file, { english, isOwn: true, isStrict: true }))).toEqual(each)
  })

  it('that it must say how it came about where it is built in', () => {
    expect(lint('de', 'form: { title: Neu }', false)).toEqual([
      'fault meta de.yaml:1:1 _meta.status: must be machine, community or reviewed',
    ])
  })
})

describe('a language file that cannot be read', () => {
  const nines = (index: number) => Array.from({ length: 9 }, () => `*a${index}`).join(', ')
  const bomb = [
    'a0: &a0 Neu',
    ...Array.from({ length: 12 }, (_, index) => `a${index + 1}: &a${index + 1} [${nines(index)}]`),
  ].join('\n')

  it.each([
    ['multiplies its texts without end', bomb, 'de.yaml:2:10 *a0 must be written out'],
    ['holds itself', 'form: &form\n  title: *form\n', 'de.yaml:2:10 *form must be written out'],
  ])('and %s is refused at once', (_, yaml, why) => {
    const started = performance.now()
    expect(lint('de', yaml)).toEqual([expect.stringContaining(`fault syntax ${why}`)])
    expect(performance.now() - started).toBeLessThan(500)
    expect(() => readLocaleFiles(folder)).toThrow(
      expect.objectContaining({ code: 'ERR_FORGOT_TEMPLATE' }),
    )
  })

  it('is told in the encoding that it must have, as is a mail', async () => {
    const latin = (file: string, text: string) =>
      writeFileSync(write(file, ''), Buffer.from(text, 'latin1'))
    latin('locales/fr.yaml', 'form:\n  title: Réinitialiser\n')
    latin('templates/email/fr/link.eta', '---\nsubject: a\npreheader: b\n---\n<h1>Oublié</h1>\n')
    const [dir, templates] = [join(folder, 'locales'), join(folder, 'templates')]
    const config = loadConfig({ locales: { dir }, templates }, { env: {} })
    const found = await checkLanguages(config, readLanguages(config), { tags: ['fr'] })
    expect(shown(found)).toEqual([
      'fault syntax locales/fr.yaml:2:11 must be saved in the encoding UTF-8',
      'fault syntax templates/email/fr/link.eta:5:10 must be saved in the encoding UTF-8',
    ])
    expect(() => readLocaleFiles(dir)).toThrow(
      `${dir}/fr.yaml:2: must be saved in the encoding UTF-8`,
    )
    expect(new Templates(templates).syntaxFault('email/fr/link.eta')).toBe(
      `${templates}/email/fr/link.eta:5: must be saved in the encoding UTF-8`,
    )
  })

  it('is told with the reason', async () => {
    mkdirSync(join(folder, 'locales'))
    symlinkSync('nowhere', join(folder, 'locales/de.yaml'))
    const config = loadConfig({ locales: { dir: join(folder, 'locales') } }, { env: {} })
    const found = await checkLanguages(config, readLanguages(config), { tags: ['de'] })
    expect(shown(found)).toContain('fault syntax locales/de.yaml:1:1 cannot be read (ENOENT)')
    expect(() => readLocaleFiles(join(folder, 'locales'))).toThrow(
      `${folder}/locales/de.yaml: cannot be read (ENOENT)`,
    )
  })

  it('is passed over where an editor or a system has put it there', async () => {
    mkdirSync(join(folder, 'locales/de.yaml'), { recursive: true })
    write('locales/eo.yaml', 'form: { title: Nova }')
    write('locales/._eo.yaml', '\0')
    symlinkSync('somebody@machine.1', join(folder, 'locales/.#eo.yaml'))
    const config = loadConfig({ locales: { dir: join(folder, 'locales') } }, { env: {} })
    expect(readLocaleFiles(join(folder, 'locales')).map(({ tag }) => tag)).toEqual(['eo'])
    const languages = readLanguages(config)
    expect(languages.all.filter(({ isOwn }) => isOwn).map(({ tag }) => tag)).toEqual(['eo'])
    expect(languages.misnamed).toEqual([])
  })
})

describe('the mark of the English texts', () => {
  it('stays when a key moves, and changes with a text', () => {
    const moved = new Map([...english].reverse())
    expect(sourceMark(moved)).toBe(mark)
    expect(sourceMark(new Map([...english, ['form.title', 'Lost it?']]))).not.toBe(mark)
    expect(mark).toMatch(/^[0-9a-f]{8}$/)
  })
})

describe('a mail is told', () => {
  const original = readFileSync('templates/email/fr/link.eta', 'utf8')

  /** What is found in a French mail of the site’s own that differs from the built-in one. */
  async function lintMail(mail: string): Promise<string[]> {
    write('templates/email/fr/link.eta', mail)
    const templates = join(folder, 'templates')
    const config = loadConfig({ templates }, { env: {} })
    const found = await checkLanguages(config, readLanguages(config), { tags: ['fr'] })
    return shown(found).map((line) => line.replace('templates/email/fr/', ''))
  }

  const changed = (from: string, to: string) => {
    expect(original).toContain(from)
    return original.replace(from, to)
  }

  it('nothing when nothing is wrong', async () => {
    expect(await lintMail(original)).toEqual([])
  })

  it('what of its head is missing', async () => {
    expect(await lintMail(original.replace(/^preheader.*\n/m, ''))).toEqual([
      'warning head link.eta:1:1 preheader: is missing',
    ])
    expect(await lintMail(original.replace(/^subject.*\n/m, ''))).toContain(
      'fault head link.eta:1:1 subject: is missing',
    )
  })

  it('nothing of a byte order mark, and nothing of a style sheet but that it is one', async () => {
    expect(await lintMail(`\ufeff${original}`)).toEqual([])
    const style =
      '<style>p > a { font: "Public Sans"; content: \'Reset your password\' }</style>\n<h1>'
    expect(await lintMail(changed('<h1>', style))).toEqual([
      'warning elements link.eta:5:1 body: has <style>, which the English mail has not, or not as often',
      'warning elements link.eta:5:69 body: has </style>, which the English mail has not, or not as often',
    ])
  })

  it('which Eta tags are missing or too many, but for the label of a button', async () => {
    expect(await lintMail(changed('Choisir un mot de passe', 'Choisir'))).toEqual([])
    expect(await lintMail(changed(', le <%= it.expiresAt %>', ' <%= it.expiresIn %>'))).toEqual([
      'warning tags link.eta:5:1 body: leaves out <%= it.expiresAt %>',
      'warning tags link.eta:9:48 body: has <%= it.expiresIn %>, which the English mail has not, or not as often',
    ])
  })

  it('which elements are missing or too many', async () => {
    const found = await lintMail(changed('<h1>Réinitialisez', '<h1><b>Nouveau</b> : réinitialisez'))
    expect(found).toEqual([
      'warning elements link.eta:5:5 body: has <b>, which the English mail has not, or not as often',
      'warning elements link.eta:5:15 body: has </b>, which the English mail has not, or not as often',
    ])
  })

  it('what is in English, in a text, in a button or within a sentence', async () => {
    expect(await lintMail(changed('Choisir un mot de passe', 'Choose a new password'))).toEqual([
      'fault untranslated link.eta:8:15 body: is in English: “Choose a new password”',
    ])
    expect(await lintMail(changed('Bonjour', 'Bonjour. Reset your password'))).toEqual([
      'fault leftover link.eta:5:1 body: is in English: “Reset your password”',
    ])
  })

  it('where a quote is straight', async () => {
    expect(await lintMail(changed('C’est la même', "C'est la même"))).toEqual([
      "warning quotes link.eta:10:11 body: has a straight ': use the marks of the language, such as ’ or “”",
    ])
  })

  it('when its preheader is too short', async () => {
    const found = await lintMail(
      original.replace(/^preheader.*$/m, 'preheader: "Court, <%= it.expiresIn %>."'),
    )
    expect(found).toEqual([
      'warning preheader link.eta:3:1 preheader: has 23 characters once it is filled in; 40 to 100 are shown',
    ])
  })

  it('when its HTML is too large', async () => {
    const [found] = await lintMail(changed('<p>Bonjour', `<p>${'Bonjour '.repeat(400)}`))
    expect(found).toMatch(/^warning size link\.eta:1:1 is HTML of \d+ bytes; 6144 are enough$/)
  })

  it('that it cannot be rendered, with its line', async () => {
    const found = await lintMail(changed('<p>Bonjour', '<p><%= it.nobody %>'))
    expect(found.find((line) => line.includes('render'))).toMatch(/^fault render link\.eta:6:1 /)
  })
})

describe('a site’s own languages', () => {
  it('are shown as people see them: no English in a template, no key without a text', async () => {
    const page = readFileSync('templates/forgot-done.eta', 'utf8')
    write(
      'templates/forgot-done.eta',
      `${page}<p>Reset your password</p><p><%= it.t('own.motto') %></p>`,
    )
    const config = loadConfig({ templates: join(folder, 'templates') }, { env: {} })
    const found = await checkLanguages(config, readLanguages(config), { tags: ['fr'] })
    expect(shown(found)).toEqual([
      'fault leftover templates/forgot-done.eta:1:1 the page done in fr is in English: “Reset your password”',
      'fault leftover templates/forgot-done.eta:1:1 the page done in fr shows a key that has no text: own.motto',
    ])
  })

  it('are found under a wrong name, and without mails', async () => {
    write('locales/deutsch_neu.yaml', 'form: { title: Neu }')
    const config = loadConfig({ locales: { dir: join(folder, 'locales') } }, { env: {} })
    const languages = readLanguages(config)
    expect(shown(await checkLanguages(config, languages))).toEqual([
      'fault name locales/deutsch_neu.yaml:1:1 must be named after its language, such as pt-BR.yaml',
    ])
    rmSync(join(folder, 'locales/deutsch_neu.yaml'))
    write('locales/eo.yaml', 'form: { title: Nova }')
    write('locales/fr-CA.yaml', 'form: { title: Mot de passe oublié }')
    const tags = ['eo', 'fr-CA']
    const found = await checkLanguages(config, readLanguages(config), { tags })
    expect(shown(found).filter((line) => line.includes('mails'))).toEqual([
      'warning missing locales/eo.yaml:1:1 5 of 5 mails are missing and come in another language: link and 4 more',
    ])
    expect(found.filter(({ file }) => file.endsWith('fr-CA.yaml'))).toEqual([])
  })

  it('are told which texts of the site’s own templates they lack', async () => {
    write('locales/en.yaml', 'own: { motto: Ours, wish: Hello }')
    write('locales/de.yaml', 'own: { motto: Unser }')
    write('locales/de-CH.yaml', 'form: { email: Mailadresse }')
    write('locales/fr.yaml', 'own: { motto: À nous, wish: Bonjour }')
    const config = loadConfig({ locales: { dir: join(folder, 'locales') } }, { env: {} })
    const languages = readLanguages(config)
    const told = async (isStrict: boolean) => {
      const options = { tags: ['en', 'de', 'de-CH', 'fr'], isStrict }
      return shown(await checkLanguages(config, languages, options))
    }
    const all = english.size + 2
    const lack = (file: string) =>
      `warning missing ${file}:1:1 1 of ${all} texts are missing and shown in another language: own.wish`
    expect(await told(false)).toEqual([lack('locales/de-CH.yaml'), lack('locales/de.yaml')])
    expect(await told(true)).toEqual(
      expect.arrayContaining(['fault missing locales/de.yaml:1:1 own.wish: is missing: “Hello”']),
    )
  })

  it('are told the same where they are chosen and there is no file at all', async () => {
    write('locales/en.yaml', 'own: { motto: Ours }')
    const dir = join(folder, 'locales')
    const found = async (offer: 'auto' | string[]) => {
      const config = loadConfig({ locales: { dir, offer } }, { env: {} })
      return shown(await checkLanguages(config, readLanguages(config)))
    }
    expect(await found(['en', 'fr'])).toEqual([
      `warning missing locales/fr.yaml:1:1 1 of ${english.size + 1} texts are missing and shown in another language: own.motto`,
    ])
    expect(await found('auto')).toEqual([])
  })

  it('are no folders of what mails have in common', async () => {
    write('templates/email/parts/signature.eta', '<p>Yours</p>')
    write('templates/email/eo/code.eta', '<p>Kodo</p>')
    const config = loadConfig({ templates: join(folder, 'templates') }, { env: {} })
    const own = readLanguages(config).all.filter(({ isOwn }) => isOwn)
    expect(own.map(({ tag }) => tag)).toEqual(['eo'])
  })

  it('may change single texts, which is told in no way', async () => {
    const document = parseDocument(readFileSync('locales/fr.yaml', 'utf8'))
    write('locales/fr.yaml', `form: { title: ${document.getIn(['form', 'title'])} ! }`)
    const config = loadConfig({ locales: { dir: join(folder, 'locales') } }, { env: {} })
    const options = { tags: ['fr'], isStrict: true }
    const found = await checkLanguages(config, readLanguages(config), options)
    expect(shown(found)).toEqual([])
  })
})
