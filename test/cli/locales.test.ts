import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { writeAll } from '../../src/cli/locales-write.ts'
import { run } from '../../src/cli/run.ts'
import { loadConfig } from '../../src/config/load.ts'
import { checkLanguages } from '../../src/language-check.ts'
import { readLanguages } from '../../src/languages.ts'
import { readLocaleFiles } from '../../src/locale/files.ts'
import { mailKinds } from '../../src/mail/message.ts'
import { Cli } from '../support/process.ts'

let folder = ''
let file = ''
let output = ''
let errors = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-cli-locales-'))
  file = join(folder, 'config.yaml')
  writeFileSync(file, 'site: { name: Riverside }\n')
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

/** What `forgot-password locales …` prints, with the folder's name left out, and its exit code. */
async function locales(...args: string[]) {
  output = ''
  errors = ''
  vi.stubEnv('GITHUB_ACTIONS', '')
  const code = (await run(['locales', ...args, '--config', file])) ?? 0
  const short = (text: string) => text.replaceAll(`${folder}/`, '')
  return { code, output: short(output), errors: short(errors) }
}

function own(tag: string, yaml: string): void {
  mkdirSync(join(folder, 'locales'), { recursive: true })
  writeFileSync(join(folder, 'locales', `${tag}.yaml`), yaml)
}

describe('locales check', () => {
  it('finds nothing in what comes with the module', async () => {
    const { code, output } = await locales('check', 'fr', 'th')
    expect(output).toBe('0 faults and 0 warnings in 2 languages\n')
    expect(code).toBe(0)
  })

  it('prints what is wrong with its place, counts it and ends with 1', async () => {
    own('eo', 'form:\n  title: "Nova "\n')
    const { code, output } = await locales('check', 'eo')
    expect(output.split('\n').slice(1)).toEqual([
      'locales/eo.yaml:1:1 5 of 5 mails are missing and come in another language: link and 4 more',
      'locales/eo.yaml:2:3 form.title: has a blank at an end',
      '1 fault and 2 warnings in 1 language',
      '',
    ])
    expect(code).toBe(1)
  })

  it('lets a language of the site’s own be incomplete, unless it is told not to', async () => {
    own('eo', 'form: { title: Nova pasvorto }')
    expect(await locales('check', 'eo')).toMatchObject({ code: 0 })
    const { code, output } = await locales('check', 'eo', '--strict')
    expect(code).toBe(1)
    expect(output).toContain('locales/eo.yaml:1:1 form.email: is missing: “Email address”\n')
    expect(output).toContain(': the mail link is missing\n'.slice(2))
  })

  it('takes warnings for faults where it is strict', async () => {
    own('fr', '_meta: { source: "00000000" }\nform: { title: Changez de mot de passe }')
    expect(await locales('check', 'fr')).toMatchObject({ code: 0 })
    expect(await locales('check', 'fr', '--strict')).toMatchObject({ code: 1 })
  })

  it('prints JSON', async () => {
    own('eo', 'form:\n  title: "Nova "\n')
    const { code, output } = await locales('check', 'eo', '--json')
    expect(code).toBe(1)
    const checked = JSON.parse(output)
    expect(checked).toMatchObject({ languages: ['eo'], faults: 1, warnings: 2 })
    expect(checked.findings).toContainEqual({
      ...{ file: 'locales/eo.yaml', line: 2, column: 3, key: 'form.title' },
      ...{ rule: 'blanks', level: 'fault', text: 'has a blank at an end' },
    })
  })

  it('refuses a language that is not there', async () => {
    expect(await locales('check', 'fz')).toMatchObject({
      code: 2,
      errors: expect.stringMatching(
        /^locales check: there is no language fz; did you mean \w+\?\n$/,
      ),
    })
  })

  it('annotates a change at GitHub', async () => {
    own('eo', 'form:\n  title: "100 % nova "\n')
    const cli = new Cli(['locales', 'check', 'eo'], {
      cwd: folder,
      env: { GITHUB_ACTIONS: 'true' },
    })
    expect(await cli.ended()).toBe(1)
    expect(cli.output).toContain(`locales/eo.yaml:2:3 form.title: has a blank at an end
::error file=locales/eo.yaml,line=2,col=3::form.title: has a blank at an end
`)
    expect(cli.output).toContain('::warning file=locales/eo.yaml,line=1,col=1::')
  })
})

