// A hub of models for the tests, as huggingface.co behaves: `/{owner}/{name}/resolve/{revision}/{file}` with
// ETag and commit, large files redirected to another origin that knows ranges, and the API's list of files.
// `node tests/common/hub.mjs FOLDER` serves FOLDER/{owner}/{name}/{file}, prints its address, and ends with its
// standard input. A test posts to `/-/behave` what shall go wrong, and reads `/-/log` to see what was asked.
//
//   POST /-/behave  [{ "match": "model.safetensors", "times": 2, ... }]   replaces all rules; each may say
//     status: 401 | 404 | 429 | 503 …   answer with it (429 and 503 with `retry-after: 1`)
//     after: n         with `retry-after: n`
//     code: "x"        with that status, the hub's reason in `x-error-code`
//     body: "x"        answer with this text, whatever was asked for
//     location: "x"    redirect there
//     cut: n           close the connection after n bytes of the body
//     slow: n          send n bytes a second
//     short: true      a body, and a content-length, of half the file
//     garbage: true    a body of the right length with one byte changed
//     etag: "x"        another version: ETag x, and what `if-range` asks no longer holds
//     times: n         this many requests, then as before (without: always)
//   GET  /-/log      [{ method, url, host, range, authorization, origin, bytes }]       POST /-/log empties it
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const large = 10_000; // bytes; the hub keeps larger files, and all safetensors, apart
const exposed = 'X-Repo-Commit,X-Error-Code,X-Error-Message,ETag,Accept-Ranges,Content-Range,Content-Length,X-Linked-Size,X-Linked-ETag';

const digests = new Map();
function sha256(path) {
  const { size, mtimeMs } = statSync(path);
  const key = `${path} ${size} ${mtimeMs}`;
  if (!digests.has(key)) {
    const hash = createHash('sha256');
    // Whole files are hashed once; a test's model is small.
    hash.update(readFileSync(path));
    digests.set(key, hash.digest('hex'));
  }
  return digests.get(key);
}

