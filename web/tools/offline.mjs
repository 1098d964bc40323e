// Writes www/sw.js: the service worker's code after the digests of what it keeps.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, stop } from "./run.mjs";

/** A page that is built again at each change keeps nothing. */
const NONE = `addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("internvit-page-")) await caches.delete(name);
  await registration.unregister();
})()));
`;

/** What of www/ the page fetches; of a model's folder not its Rust package. What speaks is fetched when it is asked for. */
const kept = (path) => !/^(_headers|sw\.js|js\/offline\.js)$|^js\/assets\/talk_|^models\/.*(\.rs|\.toml|NOTICE)$/.test(path);

/** Writes it for the files that are there now, also a second time. */
export function writeWorker(www = join(root, "www"), { watch = false } = {}) {
  const built = join(www, "js/offline.js");
  if (watch) return writeFileSync(join(www, "sw.js"), NONE);
  const again = !existsSync(built);
  const code = again ? readFileSync(join(www, "sw.js"), "utf8").split("\n").slice(2).join("\n") : readFileSync(built, "utf8");
  if (/^import\b/m.test(code)) stop("The service worker imports a file that the page imports too; it must stand alone.");
  const names = readdirSync(www, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(www.length + 1).replaceAll("\\", "/")).filter(kept).sort();
  const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
  // The page's address is its folder's.
  const files = Object.fromEntries(names.map((name) => [name.replace(/^index\.html$/, ""), digest(readFileSync(join(www, name)))]));
  // Headers are kept with the files: others are another version.
  const version = digest(JSON.stringify(files) + readFileSync(join(www, "_headers"), "utf8") + code);
  writeFileSync(join(www, "sw.js"), `const FILES = ${JSON.stringify(files)};\nconst VERSION = "${version.slice(0, 16)}";\n${code}`);
  rmSync(built, { force: true });
}
