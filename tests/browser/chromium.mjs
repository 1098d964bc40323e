// The Chromium of the browser tests: one for all of them, with WebGPU even where
// there is only a processor.
import { chromium } from "playwright-core";
import { findChromium } from "../../web/tools/setup.mjs";

export const args = [
  "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--ignore-gpu-blocklist",
  "--disable-quic", "--use-fake-device-for-media-stream=device-count=2", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export async function launchServer() {
  return chromium.launchServer({ executablePath: await findChromium(), args });
}

/** Joins the browser that `npm test` has started, or starts one for a spec run by itself. */
export async function browser() {
  const endpoint = process.env.CHROMIUM_ENDPOINT;
  return endpoint ? chromium.connect(endpoint) : chromium.launch({ executablePath: await findChromium(), args });
}

/** A browser of its own that keeps its profile in a folder. */
export async function profiled(folder) {
  return chromium.launchPersistentContext(folder, { executablePath: await findChromium(), args });
}
