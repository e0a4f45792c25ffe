import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { ejectTemplate, ownTemplates, templateFiles, withoutMark } from '../../src/ejected.ts'
import { loadAssets } from '../../src/respond/assets.ts'
import { builtInTemplates, Templates } from '../../src/templates.ts'
import { wire } from '../../src/wire.ts'
import { Cli } from '../support/process.ts'
import { renderMails, renderPages } from '../support/samples.ts'

let folder = ''
/** The site's own templates, which `config.yaml` beside them leads to by itself. */
let own = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-templates-'))
  own = join(folder, 'templates')
  writeFileSync(join(folder, 'config.yaml'), 'site: { name: Riverside }\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

const readOwn = (file: string) => readFileSync(join(own, file), 'utf8')
const readBuiltIn = (file: string) => readFileSync(join(builtInTemplates, file), 'utf8')

function writeOwn(file: string, text: string): void {
  mkdirSync(dirname(join(own, file)), { recursive: true })
  writeFileSync(join(own, file), text)
}

/** How each of the site's own files stands. */
const states = () => Object.fromEntries(ownTemplates(own).map(({ file, state }) => [file, state]))

/** A copy as an earlier version of the module would have made it. */
function ejectEarlier(file: string): void {
  ejectTemplate(file, own)
  writeOwn(file, readOwn(file).replace(/ [0-9a-f]{12}\b/, ' 0123456789ab'))
}

/** What `forgot-password templates …` prints, and its exit code. */
async function templates(...args: string[]) {
  const cli = new Cli(['templates', ...args], { cwd: folder })
  return { code: await cli.ended(), output: cli.output, errors: cli.errors }
}

/** A page without what differs each time that it is rendered. */
function withoutFlow([name, html]: [string, string]): [string, string] {
  return [name, html.replace(/(name="csrf" value=)"[^"]*"/, '$1""')]
}

// One of each kind, and all that a page is put together from.
const copied = [
  'assets/script.js',
  'assets/style.css',
  'email/button.eta',
  'email/en/code.eta',
  'email/fr/link.eta',
  'email/layout.eta',
  'forgot-sent.eta',
  'layout.eta',
  'parts/code.eta',
  'parts/icon.eta',
  'parts/problems.eta',
]

describe('a copy', () => {
  it('has a mark in the language of its file, and is else the built-in one', () => {
    for (const file of templateFiles()) {
      expect(ejectTemplate(file, own)).toBe(join(own, file))
      expect([file, withoutMark(readOwn(file))]).toEqual([file, readBuiltIn(file)])
    }
    const mark = (file: string) => `copied from forgot-password ${file} [0-9a-f]{12}`
    const head = (file: string) => readOwn(file).split('\n').slice(0, 2).join('\n')
    expect(head('forgot.eta')).toMatch(new RegExp(`^<%/\\* ${mark('forgot.eta')} \\*/%>\n`))
    expect(head('email/en/link.eta')).toMatch(new RegExp(`^---\n# ${mark('email/en/link.eta')}$`))
    expect(head('assets/style.css')).toMatch(new RegExp(`^/\\* ${mark('assets/style.css')} \\*/\n`))
  })

  it('changes nothing: the site starts, and shows and mails the same', async () => {
    for (const file of copied) ejectTemplate(file, own)
    const loaded = loadConfig(join(folder, 'config.yaml'), {
      env: { FORGOT_RECOVERY__METHODS: '[link, code]' },
    })
    expect(loaded.templates).toBe(own)
    const wired = await wire(loaded)
    const builtIn = new Templates(null)
    const { config, services, assets } = wired
    const fixed = { ...services, clock: { now: () => Date.UTC(2026, 10, 20, 17, 24) } }
    // The style sheet's name tells its content, and a mark is content.
    const look = { services: fixed, assets, templates: wired.templates }
    for (const tag of ['en', 'fr']) {
      const locale = services.locales.choose([tag], '')
      const theirs = { ...look, templates: builtIn }
      const shown = [...(await renderPages(locale, look))].map(withoutFlow)
      expect(shown).toEqual([...(await renderPages(locale, theirs))].map(withoutFlow))
      expect(renderMails(locale, look)).toEqual(renderMails(locale, theirs))
    }
    const text = (each: typeof assets) => [each.style, each.script].map(({ body }) => String(body))
    expect(text(assets).map(withoutMark)).toEqual(text(loadAssets(config, builtIn)))
    await wired.close()
  })

  it('overwrites nothing', () => {
    writeOwn('forgot.eta', 'mine')
    expect(() => ejectTemplate('forgot.eta', own)).toThrow(/forgot\.eta is there already/)
    expect(readOwn('forgot.eta')).toBe('mine')
  })
})

describe('a file of the site’s own is', () => {
  it('the same, as long as nothing but the mark is added', () => {
    for (const file of copied) ejectTemplate(file, own)
    writeOwn('forgot.eta', readBuiltIn('forgot.eta'))
    expect(Object.keys(states())).toEqual([...copied, 'forgot.eta'].sort())
    expect(new Set(Object.values(states()))).toEqual(new Set(['same']))
  })

  it('changed, whatever was changed in it', () => {
    for (const file of copied) {
      ejectTemplate(file, own)
      writeOwn(file, `${readOwn(file)}\n`)
    }
    expect(new Set(Object.values(states()))).toEqual(new Set(['changed']))
  })

  it('stale once the built-in one is another than it was copied from', () => {
    for (const file of copied) {
      ejectEarlier(file)
      writeOwn(file, `${readOwn(file)}\n`)
    }
    expect(new Set(Object.values(states()))).toEqual(new Set(['stale']))
  })

  it('unmarked, when nothing tells what it was copied from', () => {
    writeOwn('forgot.eta', 'mine')
    expect(states()).toEqual({ 'forgot.eta': 'unmarked' })
  })

  it('added, when there is no built-in one', () => {
    writeOwn('email/eo/link.eta', 'mine')
    writeOwn('parts/footer.eta', 'mine')
    writeOwn('notes.txt', 'no template')
    expect(states()).toEqual({ 'email/eo/link.eta': 'added', 'parts/footer.eta': 'added' })
  })
})

describe('templates', () => {
  it('list names what there is to copy, and the sample site’s files are not among it', async () => {
    const { code, output } = await templates('list')
    const names = output.trimEnd().split('\n')
    expect([code, names]).toEqual([0, templateFiles()])
    expect(names).toEqual(expect.arrayContaining(copied))
    expect(output).not.toContain('demo/')
    for (const name of names) expect(existsSync(join(builtInTemplates, name))).toBe(true)
  })

  it('eject copies one, with or without its ending, into the folder beside the configuration', async () => {
    const page = join('templates', 'forgot-sent.eta')
    expect(await templates('eject', 'forgot-sent')).toEqual({
      ...{ code: 0, output: `${page}\n`, errors: '' },
    })
    const again = await templates('eject', 'forgot-sent.eta')
    expect([again.code, again.output]).toEqual([2, ''])
    expect(again.errors).toMatch(/forgot-sent\.eta is there already: remove it first/)
    writeFileSync(join(folder, 'config.yaml'), 'templates: ./look\n')
    mkdirSync(join(folder, 'look'))
    expect((await templates('eject', 'assets/style.css')).code).toBe(0)
    expect(existsSync(join(folder, 'look', 'assets', 'style.css'))).toBe(true)
  })

  it.each([
    ['forgot-snet', 'did you mean forgot-sent.eta?'],
    ['assets/styles.css', 'did you mean assets/style.css?'],
    ['something-else', '"forgot-password templates list" names them'],
    ['../config.yaml', 'there is no template ../config.yaml'],
  ])('eject %s says that there is none', async (name, hint) => {
    const { code, errors } = await templates('eject', name)
    expect([code, existsSync(own)]).toEqual([2, false])
    expect(errors).toContain(hint)
  })

  it('eject writes nothing where there is no configuration', async () => {
    rmSync(join(folder, 'config.yaml'))
    const { code, errors } = await templates('eject', 'forgot')
    expect([code, existsSync(own)]).toEqual([2, false])
    expect(errors).toContain('there is no config.yaml here')
  })

  it('diff shows what the site has changed, and ends well', async () => {
    expect(await templates('diff')).toMatchObject({
      code: 0,
      output: 'There are none of your own.\n',
    })
    ejectTemplate('forgot-done.eta', own)
    ejectTemplate('layout.eta', own)
    writeOwn('layout.eta', readOwn('layout.eta').replace('<body>', '<body class="mine">'))
    const { code, output } = await templates('diff')
    expect(code).toBe(0)
    expect(output).toContain('forgot-done.eta: the same as the built-in one: it can be removed\n')
    expect(output).toContain('layout.eta: changed by you; the built-in one is as it was\n')
    expect(output).toContain('  - <body>\n  + <body class="mine">\n')
    expect(output.match(/^ {2}[-+]/gm)).toHaveLength(2)
    expect((await templates('diff', 'forgot-done')).output).not.toContain('layout.eta')
  })

  it('diff ends with 1 where one is stale, for people and for programs', async () => {
    ejectEarlier('forgot-done.eta')
    writeOwn('forgot-done.eta', `${readOwn('forgot-done.eta')}<p>Mine</p>\n`)
    writeOwn('parts/footer.eta', 'mine')
    const shown = await templates('diff')
    expect(shown.code).toBe(1)
    expect(shown.output).toContain('forgot-done.eta: stale: the built-in one has changed')
    const { code, output } = await templates('diff', '--json')
    expect([code, JSON.parse(output)]).toEqual([
      1,
      [
        { file: 'forgot-done.eta', path: join(own, 'forgot-done.eta'), state: 'stale' },
        { file: 'parts/footer.eta', path: join(own, 'parts', 'footer.eta'), state: 'added' },
      ],
    ])
  })

  it.each([
    ['', 'say list, eject or diff'],
    ['show', 'say list, eject or diff'],
    ['eject', 'say which; "forgot-password templates list" names them'],
    ['diff nowhere', 'there is no template nowhere'],
    ['eject forgot layout', 'layout: not expected here'],
    ['diff --josn', 'did you mean --json?'],
  ])('refuses "%s" and says why', async (words, why) => {
    const { code, output, errors } = await templates(...words.split(' ').filter(Boolean))
    expect([code, output]).toEqual([2, ''])
    expect(errors).toContain(why)
  })
})
