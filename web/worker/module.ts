// Starts the Rust module in a worker.

import init from "#internvit";

/** Compiles and starts the module. Helpers receive the compiled module. */
export async function start(): Promise<WebAssembly.Module> {
  const url = relaxedSimd() ? new URL("../pkg/internvit_relaxed.wasm", import.meta.url) : new URL("../pkg/internvit_bg.wasm", import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The model's module is missing on the server (${response.status}).`);
  // Streaming compilation needs a content type that some servers do not send.
  const known = response.headers.get("content-type") === "application/wasm";
  const module = await (known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  await init({ module_or_path: module });
  return module;
}

/** Whether the browser supports f32x4.relaxed_madd, by validating a module that uses it. */
function relaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f];
  const code = [0x0a, 20, 1, 18, 0, ...zero, ...zero, ...zero, 0xfd, 0x85, 2, 0x1a, 0x0b];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code]));
}
