// What threads of a browser can multiply and add at most: twelve independent sums of four lanes in registers, and nothing
// else. No product in WebAssembly can be quicker, as it has no wider registers.
//
//   node bench/ceiling.mjs [rounds]
import { serve } from "../web/tools/serve.mjs";
import { browser } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";

const SUMS = 12;
const [rounds = "5"] = process.argv.slice(2);

/** A module with `run(turns)`, which has no memory: each turn is a `f32x4.relaxed_madd` for every sum. */
function moduleOfSums() {
  const section = (id, bytes) => [id, bytes.length, ...bytes];
  const sized = (bytes) => [...leb(bytes.length), ...bytes];
  const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
  const [get, set, i32, f32, v128] = [0x20, 0x21, 0x7f, 0x7d, 0x7b];
  const [factor, term] = [1 + SUMS, 2 + SUMS];
  const splat = (value, to) => [0x43, ...new Uint8Array(new Float32Array([value]).buffer), 0xfd, 0x13, set, to];
  const sums = Array.from({ length: SUMS }, (_, i) => i + 1);
  const code = [
    1, SUMS + 2, v128, // what is local: the sums, the factor and the term
    ...sums.flatMap((sum) => splat(sum, sum)), ...splat(0.999, factor), ...splat(0.001, term),
    0x03, 0x40, // loop
    ...sums.flatMap((sum) => [get, sum, get, factor, get, term, 0xfd, 0x85, 0x02, set, sum]),
    get, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, // until no turn is left
    get, 1, ...sums.slice(1).flatMap((sum) => [get, sum, 0xfd, 0xe4, 0x01]), 0xfd, 0x1f, 0, 0x0b,
  ];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 1, i32, 1, f32]), ...section(3, [1, 0]), ...section(7, [1, 3, 0x72, 0x75, 0x6e, 0, 0]),
    10, ...sized([1, ...sized(code)]),
  ]);
}

/** Milliseconds of `turns` on so many workers at once, each time of `rounds`. */
async function timed({ bytes, threads, turns, rounds }) {
  const script = `onmessage = async ({ data: { bytes, turns } }) => {
    const { instance } = await WebAssembly.instantiate(bytes);
    instance.exports.run(1e6);
    postMessage("ready");
    onmessage = () => postMessage(instance.exports.run(turns));
  };`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const answer = (worker) => new Promise((resolve) => { worker.onmessage = resolve; });
  const workers = Array.from({ length: threads }, () => new Worker(url));
  await Promise.all(workers.map((worker) => {
    worker.postMessage({ bytes: new Uint8Array(bytes), turns });
    return answer(worker);
  }));
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await Promise.all(workers.map((worker) => {
      worker.postMessage(0);
      return answer(worker);
    }));
    times.push(performance.now() - start);
  }
  for (const worker of workers) worker.terminate();
  return times;
}

const server = await serve({ "/blank/": path("tests/browser/blank"), "/": path("www") });
const chromium = await browser();
const page = await chromium.newPage();
await page.goto(`${server.url}blank/`);
for (const threads of [1, 2]) {
  const turns = 30_000_000;
  const times = await page.evaluate(timed, { bytes: [...moduleOfSums()], threads, turns, rounds: Number(rounds) });
  const rate = (ms) => ((threads * turns * SUMS * 8) / ms / 1e6).toFixed(1);
  const sorted = times.sort((a, b) => a - b);
  console.log(`${threads} thread${threads === 1 ? "" : "s"}: median ${rate(sorted[times.length >> 1])}, most ${rate(sorted[0])} GFLOP/s`);
}
await chromium.close();
server.close();
