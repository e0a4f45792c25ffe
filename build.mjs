// Makes dist/, which is what the package ships: JavaScript, types, templates, locales, and the
// configuration with its schema. Names of assets are hashed when the server starts, since the accent
// colour and the site's own style sheet are part of them.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('.', import.meta.url))
const node = (...args) => execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })

const compiler = `${root}node_modules/typescript/bin/tsc`
if (!existsSync(compiler)) {
  // `npm ci --omit=dev` runs this too, on a machine that only serves.
  console.log('build: TypeScript is not installed, dist/ is left as it is')
  process.exit(0)
}

rmSync(`${root}dist`, { recursive: true, force: true })
node(compiler, '--project', 'tsconfig.json')
chmodSync(`${root}dist/cli/main.js`, 0o755)
for (const folder of ['templates', 'locales']) {
  cpSync(`${root}${folder}`, `${root}dist/${folder}`, { recursive: true })
}
writeFileSync(
  `${root}dist/config.yaml`,
  node('dist/cli/main.js', 'config', 'example', '--schema', './config.schema.json'),
)
writeFileSync(`${root}dist/config.schema.json`, node('dist/cli/main.js', 'config', 'schema'))
dropTypes()

/** A site's compiler reads the types of what the package exports, and what those are written in terms of. */
function dropTypes() {
  const needed = new Set()
  const need = (file) => {
    if (needed.has(file) || !existsSync(file)) return
    needed.add(file)
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/['"](\.[^'"]+)\.[jt]s['"]/g)) {
      need(join(dirname(file), `${target}.d.ts`))
    }
  }
  need(join(root, 'dist/index.d.ts'))
  for (const name of readdirSync(`${root}dist`, { recursive: true })) {
    const file = join(root, 'dist', name)
    if (file.endsWith('.d.ts') && !needed.has(file)) rmSync(file)
  }
}
