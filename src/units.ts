/** A duration in whole milliseconds, which every duration of a loaded configuration is. */
export type Milliseconds = number

/** `count` events in any `windowMs`. */
export interface Limit {
  readonly count: number
  readonly windowMs: Milliseconds
}
