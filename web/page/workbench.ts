// The views at work: controls, pictures, legends, and what is asked of the engine.

import { address, readAddress, viewNames, type Choice } from "./choice";
import { make, part } from "./dom";
import type { Engine } from "./engine";
import { showLegend } from "./legend";
import { isHead } from "./head";
import type { Encoded, Lesson, ModelInfo, Settings, Taught, Tensor, ViewMap } from "../shared/protocol";
import type { Shot } from "./shots";
import { makeStage, type Mark, type Scene } from "./stage";
import { classColours, teachPanel, type Imported } from "./teach";
import { Vectors } from "./vectors";
import { placeOf, requestFor, tokenAt, views } from "./views";

export interface Workbench {
  /** Shows a photograph that is about to be encoded. */
  preview(photo: ImageBitmap, patches: number): void;
  show(shot: Shot, shots: readonly Shot[]): void;
  /** Goes back to the last photograph shown; false where there is none. */
  revert(): boolean;
  fit(model: ModelInfo): void;
  /** Keeps what the lesson has of a photograph whose encoding is let go after this. */
  keep(shot: Shot, encoding: Encoded): void;
  /** Takes a head from a file over, and shows it. */
  importHead(file: File): Promise<void>;
  png(): Promise<Blob>;
  data(): Tensor | null;
  readonly choice: Readonly<Choice>;
  readonly layer: number;
}

const REVEAL_MILLISECONDS = 500;

export interface Surroundings {
  alarm(error: unknown): void;
  /** Brings a photograph to the stage. */
  open(shot: Shot): void;
  /** How photographs are encoded. */
  settings(): Settings;
}

