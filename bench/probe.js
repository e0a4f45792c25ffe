// Loaded into each measured process before its own code, as `node --import bench/probe.js`: tells, when it is
// asked over the channel to its parent, how late the event loop was. Plain JavaScript, so that nothing has to be
// compiled for it in the process whose start and memory are measured.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolution = 5
const delays = monitorEventLoopDelay({ resolution })

process.on('message', (order) => {
  if (order === 'watch') {
    delays.enable()
    delays.reset()
  }
  if (order === 'tell') {
    delays.disable()
    const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution)
    process.send?.({ p99Ms: late(delays.percentile(99)), longestMs: late(delays.max) })
  }
})
// Its parent must not keep it alive.
process.channel?.unref()