/** Git's name for a file's bytes: what the hub gives small files as ETag. */
function blob(path) {
  const bytes = readFileSync(path);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

const isLarge = (path) => statSync(path).size > large || /\.(safetensors|bin|pth|pt)$/.test(path);

/** Starts the hub and the origin for large files; `address` is what HF_ENDPOINT takes. */
export async function startHub(folder) {
  let rules = [];
  let log = [];

  const rule = (url) => {
    const found = rules.find((r) => url.includes(r.match ?? '') && (r.times ?? Infinity) > 0);
    if (found?.times) found.times -= 1;
    return found ?? {};
  };

  const files = (owner, name) => {
    const root = join(folder, owner, name);
    if (!existsSync(root)) return undefined;
    return readdirSync(root, { recursive: true }).map(String).sort().filter((file) => statSync(join(root, file)).isFile());
  };
  const commit = (owner, name) => {
    const hash = createHash('sha1');
    for (const file of files(owner, name)) hash.update(`${file} ${sha256(join(folder, owner, name, file))}`);
    return hash.digest('hex');
  };

  const head = (request, response) => {
    response.setHeader('access-control-allow-origin', request.headers.origin ?? '*');
    response.setHeader('access-control-expose-headers', exposed);
    response.setHeader('vary', 'Origin');
    response.setHeader('cross-origin-resource-policy', 'cross-origin');
  };
  const refuse = (response, status, message, code, after = status === 429 || status === 503 ? 1 : undefined) => {
    if (after !== undefined) response.setHeader('retry-after', String(after));
    if (code) response.setHeader('x-error-code', code);
    response.setHeader('x-error-message', message);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: message }));
  };
  /** Answers as `how` says where that is not with the file; whether it did. */
  const instead = (response, how) => {
    if (how.body !== undefined) response.writeHead(how.status ?? 200, { 'content-type': 'text/html' }).end(how.body);
    else if (how.location) response.writeHead(302, { location: how.location }).end();
    else if (how.status) refuse(response, how.status, `status ${how.status} was asked for`, how.code, how.after);
    else return false;
    return true;
  };
  const preflight = (request, response) => {
    if (request.method !== 'OPTIONS') return false;
    response.setHeader('access-control-allow-methods', 'GET,HEAD,OPTIONS');
    response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? 'range,authorization,if-range');
    response.writeHead(204);
    response.end();
    return true;
  };

  /** Sends a file, or the range asked for, as `how` says. */
  const send = (request, response, path, how) => {
    let size = statSync(path).size;
    if (how.short) size = Math.floor(size / 2);
    const etag = `"${how.etag ?? (isLarge(path) ? sha256(path) : blob(path))}"`;
    response.setHeader('etag', etag);
    response.setHeader('accept-ranges', 'bytes');
    let [first, last] = [0, size - 1];
    const stale = request.headers['if-range'] && request.headers['if-range'] !== etag;
    const range = /^bytes=(\d*)-(\d*)$/.exec(stale ? '' : (request.headers.range ?? ''));
    if (range) {
      if (range[1] === '') first = Math.max(0, size - Number(range[2]));
      else [first, last] = [Number(range[1]), range[2] ? Math.min(Number(range[2]), size - 1) : size - 1];
      if (first >= size || first > last) {
        response.writeHead(416, { 'content-range': `bytes */${size}` });
        return response.end();
      }
      response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
    }
    response.setHeader('content-length', last - first + 1);
    response.setHeader('content-type', path.endsWith('.json') ? 'application/json' : 'application/octet-stream');
    response.writeHead(range ? 206 : 200);
    if (request.method === 'HEAD' || size === 0) return response.end();
    let sent = 0;
    const stream = createReadStream(path, { start: first, end: last, highWaterMark: how.slow ? Math.max(1, Math.ceil(how.slow / 10)) : 65536 });
    stream.on('data', (chunk) => {
      if (how.garbage && sent === 0) {
        chunk = Buffer.from(chunk);
        chunk[chunk.length - 1] ^= 0xff;
      }
      if (how.cut !== undefined && sent + chunk.length > how.cut) {
        stream.destroy();
        request.entry.bytes = how.cut;
        response.write(chunk.subarray(0, how.cut - sent), () => response.destroy());
        return;
      }
      sent += chunk.length;
      request.entry.bytes = sent;
      const more = response.write(chunk);
      if (how.slow || !more) {
        stream.pause();
        if (how.slow) setTimeout(() => stream.resume(), 100);
        else response.once('drain', () => stream.resume());
      }
    });
    stream.on('end', () => response.end());
    response.on('close', () => stream.destroy());
  };

  const seen = (request) => {
    const { range, authorization, origin, host } = request.headers;
    request.entry = { method: request.method, url: request.url, host, range, authorization, origin, bytes: 0 };
    log.push(request.entry);
  };

  // The second origin: what the hub redirects to. It must not be sent the hub's token.
  const store = createServer((request, response) => {
    seen(request);
    head(request, response);
    if (preflight(request, response)) return;
    const how = rule(request.url);
    if (instead(response, how)) return;
    const path = normalize(join(folder, decodeURIComponent(request.url.split('?')[0])));
    if (!path.startsWith(normalize(folder)) || !existsSync(path)) return refuse(response, 404, 'no such object');
    send(request, response, path, how);
  });
  const hub = createServer((request, response) => {
    head(request, response);
    if (preflight(request, response)) return;
    // Names are escaped: a `?` that is decoded belongs to them.
    const url = decodeURIComponent(request.url.split('?')[0]);
    if (url === '/-/log') {
      const answer = JSON.stringify(log);
      if (request.method === 'POST') log = [];
      return response.end(answer);
    }
    if (url === '/-/behave') {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        rules = JSON.parse(body);
        response.end();
      });
      return undefined;
    }
    seen(request);
    const api = /^\/api\/models\/([^/]+)\/([^/]+)(?:\/revision\/(.+))?$/.exec(url);
    const resolve = /^\/([^/]+)\/([^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url);
    const [, owner, name] = api ?? resolve ?? [];
    if (!owner) return refuse(response, 404, 'not found');
    if (!files(owner, name)) return refuse(response, 401, 'Invalid username or password.', 'RepoNotFound'); // as the hub does for what is not there
    const sha = commit(owner, name);
    const revision = (api ?? resolve)[3] ?? 'main';
    if (revision !== 'main' && revision !== sha) return refuse(response, 404, `Invalid rev id: ${revision}`, 'RevisionNotFound');
    if (api) {
      const how = rule(url);
      if (instead(response, how)) return;
      const siblings = files(owner, name).map((rfilename) => {
        const path = join(folder, owner, name, rfilename);
        const size = statSync(path).size;
        return { rfilename, size, blobId: blob(path), ...(isLarge(path) ? { lfs: { sha256: sha256(path), size, pointerSize: 134 } } : {}) };
      });
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ id: `${owner}/${name}`, sha, private: false, gated: false, siblings }));
    }
    const path = normalize(join(folder, owner, name, resolve[4]));
    response.setHeader('x-repo-commit', sha);
    if (!path.startsWith(normalize(join(folder, owner, name))) || !existsSync(path)) return refuse(response, 404, 'Entry not found', 'EntryNotFound');
    if (!isLarge(path)) {
      const how = rule(url);
      if (instead(response, how)) return;
      return send(request, response, path, how);
    }
    response.setHeader('x-linked-size', statSync(path).size);
    response.setHeader('x-linked-etag', `"${sha256(path)}"`);
    const there = [owner, name, ...resolve[4].split('/')].map(encodeURIComponent).join('/');
    response.writeHead(302, { location: `http://127.0.0.1:${store.address().port}/${there}?signature=1` });
    return response.end();
  });
  const listen = (server) => new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  await Promise.all([listen(hub), listen(store)]);
  const address = `http://127.0.0.1:${hub.address().port}`;
  return {
    address,
    store: `http://127.0.0.1:${store.address().port}`,
    behave: (list) => { rules = list; },
    log: () => log,
    close: () => {
      for (const server of [hub, store]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const hub = await startHub(process.argv[2]);
  console.log(hub.address);
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}
