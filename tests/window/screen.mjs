// A screen without a monitor, and a window on it that is driven as a user does.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { crc32, deflateSync } from "node:zlib";
import { root } from "../../web/tools/run.mjs";

const PROGRAM = join(root, "target/debug/internvit");
const [WIDTH, HEIGHT] = [1240, 820];
/** Longest wait, in milliseconds: a debug build computes slowly. */
const PATIENCE = 240_000;

/** Waits until `what` gives something. */
async function until(what, told) {
  const start = Date.now();
  for (;;) {
    const found = what();
    if (found) return found;
    if (Date.now() - start > PATIENCE) assert.fail(`nothing after ${PATIENCE / 1000} s: ${told()}`);
    await pause(100);
  }
}

/** An X server that draws into a file. */
export class Screen {
  #server;
  #folder = mkdtempSync(join(tmpdir(), "internvit-screen-"));
  display = "";

  async open() {
    // Without "-noreset" a server takes nobody for a moment when its last window has gone.
    const args = ["-noreset", "-displayfd", "3", "-screen", "0", `${WIDTH}x${HEIGHT}x24`, "-fbdir", this.#folder, "-nolisten", "tcp"];
    this.#server = spawn("Xvfb", args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    this.display = await new Promise((done, failed) => {
      this.#server.on("error", failed).on("exit", (status) => failed(new Error(`Xvfb ended with ${status}`)));
      this.#server.stdio[3].once("data", (number) => done(`:${String(number).trim()}`));
    });
    this.#server.removeAllListeners("exit");
    return this;
  }

  close() {
    this.#server?.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What is on the screen once `holds` is true of it. */
  once(holds, what) {
    return until(() => {
      const seen = this.pixels();
      return holds(seen) && seen;
    }, () => what);
  }

  /** What is on the screen: RGB, row by row. */
  pixels() {
    const dump = readFileSync(join(this.#folder, "Xvfb_screen0"));
    const word = (at) => dump.readUInt32BE(4 * at);
    const [header, width, height, line, colours] = [word(0), word(4), word(5), word(12), word(19)];
    assert.deepEqual([word(2), word(7), word(11)], [2, 0, 32], "rows of BGRX");
    const first = header + 12 * colours;
    const rgb = Buffer.alloc(3 * width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = first + y * line + 4 * x;
        rgb.set([dump[from + 2], dump[from + 1], dump[from]], 3 * (y * width + x));
      }
    }
    return { width, height, rgb };
  }
}

/** A picture as PNG. */
export function png({ width, height, rgb }) {
  const rows = Buffer.alloc((3 * width + 1) * height);
  // Each value less what its neighbours let expect (Paeth's filter): a photograph becomes half as long.
  for (let y = 0; y < height; y++) {
    const first = y * (3 * width + 1);
    rows[first] = 4;
    for (let x = 0; x < 3 * width; x++) {
      const at = 3 * width * y + x;
      const [a, b, c] = [x < 3 ? 0 : rgb[at - 3], y === 0 ? 0 : rgb[at - 3 * width], x < 3 || y === 0 ? 0 : rgb[at - 3 * width - 3]];
      const [da, db, dc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      rows[first + 1 + x] = rgb[at] - (da <= db && da <= dc ? a : db <= dc ? b : c);
    }
  }
  const chunk = (kind, bytes) => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), bytes]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(bytes.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header), chunk("IDAT", deflateSync(rows, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}

/** How many colours a part of a picture has. */
export function colours({ width, rgb }, [left, top, right, bottom]) {
  const found = new Set();
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) found.add(rgb.readUIntBE(3 * (y * width + x), 3));
  }
  return found.size;
}

/** What the program says where there is no screen. */
export function withoutScreen() {
  const env = { ...process.env };
  for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"]) delete env[name];
  return spawnSync(PROGRAM, ["open"], { cwd: root, env, encoding: "utf8" });
}

/** A window of `internvit open`. */
export class Window {
  #screen;
  #child;
  #said = "";
  #id = "";
  #config = mkdtempSync(join(tmpdir(), "internvit-config-"));
  /** The exit status, once it has ended. */
  status = null;

  constructor(screen) {
    this.#screen = screen;
  }

  async open(...args) {
    const env = { ...process.env, DISPLAY: this.#screen.display, XDG_CONFIG_HOME: this.#config, WAYLAND_DISPLAY: "" };
    this.#child = spawn(PROGRAM, ["open", ...args], { cwd: root, env, stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr.on("data", (text) => (this.#said += text));
    this.#child.on("exit", (status) => (this.status = status ?? -1));
    this.#id = await this.#until(() => this.#do("search", "--onlyvisible", "--class", "internvit").split("\n")[0]);
    this.#do("windowfocus", "--sync", this.#id);
    return this;
  }

  /** Waits for the window's title, which names the picture and the view once they are shown. */
  async shows(title) {
    await this.#until(() => this.title() === title);
    // What is drawn next has it.
    await pause(1000);
  }

  title() {
    return this.#do("getwindowname", this.#id);
  }

  /** Presses keys, as xdotool names them. */
  key(...keys) {
    this.#do("key", "--delay", "60", ...keys);
  }

  /** Brings the pointer to a place, and waits until that is drawn. */
  async point(x, y) {
    this.#do("mousemove", String(x), String(y));
    await pause(1500);
  }

  async click(x, y) {
    await this.point(x, y);
    this.#do("mousedown", "1");
    await pause(100);
    this.#do("mouseup", "1");
  }

  /** What it keeps for the next time. */
  recent() {
    return JSON.parse(readFileSync(join(this.#config, "internvit/recent.json"), "utf8"));
  }

  /** Waits for its end. */
  async ended() {
    await until(() => this.status !== null, () => "it goes on");
    return this.status;
  }

  async close() {
    if (this.status === null) this.#child?.kill("SIGKILL");
    // The next window must not be taken for this one.
    if (this.#child?.pid) await this.ended();
    rmSync(this.#config, { recursive: true, force: true });
  }

  #until(what) {
    return until(() => {
      if (this.status !== null) assert.fail(`the window ended with ${this.status}: ${this.#said}`);
      return what();
    }, () => `title ${JSON.stringify(this.#id && this.title())}; ${this.#said}`);
  }

  #do(...args) {
    const { stdout } = spawnSync("xdotool", args, { encoding: "utf8", env: { ...process.env, DISPLAY: this.#screen.display } });
    return (stdout ?? "").trim();
  }
}
