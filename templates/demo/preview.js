// Everything works without this: it adds showing a choice, and each change of a file, at once.
const { version, sent } = document.body.dataset

for (const select of document.querySelectorAll('.choose select, .choose input')) {
  select.addEventListener('change', () => select.form.requestSubmit())
}

let events = null

function listen() {
  events = new EventSource('/dev/preview/events')
  events.addEventListener('message', ({ data }) => {
    if (data === version) return
    // What was sent is not to be sent again.
    if (sent === undefined) location.reload()
    else location.replace(location.href)
  })
}

// A browser has few connections to a site: pages that nobody looks at leave theirs to others.
document.addEventListener('visibilitychange', () => {
  events?.close()
  if (!document.hidden) listen()
})
addEventListener('pagehide', () => events?.close())
if (!document.hidden) listen()
