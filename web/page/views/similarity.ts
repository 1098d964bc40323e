// Find alike: the centred cosine of each patch's features with those of pinned patches, as light.

import type { Edges, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import { byTouch, make, part } from "../dom";
import type { Mark } from "../stage/drawing";
import type { Engine } from "../engine";
import { valuesOf, type Light } from "../stage/light";
import { tokenAt, type Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import { ALIKE, alikeLight } from "../stage/spot";
import { View, type Against, type Subject, type Surface } from "./view";

/** A patch besides the first; its picture is null until one is shown. */
interface Pin {
  shot: Shot | null;
  at: Place;
  against: boolean;
}

/** What a click does: moves the pin, adds one for what is alike, or one against. */
type Mode = "one" | "alike" | "unlike";

/** Most further pins. */
const MOST = 16;
const COLOURS = { alike: [46, 200, 110], unlike: [235, 70, 60] } as const;

export class Similarity extends View {
  readonly title = "Find alike";
  override readonly hint = "point, and see";
  readonly about = byTouch()
    ? "Touch the picture: what lights up is alike to the model. Touch the same place again to let go."
    : "Move over the picture: what lights up is alike to the model. Click to pin; click again, or press Esc, to let go.";
  readonly opacity = 100;
  override readonly pointing = "hold";
  override readonly prompt = byTouch() ? "Touch any place." : "Point anywhere.";
  override readonly lacking = "Click a patch of the picture first.";
  readonly #other: HTMLSelectElement;
  readonly #threshold: HTMLInputElement;
  readonly #thresholdName: HTMLElement;
  readonly #modes: HTMLInputElement[];
  readonly #unpin: HTMLButtonElement;
  #alike = ALIKE;
  #mode: Mode = "one";
  #pins: Pin[] = [];
  /** The photograph on the stage. */
  #shown: Shot | null = null;

  constructor(root: HTMLElement) {
    super();
    this.#other = part(root, "#other", HTMLSelectElement);
    this.#threshold = part(root, "#threshold", HTMLInputElement);
    this.#thresholdName = part(root, "#threshold-name", HTMLElement);
    this.#unpin = part(root, "[data-unpin]", HTMLButtonElement);
    this.#modes = [...root.querySelectorAll<HTMLInputElement>('input[name="pins"]')];
  }

  override connect({ changed, redrawn, unpoint }: Surface) {
    this.#unpin.addEventListener("click", unpoint);
    this.#other.addEventListener("change", changed);
    this.#threshold.addEventListener("input", () => {
      this.#alike = this.#threshold.valueAsNumber / 100;
      this.#showThreshold();
      redrawn();
    });
    this.#threshold.addEventListener("change", changed);
    for (const mode of this.#modes) mode.addEventListener("change", () => (this.#mode = mode.value as Mode));
  }

  override sync(held: boolean) {
    this.#showThreshold();
    // What counts against needs something that it counts against.
    if (!held && this.#mode === "unlike") this.#mode = "one";
    for (const mode of this.#modes) [mode.checked, mode.disabled] = [mode.value === this.#mode, mode.value === "unlike" && !held];
  }

  #showThreshold() {
    this.#threshold.valueAsNumber = Math.round(100 * this.#alike);
    this.#thresholdName.textContent = this.#alike.toFixed(2);
  }

  override read(address: Address) {
    this.#alike = (address.whole("alike", 0, 100) ?? 100 * ALIKE) / 100;
    const places = (name: string, against: boolean) => address.places(name, MOST).map((at) => ({ shot: null, at, against }));
    this.#pins = [...places("more", false), ...places("not", true)];
  }

  override unlinked(): string | null {
    if (this.#other.value !== "") return "the other picture";
    return this.#pins.some(({ shot }) => (shot ?? this.#shown) !== this.#shown) ? "what is pinned on other pictures" : null;
  }

  override write(address: URLSearchParams) {
    if (this.#alike !== ALIKE) address.set("alike", String(Math.round(100 * this.#alike)));
    for (const [name, against] of [["more", false], ["not", true]] as const) {
      const places = this.#pins.filter(({ shot, ...pin }) => pin.against === against && (shot ?? this.#shown) === this.#shown).map(({ at }) => at.map((v) => v.toFixed(3)).join(","));
      if (places.length > 0) address.set(name, places.join(","));
    }
  }

  override fitShots(shot: Shot, shots: readonly Shot[]) {
    this.#shown = shot;
    // Pins of a link are meant for the picture that it opens.
    for (const pin of this.#pins) pin.shot ??= shot;
    const chosen = this.#other.value;
    const others = shot.frame ? [] : shots.filter((one) => one !== shot && one.encoding);
    this.#other.replaceChildren(
      make("option", { value: "", textContent: "this picture" }),
      ...others.map((one) => make("option", { value: String(one.encoding?.photo), textContent: one.file.name })),
    );
    this.#other.value = chosen;
    if (this.#other.selectedIndex < 0) this.#other.value = "";
  }

  override partner(shots: readonly Shot[]): Shot | null {
    return shots.find((shot) => shot.encoding && String(shot.encoding.photo) === this.#other.value) ?? null;
  }

  override pin(shot: Shot, at: Place): boolean {
    const { encoding } = shot;
    if (this.#mode === "one" || !encoding) return false;
    const token = tokenAt(at, encoding);
    const others = this.#pins.filter((pin) => pin.shot !== shot || tokenAt(pin.at, encoding) !== token);
    const known = others.length < this.#pins.length;
    this.#pins = known ? others : [...others, { shot, at, against: this.#mode === "unlike" }].slice(-MOST);
    return true;
  }

  override get pins(): readonly unknown[] {
    return this.#pins;
  }

  override release() {
    this.#pins = [];
  }

  override holds(frame: Shot): boolean {
    return this.#pins.some(({ shot }) => shot === frame);
  }

  override marks(shot: Shot): Mark[] {
    return this.pinned(shot).map(({ token, against }) => ({ token, colour: against ? COLOURS.unlike : COLOURS.alike }));
  }

  override pinned(shot: Shot): Against[] {
    const { encoding } = shot;
    if (!encoding) return [];
    return this.#pins.flatMap((pin) => {
      const token = pin.shot === shot ? tokenAt(pin.at, encoding) : null;
      return token === null ? [] : [{ token, against: pin.against }];
    });
  }

  request({ layer, token, photo }: Subject): ViewRequest | null {
    return token === null ? null : { view: "similarity", layer, token, of: photo, centred: true };
  }

  /** The most alike of the pins for it, less the most alike of those against it. */
  override async map(engine: Engine, subject: Subject, shot: Shot, edges: Edges): Promise<ViewMap | null> {
    if (subject.quick) edges = "patches";
    const first = await super.map(engine, subject, shot, edges);
    const { layer, guest = false } = subject;
    const [pins, photo] = [this.#placed(guest ? shot : null), shot.encoding?.photo];
    if (!first || photo === undefined || pins.length === 0) return first;
    const others = await Promise.all(pins.map(({ token, photo: of }) =>
      engine.call("view", { photo, request: { view: "similarity", layer, token, of, centred: true }, edges })));
    return joined(first, others, pins.map(({ against }) => against));
  }

  override light(map: ViewMap): Light {
    return alikeLight(map, this.#alike, true);
  }

  describe(map: ViewMap, token: number): string {
    const value = (map.data[token] ?? 0).toFixed(3);
    return this.#pins.some(({ against }) => against) ? `cosine with what is alike, less that with what is not: ${value}` : `cosine ${value}`;
  }

  /** The further pins whose pictures are encoded; those on one photograph by another model, where that is given. */
  #placed(other: Shot | null): { token: number; photo: number; against: boolean }[] {
    return this.#pins.flatMap(({ shot, at, against }) => {
      const encoding = (other ? (shot?.file === other.file ? other : null) : shot)?.encoding;
      const token = encoding ? tokenAt(at, encoding) : null;
      return encoding && token !== null ? [{ token, photo: encoding.photo, against }] : [];
    });
  }
}

/** Of each value the largest of a map and of those that are not `against`, less the largest of the others where that is above 0. */
function joined(first: ViewMap, others: readonly ViewMap[], against: readonly boolean[]): ViewMap {
  const join = (own: Float32Array, all: readonly Float32Array[]) => own.map((value, at) => {
    let [pro, contra] = [value, 0];
    all.forEach((values, index) => {
      const other = values[at] ?? 0;
      if (against[index]) contra = Math.max(contra, other);
      else pro = Math.max(pro, other);
    });
    return pro - contra;
  });
  const data = join(first.data, others.map((map) => map.data));
  const best = data.reduce((most, value, at) => (value > (data[most] ?? 0) ? at : most), 0);
  const range: [number, number] = [data.reduce((a, b) => Math.min(a, b), Infinity), data.reduce((a, b) => Math.max(a, b), -Infinity)];
  if (!first.fine) return { ...first, data, best, range };
  const span = Math.max(1e-6, range[1] - range[0]);
  const levels = Uint8Array.from(join(valuesOf(first), others.map((map) => valuesOf(map))), (value) => Math.round(255 * Math.min(1, Math.max(0, (value - range[0]) / span))));
  return { ...first, data, best, range, fine: { ...first.fine, labels: levels } };
}
