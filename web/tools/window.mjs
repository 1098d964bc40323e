// `npm run test:window`: builds the window and tests it: its state and its parts without a screen, then the program on a
// screen without a monitor, which Xvfb is.
import { ask, printTimes, run, step, stop } from "./run.mjs";
import { screen } from "./setup.mjs";

// With the packages of `npm test`, so that what they have in common is compiled once. The test of the command line is there
// for the program that is built beside it.
const build = [
  "test", "--no-run", "--package", "internvit", "--package", "internvit-cli", "--package", "internvit-window",
  "--features", "internvit-cli/window", "--lib", "--test", "bounds",
];

await step("set-up", () => screen());
const tests = await step("build", () => {
  const told = ask("cargo", [...build, "--message-format", "json-render-diagnostics"], "inherit");
  if (told === null) stop("The window could not be built.");
  const made = told.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const found = made.find(({ target, profile, executable }) => target?.name === "internvit_window" && profile?.test && executable);
  return found?.executable ?? stop("The window's tests were not built.");
});
await step("tests without a screen", () => run(tests, []));
await step("tests on a screen", () => run(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", "tests/window/window.spec.mjs"]));
printTimes();
