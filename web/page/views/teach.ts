// Teach: a segmentation by classes that the visitor has painted some of.

import type { Edges, Refine, Taught, ViewMap, ViewRequest } from "../../shared/protocol";
import { make, part } from "../dom";
import type { Stroke } from "../stage/drawing";
import type { Engine } from "../engine";
import type { Light } from "../stage/light";
import { mapOf, valuesOf, type Showing } from "../teach/mask-map";
import type { Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import { TRANSPARENT, View, type Subject, type Surface } from "./view";

/** What the view needs of the lesson. */
export interface Lessons {
  /** What the engine was taught; null before. */
  readonly taught: Taught | null;
  /** Fits a head where the lesson has changed. */
  learn(): Promise<void>;
  refine(edges: Edges): Refine;
  strokes(shot: Shot): Stroke[];
}

export class Teach extends View {
  readonly title = "Teach";
  override readonly hint = "ten clicks, a mask";
  readonly about = "Teach it: click or paint a little of each class. The masks follow.";
  readonly opacity = 60;
  override readonly smooth = false;
  override readonly pointing = "teach";
  override readonly lights = false;
  override readonly firstLayer = 1;
  override readonly lacking = "Paint some of two classes first.";
  readonly #lessons: Lessons;
  readonly #select: HTMLSelectElement;
  /** The values of the map that is shown as light, at its pixels. */
  #values: Float32Array | null = null;
  #offered = "";

  constructor(root: HTMLElement, lessons: Lessons) {
    super();
    this.#lessons = lessons;
    this.#select = part(root, "#teach-show", HTMLSelectElement);
  }

  override connect({ changed }: Surface) {
    this.#select.addEventListener("change", () => changed());
  }

  override async prepare(): Promise<void> {
    await this.#lessons.learn();
    this.#offer(this.#lessons.taught?.names ?? []);
  }

  override unlinked(): string | null {
    return this.#lessons.taught ? "what was taught" : null;
  }

  request(): ViewRequest | null {
    return null;
  }

  override async map(engine: Engine, { photo }: Subject, shot: Shot, edges: Edges): Promise<ViewMap | null> {
    const { taught } = this.#lessons;
    if (!taught || !shot.encoding) return null;
    const show = this.#show;
    const soft = typeof show === "number" && edges !== "patches";
    const masks = await engine.call("masks", { photo, refine: this.#lessons.refine(edges === "photograph" ? edges : "smooth"), whole: false, soft });
    const map = mapOf(masks, taught, shot.encoding, edges === "patches");
    this.#values = show === "classes" ? null : valuesOf(masks, show, edges === "patches");
    return this.#values ? { ...map, range: [0, 1] } : map;
  }

  override light(map: ViewMap): Light | null {
    const { width, height } = map.fine ?? map;
    const values = this.#values;
    if (!map.range || !values || values.length !== width * height) return null;
    return { values, width, height, low: 0, high: 1, line: this.#show === "unsure" ? null : 0.5 };
  }

  override strokes(shot: Shot): Stroke[] {
    return this.#lessons.strokes(shot);
  }

  override number(value: number): string {
    return `${Math.round(100 * value)} %`;
  }

  describe(map: ViewMap, _token: number, [x, y]: Place): string {
    const { width, height, labels } = map.fine ?? map;
    const at = Math.floor(y * height) * width + Math.floor(x * width);
    const name = map.names[labels[at] ?? 0] || TRANSPARENT;
    if (!map.range || !this.#values) return name;
    const value = this.number(this.#values[at] ?? 0);
    return this.#show === "unsure" ? `${name}, ${value} unsure` : `${value} ${this.#select.selectedOptions[0]?.dataset.name}`;
  }

  get #show(): Showing {
    const { value } = this.#select;
    return value === "classes" || value === "unsure" ? value : Number(value);
  }

  /** Offers what can be shown of these classes; a choice stays. */
  #offer(names: readonly string[]) {
    // A list that is open would close.
    if (this.#offered === names.join()) return;
    this.#offered = names.join();
    const option = (value: string, textContent: string, name = "") => {
      const made = make("option", { value, textContent });
      made.dataset.name = name;
      return made;
    };
    const { value } = this.#select;
    const offered = [option("classes", "classes"), ...names.map((name, index) => option(String(index), `probability of ${name}`, name))];
    this.#select.replaceChildren(...offered, option("unsure", "where it is unsure"));
    this.#select.disabled = names.length === 0;
    this.#select.value = value === "unsure" || Number(value) < names.length ? value : "classes";
  }
}
