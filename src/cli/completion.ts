import { type Command, parse, print, UsageError } from './command.ts'

const options = {} as const
const shells = ['bash', 'zsh', 'fish'] as const

export const command: Command = {
  summary: 'prints what makes a shell complete these commands',
  help: `forgot-password completion bash|zsh|fish

Prints a script for your shell that completes commands, their words and options.

  forgot-password completion bash > /etc/bash_completion.d/forgot-password
  forgot-password completion zsh > "\${fpath[1]}/_forgot-password"
  forgot-password completion fish > ~/.config/fish/completions/forgot-password.fish`,
  options,
  actions: shells,

  async run(args) {
    const { positionals } = parse(args, options, 1)
    const shell = shells.find((each) => each === positionals[0])
    if (shell === undefined) throw new UsageError('completion: say bash, zsh or fish')
    const { loadCommands } = await import('./commands.ts')
    const words = [...(await loadCommands())].map(([name, { actions = [], options: all }]) => ({
      name,
      words: [...actions, ...['help', ...Object.keys(all)].map((option) => `--${option}`)],
    }))
    print(scripts[shell](words))
    return 0
  },
}

type Words = readonly { readonly name: string; readonly words: readonly string[] }[]

const scripts: Readonly<Record<(typeof shells)[number], (commands: Words) => string>> = {
  bash: (commands) => `_forgot_password() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words="${names(commands)}"
  else case "\${COMP_WORDS[1]}" in
${commands.map(({ name, words }) => `    ${name}) words="${words.join(' ')}" ;;`).join('\n')}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _forgot_password forgot-password
`,
  zsh: (commands) => `#compdef forgot-password
if (( CURRENT == 2 )); then compadd -- ${names(commands)}
else case "\${words[2]}" in
${commands.map(({ name, words }) => `  ${name}) compadd -- ${words.join(' ')} ;;`).join('\n')}
esac; _files; fi
`,
  fish: (
    commands,
  ) => `complete -c forgot-password -n __fish_use_subcommand -f -a '${names(commands)}'
${commands
  .map(
    ({ name, words }) =>
      `complete -c forgot-password -n '__fish_seen_subcommand_from ${name}' -a '${words.join(' ')}'`,
  )
  .join('\n')}
`,
}

function names(commands: Words): string {
  return commands.map(({ name }) => name).join(' ')
}
