// The models to be had: published ones and what the visitor names; fetched, kept and deleted.

import { bytes } from "../../shared/format";
import { readName, tidyName } from "../../shared/model-name";
import type { StoreCalls, StoredModel } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import type { Options } from "../../client/caller";
import { checkAble, keeps } from "../../client/store";
import { make, part } from "../dom";
import { Store } from "./fetching";
import { gainOf, type Present } from "./gain";
import { Row } from "./row";
import { PURPOSES, type Published, type Purpose } from "./published";

/** Longest message of a failure, in characters. */
const MOST = 1000;

/** The published model that is offered before all others. */
const LARGER = "OpenGVLab/InternViT-300M-448px-V2_5";

export class ModelList {
  readonly #root: HTMLDetailsElement;
  readonly #hub: string;
  /** Receives the model that the visitor wants to work with. */
  readonly #onUse: (name: string) => void;
  readonly #present: () => Present;
  readonly #rows = new Map<string, Row>();
  /** The visitor's own. */
  readonly #items: HTMLUListElement;
  /** The published ones, a fold for each purpose. */
  readonly #groups: HTMLElement;
  /** The one that is offered at once, with what it gains. */
  readonly #larger = part(document, "#larger", HTMLElement);
  readonly #field: HTMLInputElement;
  readonly #token: HTMLInputElement;
  readonly #words: HTMLInputElement;
  readonly #space: HTMLElement;
  /** The stored model that is loaded. */
  #used: string | null = null;
  readonly #store = new Store();
  /** The list's first filling. */
  #listed: Promise<void> | null = null;

