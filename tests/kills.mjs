// Kills downloads, conversions and `internvit encode --out FILE.parquet` at random moments and starts them again,
// and says whether every one that was completed has the bytes of one that nobody disturbed:
//
//   node tests/kills.mjs [KILLS [SEED [BINARY [PART]]]]     50 of each, 1, target/debug/internvit, all three parts
//
// Of tables every other kill falls at a random moment of the run, the rest in the milliseconds after a random
// part was completed: parts are written and joined within few milliseconds, which random moments seldom meet.
// Exits with 1 where one file differs, something half-written has a whole one's name, or something is left behind.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startHub } from './common/hub.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [kills = '50', seed = '1', binary = join(root, 'target/debug/internvit'), part] = process.argv.slice(2);

let state = Number(seed);
/** Numbers from 0 to 1, the same for a seed. */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const folder = mkdtempSync(join(tmpdir(), 'internvit-kills-'));
const at = (name) => join(folder, name);
const layers = (hidden, count) => ({
  model_type: 'intern_vit_6b', hidden_size: hidden, num_attention_heads: 2, intermediate_size: 2 * hidden,
  num_hidden_layers: count, image_size: 56, patch_size: 14, norm_type: 'layer_norm', qkv_bias: true, qk_normalization: false,
});

function run(...args) {
  const { status, stderr } = spawnSync(binary, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`internvit ${args.join(' ')}: ${stderr}`);
}
function init(out, config) {
  writeFileSync(at('config.json'), JSON.stringify(config));
  run('init', '--config', at('config.json'), '--out', out);
}

/** Every file below a folder, by name. */
function bytes(path) {
  if (!existsSync(path)) return {};
  const names = readdirSync(path, { recursive: true }).map(String).sort();
  return Object.fromEntries(names.filter((name) => statSync(join(path, name)).isFile()).map((name) => [name, readFileSync(join(path, name))]));
}
function same(a, b) {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => b[name]?.equals(a[name]));
}

/**
 * Runs `args` until it has been killed so often, and once more to its end. `moment` waits for when to kill;
 * `killed` looks at what a kill left and answers a word for it; `ended` at what a whole run left, and clears it away.
 */
async function disturb(what, { args, env = {}, time, moment, killed, ended }) {
  const [found, result] = [{}, { killed: 0, completed: 0, wrong: 0 }];
  const complete = () => {
    result.completed += 1;
    if (!ended()) result.wrong += 1;
  };
  const until = async (kill) => {
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    let said = '';
    child.stderr.on('data', (text) => { said += text; });
    const over = new Promise((done) => child.on('close', (code, signal) => done({ code, signal, said })));
    if (kill) {
      let running = true;
      const later = new AbortController();
      over.then(() => { running = false; later.abort(); });
      await moment({ over, running: () => running, pause: (ms) => wait(ms, null, { signal: later.signal }).catch(() => {}) });
      child.kill('SIGKILL');
    }
    return over;
  };
  for (;;) {
    const { code, signal, said } = await until(result.killed < Number(kills));
    if (signal === 'SIGKILL') {
      result.killed += 1;
      const state = killed();
      found[state] = (found[state] ?? 0) + 1;
    } else if (code === 0) {
      complete();
      if (result.killed >= Number(kills)) break;
    } else throw new Error(`${what}: a run ended with ${code}: ${said}`);
  }
  const where = Object.entries(found).map(([name, count]) => `${count} ${name}`).join(', ');
  const { wrong, completed } = result;
  console.log(`${what}: ${result.killed} kills in runs of ${(time / 1000).toFixed(1)} s (${where}); `
    + `${completed} completed, ${completed - wrong} the same to the byte`);
  if (wrong > 0 || found.broken) process.exitCode = 1;
}

/** At any moment of a run that takes so long. */
const anyMoment = (time) => ({ pause }) => pause(random() * time);

