// Starts the Rust module in a worker.

import init from "#internvit";

export function start(): Promise<unknown> {
  return init(relaxedSimd() ? { module_or_path: new URL("./pkg/internvit_relaxed.wasm", import.meta.url) } : undefined);
}

/** Whether the browser knows f32x4.relaxed_madd: a module whose only function multiplies zeros. */
function relaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f];
  const code = [0x0a, 20, 1, 18, 0, ...zero, ...zero, ...zero, 0xfd, 0x85, 2, 0x1a, 0x0b];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code]));
}