  /** `present` is what published models are compared with. */
  constructor(root: HTMLDetailsElement, hub: string, onUse: (name: string) => void, present: () => Present) {
    this.#root = root;
    this.#hub = hub;
    this.#onUse = onUse;
    this.#present = present;
    this.#items = part(root, "ul", HTMLUListElement);
    this.#groups = part(root, ".purposes", HTMLElement);
    this.#field = part(root, "#model-name", HTMLInputElement);
    this.#token = part(root, "#model-token", HTMLInputElement);
    this.#words = part(root, "#model-words", HTMLInputElement);
    this.#space = part(root, ".space", HTMLElement);
    root.addEventListener("toggle", () => root.open && void this.#show());
    this.#larger.closest("[popover]")?.addEventListener("toggle", (event) => (event as ToggleEvent).newState === "open" && void this.#offerLarger());
    this.#field.addEventListener("input", () => this.#field.setCustomValidity(""));
    part(root, "form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    addEventListener("online", () => {
      for (const row of this.#rows.values()) if (row.interrupted) void this.#fetch(row);
    });
  }

  /** The files of a stored model, checked; null where it is not here. */
  open(name: string, options: Options): Promise<StoreCalls["open"]["answer"]> {
    return this.#store.ask("open", name, options);
  }

  /** What the browser stores; nothing where it stores no models. */
  stored(): Promise<StoredModel[]> {
    return isSecureContext && keeps() ? this.#list().catch(() => []) : Promise.resolve([]);
  }

  /** What is stored of encoders: what speaks has a list of its own. */
  async #list(): Promise<StoredModel[]> {
    return (await this.#store.ask("list", null)).filter(({ whole }) => !whole);
  }

  /** Shows a model that the visitor may want to fetch, or to fetch again. */
  offer(name: string) {
    this.#listed = null; // what is stored may have been found damaged
    this.#root.open = true;
    const sheet = this.#root.closest<HTMLElement>("[popover]");
    if (sheet && !sheet.matches(":popover-open")) sheet.showPopover();
    void this.#show().then(() => unfold(this.#row(name).item).scrollIntoView({ block: "nearest" }));
  }

  /** Shows the larger model, what it gains over the one in use, and what it costs, where the browser can keep it. */
  async #offerLarger() {
    const published = PURPOSES.flatMap(({ models }): readonly Published[] => models).find(({ name }) => name === LARGER);
    if (!published || !isSecureContext || !keeps()) return;
    const list = part(this.#larger, "ul", HTMLUListElement);
    const row = this.#row(LARGER, published, list);
    if (!list.contains(row.item)) list.append(row.item);
    this.#larger.hidden = false;
    const fold = part(row.item, ".gain", HTMLDetailsElement);
    // Where it is open already the numbers are still those of now.
    if (fold.open) fold.dispatchEvent(new Event("toggle"));
    fold.open = true;
    await this.#show();
  }

  /** Marks the stored model that is loaded, if any is. */
  mark(name: string | null) {
    this.#used = name;
    this.#draw();
  }

  #request(name: string) {
    return { name, hub: this.#hub, token: this.#token.value.trim(), words: this.#words.checked };
  }

  /** A model's row: of a published one in `group`, of the visitor's own before all groups. */
  #row(name: string, published: Published | null = null, group: HTMLElement | null = null): Row {
    const known = this.#rows.get(name);
    if (known) return known;
    const made = new Row(name, published, { main: () => this.#press(made), other: () => void this.#give(made) });
    if (published) made.tell(gainOf(published, this.#hub, this.#present));
    this.#rows.set(name, made);
    if (group) group.append(made.item);
    else this.#items.prepend(made.item);
    made.draw(this.#used);
    return made;
  }

  #draw() {
    for (const row of this.#rows.values()) row.draw(this.#used);
  }

  #show(): Promise<void> {
    return (this.#listed ??= this.#fill().catch((error: unknown) => {
      this.#listed = null;
      this.#space.textContent = spelled(error instanceof Error ? error.message : String(error), MOST);
    }));
  }

  async #fill() {
    checkAble();
    const stored = await this.#list();
    if (!this.#groups.childElementCount) this.#groups.append(...PURPOSES.map((purpose) => this.#group(purpose)));
    for (const model of stored) this.#row(model.name).stored = model;
    this.#draw();
    // What is here is seen at once.
    for (const { item, stored: here } of this.#rows.values()) if (here) unfold(item);
    await this.#showSpace();
  }

  /** A fold of the published models that are good for something. */
  #group({ title, models }: Purpose): HTMLElement {
    const list = make("ul");
    for (const model of models) this.#row(model.name, model, list);
    return make("details", { className: "purpose" }, make("summary", { textContent: title }), list);
  }

  /** Tells how much is stored, and how much room is left. */
  async #showSpace() {
    if (!keeps()) return;
    const { quota, usage } = await navigator.storage.estimate();
    const lasting = await navigator.storage.persisted();
    const here = [...this.#rows.values()].reduce((sum, { stored }) => sum + (stored?.here ?? 0), 0);
    this.#space.textContent = `${bytes(here)} of models stored; room for ${bytes(Math.max(0, (quota ?? 0) - (usage ?? 0)))} more.` +
      (here > 0 && !lasting ? " The browser may delete them when the device runs short of space." : "");
  }

  #submit() {
    const name = tidyName(this.#field.value.trim(), this.#hub);
    if (!readName(name)) {
      this.#field.setCustomValidity("A model is named owner/name, owner/name@revision, or by the https address of its folder, without a password.");
      this.#field.reportValidity();
      return;
    }
    this.#field.value = "";
    void this.#show().then(() => {
      const row = this.#row(name);
      unfold(row.item).scrollIntoView({ block: "nearest" });
      if (row.work) return;
      // What is here may be without words.
      if (this.#words.checked) void this.#fetch(row);
      else this.#press(row);
    });
  }

  /** What a model's first button does: use, pause, get, resume. */
  #press(row: Row) {
    if (row.work) return row.work.abort();
    if (row.stored?.complete) return this.#onUse(row.name);
    void this.#fetch(row);
  }

  /** Its second: cancel, delete or dismiss. */
  async #give(row: Row) {
    const { fetching, work } = row;
    work?.abort();
    await fetching;
    try {
      // Where nothing is kept there is nothing to remove.
      row.stored = keeps() ? await this.#store.ask(work ? "cancel" : "remove", row.name) : null;
      row.problem = null;
      if (!row.published && !row.stored) {
        this.#rows.delete(row.name);
        row.item.remove();
      }
    } catch (error) {
      row.fail(error);
    }
    row.draw(this.#used);
    await this.#showSpace();
  }

  #fetch(row: Row): Promise<void> {
    return (row.fetching ??= this.#download(row).finally(() => {
      row.fetching = null;
    }));
  }

  async #download(row: Row) {
    const fetched = await this.#store.fetch(row, this.#request(row.name), this.#used);
    await this.#showSpace();
    if (fetched) this.#onUse(row.name);
  }
}

/** Opens the fold in which a row is, if it is in one. */
function unfold(item: HTMLElement): HTMLElement {
  const fold = item.closest<HTMLDetailsElement>(".purpose");
  if (fold) fold.open = true;
  return item;
}
