// node search.mjs SITE QUERY...: asks the search of the built site, its own worker with its own index, and prints the
// pages that it finds for each query, best first, as JSON.
import fs from "node:fs"
import path from "node:path"
import vm from "node:vm"

const [site, ...queries] = process.argv.slice(2)
const workers = path.join(site, "assets", "javascripts", "workers")
const run = file => vm.runInThisContext(fs.readFileSync(path.resolve(workers, file), "utf8"), { filename: file })

let ask, answered
globalThis.self = globalThis
globalThis.addEventListener = (_, listener) => { ask = listener }
globalThis.postMessage = message => answered(message.data)
globalThis.importScripts = (...files) => files.forEach(run)
const send = data => new Promise(resolve => { answered = resolve; ask({ data }) })

run(fs.readdirSync(workers).find(name => /^search\..*\.js$/.test(name)))
const index = JSON.parse(fs.readFileSync(path.join(site, "search", "search_index.json"), "utf8"))
await send({ type: 0, data: { options: { suggest: false }, ...index } })
const found = {}
for (const query of queries) {
  const { items } = await send({ type: 2, data: query })
  found[query] = items.map(([best]) => best.location.split("#")[0])
}
console.log(JSON.stringify(found))
