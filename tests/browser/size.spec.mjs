import assert from "node:assert/strict";
import { test } from "node:test";
import { sizes } from "../../web/tools/sizes.mjs";

test("the page stays small", (t) => {
  const { wasm, page, talk, text } = sizes();
  t.diagnostic(text);
  assert.ok(wasm.brotli < 700_000, `the wasm is ${wasm.brotli} bytes compressed`);
  assert.ok(talk.brotli > 0 && talk.brotli < 1_000_000, `what speaks is ${talk.brotli} bytes compressed`);
  assert.ok(page.brotli < 1_500_000, `the page is ${page.brotli} bytes compressed`);
});
