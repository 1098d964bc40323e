// A static file server for the page and its tests.
import { createReadStream, readFileSync, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { isIP } from "node:net";
import { extname, join, posix } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { root } from "./run.mjs";

const types = {
  ".html": "text/html; charset=utf-8", ".md": "text/plain; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
  ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp",
};

/** What becomes smaller when it is compressed, from this many bytes on. */
const PACKED = new Set([".html", ".md", ".txt", ".css", ".js", ".mjs", ".json", ".wasm", ".svg"]);
const WORTH = 1000;

/** Packed while a visitor waits, on a near device: quickly rather than well. */
const encodings = {
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: 1 }),
};

/** Names under which a server of this device is asked; others are of pages that had a name lead here. */
const OWN = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Serves folders: `mounts` maps URL prefixes to folders, the first match wins. Takes the next free port from
 * `port` on, or any for 0. `host` is an address or a name of this device by which others may ask too.
 */
export function serve(mounts, port = 0, { host = "127.0.0.1" } = {}) {
  const packed = new Map();
  const server = createServer((request, response) => {
    answer(mounts, host, packed, request, response).catch(() => response.destroy());
  });
  return new Promise((done, failed) => {
    server.on("error", (error) => {
      if (error.code === "EADDRINUSE" && port) server.listen(++port, host);
      else failed(error);
    });
    server.on("listening", () => done({
      url: `http://${host.includes(":") ? `[${host}]` : host}:${server.address().port}/`,
      close: () => { server.closeAllConnections(); server.close(); },
    }));
    server.listen(port, host);
  });
}

async function answer(mounts, host, packed, request, response) {
  const refuse = (status, text, headers = {}) => {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-cache", ...headersOf("/"), ...headers });
    response.end(request.method === "HEAD" ? "" : text);
  };
  if (!expects(request.headers.host ?? "", host)) return refuse(421, "This server is asked by another name. Start it with --host NAME.");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET and HEAD.", { allow: "GET, HEAD" });
  const found = locate(mounts, request.url ?? "/");
  if (!found) return refuse(404, "Not found");
  const { path, address, modified } = found;
  const ending = extname(path);
  const headers = { "content-type": types[ending] ?? "application/octet-stream", "cache-control": "no-cache", ...headersOf(address) };
  const packs = PACKED.has(ending) && found.size >= WORTH;
  if (packs) headers.vary = "accept-encoding";
  const encoding = packs ? preferred(request.headers["accept-encoding"] ?? "") : null;
  if (!encoding) {
    response.writeHead(200, { ...headers, "content-length": found.size });
    if (request.method === "HEAD") response.end();
    else createReadStream(path).on("error", () => response.destroy()).pipe(response);
    return;
  }
  // Of a file that has changed the old bytes are let go.
  const key = `${encoding} ${path}`;
  if (packed.get(key)?.modified !== modified) packed.set(key, { modified, bytes: await encodings[encoding](await readFile(path)) });
  const { bytes } = packed.get(key);
  response.writeHead(200, { ...headers, "content-encoding": encoding, "content-length": bytes.length });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** Whether a request's Host is one of this server's names. */
function expects(asked, host) {
  const name = asked.replace(/:\d+$/, "").toLowerCase();
  if (OWN.includes(name) || name === host.toLowerCase() || name === `[${host.toLowerCase()}]`) return true;
  // At every address of the device: an address, unlike a name, cannot be led elsewhere.
  return (host === "0.0.0.0" || host === "::") && isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

/** The smallest of what a browser accepts. */
function preferred(accepted) {
  const words = accepted.split(",").map((word) => word.trim().split(";"));
  const takes = (name) => words.some(([word, weight]) => word === name && !/q=0(\.0*)?$/.test(weight?.trim() ?? ""));
  return Object.keys(encodings).find(takes) ?? null;
}

/** What www/_headers has for an address: rules of a path, or of its beginning before a `*`, and their lines. */
export function headersOf(pathname) {
  const headers = {};
  let applies = false;
  for (const line of readFileSync(join(root, "www/_headers"), "utf8").split("\n")) {
    const [, name, value] = /^\s+([\w-]+):\s*(.+)$/.exec(line) ?? [];
    if (applies && name) headers[name.toLowerCase()] = value;
    else if (line.startsWith("/")) applies = line.endsWith("*") ? pathname.startsWith(line.slice(0, -1)) : pathname === line;
  }
  return headers;
}

/** The file at an address, and the one address by which its headers are found; null for any other spelling of it. */
function locate(mounts, url) {
  try {
    const [raw] = url.replace(/^https?:\/\/[^/]*/i, "").split(/[?#]/);
    const asked = decodeURIComponent(raw);
    if (posix.normalize(asked) !== asked || /[\\\0]/.test(asked)) return null;
    const prefix = Object.keys(mounts).find((prefix) => asked.startsWith(prefix));
    if (prefix === undefined) return null;
    const address = asked.endsWith("/") ? `${asked}index.html` : asked;
    let path = mounts[prefix];
    // By the names that the folders list: some disks know a file by others too, in capitals or short.
    for (const name of address.slice(prefix.length).split("/")) {
      if (!readdirSync(path).includes(name)) return null;
      path = join(path, name);
    }
    const stat = statSync(path);
    return stat.isFile() ? { path, address, size: stat.size, modified: stat.mtimeMs } : null;
  } catch {
    return null; // a malformed address, or no such file
  }
}
