// Kills `internvit encode --out FILE.parquet` at random moments and starts it again, and says whether every
// file that was completed has the bytes of a run that nobody disturbed:
//
//   node tests/kills.mjs [KILLS [SEED [BINARY]]]     50, 1, target/debug/internvit
//
// Every other kill falls at a random moment of the run, the rest in the milliseconds after a random part was
// completed: parts are written and joined within few milliseconds, which random moments seldom meet.
// Exits with 1 where one file differs, or something is left behind.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [kills = '50', seed = '1', binary = join(root, 'target/debug/internvit')] = process.argv.slice(2);

let state = Number(seed);
/** Numbers from 0 to 1, the same for a seed. */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const folder = mkdtempSync(join(tmpdir(), 'internvit-kills-'));
const [model, photos, out] = ['model', 'photos', 'f.parquet'].map((name) => join(folder, name));
const parts = `${out}.parts`;
const config = {
  model_type: 'intern_vit_6b', hidden_size: 32, num_attention_heads: 2, intermediate_size: 64, num_hidden_layers: 2,
  image_size: 56, patch_size: 14, norm_type: 'layer_norm', qkv_bias: true, qk_normalization: false,
};

function run(...args) {
  const { status, stderr } = spawnSync(binary, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`internvit ${args.join(' ')}: ${stderr}`);
}
const encode = (file) => ['encode', photos, '--model', model, '--device', 'cpu', '--patch-tokens', '--out', file];

try {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  run('init', '--config', join(folder, 'config.json'), '--out', model);
  // Whole photographs and broken ones, twice.
  for (const copy of 'ab') cpSync(join(root, 'tests/images'), join(photos, copy), { recursive: true });
  const whole = join(folder, 'whole.parquet');
  const start = performance.now();
  run(...encode(whole));
  const time = performance.now() - start;
  const expected = readFileSync(whole);
  const last = Math.ceil(readdirSync(photos, { recursive: true }).filter((name) => /\.(bmp|gif|jpg|png|tiff|webp)$/.test(name)).length / 8);
  const complete = () => (existsSync(parts) ? readdirSync(parts).filter((name) => name.endsWith('.parquet')).length : 0);

  const found = { 'before the first part': 0, 'between parts': 0, 'in a part': 0, 'while joining': 0 };
  let [killed, completed, wrong] = [0, 0, 0];
  const compare = () => {
    completed += 1;
    if (!readFileSync(out).equals(expected) || existsSync(parts)) wrong += 1;
    rmSync(out);
  };
  while (killed < Number(kills)) {
    const child = spawn(binary, encode(out), { stdio: 'ignore' });
    const ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
    const moment = new AbortController();
    let running = true;
    ended.then(() => { running = false; });
    if (killed % 2 === 0) {
      await Promise.race([ended, wait(random() * time, null, { signal: moment.signal }).catch(() => {})]);
      moment.abort();
    } else {
      const wanted = Math.max(complete() + 1, Math.ceil(random() * 2 * last));
      while (running && complete() < Math.min(wanted, last)) await wait(1);
      await wait(random() * 30);
    }
    child.kill('SIGKILL');
    const { code, signal } = await ended;
    if (signal === 'SIGKILL') {
      killed += 1;
      const left = existsSync(parts) ? readdirSync(parts) : [];
      if (left.includes('whole')) found['while joining'] += 1;
      else if (left.includes('part')) found['in a part'] += 1;
      else if (left.some((name) => name.endsWith('.parquet'))) found['between parts'] += 1;
      else found['before the first part'] += 1;
    } else if (code === 0) compare();
    else throw new Error(`a run ended with ${code}`);
  }
  run(...encode(out));
  compare();
  const where = Object.entries(found).map(([name, count]) => `${count} ${name}`).join(', ');
  console.log(`${killed} kills in runs of ${(time / 1000).toFixed(1)} s (${where}); ${completed} files completed, ${completed - wrong} the same to the byte`);
  if (wrong > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
