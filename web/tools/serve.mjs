// A static file server for the page and its tests.
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { root } from "./run.mjs";

const types = {
  ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".wasm": "application/wasm",
  ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp",
};

/**
 * Serves folders on 127.0.0.1: `mounts` maps URL prefixes to folders, the first
 * match wins. Takes the next free port from `port` on, or any for 0.
 */
export function serve(mounts, port = 0) {
  const server = createServer((request, response) => {
    const found = locate(mounts, request.url ?? "/");
    if (!found) {
      response.writeHead(404, { "content-type": "text/plain" });
      return response.end("Not found");
    }
    response.writeHead(200, {
      "content-type": types[extname(found.path)] ?? "application/octet-stream",
      "content-length": found.size,
      "cache-control": "no-cache",
      ...headersOf(new URL(request.url ?? "/", "http://localhost").pathname),
    });
    if (request.method === "HEAD") response.end();
    else createReadStream(found.path).on("error", () => response.destroy()).pipe(response);
  });
  return new Promise((done, failed) => {
    server.on("error", (error) => {
      if (error.code === "EADDRINUSE" && port) server.listen(++port, "127.0.0.1");
      else failed(error);
    });
    server.on("listening", () => done({
      url: `http://127.0.0.1:${server.address().port}/`,
      close: () => { server.closeAllConnections(); server.close(); },
    }));
    server.listen(port, "127.0.0.1");
  });
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

function locate(mounts, url) {
  try {
    const pathname = decodeURIComponent(new URL(url, "http://localhost").pathname);
    const prefix = Object.keys(mounts).find((prefix) => pathname.startsWith(prefix));
    if (prefix === undefined) return null;
    const folder = resolve(mounts[prefix]);
    let path = resolve(join(folder, pathname.slice(prefix.length)));
    if (path !== folder && !path.startsWith(folder + sep)) return null;
    if (statSync(path).isDirectory()) path = join(path, "index.html");
    return { path, size: statSync(path).size };
  } catch {
    return null; // a malformed address, or no such file
  }
}
