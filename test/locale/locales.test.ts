import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readLocaleFiles } from '../../src/locale/files.ts'
import { Locale, type Message } from '../../src/locale/locale.ts'
import { Locales } from '../../src/locale/locales.ts'
import { errorStatus } from '../../src/steps/outcome.ts'

const defaults = { default: 'en', offer: 'auto', dir: null } as const

const english =
  readLocaleFiles('locales').find(({ tag }) => tag === 'en')?.messages ?? new Map<string, Message>()

it('are all listed in the README, and counted', () => {
  const tags = readLocaleFiles('locales').map(({ tag }) => tag)
  const readme = readFileSync('README.md', 'utf8')
  expect(readme).toContain(`\n${tags.toSorted().join(' ')}\n`)
  expect(readme).toContain(`In ${tags.length} languages`)
})

it('has a title and a text for every error page', () => {
  for (const reason of Object.keys(errorStatus)) {
    expect(english.has(`reason.${reason}.title`), reason).toBe(true)
    expect(english.has(`reason.${reason}.text`), reason).toBe(true)
  }
})

describe('choosing', () => {
  const locales = Locales.load(defaults)

  it('takes the first wish that is on offer, then the browser’s, then the default', () => {
    expect(locales.choose(['', 'xx', 'ar'], 'fr').tag).toBe('ar')
    expect(locales.choose([], 'sw, th;q=0.8, fr;q=0.9').tag).toBe('fr')
    expect(locales.choose([], 'sw').tag).toBe('en')
  })

  it('offers only what the site wants to', () => {
    const some = Locales.load({ ...defaults, default: 'fr', offer: ['fr', 'th'] })
    expect(some.all.map((locale) => locale.tag)).toEqual(['fr', 'th'])
    expect(some.choose(['ar'], 'en').tag).toBe('fr')
  })

  it.each([
    { ...defaults, default: 'xx' },
    { ...defaults, offer: ['en', 'xx'] },
  ])('refuses a language that is not there: %j', (config) => {
    expect(() => Locales.load(config)).toThrow(
      expect.objectContaining({ code: 'ERR_FORGOT_CONFIG' }),
    )
  })
})

describe('a text', () => {
  const locales = Locales.load(defaults)
  const en = locales.choose(['en'], '')
  const ar = locales.choose(['ar'], '')

  it('is filled in as plain text or as HTML', () => {
    const values = { email: '<a@b>', site: 'R&D' }
    expect(en.text('sent.intro', values)).toContain('If <a@b> has an account at R&D')
    expect(en.html('sent.intro', values)).toContain(
      '<bdi class="whole" translate="no">&lt;a@b&gt;</bdi>',
    )
  })

  it('fills in a value that looks like a placeholder only once', () => {
    expect(en.text('sent.intro', { email: '{site}', site: 'X' })).toContain(
      'If {site} has an account at X',
    )
  })

  it('leaves what is no value of its own as it is', () => {
    const messages = new Map([['own', '{toString} {constructor} {site}']])
    const locale = new Locale('en', ['en'], () => messages)
    expect(locale.text('own', { site: 'X' })).toBe('{toString} {constructor} X')
  })

  it('agrees with its number', () => {
    const text = (count: number) => en.text('reason.password-too-short', { min: count, count })
    expect(text(1)).toContain('1 character.')
    expect(text(15)).toContain('15 characters.')
    const arabic = [0, 1, 2, 5, 15, 100].map((count) =>
      ar.text('reason.password-too-short', { min: count, count }),
    )
    expect(new Set(arabic.map((line) => line.replace(/\d+/, '#'))).size).toBeGreaterThan(3)
  })

  it('is the key where no language has it', () => {
    expect(en.text('no.such.key')).toBe('no.such.key')
  })

  it('tells times as people do', () => {
    expect(en.fromNow(3_600_000)).toBe('in 60 minutes')
    expect(en.fromNow(1)).toBe('in 1 second')
    expect(en.fromNow(3 * 3_600_000)).toBe('in 3 hours')
    expect(en.duration(72 * 3_600_000)).toBe('3 days')
    expect(en.instant(Date.UTC(2026, 10, 20, 18, 24))).toBe('November 20, 2026 at 6:24 PM UTC')
    expect(ar.direction).toBe('rtl')
    expect(ar.name).toBe('العربية')
  })
})

