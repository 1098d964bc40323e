// Teaching: fits a head to the lesson, or applies one from a file.

import type { Encoded, Lesson as Asked, ModelInfo, Refine, Settings, Taught } from "../../shared/protocol";
import { Brush } from "./brush";
import { part } from "../dom";
import type { Stroke } from "../stage/drawing";
import type { Engine } from "../engine";
import { isHead } from "./head";
import { used, type Imported, type Trace } from "./lesson";
import { LessonPanel, type Dial } from "./panel";
import type { Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import { examplesOf, type Example } from "./traces";
import { starterOf, type Starter } from "./starters";
import { Typing } from "../typing";
import { Vectors } from "./vectors";
import type { Lessons } from "../views/teach";

export interface TeachingActions {
  alarm(error: unknown): void;
  /** Draws the view again. */
  changed(): void;
  /** Draws the marks again, on the map that is there. */
  marked(): void;
  importHead(file: File): void;
  open(shot: Shot): void;
  /** The layer that is learned from. */
  layer(): number;
  /** Chooses the layer; null for the last. */
  choose(layer: number | null): void;
  /** How photographs are encoded. */
  settings(): Settings;
  /** The photograph on the stage. */
  shown(): Shot | null;
}

/** How far from a ring's middle it is clicked, in parts of the picture. */
const NEAR = 0.06;

const near = ([x, y]: Place, [left, top]: Place) => Math.hypot(x - left, y - top) <= NEAR;

export class Teaching implements Lessons {
  readonly panel: LessonPanel;
  readonly vectors: Vectors;
  readonly #engine: Engine;
  readonly #actions: TeachingActions;
  readonly #brush: Brush;
  readonly #typing = new Typing();
  /** Says that a better model waits. */
  readonly #waiting: HTMLElement;
  #model: ModelInfo | null = null;
  #taught: Taught | null = null;
  /** The head from a file that the engine has now. */
  #applied: Imported | null = null;
  /** Whether the lesson or its layers have changed since the last fit. */
  #changed = false;

  constructor(root: HTMLElement, engine: Engine, actions: TeachingActions) {
    [this.#engine, this.#actions] = [engine, actions];
    this.vectors = new Vectors(engine);
    const panel = part(root, "#teach", HTMLElement);
    const frame = part(root, "#frame", HTMLElement);
    this.#waiting = part(panel, "[data-waiting]", HTMLElement);
    this.panel = new LessonPanel(panel, {
      changed: () => this.#refit(),
      importHead: (file) => actions.importHead(file),
      open: (shot) => actions.open(shot),
      dial: (layer) => actions.choose(layer),
      marked: () => actions.marked(),
    });
    this.#brush = new Brush(panel, frame, {
      ready: () => !panel.hidden && Boolean(actions.shown()?.encoding),
      side: () => sideOn(frame, actions.shown()?.encoding ?? null),
      colour: () => this.panel.colour,
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  get ready(): boolean {
    return this.#taught !== null;
  }

  /** What the engine was taught. */
  get taught(): Taught | null {
    return this.#taught;
  }

  /** How probabilities become masks, with edges from there. */
  refine(edges: Refine["edges"]): Refine {
    const { smooth, least } = this.panel.method;
    return { edges, smooth, least };
  }

  /** The layer that is learned from was changed: a step of the lesson where it is in sight. */
  turn(before: Dial, after: Dial) {
    if (!this.panel.root.hidden) this.panel.turn(before, after);
    this.outdate();
  }

  /** Marks the fitted head as out of date. */
  outdate() {
    this.#changed = true;
  }

  /**
   * Whether another model may not take this one's place by itself: a head from a file fits only this one, and a lesson that
   * was begun with it would change under the visitor's hands. The panel then says how to change.
   */
  async stays(): Promise<boolean> {
    const { head, begun } = this.panel;
    const stays = head ? await this.#apply(head) : begun;
    this.#waiting.hidden = !stays;
    return stays;
  }

  /** Discards all features: another model has others. */
  fit(model: ModelInfo) {
    this.#model = model;
    this.#waiting.hidden = true;
    [this.#applied, this.#taught] = [null, null];
    this.vectors.fit(model);
    this.outdate();
  }

  /** Keeps the features of the lesson's patches before an encoding is released. */
  keep(shot: Shot, encoding: Encoded) {
    void this.vectors.keep(shot, encoding, this.panel.places(shot)).catch(() => undefined);
  }

  /** The pressed pointer is at a place. */
  paint(shot: Shot, at: Place, drag: boolean) {
    const { encoding } = shot;
    if (!encoding) return;
    const ring = this.#brush.tool === "eraser" || drag ? null : this.#ring(shot);
    if (ring && near(at, ring.at)) this.panel.choose(ring.class);
    const stylus = { radius: this.#brush.radius, erases: this.#brush.tool === "eraser" };
    if (!this.panel.paint(shot, at, drag, encoding, stylus)) return;
    this.#actions.marked();
    this.#refit();
  }

  strokes(shot: Shot): Stroke[] {
    const { classes } = this.panel.now;
    const painted: Stroke[] = this.panel.traces(shot).map((trace) => ({
      path: trace.path, radius: trace.radius, colour: classes[trace.class]?.colour ?? [0, 0, 0], lit: trace === this.panel.lit,
    }));
    const ring = this.#ring(shot);
    if (ring) painted.push({ path: [ring.at], radius: 0, colour: classes[ring.class]?.colour ?? [0, 0, 0], lit: false, offered: true });
    return painted;
  }

  /** Where a first lesson begins, or goes on, on a sample; null where it is under way, or about another picture. */
  #ring({ file }: Shot): (Starter & { class: number }) | null {
    const { classes, head, traces } = this.panel.now;
    const next = [0, 1].find((index) => !traces.some((trace) => trace.class === index));
    if (next === undefined || head || classes.length !== 2 || traces.some(({ shot }) => shot.file !== file)) return null;
    const starter = starterOf(file, next);
    return starter && { ...starter, class: next };
  }

  /** Imports a head from a file. `chosen` is the layer chosen before; null for the last. */
  async import(file: File, chosen: number | null): Promise<void> {
    if (!(await isHead(file))) throw new Error(`${file.name} is not a taught head. Choose a file that “Save what it learned” has written.`);
    const taught = await this.#engine.call("importHead", file);
    this.#taught = taught;
    this.#applied = { file, taught };
    const last = Math.max(...taught.layers);
    const layer = last === this.#model?.layers ? null : last;
    this.panel.take(this.#applied, chosen, layer);
    this.#actions.choose(layer);
    this.outdate();
  }

  async learn(): Promise<void> {
    if (!this.#changed) {
      // Another picture may have come to the stage.
      if (!this.#taught && !this.panel.head) this.panel.say(this.#next());
      return;
    }
    this.#changed = false;
    const model = this.#model;
    try {
      await this.#learn();
    } catch (error) {
      // Another model was loaded before the engine came to it: what it has will be learned from.
      if (model === this.#model) throw error;
    }
  }

  async #learn(): Promise<void> {
    const lesson = await this.#lesson();
    const { head } = this.panel;
    if (lesson) return this.#teach(lesson);
    if (head) return void (await this.#apply(head));
    [this.#applied, this.#taught] = [null, null];
    this.panel.say(this.#next());
  }

  /** What the visitor does next, before anything can be learned. */
  #next(): string {
    const { classes } = this.panel.now;
    const painted = used(this.panel.now);
    const shot = this.#actions.shown();
    const ring = shot && this.#ring(shot);
    if (ring) return `${ring.class === 0 ? "To begin, click" : "Now click"} the ring: ${ring.thing} is ${classes[ring.class]?.name}.`;
    if (painted.length === 0) return `Click or paint some of ${classes[0]?.name}.`;
    const other = classes.find((_, index) => !painted.includes(index));
    return other ? `Now click or paint some of ${other.name} (key ${classes.indexOf(other) + 1}).` : "";
  }

  async #teach(lesson: Asked) {
    this.#applied = null;
    const taught = (this.#taught = await this.#engine.call("teach", lesson));
    const patches = new Set(lesson.examples.map(({ photo, token, class: index }) => `${photo} ${token} ${index}`)).size + (lesson.vectors?.length ?? 0);
    this.panel.say(`Learned from ${patches} patches on ${named(taught.layers)} in ${Math.max(1, Math.round(taught.milliseconds))} ms.`);
  }

  /** Takes a head into use; false where it fits another model, as the panel then says. */
  async #apply(head: Imported): Promise<boolean> {
    if (this.#applied !== head) {
      [this.#applied, this.#taught] = [null, null];
      try {
        this.#taught = await this.#engine.call("importHead", head.file);
      } catch (error) {
        this.panel.say(`${head.file.name} is not in use: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      }
      this.#applied = head;
    }
    const stays = this.panel.now.traces.length > 0 ? " It is in use until two classes are painted." : "";
    this.panel.say(`${head.file.name}: ${head.taught.names.join(", ")}, on ${named(head.taught.layers)}.${stays}`);
    return true;
  }

  /** The lesson for the engine; null before two classes are painted. */
  async #lesson(): Promise<Asked | null> {
    if (!this.panel.complete || !this.#model) return null;
    const shots = [...new Set(this.panel.now.traces.map(({ shot }) => shot))];
    for (const shot of shots) {
      await this.vectors.restore(shot, this.panel.places(shot), this.#actions.settings()).catch(this.#actions.alarm);
    }
    const { classes, method } = this.panel.now;
    const order = used(this.panel.now);
    const of = order.map((index) => classes[index] ?? { name: "", colour: [0, 0, 0] as const });
    const { layers } = this;
    const vectors: NonNullable<Asked["vectors"]> = [];
    const lesson: Asked = {
      method: method.kind, layers, names: of.map(({ name }) => name), palette: of.map(({ colour }) => [...colour]), examples: [], vectors,
    };
    for (const shot of shots) {
      const traces = this.panel.traces(shot).map((trace) => ({ ...trace, class: order.indexOf(trace.class) }));
      if (shot.encoding) lesson.examples.push(...this.#examples(shot.encoding, traces));
      else {
        // The order in which they were named counts.
        const before = lesson.examples.length;
        vectors.push(...this.vectors.examples(shot, traces, layers).map((vector) => ({ ...vector, before })));
      }
    }
    lesson.spreads = this.vectors.spreads(shots.filter((shot) => !shot.encoding), layers);
    const found = [...lesson.examples, ...vectors].map((example) => example.class);
    return new Set(found).size < 2 ? null : lesson;
  }

  #examples(encoding: Encoded, traces: readonly Trace[]): Asked["examples"] {
    const { photo } = encoding;
    let list: Example[] = examplesOf(traces, encoding);
    // By itself a patch has one class: the one that was painted last.
    if (this.panel.method.kind !== "walk") list = [...new Map(list.map((example) => [example.token, example])).values()];
    return list.map((example) => ({ ...example, photo }));
  }

  /** The layers to learn from: the chosen one, and with it those at one and two thirds of the way. */
  get layers(): number[] {
    const last = Math.max(1, this.#actions.layer());
    const [third, second] = [Math.ceil(last / 3), Math.ceil((2 * last) / 3)];
    const all = { last: [last], two: [second, last], three: [third, second, last] }[this.panel.method.depth];
    return [...new Set(all)];
  }

  #key(event: KeyboardEvent) {
    const { panel } = this;
    if (panel.root.hidden) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if ((key !== "z" && key !== "y") || this.#typing.undoes(event.target, panel.root)) return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) panel.redo();
      else panel.undo();
      return this.#typing.rest();
    }
    if (event.altKey || this.#typing.takes(event.target)) return;
    if (key === "b") this.#brush.take("brush");
    else if (key === "e") this.#brush.take("eraser");
    else if (key === "[" || key === "]") this.#brush.resize(key === "[" ? -1 : 1);
    else if (/^[1-9]$/.test(key)) panel.choose(Number(key) - 1);
  }

  #refit() {
    this.outdate();
    this.#actions.changed();
  }
}

/** Pixels of the screen for the longer side of what the model sees. */
function sideOn(frame: HTMLElement, shown: Encoded | null): number {
  if (!shown) return 0;
  const [, , width, height] = shown.region;
  // An enlarged picture is wider than its frame.
  return (Math.max(width, height) * part(frame, "canvas", HTMLCanvasElement).getBoundingClientRect().width) / shown.width;
}

const named = (layers: number[]) => (layers.length > 1 ? `layers ${layers.join(", ")}` : `layer ${layers[0]}`);
