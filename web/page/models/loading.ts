// Which model the engine has: the bundled one, a stored one, or the visitor's files.

import type { Model, ModelSource, OwnFiles } from "../../shared/protocol";
import type { DeviceStatus } from "../device/device";
import type { Engine } from "../engine";
import { bundled, BUNDLED_NAME, DEFAULT_NAME, type ModelPicker } from "./picker";
import type { ModelList } from "./models";
import type { Notice } from "../notice";
import { Latest, type Attempt } from "../requests";
import type { Tasks } from "../tasks";

export interface LoadingParts {
  engine: Engine;
  tasks: Tasks;
  messages: Notice;
  status: DeviceStatus;
  picker: ModelPicker;
  list: ModelList;
  /** Resolves once the engine knows the precision. */
  precision: Promise<void>;
}

export interface LoadingActions {
  /** Another model takes the place of the one that is loaded. */
  replacing(): void;
  /** A model is loaded: what was encoded by the one before is gone. */
  loaded(model: Model): void;
  /** A model that the visitor has changed to is loaded. */
  replaced(): void;
  /** The visitor cancels while the page's first model loads. */
  cancelFirst(): void;
}

/** The model that the address names; empty where the page begins with the bundled one. */
const askedModel = () => {
  const name = new URLSearchParams(location.search).get("model") ?? "";
  return name === BUNDLED_NAME ? "" : name;
};

/** The folder of the model that the page begins with, where it is on the server. */
export const firstFolder = (): { folder?: string } => (askedModel() ? {} : bundled);

export class ModelLoading {
  readonly #parts: LoadingParts;
  readonly #actions: LoadingActions;
  readonly #checks = new Latest();
  readonly #loads = new Latest();
  #model: Promise<Model | null> = Promise.resolve(null);
  /** The model that is loaded, or being loaded. */
  #source: ModelSource | null = null;
  /** Models of the visitor's own files that were loaded in this visit. */
  readonly opened: OwnFiles[] = [];
  /** Whether a model has been loaded in this visit. */
  #everLoaded = false;

  constructor(parts: LoadingParts, actions: LoadingActions) {
    this.#parts = parts;
    this.#actions = actions;
  }

  /** Loads the model that the page begins with. */
  begin() {
    this.#model = this.#first();
  }

  /** The model that was asked for last; null where it did not load. */
  get model(): Promise<Model | null> {
    return this.#model;
  }

  /** Waits until the model that was asked for last is loaded; null where it did not load. */
  async ready(): Promise<Model | null> {
    for (;;) {
      const asked = this.#model;
      const loaded = await asked;
      if (asked === this.#model) return loaded;
    }
  }

  /** Whether the model is of the visitor's own files. */
  get ownFiles(): boolean {
    return this.#source !== null && !("folder" in this.#source) && this.#source.name === undefined;
  }

  /** The model that is loaded, or being loaded. */
  get source(): ModelSource | null {
    return this.#source;
  }

  /** Changes to a model that the visitor has not asked for, which a link need not name. */
  async replaceBy(source: ModelSource) {
    let asked = (this.#model = this.#load(source));
    let model = await asked;
    if (!model && this.#model === asked) {
      // Cancelled, or broken: the page goes on with what it had.
      asked = this.#model = this.#load(bundled);
      model = await asked;
    }
    if (model && this.#model === asked) this.#actions.replaced();
  }

  async change(source: ModelSource) {
    this.#parts.messages.clear();
    this.#checks.drop();
    this.#actions.replacing();
    const asked = (this.#model = this.#load(source));
    if (!(await asked) || this.#model !== asked) return;
    if (this.#source) remember(this.#source);
    this.#actions.replaced();
  }

  /** Loads the model once more. */
  async reload() {
    if (this.#source) await this.change(this.#source);
  }

  async useStored(name: string) {
    const check = this.#checks.begin();
    const stored = await this.#openStored(name, check);
    if (stored && check.current) await this.change(stored);
  }

  /** The model that the address names, if it is stored: a link alone never fetches a model. */
  async #first(): Promise<Model | null> {
    const name = askedModel();
    if (!name) return this.#load(bundled);
    const check = this.#checks.begin();
    const stored = await this.#openStored(name, check);
    return check.current ? this.#load(stored ?? bundled) : this.#model;
  }

  /** Null where the model is not stored, or damaged: then the list offers to fetch it. */
  async #openStored(name: string, check: Attempt): Promise<ModelSource | null> {
    const { tasks, list } = this.#parts;
    try {
      const stored = await tasks.run(`Checking ${name}`, check, (options) => list.open(name, options));
      if (stored) return { name, ...stored };
      list.offer(name);
    } catch (error) {
      if (!check.signal.aborted) list.offer(name);
      tasks.complain(error, "Cancelled.");
    }
    return null;
  }

  /** Null where the model did not load; the visitor has been told why. */
  async #load(source: ModelSource): Promise<Model | null> {
    const { engine, tasks, messages, status, picker, list, precision } = this.#parts;
    const attempt = this.#loads.begin();
    this.#source = source;
    picker.loading(source);
    try {
      // The model that the page begins with is needed whatever becomes of the photograph that waits for it.
      const first = source === bundled && !this.#everLoaded;
      const model = await tasks.run("Loading the model", attempt, async (options) => {
        await status.device; // without one, its reason is the message
        await precision;
        return engine.call("load", source, options);
      }, first ? () => this.#actions.cancelFirst() : undefined);
      this.#everLoaded = true;
      if (!("folder" in source) && source.name === undefined && !this.opened.includes(source)) this.opened.push(source);
      this.#actions.loaded(model);
      picker.loaded(source, model);
      list.mark(nameOf(source));
      await status.show(model);
      messages.say(`The model ${model.name} is loaded.`);
      return model;
    } catch (error) {
      if (!attempt.current) return null; // another model has taken its place
      tasks.complain(error, "The model was not loaded.");
      // Whatever was to be the page's first model: without it there is the bundled one.
      if (!this.#everLoaded && source !== bundled) return this.#load(bundled);
      picker.none();
      return null;
    }
  }
}

/** A stored model's name stays in the address, so that the next visit begins with it. */
function remember(source: ModelSource) {
  const url = new URL(location.href);
  // Without a name the next visit would go on with the default model.
  const name = "folder" in source ? BUNDLED_NAME : nameOf(source);
  url.searchParams.delete("model");
  const others = url.searchParams.toString();
  const asked = name ? `model=${encodeURIComponent(name).replace(/%(2F|40|3A)/g, decodeURIComponent)}` : "";
  url.search = [asked, others].filter(Boolean).join("&");
  history.replaceState(history.state, "", url);
}

function nameOf(source: ModelSource): string | null {
  return "folder" in source || source.name === DEFAULT_NAME ? null : (source.name ?? null);
}
