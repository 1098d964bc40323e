// Starts the Rust module in a worker.

import init from "#internvit";
import { relaxedSimd } from "../shared/relaxed";
import { askForSubgroups } from "./subgroups";

/** Compiles and starts the module. Helpers receive the compiled module. */
export async function start(): Promise<WebAssembly.Module> {
  const url = relaxedSimd() ? new URL("../pkg/internvit_relaxed.wasm", import.meta.url) : new URL("../pkg/internvit_bg.wasm", import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The model's module is missing on the server (${response.status}).`);
  // Streaming compilation needs a content type that some servers do not send.
  const known = response.headers.get("content-type") === "application/wasm";
  const module = await (known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  askForSubgroups();
  await init({ module_or_path: module });
  return module;
}
