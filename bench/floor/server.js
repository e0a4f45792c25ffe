// The same parts with nothing around them: Fastify, its form parser, Eta, better-sqlite3 and nodemailer as their
// documents show them. What it answers is no recovery: no address is checked, nothing is limited, no token is
// hidden, no event written down, and a mail that fails is lost.
import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import formbody from '@fastify/formbody'
import view from '@fastify/view'
import Database from 'better-sqlite3'
import { Eta } from 'eta'
import { fastify } from 'fastify'
import { createTransport } from 'nodemailer'

const route = '/user/forgot-password'
const settings = JSON.parse(process.argv[2] ?? '{}')
const { port, file, hash, smtpPort } = settings

const database = new Database(file)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')
database.exec(
  'create table if not exists resets (token text primary key, email text, at integer) strict',
)
const insert = database.prepare('insert into resets values (?, ?, ?)')
const find = database.prepare('select email from resets where token = ?')
const findUser = database.prepare('select id from users where email = ?')
const update = database.prepare('update users set password = ? where email = ?')

const app = fastify()
const eta = new Eta({ views: import.meta.dirname, cache: true })
app.register(formbody)
app.register(view, { engine: { eta }, root: import.meta.dirname, production: true })

const form = {
  title: 'Forgot your password?',
  intro: 'Type the address of your account, and a link comes by mail.',
  label: 'E-mail',
  submit: 'Send the link',
  action: route,
  email: '',
  languages:
    'ar cs da de el en es fa fi fr he hi hu id it ja ko nb nl pl pt ro ru sv th tr uk vi zh'.split(
      ' ',
    ),
}
app.get(route, async (request, reply) => {
  const { token } = request.query
  if (token === undefined) return reply.view('form.eta', form)
  const row = find.get(token)
  return row === undefined ? reply.code(404).send() : reply.redirect(`${route}?step=reset`, 303)
})

app.post(route, async (request, reply) => {
  const { email, token, password } = request.body
  if (password !== undefined) {
    const row = find.get(token)
    if (row === undefined) return reply.code(404).send()
    update.run(await hashed(password), row.email)
    return reply.redirect(`${route}?step=done`, 303)
  }
  const made = randomBytes(32).toString('base64url')
  insert.run(made, email, Date.now())
  if (smtpPort !== undefined && findUser.get(email) !== undefined) void mail(email, made)
  return reply.redirect(`${route}?step=sent`, 303)
})

const transport = createTransport({
  host: '127.0.0.1',
  port: smtpPort,
  pool: true,
  maxConnections: 8,
})
function mail(email, token) {
  const link = `http://127.0.0.1:${port}${route}?token=${token}`
  const html = eta.render('mail.eta', { email, link })
  const text = `Choose a new password: ${link}\n`
  const to = { name: '', address: email }
  return transport.sendMail({ from: 'floor@site.example', to, subject: form.title, html, text })
}

const workers = []
const waiting = []
function hashed(password) {
  return new Promise((resolve) => {
    waiting.push({ password, resolve })
    if (workers.length < 2) {
      const worker = new Worker(new URL('worker.js', import.meta.url))
      workers.push(worker)
      work(worker)
    } else for (const worker of workers) if (!worker.isBusy) work(worker)
  })
}
function work(worker) {
  const next = waiting.shift()
  worker.isBusy = next !== undefined
  if (next === undefined) return
  worker.once('message', (made) => {
    next.resolve(made)
    work(worker)
  })
  worker.postMessage({ ...hash, password: next.password })
}

await app.listen({ port })
