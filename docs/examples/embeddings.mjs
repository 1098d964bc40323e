// Which photographs resemble one, by a server of embeddings:
//
// `internvit serve`, and beside it `node docs/examples/embeddings.mjs http://127.0.0.1:8000 cat.jpg photos/*.jpg`
import { readFile } from "node:fs/promises";

const [server, ...paths] = process.argv.slice(2);

/** The embedding of a photograph. */
async function embed(path) {
  const form = new FormData();
  form.append("image", new Blob([await readFile(path)]), path);
  const response = await fetch(`${server}/v1/embeddings`, { method: "POST", body: form });
  const answer = await response.json();
  if (response.ok) return answer.data[0].embedding;
  if (response.status !== 429) throw new Error(answer.error.message);
  // The server is busy, and says when to come again.
  await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("retry-after"))));
  return await embed(path);
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

// Together: what waits while the device is at work goes through it at once.
const [wanted, ...others] = await Promise.all(paths.map(embed));
const found = others.map((row, i) => [cosine(wanted, row), paths[i + 1]]).sort(([a], [b]) => b - a);
for (const [score, path] of found) console.log(`${score.toFixed(4)} ${path}`);
