// Where models lie in Node, and who may fetch them: by the variables that the hub's own programs take.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";

/** The name of the worker that keeps models. */
export const STORE = "store";

const home = () => env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface");

/** The folder of what is kept, beside the hub's own cache: parts of models, checked and gone on with as in a browser. */
export const storePath = () => join(home(), "internvit-js");

/** The access token that the hub's programs would send. */
export async function usualToken(): Promise<string> {
  const file = env["HF_TOKEN_PATH"] || join(home(), "token");
  const stored = async () => new TextDecoder().decode(await readFile(file).catch(() => new Uint8Array()));
  return (env["HF_TOKEN"] || (await stored())).trim();
}

/** The hub's address, if it is not the usual one. */
export const usualHub = () => env["HF_ENDPOINT"]?.replace(/\/+$/, "") || undefined;
