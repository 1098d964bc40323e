// The messages between the page and the worker of conversations, as protocol.ts describes the engine's.

import { device, deviceChoice, dtype, ownFiles, type CallTable, type CallTypes } from "./protocol";
import { boolean, floats, instance, list, nothing, nullable, number, record, string, words, type Infer } from "./shape";

/** A model that speaks. */
export type TalkInfo = Infer<typeof talkInfo>;
export const talkInfo = record({
  layers: number,
  heads: number,
  hidden: number,
  /** Tokens of a conversation at most. */
  length: number,
  parameters: number,
  bytes: number,
  random_weights: boolean,
  /** Tiles of a photograph at most, where no other number is asked for. */
  tiles: number,
  /** The tokens that end an answer, by their names. */
  stops: list(string),
});

/** What files of GGUF say: the texts of a config.json, a preprocessor_config.json and a tokenizer.json. */
export type Described = Infer<typeof described>;
export const described = record({ config: string, preprocessor: nullable(string), tokenizer: nullable(string) });

/** A part of a prompt: text, or so often a control token. */
export type Part = Infer<typeof part>;
export const part = record({ control: boolean, text: string, times: number });

/** What the model is given of a photograph. */
export type Seen = Infer<typeof seen>;
export const seen = record({ photo: number, tokens: number, tiles: number });

/** How far a conversation is: tokens that were said, and photographs. */
export type Place = Infer<typeof place>;
const place = record({ tokens: number, photos: number });

/** An answer so far, with its newest token, if there was one; `at` is the place of its first token in the
 * conversation. It is cut where it has the most tokens that were asked for, or the conversation no room for more. */
export type Saying = Infer<typeof saying>;
const saying = record({ text: string, tokens: number, at: number, id: nullable(number), ended: boolean, cut: nullable(words("most", "room")) });

/** The tokens in places `first` to `end` of the conversation, and how they are looked at: a layer, from 1, or all, and a head, from 0, or the mean. */
export type Look = Infer<typeof look>;
const look = record({ first: number, end: number, photo: number, layer: nullable(number), head: nullable(number) });

/** What a model looked at of a photograph: a map of it, whose sum is its share of all attention. */
export type Looked = Infer<typeof looked>;
export const looked = record({ rows: number, cols: number, values: floats() });

export type TalkCalls = CallTypes<typeof talkCalls>;
export const talkCalls = {
  open: { given: deviceChoice, answer: device },
  /** A conversation begins with a model; a GPU keeps it in a precision. */
  load: { given: record({ files: ownFiles, dtype }), answer: talkInfo },
  /** Cuts a photograph into at most this number of tiles. The next question is about it. */
  see: { given: record({ photo: instance(File), tiles: number }), answer: seen },
  /** Asks; a temperature of 0 takes the likeliest words; `looking`: it will be asked what the newest token looked at. Looks at photographs that were cut since, where there is room for all of it. Tells the question's tokens. */
  ask: { given: record({ question: string, temperature: number, seed: number, looking: boolean }), answer: list(number) },
  /** Says once more what was said before, about the photographs that were cut since. */
  remember: { given: list(number), answer: nothing },
  /** The answer's next token, of at most this number in all. */
  next: { given: number, answer: saying },
  /** What it looked at when it chose some tokens. */
  look: { given: look, answer: looked },
  /** Takes back all but the beginning of a conversation. */
  takeBack: { given: place, answer: nothing },
  /** What the model did by itself, a sentence each. */
  notes: { given: nothing, answer: list(string) },
} satisfies CallTable;
