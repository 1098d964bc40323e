// `npm run test:python`: builds the wheel as tests are built, installs it into an empty virtual environment, and tests it there.
// `npm run test:ray` does the same with Ray. What they need comes from PyPI.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { printTimes, root, runBeside, step, stop } from "./run.mjs";
import { environment, home, wheel } from "./wheel.mjs";

const RAY = process.argv.includes("--ray");
const PACKAGES = RAY
  ? ["pytest", "pyarrow", "ray[data]", "psutil"]
  : ["pytest", "pillow", "pandas", "polars", "pyarrow", "safetensors", "tqdm", "mypy", "pandas-stubs", "types-tqdm"];
const name = RAY ? "ray" : "project";

const file = await step("wheel", () => wheel({ profile: "dev" }));
// The wheel first and alone: it must bring what it needs.
const own = await step("environment", async () => {
  const python = await environment(name, [file], { fresh: true });
  if (await runBeside(python, ["-c", "import internvit, sys; internvit.open; assert 'pandas' not in sys.modules"]) !== 0) stop("The wheel alone cannot be imported.");
  if (!RAY && await runBeside(python, [join(root, "tests/python/alone.py")]) !== 0) stop("The READMEs' programs do not run with the wheel alone.");
  return environment(name, PACKAGES);
});
const status = await step("tests", async () => {
  // An empty folder, as a stranger's project is.
  const project = join(home, `${name}-folder`);
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const tests = join(root, RAY ? "tests/ray" : "tests/python");
  return runBeside(own, ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--rootdir", project, ...process.argv.slice(2).filter((word) => word !== "--ray"), tests], {
    PYTHONDONTWRITEBYTECODE: "1",
  }, project);
});
printTimes();
if (status !== 0) stop("The wheel's tests failed.");
