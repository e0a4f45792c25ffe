// The user that owns nothing: `nobody` where it has a name.
const nobody = 65_534

/** Does some work as a user whom the modes of files bind: they do not bind root, as whom a container tests. */
export async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(nobody)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}
