// `npm start`: set-up, build, serve.
import { join } from "node:path";
import { build } from "./build.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";
import { setup } from "./setup.mjs";

await setup();
await build({ watch: process.argv.includes("--watch") });
const { url } = await serve({ "/": join(root, "www") }, 5173);
console.log(`\nThe page is at ${url} (Ctrl+C ends it).`);
