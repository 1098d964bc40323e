// Teaching: fits a head to the lesson, or applies one from a file.

import type { Encoded, Lesson, ModelInfo, Settings, Taught } from "../shared/protocol";
import { part } from "./dom";
import type { Mark } from "./drawing";
import type { Engine } from "./engine";
import { isHead } from "./head";
import { classColours, LessonPanel, type Dial, type Imported } from "./lesson-panel";
import { tokenAt, type Place } from "./patches";
import { save } from "./save";
import type { Shot } from "./shots";
import { Vectors } from "./vectors";
import type { Lessons } from "./views/teach";

export interface TeachingActions {
  alarm(error: unknown): void;
  /** Draws the view again. */
  changed(): void;
  importHead(file: File): void;
  open(shot: Shot): void;
  /** The layer that is taught on. */
  layer(): number;
  /** Chooses the layer; null for the last. */
  choose(layer: number | null): void;
  /** How photographs are encoded. */
  settings(): Settings;
}

export class Teaching implements Lessons {
  readonly #engine: Engine;
  readonly #actions: TeachingActions;
  readonly #panel: LessonPanel;
  readonly #vectors: Vectors;
  /** Whether earlier layers are taught on too. */
  readonly #earlier: HTMLInputElement;
  #model: ModelInfo | null = null;
  #taught: Taught | null = null;
  /** The head from a file that the engine has now. */
  #applied: Imported | null = null;
  /** Whether the lesson or its layers have changed since the last fit. */
  #changed = false;

  constructor(root: HTMLElement, engine: Engine, actions: TeachingActions) {
    this.#engine = engine;
    this.#actions = actions;
    this.#vectors = new Vectors(engine);
    this.#earlier = part(root, "#earlier", HTMLInputElement);
    this.#earlier.addEventListener("change", () => this.#refit());
    this.#panel = new LessonPanel(part(root, "#teach", HTMLElement), {
      changed: () => this.#refit(),
      exportHead: () => void this.#export().catch(actions.alarm),
      importHead: (file) => actions.importHead(file),
      open: (shot) => actions.open(shot),
      dial: (dial) => this.#dial(dial),
    });
  }

  get ready(): boolean {
    return this.#taught !== null;
  }

  /** Marks the fitted head as out of date. */
  outdate() {
    this.#changed = true;
  }

  /** Discards all features: another model has others. */
  fit(model: ModelInfo) {
    this.#model = model;
    [this.#applied, this.#taught] = [null, null];
    this.#vectors.clear();
    this.outdate();
  }

  /** Keeps the features of the lesson's patches before an encoding is released. */
  keep(shot: Shot, encoding: Encoded) {
    void this.#vectors.keep(shot, encoding, this.#panel.places(shot)).catch(() => undefined);
  }

  /** A click on a patch; false where nothing changed. */
  add(shot: Shot, at: Place, drag: boolean): boolean {
    const changed = this.#panel.add(shot, at, drag);
    if (changed) this.outdate();
    return changed;
  }

  marks(shot: Shot): Mark[] {
    const { encoding } = shot;
    if (!encoding) return [];
    return this.#panel.examples(shot).flatMap((example) => {
      const token = tokenAt(example.at, encoding);
      return token === null ? [] : [{ token, colour: classColours[example.class] ?? null }];
    });
  }

  /** Imports a head from a file. `chosen` is the layer chosen before; null for the last. */
  async import(file: File, chosen: number | null): Promise<void> {
    if (!(await isHead(file))) throw new Error(`${file.name} is not a taught head. Choose a file that “Export head” has written.`);
    const taught = await this.#engine.call("importHead", file);
    this.#taught = taught;
    this.#applied = { file, taught };
    const before = { layer: chosen, earlier: this.#earlier.checked };
    const last = Math.max(...taught.layers);
    const after = { layer: last === this.#model?.layers ? null : last, earlier: taught.layers.length > 1 };
    this.#panel.take(this.#applied, before, after);
    this.#dial(after);
    this.outdate();
  }

  async learn(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const lesson = await this.#lesson();
    const { head } = this.#panel;
    if (lesson) return this.#teach(lesson);
    if (head) return this.#apply(head);
    [this.#applied, this.#taught] = [null, null];
    this.#panel.say("");
  }

  async #teach(lesson: Lesson) {
    this.#applied = null;
    const taught = (this.#taught = await this.#engine.call("teach", lesson));
    const patches = lesson.examples.length + (lesson.vectors?.length ?? 0);
    this.#panel.say(`Learned from ${patches} patches on ${named(taught.layers)} in ${Math.max(1, Math.round(taught.milliseconds))} ms.`);
  }

  async #apply(head: Imported) {
    if (this.#applied !== head) {
      [this.#applied, this.#taught] = [null, null];
      this.#taught = await this.#engine.call("importHead", head.file);
      this.#applied = head;
    }
    const stays = this.#panel.all.length > 0 ? " It is in use until two classes have patches." : "";
    this.#panel.say(`${head.file.name}: ${head.taught.names.join(", ")}, on ${named(head.taught.layers)}.${stays}`);
  }

  /** The lesson for the engine; null before two classes have patches. */
  async #lesson(): Promise<Lesson | null> {
    const layers = this.#layers();
    if (!this.#panel.complete || !this.#model) return null;
    const width = this.#model.hidden;
    const shots = [...new Set(this.#panel.all.map(({ shot }) => shot))];
    for (const shot of shots) {
      await this.#vectors.restore(shot, this.#panel.places(shot), this.#actions.settings()).catch(this.#actions.alarm);
    }
    const lesson: Lesson & Required<Pick<Lesson, "vectors">> = { layers, names: [...this.#panel.names], examples: [], vectors: [] };
    for (const { shot, at, class: index } of this.#panel.all) {
      const token = shot.encoding && tokenAt(at, shot.encoding);
      const features = this.#vectors.of(shot, at, layers, width);
      if (shot.encoding && token !== null) lesson.examples.push({ photo: shot.encoding.photo, token, class: index });
      else if (features) lesson.vectors.push({ features, class: index });
    }
    const classes = [...lesson.examples, ...lesson.vectors].map((example) => example.class);
    return new Set(classes).size < 2 ? null : lesson;
  }

  /** The layers to teach on: the chosen one, and with it those at one and two thirds of the way. */
  #layers(): number[] {
    const last = Math.max(1, this.#actions.layer());
    const all = this.#earlier.checked ? [Math.ceil(last / 3), Math.ceil((2 * last) / 3), last] : [last];
    return [...new Set(all)];
  }

  #dial({ layer, earlier }: Dial) {
    this.#earlier.checked = earlier;
    this.#actions.choose(layer);
  }

  #refit() {
    this.outdate();
    this.#actions.changed();
  }

  async #export() {
    save(new Blob([await this.#engine.call("exportHead", null)]), "taught.safetensors");
  }
}

const named = (layers: number[]) => (layers.length > 1 ? `layers ${layers.join(", ")}` : `layer ${layers[0]}`);
