// The models to be had: published ones and what the visitor names; fetched, kept and deleted.

import { Caller, type Options } from "./caller";
import { make, part } from "./dom";
import { bytes, many, remaining } from "../shared/format";
import { readName, tidyName } from "../shared/model-name";
import { spelled } from "../shared/spelled";
import type { Progress, PublishedModel, StoreCalls, StoredModel } from "../shared/protocol";

export interface Models {
  /** The files of a stored model, checked; null where it is not here. */
  open(name: string, options: Options): Promise<{ config: File; preprocessor: File | null; weights: File[] } | null>;
  /** Shows a model that the visitor may want to fetch, or to fetch again. */
  offer(name: string): void;
  /** The stored model that is at work, if any is. */
  mark(name: string | null): void;
}

/** `onUse` is told the model that the visitor wants to work with. */
export function modelList(root: HTMLDetailsElement, hub: string, onUse: (name: string) => void): Models {
  const rows = new Map<string, Row>();
  const items = part(root, "ul", HTMLUListElement);
  const form = part(root, "form", HTMLFormElement);
  const field = part(root, "#model-name", HTMLInputElement);
  const token = part(root, "#model-token", HTMLInputElement);
  const space = part(root, ".space", HTMLElement);
  let used: string | null = null;
  let caller: Caller<StoreCalls> | null = null;
  let listed: Promise<void> | null = null;

  /** The worker starts when it is first needed, and again when it has died. */
  function store(): Caller<StoreCalls> {
    if (caller && !caller.broken) return caller;
    return (caller = new Caller<StoreCalls>(
      new Worker(new URL("../worker/download.ts", import.meta.url), { type: "module" }),
      "The worker that keeps models has stopped; what is stored stays. Try again.",
    ));
  }
  const wish = (name: string) => ({ name, hub, token: token.value.trim() });

  function row(name: string, published: PublishedModel | null = null): Row {
    const known = rows.get(name);
    if (known) return known;
    const made = new Row(name, published, { main: () => press(made), other: () => give(made) });
    rows.set(name, made);
    // The visitor's own come first.
    if (published) items.append(made.item);
    else items.prepend(made.item);
    made.draw(used);
    return made;
  }

  async function fill() {
    able();
    const [published, stored] = await Promise.all([store().ask("catalogue", null), store().ask("list", null)]);
    for (const model of published) row(model.name, model);
    for (const model of stored) row(model.name).stored = model;
    for (const one of rows.values()) one.draw(used);
    await room();
  }

  function show(): Promise<void> {
    return (listed ??= fill().catch((error: unknown) => {
      listed = null;
      space.textContent = spelled(error instanceof Error ? error.message : String(error), 1000);
    }));
  }

  async function room() {
    if (!keeps()) return;
    const { quota, usage } = await navigator.storage.estimate();
    const lasting = await navigator.storage.persisted();
    const here = [...rows.values()].reduce((sum, { stored }) => sum + (stored?.here ?? 0), 0);
    space.textContent = `${bytes(here)} of models stored; room for ${bytes(Math.max(0, (quota ?? 0) - (usage ?? 0)))} more.` +
      (here > 0 && !lasting ? " The browser may delete them when the device runs short of space." : "");
  }

  /** What a model's first button does: use, pause, get, resume. */
  function press(one: Row) {
    if (one.work) return one.work.abort();
    if (one.stored?.complete) return onUse(one.name);
    void fetchModel(one);
  }

  /** Its second: cancel, delete or dismiss. */
  async function give(one: Row) {
    const fetching = one.fetching;
    one.work?.abort();
    await fetching;
    try {
      // Where nothing is kept there is nothing to remove.
      if (keeps()) await store().ask("remove", one.name);
      one.stored = null;
      one.problem = null;
      if (!one.published) {
        rows.delete(one.name);
        one.item.remove();
      }
    } catch (error) {
      one.fail(error);
    }
    one.draw(used);
    await room();
  }

  function fetchModel(one: Row): Promise<void> {
    return (one.fetching ??= run(one).finally(() => {
      one.fetching = null;
    }));
  }

  async function run(one: Row) {
    const abort = (one.work = new AbortController());
    const { signal } = abort;
    one.begin();
    one.draw(used);
    try {
      able();
      one.stored = await store().ask("plan", wish(one.name), { signal });
      await enough(one.stored);
      await store().ask("download", wish(one.name), { signal, progress: (progress) => one.report(progress) });
    } catch (error) {
      if (!signal.aborted) one.fail(error);
    }
    const stored = await store().ask("list", null).catch(() => []);
    one.stored = stored.find(({ name }) => name === one.name) ?? null;
    one.work = null;
    one.draw(used);
    await room();
    if (one.stored?.complete && !signal.aborted && !one.problem) onUse(one.name);
  }

  async function enough({ name, bytes: all, here }: StoredModel) {
    // Asked for now, when the visitor knows why; a browser that refuses may still delete what is stored.
    void navigator.storage.persist().catch(() => undefined);
    const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
    const left = Math.max(0, quota - usage);
    if (all - here <= left) return;
    throw new Error(`${name} needs ${bytes(all - here)}, but the browser has room for ${bytes(left)} only. Delete another model, or free space on the device.`);
  }

  root.addEventListener("toggle", () => root.open && void show());
  field.addEventListener("input", () => field.setCustomValidity(""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = tidyName(field.value.trim(), hub);
    if (!readName(name)) {
      field.setCustomValidity("A model is named owner/name, owner/name@revision, or by the https address of its folder, without a password.");
      field.reportValidity();
      return;
    }
    field.value = "";
    void show().then(() => {
      const one = row(name);
      one.item.scrollIntoView({ block: "nearest" });
      if (!one.work) press(one);
    });
  });
  addEventListener("online", () => {
    for (const one of rows.values()) if (one.interrupted) void fetchModel(one);
  });

  return {
    open: (name, options) => store().ask("open", name, options),
    offer(name) {
      listed = null; // what is stored may have been found damaged
      root.open = true;
      void show().then(() => row(name).item.scrollIntoView({ block: "nearest" }));
    },
    mark(name) {
      used = name;
      for (const one of rows.values()) one.draw(used);
    },
  };
}

