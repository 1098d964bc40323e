// Starts the Rust module in a worker.

import init from "#internvit";

/** Compiled once: other workers need not do it again. */
export async function start(): Promise<WebAssembly.Module> {
  const url = relaxedSimd() ? new URL("../pkg/internvit_relaxed.wasm", import.meta.url) : new URL("../pkg/internvit_bg.wasm", import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The model's module is missing on the server (${response.status}).`);
  // A server may not know the type that compiling on the way asks for.
  const known = response.headers.get("content-type") === "application/wasm";
  const module = await (known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  await init({ module_or_path: module });
  return module;
}

/** Whether the browser knows f32x4.relaxed_madd: a module whose only function multiplies zeros. */
function relaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f];
  const code = [0x0a, 20, 1, 18, 0, ...zero, ...zero, ...zero, 0xfd, 0x85, 2, 0x1a, 0x0b];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code]));
}
