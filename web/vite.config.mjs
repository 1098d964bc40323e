import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  root: here("."),
  base: "./", // relative addresses: the page may live in a sub-folder
  publicDir: false,
  logLevel: "warn",
  resolve: { alias: { "#internvit": here("pkg/internvit.js"), "#talk": here("pkg/talk.js"), "#model": here("../src/model") } },
  worker: { format: "es" },
  build: {
    outDir: here("../www/js"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0, // the page's policy forbids data: addresses
    rolldownOptions: { input: [here("page/main.ts"), here("page/engine.ts"), here("worker/offline.ts")], output: { entryFileNames: "[name].js" }, preserveEntrySignatures: "exports-only" },
  },
};