describe('locales stats', () => {
  it('says of each language how much of it is there', async () => {
    own('eo', '_meta: { status: community, formality: vi }\nform: { title: Nova }')
    const { output } = await locales('stats')
    const [head, ...rows] = output.trimEnd().split('\n')
    expect(head).toMatch(/^tag +name +status +texts +mails +from +formality$/)
    const { size } = readLanguages(loadConfig({}, { env: {} })).english
    expect(rows.find((row) => row.startsWith('eo '))).toMatch(
      new RegExp(`^eo +Esperanto +community +1/${size} +0/5 +own +vi$`),
    )
    expect(rows.find((row) => row.startsWith('fr '))).toMatch(
      new RegExp(`^fr +French +\\w+ +${size}/${size} +5/5 +built in +vous$`),
    )
  })

  it('prints JSON', async () => {
    const stats = JSON.parse((await locales('stats', '--json')).output)
    expect(stats).toContainEqual(
      expect.objectContaining({ tag: 'th', name: 'Thai', isOwn: false, mails: 5, allMails: 5 }),
    )
  })
})

// Esperanto and Latvian are nobody's wish so far; Tamil has a script of its own, and Welsh all six forms.
describe.each(['eo', 'lv', 'ta', 'cy', 'fr-CA', 'en-GB'])('locales new %s', (tag) => {
  it('makes files in which nothing is wrong but that they are in English', async () => {
    const { code, output } = await locales('new', tag)
    expect(code).toBe(0)
    expect(output).toContain(`locales/${tag}.yaml\n`)
    for (const kind of mailKinds) expect(output).toContain(`templates/email/${tag}/${kind}.eta\n`)
    expect(output).toContain(`"forgot-password locales check ${tag}"`)
    const config = loadConfig(file, { env: {} })
    const languages = readLanguages(config)
    const found = await checkLanguages(config, languages, { tags: [tag], isStrict: true })
    expect([...new Set(found.map(({ rule }) => rule))]).toEqual(
      tag === 'en-GB' ? [] : ['untranslated'],
    )
  })
})

