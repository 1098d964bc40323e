// Whether the page keeps what it no longer needs: many encodings and loads in one tab, memory before and after.
// `node tests/soak/page.mjs [ENCODINGS] [LOADS] [gpu|cpu]`, 1000 and 200 on the GPU if left out.
// The browser is driven by its own protocol, and asked for nothing but what is evaluated, so that nothing is kept for
// who listens.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../web/tools/run.mjs";
import { serve } from "../../web/tools/serve.mjs";
import { findChromium } from "../../web/tools/setup.mjs";
import { args } from "../browser/chromium.mjs";
import { conclude, phase, resident } from "./growth.mjs";

const [encodings = 1000, loads = 200] = process.argv.slice(2, 4).map(Number);
const device = process.argv[4] ?? "gpu";
const server = await serve({ "/": join(root, "www") });
const profile = mkdtempSync(join(tmpdir(), "soak-"));
// Code that V8 compiles better the more it runs, or forgets, is not the page's doing: it is compiled once here.
const once = "--no-opt --no-maglev --no-sparkplug --no-flush-bytecode --no-wasm-dynamic-tiering";
const browser = spawn(await findChromium(), [
  ...args, "--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`,
  "--enable-blink-features=ForceEagerMeasureMemory", `--js-flags=${once}`, "about:blank",
], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const [, , , commands, answers] = browser.stdio;

const waiting = new Map();
let text = "";
answers.setEncoding("utf8").on("data", (part) => {
  const messages = (text + part).split("\0");
  text = messages.pop();
  for (const message of messages.map((one) => JSON.parse(one))) waiting.get(message.id)?.(message);
});

function send(method, params = {}, sessionId = undefined) {
  const id = waiting.size + 1;
  commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  return new Promise((done, failed) => waiting.set(id, ({ result, error }) => error ? failed(new Error(error.message)) : done(result)));
}

const { targetId } = await send("Target.createTarget", { url: `${server.url}?device=${device}` });
const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });

/** The value of an expression in the page. */
async function page(expression) {
  const asked = { expression, awaitPromise: true, returnByValue: true };
  const { result, exceptionDetails: error } = await send("Runtime.evaluate", asked, sessionId);
  if (error) throw new Error(error.exception?.description ?? error.text);
  return result.value;
}

async function until(expression) {
  while (!await page(expression).catch(() => false)) await new Promise((done) => setTimeout(done, 50));
}

/** Does something and waits until the page says that a photograph was encoded. */
async function encoded(work) {
  await page(`document.querySelector("#status").textContent = "", ${work}`);
  await until(`/ took /.test(document.querySelector("#status").textContent) || document.querySelector("#alert").textContent.trim()`);
  const alarm = await page(`document.querySelector("#alert").textContent.trim()`);
  if (alarm) throw new Error(alarm);
}

async function measure() {
  await send("HeapProfiler.collectGarbage", {}, sessionId);
  // What was let go returns to the system a little later.
  await new Promise((done) => setTimeout(done, 5000));
  const bytes = await page("performance.measureUserAgentSpecificMemory().then(({ bytes }) => bytes)");
  return { renderer: resident(browser.pid, "renderer"), gpu: resident(browser.pid, "gpu-process"), page: bytes };
}

const button = (name) => `[...document.querySelectorAll("button")].find((one) => one.textContent.trim() === "${name}")`;
const field = `[...document.querySelectorAll("label")].find((one) => /Image size/.test(one.textContent)).control`;
await until(`${button("Cat")} && ${field} && !document.querySelector("#bundled-model").disabled`);
await page(`${field}.value = 56, ${field}.dispatchEvent(new Event("change", { bubbles: true }))`);
await encoded(`${button("Cat")}.click()`);
console.log(await page(`document.querySelector("#device").innerText.replace(/\\s+/g, " ")`));
await phase("encodings", encodings, measure, () => encoded(`${button("Encode again")}.click()`));
await phase("loads", loads, measure, () => encoded(`document.querySelector("#bundled-model").click()`));
conclude();
await send("Browser.close");
server.close();
rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
