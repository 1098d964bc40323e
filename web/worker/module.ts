// Starts the Rust module in a worker.

import init from "#internvit";
import { compile } from "./compile";
import { askForSubgroups } from "./subgroups";

/** Compiles and starts the module. Helpers receive the compiled module. */
export async function start(): Promise<WebAssembly.Module> {
  const module = await compile(new URL("../pkg/internvit_bg.wasm", import.meta.url), new URL("../pkg/internvit_relaxed.wasm", import.meta.url));
  askForSubgroups();
  await init({ module_or_path: module });
  return module;
}
