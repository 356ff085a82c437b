/* Browsers start no workers for pages that are opened as files. The search then runs in a hidden frame instead. */
if (location.protocol === "file:") {
  const loader = `
    self.postMessage = data => frameElement.worker.dispatchEvent(new MessageEvent("message", { data }))
    self.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, failed) => {
      const script = document.createElement("script")
      script.src = url
      script.onload = done
      script.onerror = failed
      document.head.append(script)
    })), Promise.resolve())
  `
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.worker = this
      this.frame.srcdoc = `<script>${loader}<\/script><script src="${new URL(url, location.href)}"><\/script>`
      this.ready = new Promise(done => { this.frame.onload = done })
      document.body.append(this.frame)
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
  window.Worker = window.IFrameWorker
}
