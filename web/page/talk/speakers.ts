// Models that speak, by their names on the hub: fetched whole, kept in the browser, opened from there.

import { checkAble, keeps } from "../../client/store";
import { readName, tidyName } from "../../shared/model-name";
import type { ModelRequest, OwnFiles } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import { part } from "../dom";
import { Store } from "../models/fetching";
import { Row } from "../models/row";
import type { Held, Offer } from "../models/published";

/** What InternVL3-1B and InternVL2_5-1B take, which have one shape; docs/quantization.md has the first two measured. */
const QWEN2: Held = { int4: 593e6, int8: 820e6, f32: 3.21e9, token: 12_288 };

/** Those that are small enough for a page; sizes are of the published files, of 16 bits a weight. */
export const PUBLISHED: readonly (Offer & { name: string; held: Held })[] = [
  { name: "OpenGVLab/InternVL3-1B", parameters: 938_193_024, bits: 16, held: QWEN2, image: 448, licence: null, gated: false, advice: "Small and quick: InternViT-300M with a Qwen2.5 of half a billion parameters." },
  { name: "OpenGVLab/InternVL3_5-1B", parameters: 1_060_897_792, bits: 16, held: { int4: 724e6, int8: 928e6, f32: 3.62e9, token: 114_688 }, image: 448, licence: "Apache-2.0", gated: false, advice: "Newer and a little larger: the same encoder with a Qwen3." },
  { name: "OpenGVLab/InternVL2_5-1B", parameters: 938_193_024, bits: 16, held: QWEN2, image: 448, licence: "MIT", gated: false, advice: "The one before, as large as the first." },
];

/** Longest message of a failure, in characters. */
const MOST = 1000;

export class Speakers {
  readonly #root: HTMLDetailsElement;
  readonly #store = new Store();
  readonly #rows = new Map<string, Row>();
  readonly #list: HTMLUListElement;
  readonly #field: HTMLInputElement;
  readonly #said: HTMLElement;
  /** Receives the files of a model that the visitor wants to talk to. */
  readonly #onUse: (model: OwnFiles) => Promise<boolean>;
  /** Whether something was said that another model would end. */
  readonly #talking: () => boolean;
  /** The one that is loaded. */
  #used: string | null = null;

  constructor(root: HTMLDetailsElement, onUse: (model: OwnFiles) => Promise<boolean>, talking: () => boolean) {
    [this.#root, this.#onUse, this.#talking] = [root, onUse, talking];
    this.#list = part(root, "ul", HTMLUListElement);
    this.#field = part(root, "input", HTMLInputElement);
    this.#said = part(root, "[data-space]", HTMLElement);
    root.addEventListener("toggle", () => root.open && void this.#show());
    this.#field.addEventListener("input", () => this.#field.setCustomValidity(""));
    const add = () => this.#add();
    part(root, "[data-fetch]", HTMLButtonElement).addEventListener("click", add);
    this.#field.addEventListener("keydown", (event) => {
      // The form around it asks a question.
      if (event.key !== "Enter") return;
      event.preventDefault();
      add();
    });
  }

  /** Another model was opened. */
  leave() {
    this.#used = null;
    this.#draw();
  }

  async #show() {
    for (const model of PUBLISHED) this.#row(model.name, model);
    try {
      checkAble();
      const stored = await this.#store.ask("list", null);
      for (const model of stored.filter(({ whole }) => whole)) this.#row(model.name.replace(/ that speaks$/, "")).stored = model;
      this.#said.textContent = "";
    } catch (error) {
      this.#said.textContent = spelled(error instanceof Error ? error.message : String(error), MOST);
    }
    this.#draw();
  }

  #draw() {
    for (const row of this.#rows.values()) row.draw(this.#used);
  }

  #row(name: string, published: Offer | null = null): Row {
    const known = this.#rows.get(name);
    if (known) return known;
    const made = new Row(name, published, { main: () => this.#press(made), other: () => void this.#give(made) });
    this.#rows.set(name, made);
    this.#list.append(made.item);
    made.draw(this.#used);
    return made;
  }

  #request(name: string): ModelRequest {
    const { content: hub } = part(document, 'meta[name="hub"]', HTMLMetaElement);
    const token = part(document, "#model-token", HTMLInputElement).value.trim();
    return { name, hub, token, words: false, whole: true };
  }

  #add() {
    const name = tidyName(this.#field.value.trim(), this.#request("").hub);
    if (!readName(name)) {
      this.#field.setCustomValidity("A model is named owner/name, owner/name@revision, owner/name:Q4_K_M or owner/name:FILE.gguf for one of several in GGUF, or by the https address of its folder, without a password.");
      this.#field.reportValidity();
      return;
    }
    this.#field.value = "";
    const row = this.#row(name);
    row.item.scrollIntoView({ block: "nearest" });
    if (!row.work) this.#press(row);
  }

  /** What a model's first button does: use, pause, get, resume. */
  #press(row: Row) {
    if (row.work) return row.work.abort();
    if (row.stored?.complete) return void this.#use(row);
    row.fetching ??= this.#fetch(row).finally(() => (row.fetching = null));
  }

  async #fetch(row: Row) {
    if (!(await this.#store.fetch(row, this.#request(row.name), this.#used))) return;
    if (!this.#talking()) return this.#use(row);
    this.#said.textContent = `${spelled(row.name)} is here. Use it when this conversation may end: another model begins a new one.`;
  }

  async #use(row: Row) {
    this.#said.textContent = "";
    try {
      const model = row.stored && (await this.#store.ask("open", row.stored.name));
      if (!model || !(await this.#onUse({ ...model, name: row.name }))) return;
      [this.#used, row.problem, this.#root.open] = [row.name, null, false];
    } catch (error) {
      row.fail(error);
    }
    this.#draw();
  }

  /** Its second: cancel, delete or dismiss. */
  async #give(row: Row) {
    const { fetching, work, stored } = row;
    if (!work && stored && this.#used === row.name) {
      row.fail(new Error("It answers from this file, so it stays. Open another model first, or reload the page."));
      return row.draw(this.#used);
    }
    work?.abort();
    await fetching;
    try {
      if (stored && keeps()) await this.#store.ask(work ? "cancel" : "remove", stored.name);
      [row.stored, row.problem] = [null, null];
      if (!row.published) {
        this.#rows.delete(row.name);
        row.item.remove();
      }
    } catch (error) {
      row.fail(error);
    }
    row.draw(this.#used);
  }
}
