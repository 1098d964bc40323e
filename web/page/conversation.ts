// A conversation about the photographs of this visit: its questions and answers, and the model that is asked.

import { spoken } from "../client/chosen-model";
import { bytes, many } from "../shared/format";
import type { Place as Point } from "../shared/patches";
import type { OwnFiles } from "../shared/protocol";
import { spelled } from "../shared/spelled";
import type { Looked, TalkInfo } from "../shared/talk";
import { askedDevice } from "./device";
import { part } from "./dom";
import type { Box } from "./boxes";
import { chooser } from "./files";
import { Looking } from "./looking";
import { aborted } from "./requests";
import { Speaker } from "./speaker";
import { Speakers } from "./speakers";
import { bitsFor } from "./talk-bits";
import { Turn } from "./turn";

/** The beginning of a conversation. */
const BEGINNING = { tokens: 0, photos: 0 };

export class Conversation {
  readonly #root: HTMLElement;
  readonly #speaker = new Speaker();
  readonly #model: HTMLElement;
  readonly #list: HTMLOListElement;
  readonly #field: HTMLTextAreaElement;
  readonly #stop: HTMLButtonElement;
  readonly #ask: HTMLButtonElement;
  readonly #status: HTMLElement;
  readonly #problem: HTMLElement;
  #turns: Turn[] = [];
  #photo: File | null = null;
  /** What is being done, and stops it. */
  #work: AbortController | null = null;
  /** Done when that is. */
  #last: Promise<void> = Promise.resolve();
  /** The turn whose question is in the field once more. */
  #edited: Turn | null = null;
  #seed = 0;
  readonly #looking: Looking;
  readonly #speakers: Speakers;
  readonly #changed: () => void;

