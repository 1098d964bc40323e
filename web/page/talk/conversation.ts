// A conversation about the photographs of this visit: its questions and answers, and the model that is asked.

import { spoken } from "../../client/chosen-model";
import { bytes, many } from "../../shared/format";
import type { Place as Point } from "../../shared/patches";
import type { OwnFiles, Progress } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import type { Looked, TalkInfo } from "../../shared/talk";
import type { Said } from "../code/talk";
import { askedDevice } from "../device/device";
import { part } from "../dom";
import type { Box } from "./boxes";
import { chooser } from "../photographs/files";
import { Looking } from "./looking";
import { aborted } from "../requests";
import { Speaker } from "./speaker";
import { Speakers } from "./speakers";
import { bitsFor } from "./bits";
import { Turn } from "./turn";

/** Why an answer has no end. */
const CUTS = {
  most: "It is cut: under Answers it may have no more tokens.",
  room: "It is cut: the model takes no more tokens. Begin a new conversation, or cut pictures into fewer tiles.",
} as const;

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
    this.#speakers = new Speakers(part(root, "[data-speakers]", HTMLDetailsElement), (model) => this.#open(() => model), () => this.#turns.length > 0 || this.#work !== null);
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

  /** All that was said, and how it is asked; null before the first question. */
  get said(): Said | null {
    const model = this.#speaker.model;
    return model && this.#turns.length > 0 ? { ...model, ...this.#manner, turns: this.#turns } : null;
  }

  /** How answers are made. */
  get #manner(): Pick<Said, "tiles" | "most" | "temperature" | "seed"> {
    const number = (id: string) => Math.max(0, part(this.#root, id, HTMLInputElement).valueAsNumber || 0);
    return { tiles: number("#talk-tiles") || 1, most: number("#talk-tokens") || 1, temperature: number("#talk-temperature"), seed: this.#seed };
  }

  /** The last turn about the photograph. */
  get #asked(): Turn | undefined {
    return this.#turns.findLast(({ photo }) => photo === this.#photo);
  }

  #connect() {
    const open = part(this.#root, "[data-open]", HTMLButtonElement);
    chooser([open], part(this.#root, "input[type=file]", HTMLInputElement), (files) => {
      void this.#open(() => spoken(files)).then((loaded) => loaded && this.#speakers.leave());
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
      const before = this.#model.textContent;
      this.#model.textContent = "Loading …";
      try {
        const info = await this.#speaker.load({ files: model, device: askedDevice().device, dtype }, { signal, progress: this.#progress });
        this.#drop(0);
        this.#looking.fit(info.layers, info.heads);
        // A number that somebody typed stays.
        part(this.#root, "#talk-tiles", HTMLInputElement).defaultValue = String(info.tiles);
        this.#model.textContent = told(size, bits, info);
        this.#status.textContent = "The model is loaded. Ask about the picture.";
        loaded = true;
      } catch (error) {
        this.#model.textContent = before;
        throw error;
      }
    });
    return loaded;
  }

  /** Begins a new conversation. */
  async #begin() {
    await this.#do("New conversation", async () => {
      this.#drop(0);
      this.#speaker.begin();
      this.#status.textContent = "";
    });
  }

  async #submit() {
    const question = this.#field.value.trim();
    if (!question || this.#work) return;
    const edited = this.#edited;
    const at = edited ? this.#turns.indexOf(edited) : -1;
    [this.#field.value, this.#edited] = ["", null];
    if (await this.#say(question, at < 0 ? this.#turns.length : at, edited?.photo ?? this.#photo)) return;
    // It is there to be asked again.
    if (!this.#field.value) [this.#field.value, this.#edited] = [question, edited];
  }

  /** Asks a question in the place of the turn of that number and those behind it, which stay until it is answered; whether it was. */
  async #say(question: string, at: number, photo: File | null): Promise<boolean> {
    let answered = false;
    await this.#do("Answering", async (signal) => {
      const [replaced] = this.#turns.slice(at);
      const turn: Turn = new Turn(question, photo, replaced?.place ?? this.#speaker.place, {
        edit: () => this.#edit(turn), again: () => void this.#again(turn),
        choose: (word) => this.#looking.choose(turn, word),
      });
      this.#looking.choose(null, null);
      this.#hide(at, true);
      this.#list.append(turn.element);
      try {
        await this.#answer(turn, at, signal);
      } catch (error) {
        if (this.#turns.includes(turn)) turn.stopped(reason(error));
        throw error;
      } finally {
        answered = this.#turns.includes(turn);
        if (!answered) turn.element.remove();
        this.#hide(at, false);
        this.#looking.choose(null, null);
      }
    });
    return answered;
  }

  /** Shows a turn's answer while it is written; with its first word it stands in the place of those from a number on. */
  async #answer(turn: Turn, at: number, signal: AbortSignal) {
    const { question, photo, place: from } = turn;
    const looking = this.#looking.live;
    const asking = { question, from, photo, looking, ...this.#manner };
    let [speed, cut] = ["", ""];
    await this.#speaker.ask(asking, { signal, progress: this.#progress }, (saying) => {
      if (!this.#turns.includes(turn)) {
        this.#drop(at);
        this.#turns.push(turn);
      }
      speed = turn.tell(saying);
      if (saying.cut) cut = CUTS[saying.cut];
      if (looking) this.#looking.choose(turn, turn.words.length - 1, true);
      this.#ask.scrollIntoView({ block: "nearest" });
    });
    if (signal.aborted) turn.stopped();
    const notes = (await this.#speaker.notes()).map((note) => `${note}.`);
    this.#status.textContent = [signal.aborted ? "Stopped." : `Answered in ${speed}.`, cut, ...notes].filter(Boolean).join(" ");
  }

  /** Hides the turns from a number on, or shows them again. */
  #hide(at: number, hidden: boolean) {
    for (const { element } of this.#turns.slice(at)) element.hidden = hidden;
  }

  readonly #progress = ({ stage, done, total }: Progress) => {
    const doing = { load: "Loading", read: "Reading" }[stage as string] ?? "Looking";
    this.#status.textContent = `${doing}: ${Math.floor((100 * done) / Math.max(1, total))} %`;
  };

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
      this.#status.textContent = this.#speaker.stopped ? "The next question starts the model again." : "";
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
    this.#problem.textContent = reason(error);
  }
}

/** An error in words. */
function reason(error: unknown): string {
  return spelled(error instanceof Error ? error.message : String(error), 2000);
}

/** A model in words: its size, and how much it takes in. */
function told(size: number, bits: string, { parameters, layers, length, random_weights: random }: TalkInfo): string {
  const told = `${many(parameters)} parameters in ${layers} layers, ${bytes(size)}, kept in ${bits}. It takes ${many(length)} tokens, pictures included.`;
  return random ? `${told} Its weights are random: nothing was learned.` : told;
}