export function workbench(root: HTMLElement, engine: Engine, { alarm, open, settings }: Surroundings): Workbench {
  const input = (id: string) => part(root, `#${id}`, HTMLInputElement);
  const select = (id: string) => part(root, `#${id}`, HTMLSelectElement);
  const [layer, fade, clusters] = [input("layer"), input("fade"), input("clusters")];
  const [foreground, keep, rollout, earlier] = [input("foreground"), input("keep"), input("rollout"), input("earlier")];
  const swap = part(root, "#swap", HTMLButtonElement);
  const [other, head] = [select("other"), select("head")];
  const caption = part(root, "#caption", HTMLElement);
  const readout = part(root, "#readout", HTMLElement);
  const legend = part(root, "#legend", HTMLElement);
  const otherFrame = part(root, "#other-frame", HTMLElement);
  const panel = part(root, "#view", HTMLElement);

  let choice = readAddress(location.hash);
  let model: ModelInfo | null = null;
  let current: Shot | null = null;
  let shots: readonly Shot[] = [];
  let hovered: number | null = null;
  let map: ViewMap | null = null;
  let taught: Taught | null = null;
  let lessonChanged = false;
  /** The head from a file that the engine has now. */
  let applied: Imported | null = null;
  const vectors = new Vectors(engine);
  let revealing = 0;

  const hands = (second: boolean) => ({
    hover(token: number | null, place: [number, number] | null) {
      if (choice.view !== "similarity" || second) return read(second ? partner() : current, token, place);
      if (token === hovered) return;
      hovered = token;
      // While a patch is held the map stays, and is read; one of another photograph is read there.
      if (choice.at === null) void update();
      else if (!partner() && current?.encoding) read(current, token ?? tokenAt(choice.at, current.encoding), null);
    },
    pick(token: number, drag: boolean, touch: boolean) {
      if (!current?.encoding || second) return;
      // The picture on the stage may be older than the encoding.
      const at = placeOf(token, stage.scene?.grid ?? current.encoding);
      if (choice.view === "teach") {
        if (!lesson.add(current, at, drag)) return;
        lessonChanged = true;
      } else if (drag) return;
      else if (choice.view === "similarity") {
        const held = tokenAt(choice.at, stage.scene?.grid ?? current.encoding);
        // A finger cannot point without a tap: what it taps is read as long as a patch is held.
        if (touch && held !== null && held !== token) return this.hover(token, at);
        choice.at = held === token ? null : at;
        if (touch) hovered = null;
      } else if (choice.view === "attention") choice.at = at;
      else return;
      void update();
    },
  });
  const stage = makeStage(part(root, "#frame", HTMLElement), part(root, "#frame canvas", HTMLCanvasElement), hands(false));
  const otherStage = makeStage(otherFrame, part(root, "#other-frame canvas", HTMLCanvasElement), hands(true));

  const lesson = teachPanel(part(root, "#teach", HTMLElement), {
    changed() {
      lessonChanged = true;
      void update();
    },
    exportHead() {
      engine.call("exportHead", null).then((bytes) => root.dispatchEvent(new CustomEvent("head", { detail: bytes })), alarm);
    },
    importHead: (file) => void importHead(file),
    open(shot) {
      if (shot !== current) open(shot);
    },
    dial(dial) {
      choice.layer = dial.layer;
      earlier.checked = dial.earlier;
      sync();
    },
  });

  async function importHead(file: File) {
    try {
      if (!(await isHead(file))) throw new Error(`${file.name} is not a taught head. Choose a file that “Export head” has written.`);
      const found = await engine.call("importHead", file);
      taught = found;
      applied = { file, taught: found };
      const before = { layer: choice.layer, earlier: earlier.checked };
      const last = Math.max(...found.layers);
      const after = { layer: last === layers() ? null : last, earlier: found.layers.length > 1 };
      lesson.take(applied, before, after);
      [choice.layer, earlier.checked] = [after.layer, after.earlier];
      choice = { ...choice, view: "teach", opacity: choice.view === "teach" ? choice.opacity : null };
      lessonChanged = true;
      map = null;
      sync();
      await update();
    } catch (error) {
      alarm(error);
    }
  }

  /** What the engine is to fit; null before two classes have patches. */
  async function lessonNow(layers: number[]): Promise<Lesson | null> {
    if (!lesson.complete || !model) return null;
    const width = model.hidden;
    const shots = [...new Set(lesson.all.map(({ shot }) => shot))];
    for (const shot of shots) {
      await vectors.restore(shot, lesson.places(shot), settings()).catch(alarm);
    }
    const given: Required<Lesson> = { layers, names: [...lesson.names], examples: [], vectors: [] };
    for (const { shot, at, class: index } of lesson.all) {
      const token = shot.encoding && tokenAt(at, shot.encoding);
      const features = vectors.of(shot, at, layers, width);
      if (shot.encoding && token !== null) given.examples.push({ photo: shot.encoding.photo, token, class: index });
      else if (features) given.vectors.push({ features, class: index });
    }
    const classes = [...given.examples, ...given.vectors].map((example) => example.class);
    return new Set(classes).size < 2 ? null : given;
  }

  // Tabs, as the ARIA practices describe them.
  const tabs = viewNames.map((name) => {
    const tab = make("button", { type: "button", id: `tab-${name}`, textContent: views[name].title, role: "tab" });
    tab.setAttribute("aria-controls", "view");
    tab.addEventListener("click", () => turn(name));
    tab.addEventListener("keydown", ({ key }) => {
      const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      const next = viewNames[(viewNames.indexOf(name) + step + viewNames.length) % viewNames.length] ?? name;
      turn(next);
      root.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
    });
    return tab;
  });
  part(root, "#views", HTMLElement).replaceChildren(...tabs);

  function turn(view: Choice["view"]) {
    if (choice.view === view) return;
    choice = { ...choice, view, opacity: null };
    hovered = null;
    map = null;
    sync();
    void update();
  }

  layer.addEventListener("input", () => {
    choice.layer = layer.valueAsNumber === model?.layers ? null : layer.valueAsNumber;
    lessonChanged = true;
    sync();
    void update();
  });
  fade.addEventListener("input", () => {
    choice.opacity = fade.valueAsNumber;
    cancelAnimationFrame(revealing);
    sync();
    for (const one of [stage, otherStage]) if (one.scene) one.show({ ...one.scene, opacity: opacity() });
  });
  clusters.addEventListener("input", () => {
    choice.clusters = clusters.valueAsNumber;
    sync();
    void update();
  });
  foreground.addEventListener("change", () => {
    choice.foreground = foreground.checked;
    sync();
    void update();
  });
  swap.addEventListener("click", () => {
    choice.swap = !choice.swap;
    sync();
    void update();
  });
  keep.addEventListener("change", () => {
    kept = false;
    void update();
  });
  rollout.addEventListener("change", () => {
    choice.rollout = rollout.checked;
    head.disabled = rollout.checked;
    void update();
  });
  head.addEventListener("change", () => {
    choice.head = head.value === "" ? null : Number(head.value);
    void update();
  });
  part(root, "#class-token", HTMLButtonElement).addEventListener("click", () => {
    choice.at = null;
    void update();
  });
  other.addEventListener("change", () => void update());
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || choice.at === null || (choice.view !== "similarity" && choice.view !== "attention")) return;
    choice.at = null;
    void update();
  });
  addEventListener("hashchange", () => {
    choice = readAddress(location.hash);
    sync();
    void update();
  });

  earlier.addEventListener("change", () => {
    lessonChanged = true;
    void update();
  });

  /** Whether the colours to be kept have been fixed yet. */
  let kept = false;
  const layers = () => model?.layers ?? 12;
  const layerNow = () => Math.min(choice.layer ?? layers(), layers());
  /** The layers to teach on: the slider's, and with it those at one and two thirds of the way. */
  const layersNow = () => {
    const last = Math.max(1, layerNow());
    const all = earlier.checked ? [Math.ceil(last / 3), Math.ceil((2 * last) / 3), last] : [last];
    return [...new Set(all)];
  };
  const named = (list: number[]) => (list.length > 1 ? `layers ${list.join(", ")}` : `layer ${list[0]}`);
  const partner = () => shots.find((shot) => String(shot.encoding?.photo) === other.value && shot.encoding) ?? null;

  /** Controls as the choice has them. */
  function sync() {
    const view = views[choice.view];
    for (const tab of tabs) {
      const on = tab.id === `tab-${choice.view}`;
      tab.ariaSelected = String(on);
      tab.tabIndex = on ? 0 : -1;
    }
    root.dataset.view = choice.view;
    panel.setAttribute("aria-labelledby", `tab-${choice.view}`);
    for (const control of root.querySelectorAll<HTMLElement>("[data-for]")) {
      control.hidden = !control.dataset.for?.split(" ").includes(choice.view);
    }
    layer.max = String(layers());
    layer.min = choice.view === "attention" || choice.view === "teach" ? "1" : "0";
    layer.valueAsNumber = layerNow();
    const name = layerNow() === 0 ? "embedding" : `${layerNow()} of ${layers()}`;
    part(root, "#layer-name", HTMLElement).textContent = name;
    layer.setAttribute("aria-valuetext", name);
    fade.valueAsNumber = opacity();
    part(root, "#fade-name", HTMLElement).textContent = `${opacity()} %`;
    clusters.valueAsNumber = choice.clusters;
    part(root, "#clusters-name", HTMLElement).textContent = String(choice.clusters);
    foreground.checked = choice.foreground;
    swap.disabled = !choice.foreground;
    swap.ariaPressed = String(choice.swap);
    rollout.checked = choice.rollout;
    head.disabled = choice.rollout;
    head.value = choice.head === null ? "" : String(choice.head);
    caption.textContent = view.about;
  }

  let busy = false;
  let again = false;
  /** Asks for the view, one request at a time; of those that come meanwhile only the last. */
  async function update() {
    again = true;
    delete root.dataset.drawn;
    if (busy) return;
    busy = true;
    try {
      while (again) {
        again = false;
        await paint();
      }
    } catch (error) {
      alarm(error);
    } finally {
      busy = false;
      root.dataset.drawn = choice.view;
    }
  }

  async function paint() {
    const shot = current;
    if (!shot?.encoding) return;
    const before = location.pathname + location.search + address(choice);
    if (before !== location.pathname + location.search + location.hash) history.replaceState(null, "", before);
    if (choice.view === "teach") await learn();
    const second = choice.view === "similarity" ? partner() : null;
    const held = tokenAt(choice.at, shot.encoding);
    const token = choice.view === "similarity" ? (held ?? hovered) : choice.view === "attention" ? held : null;
    const of = keep.checked ? (kept ? "kept" : "keep") : "own";
    const request = requestFor(choice, layerNow(), of, token, shot.encoding.photo, taught !== null);
    const target = second?.encoding ?? shot.encoding;
    const asked = choice.view;
    if (request?.view === "segmentation" && model?.classes === 0) {
      finish(shot, null, null);
      readout.textContent = "This model has no segmentation head. The bundled one has, and you can teach one of your own.";
      return;
    }
    const answer = request && (await engine.call("view", { photo: target.photo, request }));
    if (shot !== current || !shot.encoding || asked !== choice.view) return;
    if (request?.view === "pca" && keep.checked) kept = true;
    map = answer;
    finish(shot, second, token);
  }

  /** Fits the taught head where the lesson has changed. */
  async function learn() {
    if (!lessonChanged) return;
    lessonChanged = false;
    const asked = await lessonNow(layersNow());
    const { head } = lesson;
    if (asked) {
      applied = null;
      taught = await engine.call("teach", asked);
      const patches = asked.examples.length + (asked.vectors?.length ?? 0);
      lesson.say(`Learned from ${patches} patches on ${named(taught.layers)} in ${Math.max(1, Math.round(taught.milliseconds))} ms.`);
    } else if (head) {
      if (applied !== head) {
        [applied, taught] = [null, null];
        taught = await engine.call("importHead", head.file);
        applied = head;
      }
      const stays = lesson.all.length > 0 ? " It is in use until two classes have patches." : "";
      lesson.say(`${head.file.name}: ${head.taught.names.join(", ")}, on ${named(head.taught.layers)}.${stays}`);
    } else {
      [applied, taught] = [null, null];
      lesson.say("");
    }
  }

  function finish(shot: Shot, second: Shot | null, token: number | null) {
    if (!shot.encoding) return;
    const view = views[choice.view];
    const marks: Mark[] = token === null ? [] : [{ token, colour: null }];
    if (choice.view === "teach") {
      for (const example of lesson.examples(shot)) {
        const at = tokenAt(example.at, shot.encoding);
        if (at !== null) marks.push({ token: at, colour: classColours[example.class] ?? null });
      }
    }
    const scene = (of: Shot, over: ViewMap | null, list: Mark[]): Scene | null =>
      of.encoding && {
        photo: of.encoding.bitmap,
        grid: of.encoding,
        map: over,
        smooth: view.smooth,
        shaded: choice.view === "pca" && choice.foreground,
        outlines: view.outlines,
        marks: list,
        opacity: opacityNow(),
        label: `${view.title} of ${of.file.name}`,
      };
    const main = scene(shot, second ? null : map, marks);
    if (main) stage.show(main);
    otherFrame.hidden = second === null;
    if (second) {
      const best = map?.best ?? null;
      const over = scene(second, map, best === null ? [] : [{ token: best, colour: null }]);
      if (over) otherStage.show(over);
    }
    showLegend(legend, map, number);
    const pointed = choice.view === "similarity" ? (hovered ?? token) : token;
    read(second ?? shot, second ? map?.best ?? null : pointed, null);
    if (choice.view === "similarity" && token === null) {
      readout.textContent = "Point at a patch of the picture.";
    }
  }

  function number(value: number): string {
    if (choice.view === "attention") return `${(100 * value).toPrecision(2)} %`;
    return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
  }

  /** The patch under the pointer, in words. */
  function read(shot: Shot | null, token: number | null, place: [number, number] | null) {
    if (!shot?.encoding || token === null || !map) {
      readout.textContent = "";
      return;
    }
    const { cols } = shot.encoding;
    const where = `Row ${Math.floor(token / cols) + 1}, column ${(token % cols) + 1}`;
    const said = views[choice.view].read(map, token, place ?? placeOf(token, shot.encoding), choice);
    readout.textContent = `${where}: ${said}`;
  }

  let rising: number | null = null;
  const opacity = () => choice.opacity ?? views[choice.view].opacity;
  const opacityNow = () => (rising ?? 1) * opacity();

  /** A new picture rises out of its photograph, unless the visitor prefers stillness. */
  function reveal() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const begin = performance.now();
    rising = 0;
    const step = (now: number) => {
      rising = Math.min(1, Math.max(0, now - begin) / REVEAL_MILLISECONDS);
      if (stage.scene) stage.show({ ...stage.scene, opacity: opacityNow() });
      if (rising < 1) revealing = requestAnimationFrame(step);
      else rising = null;
    };
    cancelAnimationFrame(revealing);
    revealing = requestAnimationFrame(step);
  }

  sync();
  return {
    get choice() {
      return choice;
    },
    get layer() {
      return layerNow();
    },
    preview(photo, patches) {
      part(root, "#frame", HTMLElement).style.setProperty("--patches", String(patches));
      otherFrame.hidden = true;
      stage.show({ photo, grid: null, map: null, smooth: true, shaded: false, outlines: false, marks: [], opacity: 0, label: "The photograph" });
    },
    show(shot, all) {
      const fresh = shot !== current;
      current = shot;
      shots = all;
      const chosen = other.value;
      other.replaceChildren(
        make("option", { value: "", textContent: "this photograph" }),
        ...all
          .filter((one) => one !== shot && one.encoding)
          .map((one) => make("option", { value: String(one.encoding?.photo), textContent: one.file.name })),
      );
      other.value = chosen;
      if (other.selectedIndex < 0) other.value = "";
      hovered = null;
      map = null;
      lessonChanged = true;
      if (fresh) reveal();
      void update();
    },
    revert() {
      if (!current?.encoding) return false;
      void update();
      return true;
    },
    fit(info) {
      model = info;
      [applied, taught] = [null, null];
      vectors.clear();
      kept = false;
      lessonChanged = true;
      head.replaceChildren(
        make("option", { value: "", textContent: "mean of all" }),
        ...Array.from({ length: info.heads }, (_, index) => make("option", { value: String(index), textContent: String(index + 1) })),
      );
      sync();
    },
    keep(shot, encoding) {
      void vectors.keep(shot, encoding, lesson.places(shot)).catch(() => undefined);
    },
    importHead,
    png: () => (otherFrame.hidden ? stage : otherStage).png(),
    data: () => map && { shape: map.shape, data: map.data },
  };
}
