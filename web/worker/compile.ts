// Compiles a Rust module: the one of two that the browser takes.

import { relaxedSimd } from "../shared/relaxed";

export async function compile(plain: URL, relaxed: URL): Promise<WebAssembly.Module> {
  const response = await fetch(relaxedSimd() ? relaxed : plain);
  if (!response.ok) throw new Error(`The model's module is missing on the server (${response.status}).`);
  // Streaming compilation needs a content type that some servers do not send.
  const known = response.headers.get("content-type") === "application/wasm";
  return known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
