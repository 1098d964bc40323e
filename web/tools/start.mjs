// `npm start`: set-up, build, serve; with `--host ADDRESS` for other devices too.
import { parseArgs } from "node:util";
import { join } from "node:path";
import { build } from "./build.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";
import { setup } from "./setup.mjs";

const { values: { watch, host } } = parseArgs({ options: { watch: { type: "boolean" }, host: { type: "string" } } });
await setup();
await build({ watch });
const { url } = await serve({ "/": join(root, "www") }, 5173, { host });
console.log(`\nThe page is at ${url} (Ctrl+C ends it).`);