async function downloads() {
  const source = at('hub/owner/model');
  mkdirSync(source, { recursive: true });
  init(source, layers(128, 4));
  const expected = bytes(source);
  const hub = await startHub(at('hub'));
  // About a second for the weights.
  hub.behave([{ match: 'model.safetensors', slow: expected['model.safetensors'].length }]);
  const env = { HF_ENDPOINT: hub.address, HF_HOME: at('home'), NO_PROXY: '127.0.0.1', HF_HUB_CACHE: undefined, HF_TOKEN: undefined };
  const cache = at('home/hub/models--owner--model');
  const snapshot = () => Object.values(Object.fromEntries(readdirSync(join(cache, 'snapshots')).map((commit) => [commit, bytes(join(cache, 'snapshots', commit))])))[0] ?? {};
  const whole = (files) => Object.entries(files).every(([name, data]) => expected[name]?.equals(data));
  const time = 1500;
  await disturb('downloads', {
    args: ['info', '--json', '--model', 'owner/model'], env, time, moment: anyMoment(time),
    killed: () => {
      if (!existsSync(join(cache, 'snapshots'))) return 'before the first file';
      if (!whole(snapshot())) return 'broken';
      return readdirSync(join(cache, 'blobs')).some((name) => name.endsWith('.incomplete')) ? 'in a file' : 'between files';
    },
    ended: () => {
      const files = snapshot();
      const good = whole(files) && 'model.safetensors' in files && 'config.json' in files
        && !Object.keys(bytes(at('home'))).some((name) => name.endsWith('.incomplete'));
      rmSync(at('home'), { recursive: true });
      return good;
    },
  });
  hub.close();
}

async function conversions() {
  const [source, out] = [at('wide'), at('converted/out')];
  mkdirSync(at('converted'));
  init(source, layers(256, 8));
  const args = ['convert', source, '--dtype', 'int8', '--shard-size', '300kB', '--out'];
  const start = performance.now();
  run(...args, at('undisturbed'));
  const time = performance.now() - start;
  const expected = bytes(at('undisturbed'));
  await disturb('conversions', {
    args: [...args, out], time, moment: anyMoment(time),
    killed: () => {
      if (existsSync(out)) {
        const good = same(bytes(out), expected);
        // The next run would not replace it.
        rmSync(out, { recursive: true });
        return good ? 'after the end' : 'broken';
      }
      return readdirSync(at('converted')).some((name) => name.endsWith('.part')) ? 'while writing' : 'before';
    },
    ended: () => {
      const good = same(bytes(out), expected) && readdirSync(at('converted')).every((name) => name === 'out');
      rmSync(out, { recursive: true });
      return good;
    },
  });
}

async function tables() {
  const [model, photos, out] = ['model', 'photos', 'f.parquet'].map(at);
  const parts = `${out}.parts`;
  const encode = (file) => ['encode', photos, '--model', model, '--device', 'cpu', '--patch-tokens', '--out', file];
  init(model, layers(32, 2));
  // Whole photographs and broken ones, twice.
  for (const copy of 'ab') cpSync(join(root, 'tests/images'), join(photos, copy), { recursive: true });
  const start = performance.now();
  run(...encode(at('whole.parquet')));
  const time = performance.now() - start;
  const expected = readFileSync(at('whole.parquet'));
  const last = Math.ceil(Object.keys(bytes(photos)).filter((name) => /\.(bmp|gif|jpg|png|tiff|webp)$/.test(name)).length / 8);
  const listed = () => (existsSync(parts) ? readdirSync(parts) : []);
  const complete = () => listed().filter((name) => name.endsWith('.parquet')).length;
  let turn = 0;
  await disturb('tables', {
    args: encode(out), time,
    moment: async (child) => {
      turn += 1;
      if (turn % 2 === 1) return anyMoment(time)(child);
      const wanted = Math.max(complete() + 1, Math.ceil(random() * 2 * last));
      while (child.running() && complete() < Math.min(wanted, last)) await wait(1);
      return wait(random() * 30);
    },
    killed: () => {
      const left = listed();
      const unfinished = (names) => names.some((name) => name.startsWith('.internvit-'));
      if (unfinished(readdirSync(at('.')))) return 'while joining';
      if (unfinished(left)) return 'in a part';
      return left.some((name) => name.endsWith('.parquet')) ? 'between parts' : 'before the first part';
    },
    ended: () => {
      const good = readFileSync(out).equals(expected) && !existsSync(parts);
      rmSync(out);
      return good;
    },
  });
}

try {
  for (const disturbed of [downloads, conversions, tables]) if (!part || part === disturbed.name) await disturbed();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
