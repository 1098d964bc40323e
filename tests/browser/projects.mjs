// Throw-away projects into which the package is installed as a stranger would.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import webpack from "webpack";
import { folder, writePackage } from "../../web/tools/package.mjs";
import { path } from "./site.mjs";

export const exec = promisify(execFile);
const home = join(dirname(folder), "projects");
const npm = (cwd, ...args) => exec("npm", [...args, "--silent"], { cwd, shell: process.platform === "win32" });

const pageOf = (script) => `<!doctype html>
<html lang="en"><head><title>A stranger’s page</title><link rel="icon" href="/favicon.svg"><script type="module" src="${script}"></script></head>
<body><main><h1>A page</h1></main></body></html>
`;
const program = (name, view) => `import * as internvit from "${name}";\nimport "${view}";\nglobalThis.internvit = internvit;\n`;
const bundled = program("internvit", "internvit/view");

/** What each project consists of, and how it is built; no bundler has a configuration but its place. The answer is the folder to serve. */
const PROJECTS = {
  vite: {
    files: { "index.html": pageOf("/main.js"), "main.js": bundled },
    async build(project) {
      await build({ root: project, configFile: false, logLevel: "warn" });
      return join(project, "dist");
    },
  },
  webpack: {
    files: { "src/index.js": bundled, "dist/index.html": pageOf("/main.js") },
    async build(project) {
      const stats = await promisify(webpack)({ context: project, mode: "production", output: { path: join(project, "dist") } });
      const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
      // Of the bundled model it says that it is large.
      const others = warnings.filter(({ message }) => !/^(asset|entrypoint) size limit|^webpack performance recommendations/.test(message));
      assert.deepEqual([...errors, ...others].map(({ message }) => message), []);
      return join(project, "dist");
    },
  },
  plain: {
    files: { "index.html": pageOf("/main.js"), "main.js": program("./node_modules/internvit/index.js", "./node_modules/internvit/view.js") },
    build: async (project) => project,
  },
};

/** Packs the package, installs it into each project and builds that: folders by name, to work in and to serve. */
export async function projects() {
  await writePackage();
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await npm(home, "pack", folder);
  const made = Object.entries(PROJECTS).map(async ([name, { files, build: make }]) => {
    const project = join(home, name);
    for (const [file, text] of Object.entries({ ...files, "package.json": '{ "type": "module", "private": true }\n' })) {
      mkdirSync(dirname(join(project, file)), { recursive: true });
      writeFileSync(join(project, file), text);
    }
    await npm(project, "install", "--offline", "--no-audit", "--no-fund", "--no-package-lock", "../internvit-0.1.0.tgz");
    const served = await make(project);
    for (const [file, source] of [["photo.png", "www/samples/chelsea.png"], ["favicon.svg", "www/favicon.svg"]]) {
      for (const place of [project, served]) copyFileSync(path(source), join(place, file));
    }
    return [name, { project, served }];
  });
  return Object.fromEntries(await Promise.all(made));
}
