// Requests that are retried where the trouble may pass: broken connections, busy servers.

/** Waits before the retries, in milliseconds. */
const PAUSES = [500, 1000, 2000, 4000, 8000];

export interface Net {
  signal: AbortSignal;
  /** The address of the hub. */
  hub: string;
  /** Sent to the hub and nowhere else; may be empty. */
  token: string;
}

/** A failure after which a retry may succeed. */
export class Passing extends Error {
  /** The wait that the server asks for, in milliseconds. */
  readonly after: number | null;

  constructor(message: string, after: number | null = null) {
    super(message);
    this.name = "Passing";
    this.after = after;
  }
}

/** Retries the work with growing pauses; the work calls `gain` when it has made progress. */
export async function insist<T>(signal: AbortSignal, work: (gain: () => void) => Promise<T>): Promise<T> {
  for (let failed = 0; ; failed++) {
    try {
      return await work(() => (failed = 0));
    } catch (error) {
      signal.throwIfAborted();
      const pause = PAUSES[failed];
      if (!(error instanceof Passing) || pause === undefined || !navigator.onLine) throw error;
      await sleep(Math.max(pause, Math.min(error.after ?? 0, 60_000)), signal);
    }
  }
}

/** A successful response; an error that names `what` otherwise. */
export async function request(url: string, what: string, net: Net, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (net.token && new URL(url).origin === new URL(net.hub).origin) headers.set("authorization", `Bearer ${net.token}`);
  const response = await fetch(url, {
    ...init, headers, signal: net.signal, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
  }).catch((error: unknown) => {
    net.signal.throwIfAborted();
    throw broken(url, error);
  });
  if (response.ok) return response;
  await response.body?.cancel();
  throw refusal(response, what, new URL(url).host);
}

/**
 * Streams bytes from `start` to `end`. There is no `If-Range`: the stores behind the hub do not allow it across
 * origins. Instead `seen` receives the answer's ETag and the length of the whole file, null where unknown.
 */
export async function* stream(
  url: string, what: string, start: number, end: number, net: Net,
  seen: (etag: string | null, total: number | null) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (start === end) return;
  const response = await request(url, what, net, { headers: { range: `bytes=${start}-${end - 1}` } });
  const total = response.status === 206
    ? /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]
    : response.headers.get("content-length");
  seen(response.headers.get("etag"), total ? Number(total) : null);
  // A server without ranges sends the whole file.
  let skip = response.status === 206 ? 0 : start;
  let left = end - start;
  const reader = response.body?.getReader();
  try {
    while (reader && left > 0) {
      const part = await reader.read().catch((error: unknown) => {
        net.signal.throwIfAborted();
        throw broken(url, error);
      });
      if (part.done) throw broken(url, null);
      const bytes = part.value.subarray(skip, skip + left);
      skip = Math.max(0, skip - part.value.length);
      left -= bytes.length;
      if (bytes.length > 0) yield bytes;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

/** Largest configuration, index or list of files, in bytes. */
const MOST_TEXT = 32e6;

/** The text at an address; a longer one is cut off by an error. */
export async function text(url: string, what: string, net: Net): Promise<string> {
  const reader = (await request(url, what, net)).body?.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    while (reader) {
      const part = await reader.read().catch((error: unknown) => {
        net.signal.throwIfAborted();
        throw broken(url, error);
      });
      if (part.done) break;
      length += part.value.length;
      if (length > MOST_TEXT) throw new Error(`${what} is longer than ${MOST_TEXT / 1e6} MB at ${new URL(url).host}, too long for what it is called.`);
      parts.push(part.value);
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
  return new Blob(parts).text();
}

function broken(url: string, error: unknown): Passing {
  const reason = error instanceof Error && error.message ? ` (${error.message})` : "";
  return new Passing(`Can’t reach ${new URL(url).host}${reason}.`);
}

/** Whether a retry may succeed after a status. What a server cannot do, or who must sign in first, stays so. */
function passes(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && ![501, 505, 510, 511].includes(status));
}

function refusal(response: Response, what: string, host: string): Error {
  const { status, headers } = response;
  if (passes(status)) {
    const seconds = Number(headers.get("retry-after"));
    const reason = status === 429 ? "has had too many requests" : "is in trouble at the moment";
    return new Passing(`${host} ${reason} (${status}). What is here already is kept.`, seconds > 0 ? 1000 * seconds : null);
  }
  const code = headers.get("x-error-code");
  if (code === "GatedRepo") {
    return new Error(`${what} is not open to everyone (${status}): accept its terms on its page at ${host}, and give an access token.`);
  }
  // The hub itself says why.
  if (status === 403) {
    const reason = code ? ` (403, ${code}).` : " (403), without a reason: a proxy or a firewall on the way may forbid it.";
    return new Error(`${what} is refused by ${host}${reason}`);
  }
  if (status === 511) return new Error("The connection wants you to sign in first (511), as some Wi-Fi does. Do so on another page, then try again.");
  if (status >= 500) return new Error(`${host} cannot give ${what} (${status}).`);
  if (status === 401) {
    return new Error(`${what} was not found, or it is private (401). Check its name; a private one needs an access token.`);
  }
  if (code === "RevisionNotFound") return new Error(`${what} was not found at ${host}: no such revision (404).`);
  return new Missing(`${what} was not found at ${host} (${status}).`);
}

/** The file does not exist on the server. */
export class Missing extends Error {}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", end, { once: true });
  });
}
