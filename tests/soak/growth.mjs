// What a browser's processes take, before and after the same thing was done many times.
import { readFileSync, readdirSync } from "node:fs";

const MOST = 0.02;

/** Resident bytes of the processes of a type, of a browser by its process's number. Linux only. */
export function resident(browser, type) {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    parents.set(pid, /\) . (\d+)/.exec(file(`/proc/${pid}/stat`))?.[1]);
  }
  const ours = (pid) => pid !== undefined && (pid === String(browser) || ours(parents.get(pid)));
  return [...parents.keys()]
    .filter((pid) => ours(pid) && file(`/proc/${pid}/cmdline`).includes(`--type=${type}`))
    .map((pid) => 1024 * Number(/VmRSS:\s*(\d+)/.exec(file(`/proc/${pid}/status`))?.[1] ?? 0))
    .reduce((sum, size) => sum + size, 0);
}

function file(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has ended meanwhile
  }
}

const table = [];
let worst = 0;

/** Does something `count` times; growth is from the fiftieth time (or after a tenth of fewer) to the last. */
export async function phase(name, count, measure, once) {
  if (!count) return;
  const from = Math.max(1, Math.min(50, Math.floor(count / 10)));
  const found = [];
  const start = performance.now();
  for (let at = 1; at <= count; at++) {
    await once();
    if ([from, Math.ceil(count / 2), count].includes(at)) found.push(await measure());
  }
  console.log(`${count} ${name} in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  for (const what of Object.keys(found[0])) {
    const values = found.map((one) => one[what]);
    const growth = values.at(-1) / values[0] - 1;
    worst = Math.max(worst, growth);
    const mb = values.map((bytes) => (bytes / 1e6).toFixed(1).padStart(8)).join("");
    table.push(`${name.padEnd(10)}${what.padEnd(10)}${mb}${(100 * growth).toFixed(2).padStart(8)} %`);
  }
}

/** Prints all phases; ends with 1 where anything grew by more than 2 %. */
export function conclude() {
  console.log(`in MB, after          first    half     all  growth\n${table.join("\n")}`);
  if (worst <= MOST) return;
  console.error(`Memory grows by ${(100 * worst).toFixed(1)} %, expected at most ${100 * MOST} %.`);
  process.exitCode = 1;
}
