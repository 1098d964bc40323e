// Talk: a conversation about the picture, with a model that speaks, and what its words looked at.

import type { Encoded, ViewMap } from "../../shared/protocol";
import { placeOf, type Place } from "../../shared/patches";
import type { Looked } from "../../shared/talk";
import type { Said } from "../code/talk";
import { Conversation } from "../talk/conversation";
import { part } from "../dom";
import type { Stroke } from "../stage/drawing";
import type { Engine } from "../engine";
import { percentileLight, type Light } from "../stage/light";
import { valueAt } from "../talk/looking";
import type { Shot } from "../photographs/shots";
import { View, type Subject, type Surface } from "./view";

export class Talk extends View {
  readonly title = "Talk";
  override readonly edges = null;
  readonly about = "Ask about the picture; the answer can be wrong. A word that you choose shows what it looked at, a place which words looked there.";
  readonly opacity = 100;
  override readonly pointing = "choose";
  override readonly firstLayer = null;
  override readonly detailed = false;
  override readonly lights = false;
  override readonly lacking = "Choose a word of an answer first: a conversation alone is no picture.";
  readonly #conversation: Conversation;
  #surface: Surface | null = null;

  constructor(root: HTMLElement) {
    super();
    this.#conversation = new Conversation(part(root, "#talk", HTMLElement), () => this.#surface?.changed());
  }

  override connect(surface: Surface) {
    this.#surface = surface;
  }

  /** What was said, and how; null before the first question. */
  get said(): Said | null {
    return this.#conversation.said;
  }

  request() {
    return null;
  }

  override async map(_engine: Engine, { token }: Subject, { file, encoding }: Shot): Promise<ViewMap | null> {
    this.#conversation.show(file);
    if (!encoding) return null;
    const looked = await this.#conversation.look(token === null ? null : onPhotograph(placeOf(token, encoding), encoding));
    return looked && mapOf(looked, encoding);
  }

  override light(map: ViewMap): Light {
    return percentileLight(map, map.data, 0.5, 0.995);
  }

  override strokes({ file, encoding }: Shot): Stroke[] {
    this.#conversation.show(file);
    if (!encoding) return [];
    return this.#conversation.boxes.map(({ sides: [left, top, right, bottom], colour }) => {
      const corners: Place[] = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
      return { path: corners.map((corner) => inRegion(corner, encoding)), radius: 0, colour, lit: false };
    });
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    const value = valueAt({ rows: map.height, cols: map.width, values: map.data }, place);
    return `${(100 * value).toPrecision(2)} % of the word’s attention`;
  }

  override number(value: number): string {
    return `${(100 * value).toPrecision(2)} %`;
  }
}

/** A place of the region as one of the photograph. */
function onPhotograph([x, y]: Place, { region: [left, top, width, height], width: wide, height: tall }: Encoded): Place {
  return [(left + x * width) / wide, (top + y * height) / tall];
}

/** A place of the photograph as one of the region. */
function inRegion([x, y]: Place, { region: [left, top, width, height], width: wide, height: tall }: Encoded): Place {
  return [(x * wide - left) / width, (y * tall - top) / height];
}

/** What was looked at in the region, in as many values as there were on the photograph. */
function mapOf(looked: Looked, encoding: Encoded): ViewMap {
  const { rows, cols } = looked;
  const data = Float32Array.from({ length: rows * cols }, (_, at) => valueAt(looked, onPhotograph(placeOf(at, looked), encoding)));
  return {
    data, shape: [rows, cols], width: cols, height: rows, rgba: new Uint8Array(4 * rows * cols), labels: new Uint8Array(), fine: null,
    range: [0, data.reduce((most, value) => Math.max(most, value), 0)], names: [], palette: [], shares: [], best: null,
  };
}
