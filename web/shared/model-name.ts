// Names of models: a repository of the hub, or the address of a folder.

/** Of a repository `choice` is one of several models in GGUF: a quantisation or the name of a file. */
export type Place = { repo: string; revision: string; choice: string | null } | { folder: string };

/** A part of a name; a path has several. */
const PART = /^[A-Za-z0-9_](?!.*\.\.)[A-Za-z0-9_.-]*$/;

/** Parses a name, as the command line does; null where it is none. */
export function readName(name: string): Place | null {
  const [, repo = "", revision = "main", choice = null] = /^([^@:]*)(?:@([^:]*))?(?::(.*))?$/s.exec(name) ?? [];
  const parts = (path: string | null) => path?.split("/") ?? [];
  if (parts(repo).length === 2 && [repo, revision, choice].flatMap(parts).every((part) => PART.test(part))) return { repo, revision, choice };
  if (!/^https?:\/\//.test(name) || !URL.canParse(name)) return null;
  const { protocol, hostname, origin, username, password, search, hash } = new URL(name);
  // Without encryption only the page's own server and its own machine may be asked. Node has no page.
  const near = origin === globalThis.location?.origin || hostname === "localhost" || hostname === "127.0.0.1";
  if ((protocol !== "https:" && !near) || username || password || search || hash) return null;
  return { folder: name.endsWith("/") ? name : `${name}/` };
}

/** Turns the address of a repository's page, or of a file of GGUF in it, into the model's name. */
export function tidyName(text: string, hub: string): string {
  if (!text.startsWith(`${hub}/`)) return text;
  const path = text.slice(hub.length + 1);
  const [, file, at, choice] = /^([\w.-]+\/[\w.-]+)\/(?:blob|resolve)\/([\w.-]+)\/([\w./-]+\.gguf)(?:\?.*)?$/i.exec(path) ?? [];
  const [, repo = file, revision = at] = /^([\w.-]+\/[\w.-]+)(?:\/tree\/([\w./-]+?))?\/?$/.exec(path) ?? [];
  if (!repo) return text;
  return `${repo}${revision && revision !== "main" ? `@${revision}` : ""}${choice ? `:${choice}` : ""}`;
}
