// <internvit-view src="photo.jpg" view="pca">: a photograph, and what a model sees of it, on both sides of a handle.

import { open } from "./index";
import type { Model, View, ViewName, ViewRequest } from "./types";
import { sheet } from "./view-style";

/** Where the handle is in the beginning, in percent of the width. */
const REST = 36;

/** How long a model stays without a view that shows it, in milliseconds. */
const PATIENCE = 5000;

/** What each view shows, for those who do not see it. */
const WORDS: Readonly<Record<string, string>> = {
  pca: "parts that mean the same in the same colour", similarity: "what is alike is bright", attention: "where the model looks is bright",
  rollout: "where the model looks is bright", clusters: "parts in groups, each in a colour", norms: "strong features are bright", segmentation: "each part in its class’s colour",
};

type Tell = (text: string) => void;

/** The models of all views of a page, each once. */
class Models {
  readonly #open = new Map<string, { model: Promise<Model>; users: number; tell: Set<Tell> }>();

  /** The model of a name, and what lets it go. */
  take(name: string, tell: Tell): { model: Promise<Model>; leave(): void } {
    const known = this.#open.get(name) ?? this.#begin(name);
    known.users++;
    known.tell.add(tell);
    const leave = () => {
      known.users--;
      known.tell.delete(tell);
      setTimeout(() => this.#close(name), PATIENCE);
    };
    return { model: known.model, leave };
  }

  #begin(name: string) {
    const tell = new Set<Tell>();
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      for (const one of tell) one(total > 0 ? `The model is coming: ${Math.floor((100 * done) / total)} %` : "The model is coming …");
    };
    const begun = { model: open(name, { onProgress }), users: 0, tell };
    // Whatever failed may be tried again.
    begun.model.catch(() => this.#open.delete(name));
    this.#open.set(name, begun);
    return begun;
  }

  #close(name: string) {
    const known = this.#open.get(name);
    if (!known || known.users > 0) return;
    this.#open.delete(name);
    known.model.then((model) => model.close(), () => undefined);
  }
}

const models = new Models();

/** On a server there are no elements, but the file may be imported. */
const Base = globalThis.HTMLElement ?? (class {} as unknown as typeof HTMLElement);

/**
 * Attributes: `src` and `alt` of the photograph; `view` (`pca` if left out) with its `layer`, `at` ("x,y" in pixels), `k`; `size` in pixels;
 * `model` as `open` takes it (`bundled` if left out); `opacity` from 0 to 1. Tells by the events `load` and `error`.
 */
export class InternvitView extends Base {
  static readonly observedAttributes = ["src", "alt", "view", "layer", "at", "k", "size", "model", "opacity"];

  readonly #photo = make("img", {});
  readonly #layer = make("div", { className: "view" });
  readonly #canvas = make("canvas", { ariaHidden: "true" });
  readonly #range = make("input", { type: "range", min: "0", max: "100", value: String(REST) });
  readonly #handle = make("div", { className: "handle", ariaHidden: "true" });
  readonly #status = make("p", {});
  readonly #seen = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#appear());
  #shows: AbortController | null = null;
  #leave: (() => void) | null = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet()];
    const stage = make("div", { className: "stage" });
    this.#layer.append(this.#canvas);
    this.#handle.append(make("span", { textContent: "⇔" }));
    stage.append(this.#photo, this.#layer, this.#range, this.#handle, this.#status);
    root.append(stage);
    this.#range.addEventListener("input", () => this.#wipe());
    this.#photo.setAttribute("part", "photo");
    this.#photo.addEventListener("load", () => this.#photo.setAttribute("data-there", ""));
    this.#wipe();
  }

  connectedCallback() {
    // What nobody looks at is not computed.
    this.#seen.observe(this);
  }

  disconnectedCallback() {
    this.#seen.disconnect();
    this.#end();
  }

  attributeChangedCallback(name: string) {
    if (name === "alt" || name === "src") this.#name();
    if (name === "opacity") this.#canvas.style.opacity = this.getAttribute("opacity") ?? "1";
    else if (name !== "alt" && this.#shows) void this.#show();
  }

  #appear() {
    this.#seen.disconnect();
    if (!this.#shows) void this.#show();
  }

  #end() {
    this.#shows?.abort();
    this.#leave?.();
    [this.#shows, this.#leave] = [null, null];
  }

  async #show() {
    this.#end();
    const { signal } = (this.#shows = new AbortController());
    const src = this.getAttribute("src") ?? "";
    this.#name();
    this.#covers(false);
    if (!src) return this.#tell("The attribute src is missing: the address of a photograph.", true);
    this.#tell("The model is coming …");
    try {
      const { model, leave } = models.take(this.getAttribute("model") ?? "bundled", (text) => this.#tell(text));
      this.#leave = leave;
      const opened = await model;
      signal.throwIfAborted();
      this.#tell("The model looks at the picture …");
      const size = Number(this.getAttribute("size")) || undefined;
      const view = await opened.look(new URL(src, document.baseURI), this.#request(), { size, signal });
      // Its size in the page is known once the browser has it too.
      await this.#photo.decode().catch(() => undefined);
      signal.throwIfAborted();
      this.#draw(view);
      this.dispatchEvent(new Event("load"));
    } catch (error) {
      if (signal.aborted) return;
      this.#tell(error instanceof Error ? error.message : String(error), true);
      this.dispatchEvent(new ErrorEvent("error", { error, message: String(error) }));
    }
  }

  #request(): ViewRequest | ViewName {
    const said = (name: string) => this.getAttribute(name)?.split(",").map(Number) ?? [];
    const given = { layer: said("layer")[0], k: said("k")[0], at: this.hasAttribute("at") ? said("at") : undefined };
    const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return { view: this.#view, ...settings } as ViewRequest;
  }

  get #view(): string {
    return this.getAttribute("view") ?? "pca";
  }

  #draw({ image, region: [left, top, width, height] }: View) {
    const { naturalWidth: wide, naturalHeight: high } = this.#photo;
    [this.#canvas.width, this.#canvas.height] = [image.width, image.height];
    this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
    const percent = (part: number, whole: number) => `${(100 * part) / (whole || 1)}%`;
    Object.assign(this.#canvas.style, { left: percent(left, wide), top: percent(top, high), width: percent(width, wide), height: percent(height, high) });
    this.#covers(true);
    this.#tell("");
  }

  /** Names the photograph and the handle. */
  #name() {
    const src = this.getAttribute("src");
    if (src && this.#photo.getAttribute("src") !== src) {
      this.#photo.removeAttribute("data-there");
      this.#photo.src = src;
    }
    const alt = this.getAttribute("alt") ?? "";
    this.#photo.alt = alt;
    const words = WORDS[this.#view];
    this.#range.ariaLabel = `${alt || "A photograph"}, and right of the handle what a model sees${words ? `: ${words}` : ""}`;
  }

  #covers(there: boolean) {
    for (const part of [this.#layer, this.#range, this.#handle]) part.hidden = !there;
  }

  #wipe() {
    const { value } = this.#range;
    this.#range.ariaValueText = `${value} % photograph`;
    for (const part of [this.#layer, this.#handle]) part.style.setProperty("--at", `${value}%`);
  }

  #tell(text: string, alarm = false) {
    this.#status.role = alarm ? "alert" : "status";
    this.#status.className = alarm ? "alarm" : "";
    [this.#status.textContent, this.#status.hidden] = [text, !text];
  }
}

function make<K extends keyof HTMLElementTagNameMap>(name: K, properties: Partial<HTMLElementTagNameMap[K]>): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(name), properties);
}

globalThis.customElements?.define("internvit-view", InternvitView);
