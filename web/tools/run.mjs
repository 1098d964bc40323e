// Running other programs, and saying how long it took.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

// rustup's default place, for shells which have not read its profile yet.
process.env.PATH += delimiter + join(homedir(), ".cargo", "bin");

const windows = process.platform === "win32";

/** Runs a program in the repository's root, showing its output; a failure ends everything. */
export function run(command, args, env = {}) {
  // npm is a script on Windows, and scripts need a shell there.
  const { status, error } = spawnSync(command, args, {
    cwd: root, stdio: "inherit", env: { ...process.env, ...env }, shell: windows && command === "npm",
  });
  if (error) stop(`${command} did not start: ${error.message}`);
  if (status !== 0) stop(`Failed: ${command} ${args.join(" ")}`);
}

/** The same while this process goes on serving; resolves to the exit status. */
export function runBeside(command, args, env = {}, cwd = root) {
  const child = spawn(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
  return new Promise((done, failed) => child.on("error", failed).on("exit", (status) => done(status ?? 1)));
}

/** A program's standard output, or null where it is missing or fails; `complaints: "inherit"` shows why. */
export function ask(command, args, complaints = "ignore") {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", complaints],
  });
  return status === 0 ? stdout : null;
}

/** The path of the first of these programs that can be run, or null. */
export function find(...names) {
  for (const name of names) {
    for (const folder of process.env.PATH.split(delimiter)) {
      const path = join(folder, windows ? `${name}.exe` : name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch { /* not in this folder */ }
    }
  }
  return null;
}

export function stop(message) {
  console.error(message);
  process.exit(1);
}

const times = [];

/** Runs one named step and notes how long it took. */
export async function step(name, work) {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const result = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  times.push(`${seconds.padStart(8)} s  ${name}`);
  console.log(`── ${name}: ${seconds} s`);
  return result;
}

export function printTimes() {
  console.log(`\nTime by step\n${times.join("\n")}`);
}
