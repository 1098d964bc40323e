// The worker of conversations: it owns a model that speaks, and what was said.

import init, { Chat, describe, tokenizer } from "#talk";
import { isGguf } from "../shared/names";
import type { ModelFiles, ModelTexts } from "../shared/protocol";
import { talkCalls, type Place, type Saying, type TalkCalls } from "../shared/talk";
import { adapterName } from "./adapter";
import { compile } from "./compile";
import { readable } from "./decode";
import { ggufModel, localModel, readRanges } from "./model-files";
import { pause } from "./pause";
import { serve, type Handlers, type Job } from "./serve";
import { steps } from "./steps";
import { askForSubgroups } from "./subgroups";
import { TalkTokens } from "./talk-tokens";

/** What has not been said: the beginning of a conversation. */
const NOTHING: Place = { tokens: 0, photos: 0 };

/** What the module may at least want once more: 16 MB, in pages of 64 kB. */
const PAGES = 256;

/** Answers each call by the model. */
class TalkHost implements Handlers<TalkCalls> {
  #module: Promise<WebAssembly.Memory> | null = null;
  #memory: WebAssembly.Memory | null = null;
  #chat: Chat | null = null;
  #tokens: TalkTokens | null = null;
  #stops: readonly number[] = [];
  /** Photographs that were seen, and those of them that were asked about. */
  #seen = 0;
  #told = 0;
  /** The answer that is being written. */
  #answer: number[] = [];
  /** Whether the last answer ended by itself. */
  #ended = false;
  /** Done when the last call is: the module does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  async open(device: TalkCalls["open"]["given"]) {
    this.#memory = await (this.#module ??= start());
    this.#chat = await Chat.open(device);
    const found = this.#chat.device();
    return found.kind === "gpu" ? { ...found, name: (await adapterName()) || found.name } : found;
  }

  async load({ files, dtype }: TalkCalls["load"]["given"], { signal, progress }: Job) {
    const gguf = files.weights.some(isGguf);
    const model = gguf ? ggufModel(files) : await localModel(files);
    const [blobs, read] = [model.files.map(({ name, blob }) => ({ name, size: blob.size })), readRanges(model, signal)];
    const { tokenizer: own, ...texts } = gguf ? { ...(await describe(blobs, read)), processor: null, words: false } : { ...textsOf(model), tokenizer: null };
    // Without a tokenizer there is no need to read gigabytes.
    this.#tokens = await TalkTokens.open(model.words, tokenizer, own);
    const load = () => this.#opened.load(texts, blobs, read, steps("load", signal, progress), dtype);
    const info = await this.#inTurn(load);
    const [first, other] = info.stops.map((name) => this.#speaking.control(name));
    if (first === undefined) throw new Error(`The model’s tokenizer has no ${info.stops[0]}: open that of the whole model, with its added_tokens.json.`);
    this.#stops = other === undefined ? [first] : [first, other];
    this.#opened.use_tokens(new Uint32Array(this.#stops), this.#speaking.control("<IMG_CONTEXT>"));
    await this.takeBack(NOTHING);
    return info;
  }

  async see({ photo, tiles }: TalkCalls["see"]["given"]) {
    const { bytes } = await readable(photo);
    await this.#last;
    const seen = this.#opened.see(photo.name, bytes, tiles);
    this.#seen = seen.photo + 1;
    return seen;
  }

  async ask({ question, temperature, seed, looking }: TalkCalls["ask"]["given"], job: Job) {
    await this.#last;
    const chat = this.#opened;
    const [tokens = 0] = chat.said();
    const ids = this.#speaking.ids(chat.prompt(question, this.#told, tokens === 0, this.#ended), tokens === 0);
    await this.#say(ids, job);
    chat.use_sampling(temperature, seed);
    chat.use_looking(looking);
    return [...ids];
  }

  async remember(ids: number[], job: Job) {
    await this.#say(new Uint32Array(ids), job);
    return null;
  }

  /** Adds tokens, with the photographs that nothing was said about. */
  async #say(ids: Uint32Array, { signal, progress }: Job) {
    await this.#inTurn(() => this.#opened.say(ids, this.#told, steps("encode", signal, progress)));
    [this.#told, this.#answer] = [this.#seen, []];
    this.#listen();
  }

  /** What was said ends with a whole answer, if it is one that ended by itself. */
  #listen() {
    this.#ended = this.#stops[0] !== undefined && this.#opened.last() === this.#stops[0];
  }

  async next(most: number, { signal, progress }: Job): Promise<Saying> {
    await this.#last;
    const { length } = this.#answer;
    const [said = 0, room = 0] = this.#opened.said();
    const id = await this.#inTurn(() => this.#opened.next(Math.min(most - length, room), steps("read", signal, progress)));
    if (id !== undefined) this.#answer.push(id);
    this.#ended = id === this.#stops[0];
    // A message that is waiting is heard between two tokens.
    await pause();
    const stopped = id !== undefined && this.#stops.includes(id);
    const cut = stopped ? null : this.#answer.length >= most ? "most" : id === undefined || room <= 1 ? "room" : null;
    const ended = stopped || cut !== null;
    // What ends within a character is not yet told.
    const text = this.#speaking.text(this.#answer);
    return { text: ended ? text.trim() : text.replace(/\ufffd+$/, "").trimStart(), tokens: this.#answer.length, at: said - length, id: id ?? null, ended, cut };
  }

  async look({ first, end, photo, layer, head }: TalkCalls["look"]["given"]) {
    return this.#inTurn(() => this.#opened.look(first, end, photo, layer ?? undefined, head ?? undefined));
  }

  async takeBack({ tokens, photos }: Place) {
    await this.#last;
    this.#opened.take_back(tokens, photos);
    [this.#seen, this.#told, this.#answer] = [photos, photos, []];
    this.#listen();
    return null;
  }

  async notes() {
    await this.#last;
    return this.#opened.notes();
  }

  /** Whether the module's memory cannot grow; to be asked after a trap only. */
  full(): boolean {
    try {
      this.#memory?.grow(PAGES);
      return false;
    } catch {
      return true;
    }
  }

  /** Does one thing when the one before is done, however that ended. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  get #opened(): Chat {
    if (!this.#chat) throw new Error("The model could not be started on this device.");
    return this.#chat;
  }

  get #speaking(): TalkTokens {
    if (!this.#tokens) throw new Error("Load a model that speaks first.");
    return this.#tokens;
  }
}

/** The texts of a model that is none of GGUF. */
const textsOf = ({ config, processor, preprocessor }: ModelFiles): ModelTexts => ({ config, processor, preprocessor, words: false });

async function start(): Promise<WebAssembly.Memory> {
  const module = await compile(new URL("../pkg/talk_bg.wasm", import.meta.url), new URL("../pkg/talk_relaxed.wasm", import.meta.url));
  askForSubgroups();
  return (await init({ module_or_path: module })).memory;
}

const host = new TalkHost();
serve<TalkCalls>(host, talkCalls, () => host.full());