  /** `changed` draws the picture anew. */
  constructor(root: HTMLElement, changed: () => void) {
    [this.#root, this.#changed] = [root, changed];
    this.#looking = new Looking(root, this.#speaker, changed);
    this.#speakers = new Speakers(part(root, "[data-speakers]", HTMLDetailsElement), (model) => this.#open(() => model));
    this.#model = part(root, "[data-model]", HTMLElement);
    this.#list = part(root, ".turns", HTMLOListElement);
    this.#field = part(root, "textarea", HTMLTextAreaElement);
    this.#stop = part(root, "[data-stop]", HTMLButtonElement);
    this.#ask = part(root, "[data-ask]", HTMLButtonElement);
    this.#status = part(root, "[data-status]", HTMLElement);
    this.#problem = part(root, "[data-problem]", HTMLElement);
    this.#connect();
  }

  /** The photograph that the next question is about. */
  show(photo: File) {
    this.#photo = photo;
  }

  /** What the chosen word of an answer looked at on the photograph; where a place of it is chosen too, the words that looked there are shaded. */
  async look(at: Point | null): Promise<Looked | null> {
    const [photo, turn] = [this.#photo, this.#asked];
    if (!photo) return null;
    const found = await this.#looking.look(photo);
    // While an answer is written each word would wait for all of these.
    if (!this.#work) void this.#looking.shade(turn ?? null, photo, at).catch((error: unknown) => this.#complain(error));
    return found;
  }

  /** What the last answer about the photograph shows in it. */
  get boxes(): readonly Box[] {
    return this.#asked?.boxes ?? [];
  }

  /** The last turn about the photograph. */
  get #asked(): Turn | undefined {
    return this.#turns.findLast(({ photo }) => photo === this.#photo);
  }

  #connect() {
    const open = part(this.#root, "[data-open]", HTMLButtonElement);
    chooser([open], part(this.#root, "input[type=file]", HTMLInputElement), (files) => {
      this.#speakers.leave();
      void this.#open(() => spoken(files));
    });
    this.#stop.addEventListener("click", () => this.#work?.abort());
    part(this.#root, "[data-new]", HTMLButtonElement).addEventListener("click", () => void this.#begin());
    part(this.#root, "form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#submit();
    });
  }

  /** Loads a model; whether it is there then. */
  async #open(find: () => OwnFiles): Promise<boolean> {
    let loaded = false;
    await this.#do("Loading the model", async (signal) => {
      const model = find();
      const size = model.weights.reduce((sum, file) => sum + file.size, 0);
      const choice = part(this.#root, "#talk-dtype", HTMLSelectElement);
      const dtype = bitsFor(choice.value, size);
      const bits = part(choice, `[value="${dtype}"]`, HTMLOptionElement).text;
      this.#model.textContent = "Loading …";
      const progress = ({ done, total }: { done: number; total: number }) => (this.#status.textContent = total > 0 ? `Loading: ${Math.floor((100 * done) / total)} %` : "Loading");
      try {
        const info = await this.#speaker.load(model, askedDevice().device, dtype, { signal, progress });
        this.#drop(0);
        this.#looking.fit(info.layers, info.heads);
        this.#model.textContent = told(size, bits, info);
        this.#status.textContent = "The model is loaded. Ask about the picture.";
        loaded = true;
      } catch (error) {
        this.#model.textContent = "No model that speaks is loaded.";
        throw error;
      }
    });
    return loaded;
  }

  /** Begins a new conversation. */
  async #begin() {
    await this.#do("New conversation", async () => {
      this.#drop(0);
      if (this.#speaker.opened) await this.#speaker.takeBack(BEGINNING);
      this.#status.textContent = "";
    });
  }

  async #submit() {
    const question = this.#field.value.trim();
    if (!question || this.#work) return;
    const at = this.#edited ? this.#turns.indexOf(this.#edited) : -1;
    await this.#say(question, at < 0 ? this.#turns.length : at, this.#edited?.photo ?? this.#photo);
  }

  /** Asks a question in the place of the turn of that number and those behind it. */
  async #say(question: string, at: number, photo: File | null) {
    await this.#do("Answering", async (signal) => {
      const place = this.#turns[at]?.place;
      if (place) await this.#speaker.takeBack(place);
      this.#drop(at);
      const turn: Turn = new Turn(question, photo, {
        edit: () => this.#edit(turn), again: () => void this.#again(turn),
        choose: (word) => this.#looking.choose(turn, word),
      });
      this.#turns.push(turn);
      this.#list.append(turn.element);
      [this.#field.value, this.#edited] = ["", null];
      const number = (id: string) => Math.max(0, part(this.#root, id, HTMLInputElement).valueAsNumber || 0);
      const looking = this.#looking.live;
      const asking = { question, photo, looking, tiles: number("#talk-tiles") || 1, most: number("#talk-tokens") || 1, temperature: number("#talk-temperature"), seed: this.#seed };
      const progress = ({ done, total }: { done: number; total: number }) => (this.#status.textContent = `Looking: ${Math.floor((100 * done) / Math.max(1, total))} %`);
      try {
        let speed = "";
        turn.place = await this.#speaker.ask(asking, { signal, progress }, (saying) => {
          speed = turn.tell(saying);
          if (looking) this.#looking.choose(turn, turn.words.length - 1, true);
          this.#ask.scrollIntoView({ block: "nearest" });
        });
        this.#looking.choose(null, null);
        if (signal.aborted) turn.stopped();
        const notes = (await this.#speaker.notes()).map((note) => `${note}.`);
        this.#status.textContent = [signal.aborted ? "Stopped." : `Answered in ${speed}.`, ...notes].join(" ");
      } catch (error) {
        // The question was not asked: it is there to be asked again.
        this.#drop(this.#turns.indexOf(turn));
        this.#field.value ||= question;
        throw error;
      }
    });
  }

  #edit(turn: Turn) {
    [this.#edited, this.#field.value] = [turn, turn.question];
    this.#field.focus();
  }

  async #again(turn: Turn) {
    if (this.#work) return;
    this.#seed++;
    await this.#say(turn.question, this.#turns.indexOf(turn), turn.photo);
  }

  /** Lets the turns from a number on go. */
  #drop(at: number) {
    for (const turn of this.#turns.splice(Math.max(0, at))) {
      turn.element.remove();
      this.#looking.forget(turn);
    }
    if (this.#edited && !this.#turns.includes(this.#edited)) this.#edited = null;
  }

  /** Does one thing after the other: what was being done is stopped first. */
  #do(title: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#work?.abort();
    const stop = (this.#work = new AbortController());
    return (this.#last = this.#last.then(() => this.#perform(title, stop, work)));
  }

  /** Never fails: what is wrong is shown. */
  async #perform(title: string, stop: AbortController, work: (signal: AbortSignal) => Promise<void>) {
    [this.#problem.textContent, this.#status.textContent] = ["", `${title} …`];
    [this.#stop.hidden, this.#ask.disabled] = [false, true];
    try {
      await work(stop.signal);
    } catch (error) {
      this.#status.textContent = "";
      if (aborted(error) || stop.signal.aborted) this.#status.textContent = "Stopped.";
      else this.#complain(error);
    } finally {
      if (this.#work === stop) {
        this.#work = null;
        [this.#stop.hidden, this.#ask.disabled] = [true, false];
        // What the answer shows in the picture is drawn.
        this.#changed();
      }
    }
  }

  #complain(error: unknown) {
    this.#problem.textContent = spelled(error instanceof Error ? error.message : String(error), 2000);
  }
}

/** A model in words: its size, and how much it takes in. */
function told(size: number, bits: string, { parameters, layers, length, random_weights: random }: TalkInfo): string {
  const told = `${many(parameters)} parameters in ${layers} layers, ${bytes(size)}, kept in ${bits}. It takes ${many(length)} tokens, pictures included.`;
  return random ? `${told} Its weights are random: nothing was learned.` : told;
}
