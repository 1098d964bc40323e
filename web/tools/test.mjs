// `npm test`: set-up and every test, the cheapest first.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { printTimes, root, run, runBeside, step, stop } from "./run.mjs";
import { setup } from "./setup.mjs";

await step("set-up", () => setup({ tests: true }));
await step("TypeScript's house", () => run(process.execPath, ["web/tools/house.mjs"]));
await step("Rust tests' build", () => run("cargo", ["test", "--no-run"]));
// The tests on a device leave a core free, and each of the page's two modules is optimised by one thread.
await step("Rust tests, page build", async () => {
  // A skipped test is no test: without an adapter the GPU tests fail.
  const tests = runBeside("cargo", ["test"], { REQUIRE_GPU: "1" });
  await build();
  if ((await tests) !== 0) stop("Rust tests failed.");
});
// The types of the Rust module are generated with it.
await step("types", () => run(process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"]));
await step("browser tests", async () => {
  const { launchServer } = await import("../../tests/browser/chromium.mjs");
  const chromium = await launchServer();
  const specs = readdirSync(join(root, "tests/browser")).filter((name) => name.endsWith(".spec.mjs"));
  // One file at a time: a software adapter takes all cores for itself.
  const args = ["--test", "--test-concurrency=1", "--test-reporter=spec", ...specs.map((name) => `tests/browser/${name}`)];
  const status = await runBeside(process.execPath, args, { CHROMIUM_ENDPOINT: chromium.wsEndpoint(), REQUIRE_GPU: "1" });
  await chromium.close();
  if (status !== 0) stop("Browser tests failed.");
});
printTimes();
