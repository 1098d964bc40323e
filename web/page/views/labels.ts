// Labels: what a picture shows, by the model's own classes or by the visitor's words, as bars.

import type { Label, ModelInfo, ViewMap } from "../../shared/protocol";
import type { Address } from "../address";
import { make, part } from "../dom";
import type { Engine } from "../engine";
import type { Shot } from "../photographs/shots";
import { noTexts } from "./texts";
import { View, type Subject, type Surface } from "./view";

/** The words and the sentence to begin with. */
const WORDS = "cat, cup of coffee, rocket, person, dog";
const TEMPLATE = "a photo of a {}";

/** Most words, and most characters of them in an address. */
const [MOST, MOST_WRITTEN] = [60, 600];

export class Labels extends View {
  readonly title = "Labels";
  override readonly edges = null;
  readonly about = "What the whole picture shows. A sure model can be wrong.";
  readonly opacity = 0;
  override readonly firstLayer = null;
  /** The picture is taken as the model was taught. */
  override readonly detailed = false;
  override readonly lacking = "Labels are words: there is no picture of them.";
  readonly #bars: HTMLOListElement;
  readonly #own: HTMLElement[];
  readonly #field: HTMLTextAreaElement;
  readonly #sentence: HTMLInputElement;
  readonly #hint: HTMLElement;
  #words = WORDS;
  #template = TEMPLATE;
  /** Whether the model takes the visitor's words. */
  #free = false;

  constructor(root: HTMLElement) {
    super();
    this.#bars = part(root, "#bars", HTMLOListElement);
    this.#own = [...root.querySelectorAll<HTMLElement>("[data-own-words]")];
    this.#field = part(root, "#label-words", HTMLTextAreaElement);
    this.#sentence = part(root, "#label-template", HTMLInputElement);
    this.#hint = part(root, "[data-template-hint]", HTMLElement);
  }

  override connect({ changed }: Surface) {
    for (const field of [this.#field, this.#sentence]) {
      field.addEventListener("input", () => {
        [this.#words, this.#template] = [this.#field.value, this.#sentence.value];
        this.#check();
        changed();
      });
    }
  }

  override sync() {
    if (this.#field.value !== this.#words) this.#field.value = this.#words;
    if (this.#sentence.value !== this.#template) this.#sentence.value = this.#template;
    this.#check();
  }

  override read(address: Address) {
    this.#words = address.text("labels").slice(0, MOST_WRITTEN) || WORDS;
    this.#template = address.text("template").slice(0, MOST_WRITTEN) || TEMPLATE;
  }

  override write(address: URLSearchParams) {
    // Browsers allow an address only a number of changes in a while: it waits until the visitor has written.
    if (document.activeElement === this.#field || document.activeElement === this.#sentence) return;
    if (this.#words !== WORDS) address.set("labels", this.#words.slice(0, MOST_WRITTEN));
    if (this.#template !== TEMPLATE) address.set("template", this.#template.slice(0, MOST_WRITTEN));
  }

  override fit({ labels, texts }: ModelInfo) {
    this.#free = texts === "read";
    for (const part of this.#own) part.hidden = !this.#free;
    this.#bars.replaceChildren();
    this.#bars.hidden = labels === 0 && !this.#free;
  }

  override unavailable({ labels, texts }: ModelInfo): string | null {
    if (labels > 0 || texts === "read") return null;
    return noTexts(texts) ?? "This model has no names for what it sees. ViT, Swin and DeiT with a classifier have; CLIP and SigLIP take any words of yours.";
  }

  request() {
    return null;
  }

  override async map(engine: Engine, _subject: Subject, shot: Shot): Promise<ViewMap | null> {
    const photo = shot.encoding?.photo;
    const words = this.#free ? listed(this.#words) : [];
    if (photo === undefined || (this.#free && (words.length === 0 || !this.#template.includes("{}")))) return null;
    const found = await engine.call("labels", { photo, texts: words.map((word) => this.#template.replaceAll("{}", () => word)) });
    this.#draw(found.map(({ class: at, name, probability }) => ({ name: words[at] ?? name, probability })));
    return null;
  }

  describe(): string {
    return "";
  }

  /** What is asked of a picture; no words for the model's own classes. Null where nothing can be asked yet. */
  get asked(): { words: string[]; template: string } | null {
    const words = this.#free ? listed(this.#words) : [];
    const unready = this.#free ? words.length === 0 || !this.#template.includes("{}") : this.#bars.childElementCount === 0;
    return unready ? null : { words, template: this.#template };
  }

  #check() {
    this.#hint.textContent = this.#template.includes("{}") ? "" : "Write {} where the word goes.";
  }

  #draw(labels: readonly Omit<Label, "class">[]) {
    this.#bars.replaceChildren(...labels.map(({ name, probability }) => {
      const bar = make("span", { className: "bar-of", ariaHidden: "true" });
      bar.style.setProperty("--part", String(probability));
      return make("li", {}, make("span", { textContent: name }), make("span", { className: "value", textContent: percent(probability) }), bar);
    }));
  }
}

/** Words, one a line or separated by commas, each once. */
function listed(text: string): string[] {
  return [...new Set(text.split(/[\n,]/).map((word) => word.trim()).filter(Boolean))].slice(0, MOST);
}

function percent(probability: number): string {
  return probability > 0 && probability < 0.001 ? "< 0.1 %" : `${(100 * probability).toFixed(1)} %`;
}
