// `npm run test:window`: builds the window and tests it: its state and its parts without a screen, then the program on a
// screen without a monitor, which Xvfb is. `npm test -- --window` does the same among all other tests.
import { ask, printTimes, run, step, stop } from "./run.mjs";
import { screen } from "./setup.mjs";

/** What Cargo is told for all tests with those of the window: one set of features, so that each crate is compiled once. */
export const WITH_WINDOW = [
  "--package", "internvit", "--package", "internvit-cli", "--package", "internvit-tests", "--package", "internvit-window", "--features", "internvit-cli/window",
];

/** The program on a screen. */
export const onScreen = () => step("window on a screen", () =>
  run(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", "tests/window/window.spec.mjs"]));

if (process.argv[1] === import.meta.filename) {
  await step("set-up", () => screen());
  // The test of the command line is there for the program that is built beside it.
  const build = ["test", "--no-run", ...WITH_WINDOW, "--lib", "--test", "bounds"];
  const tests = await step("build", () => {
    const told = ask("cargo", [...build, "--message-format", "json-render-diagnostics"], "inherit");
    if (told === null) stop("The window could not be built.");
    const made = told.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    const found = made.find(({ target, profile, executable }) => target?.name === "internvit_window" && profile?.test && executable);
    return found?.executable ?? stop("The window's tests were not built.");
  });
  await step("tests without a screen", () => run(tests, []));
  await onScreen();
  printTimes();
}
