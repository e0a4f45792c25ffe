import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readLocaleFiles } from '../../src/locale/files.ts'
import type { Message } from '../../src/locale/locale.ts'
import { pseudoMail, pseudoMessages, pseudoTags } from '../../src/locale/pseudo.ts'
import { mailKinds } from '../../src/mail/message.ts'

const english = readLocaleFiles('locales').find(({ tag }) => tag === 'en')?.messages ?? new Map()
const forms = (message: Message | undefined): string[] =>
  typeof message === 'string' ? [message] : Object.values(message ?? {})
const placeholders = (message: Message | undefined) => [
  ...new Set(forms(message).flatMap((form) => form.match(/\{\w+\}/g) ?? [])),
]
const mail = (kind: string) => readFileSync(`templates/email/en/${kind}.eta`, 'utf8')
const etaTags = (source: string) =>
  (source.match(/<%[\s\S]*?%>/g) ?? []).map((tag) => tag.replace(/button\('[^']*'/, 'button('))
const elements = (source: string) => source.replace(/<%[\s\S]*?%>/g, '').match(/<\/?[a-z][^>]*>/g)

describe.each(pseudoTags)('%s', (tag) => {
  const messages = pseudoMessages(english, tag)

  it('has every text, with its placeholders, and in no letter the same', () => {
    expect([...messages.keys()]).toEqual([...english.keys()])
    for (const [key, message] of messages) {
      expect([key, placeholders(message)]).toEqual([key, placeholders(english.get(key))])
      for (const form of forms(message)) expect(forms(english.get(key))).not.toContain(form)
    }
  })

  it('has every plural form that it counts by', () => {
    const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions()
    const plural = messages.get('reason.code-wrong')
    expect(Object.keys(plural ?? {}).sort()).toEqual([...pluralCategories].sort())
  })

  it.each(mailKinds)('has the mail %s, its tags and elements as they were', (kind) => {
    const source = mail(kind)
    const made = pseudoMail(source, tag)
    expect(etaTags(made)).toEqual(etaTags(source))
    expect(elements(made)).toEqual(elements(source))
    expect(made.split('\n').length).toBe(source.split('\n').length)
    const words = made.replace(/<%[\s\S]*?%>|<[^>]*>|^subject|^preheader/gm, '')
    // What is not accented is a filler, or within marks.
    const plain = words.replace(/\u202e[^\u202c]*\u202c/g, '').match(/\b[A-Za-z]{2,}\b/g) ?? []
    const fillers = /^(?:one|two|three|four|five|six|seven|eight|nine|ten)$/
    expect(plain.filter((word) => !fillers.test(word))).toEqual([])
  })
})

it('makes texts accented, bracketed and about 40 % longer', () => {
  const messages = pseudoMessages(english, 'en-XA')
  expect(messages.get('form.title')).toBe('[Ŕéšéţ ýöûŕ þåššŵöŕð one two]')
  const lengths = [...messages].map(([key, message]) => [
    forms(message).join('').length,
    forms(english.get(key)).join('').length,
  ])
  const sum = (index: number) => lengths.reduce((total, pair) => total + (pair[index] ?? 0), 0)
  expect(sum(0) / sum(1)).toBeGreaterThan(1.35)
  expect(sum(0) / sum(1)).toBeLessThan(1.5)
  for (const message of messages.values())
    for (const form of forms(message)) expect(form).toMatch(/^\[.*\]$/s)
})

it('lays each word out from right to left, and closes what it opens', () => {
  const messages = pseudoMessages(english, 'ar-XB')
  expect(messages.get('reset.submit')).toBe('\u202eChange\u202c \u202epassword\u202c')
  for (const message of messages.values()) {
    for (const form of forms(message)) {
      expect(form.split('\u202e').length).toBe(form.split('\u202c').length)
      expect(form).not.toMatch(/\u202e[^\u202c]*[{}]/)
    }
  }
})

it('leaves a style sheet as it is', () => {
  const source = '<style>p > a { color: red }</style><p>Fish</p>'
  expect(pseudoMail(source, 'ar-XB')).toBe(source.replace('Fish', '\u202eFish\u202c'))
})

it('leaves entities, comments and what it cannot read as they are', () => {
  const source = '---\nsubject: "unclosed\n---\n<!-- note --><p>Fish &amp; chips</p>\n'
  expect(pseudoMail(source, 'ar-XB')).toBe(
    '---\nsubject: "unclosed\n---\n<!-- note --><p>\u202eFish\u202c &amp; \u202echips\u202c</p>\n',
  )
})
