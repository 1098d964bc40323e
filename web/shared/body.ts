// The bodies of responses, with progress.

/** A response's body; the browser may keep it on disk. A total of 0 is unknown. */
export async function blobOf(response: Response, progress: (done: number, total: number) => void): Promise<Blob> {
  // The length of a compressed body is not that of its content.
  const total = response.headers.has("content-encoding") ? 0 : Number(response.headers.get("content-length"));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    done += part.value.length;
    progress(done, total);
  }
  return new Blob(parts);
}