const keeps = () => "storage" in navigator && "getDirectory" in navigator.storage;

function able() {
  if (!isSecureContext) throw new Error("Browsers keep models only for pages at https addresses and at localhost.");
  if (!keeps()) throw new Error("This browser cannot keep models for a page.");
}

/** Seconds over which the speed is taken. */
const SPAN = 5;

class Row {
  readonly name: string;
  readonly published: PublishedModel | null;
  readonly item: HTMLLIElement;
  stored: StoredModel | null = null;
  /** Its download, as long as one runs. */
  work: AbortController | null = null;
  fetching: Promise<void> | null = null;
  problem: string | null = null;
  /** Whether it goes on by itself when the connection is back. */
  interrupted = false;
  readonly #state = make("p", { className: "hint" });
  readonly #bar = make("progress", { hidden: true });
  readonly #note = make("p", { className: "note", hidden: true });
  readonly #main: HTMLButtonElement;
  readonly #other: HTMLButtonElement;
  /** Bytes and when they were there, of the last seconds. */
  #past: [number, number][] = [];

  constructor(name: string, published: PublishedModel | null, on: { main(): void; other(): void }) {
    this.name = name;
    this.published = published;
    this.#main = make("button", { type: "button", onclick: on.main });
    this.#other = make("button", { type: "button", onclick: on.other });
    this.#note.setAttribute("role", "alert");
    this.#bar.ariaLabel = `Download of ${name}`;
    this.item = make("li", {}, make("p", { className: "name", textContent: published ? name.replace(/^OpenGVLab\//, "") : spelled(name), title: spelled(name) }));
    if (published) this.item.append(make("p", { className: "hint", textContent: facts(published) }));
    this.item.append(this.#state, this.#bar, this.#note, make("div", { className: "actions" }, this.#main, this.#other));
  }

  begin() {
    this.problem = null;
    this.interrupted = false;
    this.#past = [];
    this.#bar.removeAttribute("value");
    this.#state.textContent = "Checking the file list …";
  }

  report({ stage, done, total }: Progress) {
    if (stage === "wait") {
      this.#state.textContent = "Another tab is fetching it; this one waits.";
      return;
    }
    const now = performance.now() / 1000;
    this.#past.push([done, now]);
    while (this.#past.length > 2 && now - (this.#past[0]?.[1] ?? now) > SPAN) this.#past.shift();
    const [before, then] = this.#past[0] ?? [done, now];
    const speed = (done - before) / (now - then);
    const rate = now - then > 0.5 && speed > 0 ? `, ${bytes(speed)}/s, ${remaining((total - done) / speed)} left` : "";
    this.#state.textContent = `${bytes(done)} of ${bytes(total)}${rate}`;
    this.#bar.value = done / total;
  }

  fail(error: unknown) {
    this.problem = error instanceof Error ? error.message : String(error);
    this.interrupted = error instanceof Error && error.name === "Passing";
  }

  draw(used: string | null) {
    const { name, stored, work, problem } = this;
    const verb = work ? "Pause" : stored?.complete ? "Use" : stored ? "Resume" : "Get";
    const inUse = verb === "Use" && used === name;
    label(this.#main, inUse ? "In use" : verb, name);
    this.#main.disabled = inUse;
    this.#other.hidden = !stored && !work && this.published !== null;
    label(this.#other, work ? "Cancel" : stored ? "Delete" : "Dismiss", name);
    this.#bar.hidden = !work;
    if (!work) {
      this.#state.textContent = !stored ? "" : stored.complete ? `${bytes(stored.bytes)}, stored` : `${bytes(stored.here)} of ${bytes(stored.bytes)} stored`;
    }
    this.#state.hidden = !this.#state.textContent;
    const said = problem && this.interrupted ? `${problem} The download goes on when the connection is back, or press ${verb}.` : problem ?? "";
    this.#note.hidden = !said;
    if (this.#note.textContent !== said) this.#note.textContent = said;
  }
}

/** The rows' buttons look alike, so their names hold the model. */
function label(button: HTMLButtonElement, verb: string, name: string) {
  if (button.textContent !== verb) button.textContent = verb;
  button.ariaLabel = `${verb} ${name}`;
}

function facts({ parameters, bytes: size, image }: PublishedModel): string {
  // What the weights leave free holds a picture's features.
  const device = size < 2e9 ? "for most devices" : `for a GPU with ${8 * Math.ceil(size / 8e9)} GB`;
  return `${many(parameters)} parameters, about ${bytes(size)}, ${image} px; ${device}`;
}
