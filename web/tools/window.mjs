// `npm run test:window`: builds the window and tests it: its state and its parts without a screen, then the program on a
// screen without a monitor, which Xvfb is.
import { printTimes, run, step } from "./run.mjs";
import { screen } from "./setup.mjs";

await step("set-up", () => screen());
await step("build", () => run("cargo", ["build", "--package", "internvit-cli", "--features", "window"]));
await step("tests without a screen", () => run("cargo", ["test", "--package", "internvit-window"]));
await step("tests on a screen", () => run(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", "tests/window/window.spec.mjs"]));
printTimes();
