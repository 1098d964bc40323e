// Builds the npm package from the page's own worker, module and shared code: `node web/tools/package.mjs` writes target/npm/internvit.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import config from "../vite.config.mjs";
import { build } from "./build.mjs";
import { ask, root, stop } from "./run.mjs";
import { setup } from "./setup.mjs";

const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const folder = join(target, "npm/internvit");
const MODEL = "models/dinov2-small";

/** What is taken as it is: from the repository, by its name in the package. */
const COPIED = {
  "internvit_bg.wasm": "web/pkg/internvit_bg.wasm", "internvit_relaxed.wasm": "web/pkg/internvit_relaxed.wasm",
  "README.md": "web/package/README.md", "package.json": "web/package/package.json", "licences.txt": "www/licences.txt",
  "LICENSE-MIT": "LICENSE-MIT", "LICENSE-APACHE": "LICENSE-APACHE",
  [`${MODEL}/model.safetensors`]: `www/${MODEL}/model.safetensors`, [`${MODEL}/README.md`]: `www/${MODEL}/README.md`, [`${MODEL}/NOTICE`]: `www/${MODEL}/NOTICE`,
};

/** Writes the package, by the module and the licences that the page was built with. */
export async function writePackage() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, MODEL), { recursive: true });
  for (const [name, source] of Object.entries(COPIED)) {
    if (!existsSync(join(root, source))) stop(`${source} is missing: build the page first, by node web/tools/build.mjs.`);
    copyFileSync(join(root, source), join(folder, name));
  }
  const entry = (name) => join(root, `web/${name}.ts`);
  await bundle({ index: entry("package/index"), node: entry("package/node"), "node-worker": entry("package/node-worker") });
  await bundle({ view: entry("package/view") });
  // One file each: a worker that a bundler makes a classic script can import no other.
  await bundle({ worker: entry("worker/worker") }, { codeSplitting: false });
  await bundle({ download: entry("worker/download") }, { codeSplitting: false });
  writeTypes();
  return folder;
}

/** Stands for `import.meta.url` until the end: the next bundler is to find the addresses as they were written. */
const HERE = "__ADDRESS_OF_THIS_FILE__";
const addresses = {
  name: "addresses",
  enforce: "pre",
  // The embed takes the package as it stands beside it.
  resolveId: (id) => (id === "./index" ? { id: "./index.js", external: true } : null),
  transform: (code) => ({ code: code.replaceAll("import.meta.url", HERE).replaceAll('"../pkg/', '"./'), map: null }),
  generateBundle(_, files) {
    for (const file of Object.values(files)) file.code = file.code?.replaceAll(HERE, "import.meta.url");
  },
};

async function bundle(input, output = {}) {
  const vite = await import("vite");
  await vite.build({
    configFile: false, root: join(root, "web"), publicDir: false, logLevel: "warn", plugins: [addresses],
    resolve: { alias: { ...config.resolve.alias, "#bundled": join(root, "www", MODEL) } },
    // As a library: Vite then adds nothing of its own to imports.
    build: {
      lib: { entry: input, formats: ["es"] }, outDir: folder, emptyOutDir: false, target: config.build.target, minify: false,
      rolldownOptions: { external: /^node:/, output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", ...output } },
    },
  });
}

/** The types of what is exported; the rest of the sources is nobody's business. */
function writeTypes() {
  const out = join(target, "npm/types");
  const settings = join(target, "npm/tsconfig.json");
  rmSync(out, { recursive: true, force: true });
  writeFileSync(settings, JSON.stringify({
    extends: join(root, "tsconfig.json"),
    compilerOptions: { noEmit: false, declaration: true, emitDeclarationOnly: true, outDir: out, rootDir: join(root, "web") },
    include: [join(root, "web/package/*.ts"), join(root, "web/**/*.d.ts")],
  }));
  const written = ask(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", settings], "inherit");
  if (written === null) stop("The package's types could not be written.");
  for (const name of ["index", "types", "errors", "view"]) {
    const text = readFileSync(join(out, `package/${name}.d.ts`), "utf8").replace(/(from|import) "(\.\/[\w-]+)"/g, '$1 "$2.js"');
    if (text.includes('"../')) stop(`The types of ${name} name a file that is not in the package.`);
    writeFileSync(join(folder, `${name}.d.ts`), text);
  }
}

if (process.argv[1] === import.meta.filename) {
  await setup();
  await build();
  await writePackage();
  console.log(`The package is in ${folder}: npm pack ${folder}`);
}
