// Everything works without this: it adds showing a password, moving focus, and one click at a time.
const focusFirst = document.querySelector('.problems') ?? document.querySelector('.notice')
focusFirst?.focus()

for (const link of document.querySelectorAll('.problems a')) {
  link.addEventListener('click', (event) => {
    const field = document.getElementById(link.hash.slice(1))
    event.preventDefault()
    document.querySelector(`label[for="${field.id}"]`)?.scrollIntoView()
    field.focus({ preventScroll: true })
  })
}

for (const button of document.querySelectorAll('.show')) {
  const input = document.getElementById(button.getAttribute('aria-controls'))
  const status = button.closest('.field').querySelector('[role=status]')
  const show = (isShown, isSaid) => {
    input.type = isShown ? 'text' : 'password'
    button.textContent = isShown ? button.dataset.hide : button.dataset.show
    button.setAttribute('aria-label', isShown ? button.dataset.hideLabel : button.dataset.showLabel)
    if (isSaid) status.textContent = isShown ? button.dataset.shown : button.dataset.hidden
  }
  button.hidden = false
  button.addEventListener('click', () => show(input.type === 'password', true))
  // Managers save, and browsers remember, what a password field holds: not what a text field does.
  input.form.addEventListener('submit', () => show(false, false))
  addEventListener('pageshow', () => show(false, false))
}

for (const form of document.querySelectorAll('form[data-busy]')) {
  form.addEventListener('submit', (event) => {
    if (form.ariaBusy === 'true') return event.preventDefault()
    form.ariaBusy = 'true'
    const button = event.submitter ?? form.querySelector('[type=submit]')
    form.timer = setTimeout(() => {
      form.label = button.textContent
      button.textContent = form.dataset.busy
    }, 300)
    form.button = button
  })
  // Back from the next page, the form is as it was.
  addEventListener('pageshow', () => {
    clearTimeout(form.timer)
    if (form.label) form.button.textContent = form.label
    form.ariaBusy = 'false'
  })
}