describe('locales new', () => {
  it('keeps the comments, has the plural forms of the language, and marks what it is made from', async () => {
    await locales('new', 'cy')
    const text = readFileSync(join(folder, 'locales/cy.yaml'), 'utf8')
    const english = readFileSync('locales/en.yaml', 'utf8')
    const comments = (yaml: string) => (yaml.match(/^ *#.*$/gm) ?? []).slice(1)
    expect(comments(text)).toEqual(comments(english))
    expect(text).toMatch(/^# Welsh, to be translated/)
    const { _meta: meta, reset } = parse(text)
    expect(meta).toMatchObject({
      status: 'machine',
      source: expect.stringMatching(/^[0-9a-f]{8}$/),
    })
    expect(Object.keys(reset.hint.length)).toEqual(['zero', 'one', 'two', 'few', 'many', 'other'])
    expect(readFileSync(join(folder, 'templates/email/cy/link.eta'), 'utf8')).toBe(
      readFileSync('templates/email/en/link.eta', 'utf8'),
    )
  })

  it('uses the folders of the configuration', async () => {
    for (const name of ['texts', 'pages']) mkdirSync(join(folder, name))
    writeFileSync(file, 'locales: { dir: texts }\ntemplates: pages\n')
    await locales('new', 'eo')
    expect(existsSync(join(folder, 'texts/eo.yaml'))).toBe(true)
    expect(existsSync(join(folder, 'pages/email/eo/code.eta'))).toBe(true)
  })

  it('overwrites nothing, and then makes nothing', async () => {
    mkdirSync(join(folder, 'templates/email/eo'), { recursive: true })
    writeFileSync(join(folder, 'templates/email/eo/code.eta'), 'mine')
    expect(await locales('new', 'eo')).toMatchObject({
      code: 2,
      errors: 'templates/email/eo/code.eta is there already: go on with it, or remove it first\n',
    })
    expect(existsSync(join(folder, 'locales'))).toBe(false)
    expect(readFileSync(join(folder, 'templates/email/eo/code.eta'), 'utf8')).toBe('mine')
  })

  it('makes nothing where one of its files cannot be', async () => {
    mkdirSync(join(folder, 'templates'))
    writeFileSync(join(folder, 'templates/email'), 'mine')
    expect(await locales('new', 'eo')).toMatchObject({
      code: 2,
      errors: 'templates/email/eo: cannot be written (ENOTDIR)\n',
    })
    expect(existsSync(join(folder, 'locales'))).toBe(false)
    mkdirSync(join(folder, 'full'))
    const files = new Map([
      [join(folder, 'new/deep/one'), 'text'],
      [join(folder, 'full'), 'text'],
    ])
    expect(() => writeAll(files)).toThrow(`${folder}/full: cannot be written (EISDIR)`)
    expect(existsSync(join(folder, 'new'))).toBe(false)
    expect(existsSync(join(folder, 'full'))).toBe(true)
  })

  it.each([
    ['zz', 'zz is no language; tags are such as de, pt-BR or zh-Hant'],
    ['de-x-foo', 'de-x-foo is no language; tags are such as de, pt-BR or zh-Hant'],
    ['de-u-co-phonebk', 'de-u-co-phonebk is no language; tags are such as de, pt-BR or zh-Hant'],
    ['zxx', 'zxx is no language; tags are such as de, pt-BR or zh-Hant'],
    ['mul', 'mul is no language; tags are such as de, pt-BR or zh-Hant'],
    ['../eo', '../eo is no language; tags are such as de, pt-BR or zh-Hant'],
    ['en-XA', 'en-XA is no language; tags are such as de, pt-BR or zh-Hant'],
    ['ta_LK', 'say ta-LK for ta_LK'],
    [
      'fr-FR',
      'fr is built in; to change texts of it, write these alone into fr.yaml in your folder of languages',
    ],
  ])('refuses %s', async (tag, why) => {
    expect(await locales('new', tag)).toMatchObject({ code: 2, errors: `locales new: ${why}\n` })
    expect(existsSync(join(folder, 'locales'))).toBe(false)
  })
})

describe('locales pseudo', () => {
  it('prints texts of which none is as it was', async () => {
    const { output } = await locales('pseudo')
    expect(parse(output)).toMatchObject({
      form: { title: expect.stringMatching(/^\[Ŕéšéţ .*\]$/) },
    })
  })

  it('writes a language that can be used', async () => {
    const { code } = await locales('pseudo', 'ar-XB', '--to', folder)
    expect(code).toBe(0)
    const [texts] = readLocaleFiles(join(folder, 'locales'))
    expect(texts?.tag).toBe('ar-XB')
    expect(texts?.messages.size).toBe(readLanguages(loadConfig({}, { env: {} })).english.size)
    expect(existsSync(join(folder, 'templates/email/ar-XB/link.eta'))).toBe(true)
  })

  it('prints JSON: the texts, or the files that it has made', async () => {
    expect(JSON.parse((await locales('pseudo', '--json')).output)).toMatchObject({
      tag: 'en-XA',
      texts: { form: { title: expect.stringMatching(/^\[Ŕéšéţ .*\]$/) } },
    })
    const { output } = await locales('pseudo', '--json', '--to', folder)
    expect(JSON.parse(output).files).toEqual(
      expect.arrayContaining(['locales/en-XA.yaml', 'templates/email/en-XA/link.eta']),
    )
  })

  it('writes into no file', async () => {
    expect(await locales('pseudo', '--to', file)).toMatchObject({
      code: 2,
      errors: 'config.yaml/locales: cannot be written (ENOTDIR)\n',
    })
  })

  it('refuses another', async () => {
    expect(await locales('pseudo', 'fr')).toMatchObject({
      code: 2,
      errors: 'locales pseudo: fr is none of en-XA, ar-XB\n',
    })
  })
})

it('says what it can do', async () => {
  expect(await locales()).toMatchObject({
    code: 2,
    errors:
      'locales: say "locales check", "locales stats", "locales new <tag>" or "locales pseudo"\n',
  })
  expect(await locales('new', 'eo', 'lv')).toMatchObject({ code: 2 })
  const cli = new Cli(['locales', '--help'])
  expect(await cli.ended()).toBe(0)
  expect(cli.output).toContain('forgot-password locales new de')
})
