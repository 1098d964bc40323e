// Known vulnerabilities of the npm packages, where the registry can be asked.
import { spawnSync } from "node:child_process";
import { root, stop } from "./run.mjs";

const { stdout } = spawnSync("npm", ["audit", "--json"], { cwd: root, encoding: "utf8", timeout: 60_000, shell: process.platform === "win32" });
const counts = report()?.metadata?.vulnerabilities;
if (!counts) console.log("npm audit: the registry's audit endpoint cannot be reached, so nothing was checked.");
else if (counts.high + counts.critical > 0) stop(`npm audit: ${counts.high} high and ${counts.critical} critical; see npm audit.`);
else console.log(`npm audit: none high or critical among ${counts.total} advisories.`);

function report() {
  try {
    return JSON.parse(stdout);
  } catch {
    return null;
  }
}
