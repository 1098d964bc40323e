// The buttons that save what is shown: disabled, with the reason in sight, while there is nothing to save.

import { make, part } from "./dom";
import type { Engine } from "./engine";
import { named, npy, save } from "./save";
import type { Shot } from "./photographs/shots";
import type { Workbench } from "./workbench";

export interface SavingParts {
  stage: HTMLElement;
  engine: Engine;
  workbench: Workbench;
  /** The photograph on the stage. */
  shown(): Shot | null;
  alarm(error: unknown): void;
  /** Done once no model is being loaded and no photograph encoded. */
  settled(): Promise<void>;
  /** Tells a screen reader. */
  say(text: string): void;
}

/** How long it stays in sight what was saved, in milliseconds. */
const SAID = 4000;

export class Saving {
  readonly #parts: SavingParts;
  readonly #picture: HTMLButtonElement;
  readonly #data: HTMLButtonElement;
  readonly #pixels: HTMLButtonElement;
  readonly #features: HTMLButtonElement;
  /** The row of those that save. */
  readonly #row: HTMLElement;
  /** What was saved, in sight for a while. */
  readonly #said = make("p", { className: "hint said", hidden: true });
  #timer = 0;
  readonly #hint = make("p", { id: "save-hint", className: "hint", hidden: true });

  constructor(parts: SavingParts) {
    const { stage } = (this.#parts = parts);
    this.#picture = this.#button("save-picture", () => this.#savePicture());
    this.#data = this.#button("save-data", () => this.#saveData());
    this.#pixels = this.#button("save-pixels", () => this.#savePixels());
    this.#features = this.#button("save-features", () => this.#saveFeatures());
    this.#row = part(stage, ".saying .actions", HTMLElement);
    this.#row.after(this.#said, this.#hint);
    new MutationObserver(() => this.#refresh()).observe(stage, { attributeFilter: ["data-drawn", "data-state"] });
    closing(part(stage, ".menu", HTMLDetailsElement));
    this.#refresh();
  }

  /** Saves a file, and says so below the line that `button` stands in; where that is a menu's, or none, below the row of those that save. */
  save(blob: Blob, name: string, button: HTMLElement | null = null) {
    save(blob, name);
    clearTimeout(this.#timer);
    (button?.closest<HTMLElement>(".actions, .line") ?? this.#row).after(this.#said);
    this.#said.textContent = `Saved ${name} ✓`;
    this.#said.hidden = false;
    // A menu opens upwards: its row may be below the window.
    this.#said.scrollIntoView({ block: "nearest" });
    this.#timer = setTimeout(() => (this.#said.hidden = true), SAID);
    this.#parts.say(`Saved ${name}.`);
  }

  #button(id: string, work: () => Promise<void>): HTMLButtonElement {
    const button = part(document, `#${id}`, HTMLButtonElement);
    button.setAttribute("aria-describedby", this.#hint.id);
    button.addEventListener("click", () => {
      // A choice closes the menu that it was made in.
      button.closest("details")?.removeAttribute("open");
      void work().catch(this.#parts.alarm);
    });
    return button;
  }

  async #savePicture() {
    const { file } = await this.#drawn();
    const { workbench } = this.#parts;
    this.save(await workbench.png(), named(file.name, `${workbench.viewName}.png`));
  }

  async #saveData() {
    const { file } = await this.#drawn();
    const { map, viewName } = this.#parts.workbench;
    if (map) this.save(npy(map), named(file.name, `${viewName}.npy`));
  }

  /** The numbers at each pixel of the picture, with the edges that are drawn. */
  async #savePixels() {
    const { workbench, engine } = this.#parts;
    const shot = await this.#drawn();
    const { map, viewName, view, shots } = workbench;
    // A view that compares is of the other picture.
    const { file, encoding } = view.partner(shots) ?? shot;
    if (!map || !encoding) return;
    const { data, shape, width, height, labels } = map;
    const given = { photo: encoding.photo, map: { data, shape, width, height, labels }, several: viewName === "attention", edges: workbench.edgesOf(view) };
    this.save(npy(await engine.call("numbers", given)), named(file.name, `${viewName}-pixels.npy`));
  }

  async #saveFeatures() {
    const { engine, workbench } = this.#parts;
    await this.#settled();
    const shot = this.#parts.shown();
    if (!shot?.encoding) throw new Error("Nothing was saved. The photograph is not encoded.");
    const { layer } = workbench;
    const tensor = await engine.call("tensor", { photo: shot.encoding.photo, name: `hidden_states.${layer}` });
    this.save(npy(tensor), named(shot.file.name, `layer-${layer}.npy`));
  }

  /** The photograph whose view is drawn, once it is; an error where there is nothing to save. */
  async #drawn(): Promise<Shot> {
    await this.#settled();
    const [reason, shot] = [this.#lacking(), this.#parts.shown()];
    if (reason !== null || !shot) throw new Error(`Nothing was saved. ${reason}`);
    return shot;
  }

  /** What is missing to save the view; null where nothing is. */
  #lacking(): string | null {
    const { workbench, shown } = this.#parts;
    if (!shown()?.encoding) return "The photograph is not encoded.";
    return workbench.map ? null : workbench.view.lacking;
  }

  #refresh() {
    const { stage, shown } = this.#parts;
    // Between two drawings the buttons stay as they are, or they would flicker.
    if (stage.dataset.state !== "shown" || !stage.dataset.drawn) return;
    const reason = this.#lacking();
    this.#picture.disabled = this.#data.disabled = this.#pixels.disabled = reason !== null;
    this.#features.disabled = !shown()?.encoding;
    this.#hint.hidden = reason === null;
    this.#hint.textContent = reason === null ? "" : `Nothing to save in this view yet. ${reason}`;
  }

  /** Waits until the view that was asked for last is drawn. */
  async #settled() {
    const { stage, shown, settled } = this.#parts;
    // What was drawn before is still in sight while a photograph is encoded again, by another model.
    if (!shown()?.encoding) await settled();
    if (stage.dataset.drawn) return;
    await new Promise<void>((resolve) => {
      const observer = new MutationObserver(() => {
        if (!stage.dataset.drawn) return;
        observer.disconnect();
        resolve();
      });
      observer.observe(stage, { attributeFilter: ["data-drawn"] });
    });
  }
}

/** A menu closes when something else is pressed, and by Esc. */
function closing(menu: HTMLDetailsElement) {
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !menu.contains(target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    // The key lets no patch go.
    event.stopPropagation();
    menu.open = false;
    part(menu, "summary", HTMLElement).focus();
  });
}
