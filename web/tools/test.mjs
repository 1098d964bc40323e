// `npm test`: set-up and every test but those that have a command of their own, the cheapest first; with `-- --window` the
// window's too.
// `npm run test:models`: models of every family in the browser, which compile most kernels there are.
// `npm run test:visits`: long visits and rare faults.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { printTimes, root, run, runBeside, step, stop } from "./run.mjs";
import { screen, setup } from "./setup.mjs";
import { WITH_WINDOW, onScreen } from "./window.mjs";

/** Specs that measure time, or crash the browser's graphics process: nothing else runs beside them. */
const ALONE = ["ahead.spec.mjs", "live.spec.mjs", "pace.spec.mjs", "quick.spec.mjs", "recovery.spec.mjs"];
/** What has a command of its own, `npm run test:package`. */
const APART = ["package.spec.mjs"];
/** The browser tests of the other commands, by their flags. */
const GROUPS = {
  "--models": ["golden", "models", "subgroups", "talk", "texts", "words"],
  "--visits": ["conversation", "guard", "guest", "hub", "kept", "kernels", "live", "offline", "order", "pace", "recovery", "saving", "teach", "tiles"],
};
const groupOf = (spec) => Object.keys(GROUPS).find((flag) => GROUPS[flag].includes(spec.replace(".spec.mjs", "")));
const group = Object.keys(GROUPS).find((flag) => process.argv.includes(flag));

const rust = process.argv.includes("--window") ? WITH_WINDOW : [];

await step("set-up", async () => {
  await setup({ tests: true });
  if (rust.length > 0) screen();
});
if (group) await step("page build", () => build());
else await everythingElse();
await step("browser tests", async () => {
  const { launchServer } = await import("../../tests/browser/chromium.mjs");
  const chromium = await launchServer();
  const specs = readdirSync(join(root, "tests/browser")).filter((name) => name.endsWith(".spec.mjs") && !APART.includes(name));
  const own = specs.filter((name) => groupOf(name) === group);
  const environment = { CHROMIUM_ENDPOINT: chromium.wsEndpoint(), REQUIRE_GPU: "1" };
  let status = 0;
  // Most of a visitor's time is waiting, so some come at once.
  for (const [lanes, names] of [[4, own.filter((name) => !ALONE.includes(name))], [1, own.filter((name) => ALONE.includes(name))]]) {
    // Without names it would look for tests everywhere.
    if (names.length === 0) continue;
    const args = ["--test", `--test-concurrency=${lanes}`, "--test-reporter=spec", ...names.map((name) => `tests/browser/${name}`)];
    // The second round runs also where the first has failed.
    status = Math.max(status, await runBeside(process.execPath, args, environment));
  }
  await chromium.close();
  if (status !== 0) stop("Browser tests failed.");
});
printTimes();

/** What is no browser test, and the builds. */
async function everythingElse() {
  await step("TypeScript's house", () => run(process.execPath, ["web/tools/house.mjs"]));
  await step("speed table", () => run(process.execPath, ["bench/table.mjs", "--check"]));
  // Both end with work for one core, linking and optimising as a whole, so they fill each other's pauses.
  await step("builds", async () => {
    const [status] = await Promise.all([runBeside("cargo", ["test", "--no-run", ...rust]), build()]);
    if (status !== 0) stop("Failed: cargo test --no-run");
  });
  // A skipped test is no test: without an adapter the GPU tests fail.
  await step("Rust tests", () => run("cargo", ["test", ...rust], { REQUIRE_GPU: "1" }));
  if (rust.length > 0) await onScreen();
  // The types of the Rust module are generated with it.
  await step("types", () => run(process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"]));
}