describe('a site’s own folder', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'forgot-locales-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const load = () => Locales.load({ ...defaults, dir: folder })

  it('changes single texts', () => {
    writeFileSync(join(folder, 'en.yaml'), 'form: { title: Lost it? }')
    const en = load().choose(['en'], '')
    expect(en.text('form.title')).toBe('Lost it?')
    expect(en.text('form.submit.link')).toBe('Send the link')
  })

  it('adds a language, whose missing texts come from its general form and then from the default', () => {
    writeFileSync(join(folder, 'fr-CA.yaml'), 'form: { email: Courriel }')
    const canadian = load().choose(['fr-CA'], '')
    expect(canadian.text('form.email')).toBe('Courriel')
    expect(canadian.text('layout.problem')).toBe('Il y a un problème')
    expect(canadian.tags).toEqual(['fr-CA', 'fr', 'en'])
  })

  it('never mixes one script of a language with another', () => {
    writeFileSync(join(folder, 'zh-Hans.yaml'), 'form: { title: 简 }')
    writeFileSync(join(folder, 'zh-Hant.yaml'), 'form: { email: 電郵 }')
    expect(load().choose(['zh-TW'], '').tags).toEqual(['zh-Hant', 'en'])
  })

  it('is told what is odd in its files', () => {
    writeFileSync(
      join(folder, 'en.yaml'),
      `form: { titel: Lost it?, email: 5 }
own: { motto: Our own text }
sent: { intro: 'For {emial} at {site}', sender: nobody }
done: { sign_in: [a, b] }
`,
    )
    writeFileSync(join(folder, 'eo.yaml'), 'form: { title: Nova pasvorto }')
    writeFileSync(join(folder, 'fr-CA.yaml'), 'form: { email: Courriel }')
    const notes = load().notes.map((note) => note.replace(`${folder}/`, ''))
    expect(notes.sort()).toEqual([
      'en.yaml:1:26 form.email: must be text, in quotes if need be',
      'en.yaml:1:9 form.titel: unknown key (did you mean form.title?)',
      'en.yaml:3:41 sent.sender: leaves out {sender}',
      'en.yaml:3:9 sent.intro: leaves out {email}',
      'en.yaml:3:9 sent.intro: nothing fills in {emial}; there is {email}, {site}',
      'en.yaml:4:9 done.sign_in: must be text, in quotes if need be',
      `eo.yaml:1:1 ${english.size - 1} of ${english.size} texts are missing and shown in another language: layout.skip and ${english.size - 2} more`,
    ])
  })

  it('is refused with the file’s name when it cannot be read', () => {
    writeFileSync(join(folder, 'en.yaml'), 'form: {')
    expect(load).toThrow(/en\.yaml/)
  })

  it('is refused when it is named after what has no name', () => {
    writeFileSync(join(folder, 'de-x-foo.yaml'), 'form: { title: Neu }')
    expect(load).toThrow(/de-x-foo\.yaml: must be named after its language/)
  })

  it.each(['just text', '- a\n- list', '5'])('is refused when it holds no keys: %j', (yaml) => {
    writeFileSync(join(folder, 'en.yaml'), yaml)
    expect(load).toThrow(
      expect.objectContaining({
        code: 'ERR_FORGOT_TEMPLATE',
        message: `${folder}/en.yaml: must be keys and texts`,
      }),
    )
    for (const empty of ['', '# to come\n']) {
      writeFileSync(join(folder, 'en.yaml'), empty)
      expect(load().choose(['en'], '').text('form.submit.link')).toBe('Send the link')
    }
  })
})
