// Names of models: a repository of the hub, or the address of a folder.

export type Place = { repo: string; revision: string } | { folder: string };

/** Parses a name; null where it is none. */
export function readName(name: string): Place | null {
  const [, repo, revision = "main"] = /^(\w[\w.-]*\/\w[\w.-]*)(?:@(\w[\w./-]*))?$/.exec(name) ?? [];
  if (repo) return { repo, revision };
  if (!/^https?:\/\//.test(name) || !URL.canParse(name)) return null;
  const { protocol, hostname, origin, username, password, search, hash } = new URL(name);
  // Without encryption only the page's own server and its own machine may be asked.
  const near = origin === self.location.origin || hostname === "localhost" || hostname === "127.0.0.1";
  if ((protocol !== "https:" && !near) || username || password || search || hash) return null;
  return { folder: name.endsWith("/") ? name : `${name}/` };
}

/** Turns the address of a repository's page into the repository's name. */
export function tidyName(text: string, hub: string): string {
  const [, repo, revision] = text.startsWith(`${hub}/`)
    ? (/^([\w.-]+\/[\w.-]+)(?:\/tree\/([\w./-]+?))?\/?$/.exec(text.slice(hub.length + 1)) ?? [])
    : [];
  if (!repo) return text;
  return revision && revision !== "main" ? `${repo}@${revision}` : repo;
}
