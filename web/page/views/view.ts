// What a view is: its texts, its settings, what it asks of the engine, and how its picture reads.

import type { Edges, ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import type { Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import type { Mark, Stroke } from "../stage/drawing";
import type { Engine } from "../engine";
import type { Light } from "../stage/light";

/** What a click on a patch does: nothing, choose it, hold it until the next click, or give it a class. */
export type Pointing = "none" | "choose" | "hold" | "teach";

/** What a view shows. */
export interface Subject {
  /** Layer 0 is the embedding. */
  layer: number;
  /** The chosen patch. */
  token: number | null;
  /** The engine's number of the photograph. */
  photo: number;
  /** Whether a frame of a camera or a video is shown. */
  frame: boolean;
  /** Whether it is soon drawn again. */
  quick?: boolean;
  /** Whether a second model shows it, which knows this photograph alone. */
  guest?: boolean;
}

/** What a view's settings may do to the page. */
export interface Surface {
  /** Draws the view again after a change of its settings. */
  changed(): void;
  /** Draws the map that is there once more. */
  redrawn(): void;
  /** Lets the chosen patch go. */
  unpoint(): void;
}

/** A further patch that is looked for, or counts against what resembles it. */
export interface Against {
  token: number;
  against: boolean;
}

export abstract class View {
  abstract readonly title: string;
  /** What the view is for, in three words: such views are the large ones. */
  readonly hint: string = "";
  /** One sentence on what is seen. */
  abstract readonly about: string;
  /** Opacity to begin with, in percent. */
  abstract readonly opacity: number;
  /** Whether colours blend from patch to patch. */
  readonly smooth: boolean = true;
  /** Whether the photograph's light and shade lie on its colours, where these follow edges. */
  readonly lit: boolean = false;
  /** Where the edges of its picture come from until the visitor chooses; null for a view that draws none. */
  readonly edges: Edges | null = "photograph";
  /** Whether lines separate patches of different labels. */
  readonly outlines: boolean = false;
  readonly pointing: Pointing = "none";
  /** Whether what is alike to the patch pointed at lights up over it. */
  readonly lights: boolean = true;
  /** The lowest layer to choose; null for a view without layers. */
  readonly firstLayer: number | null = 0;
  /** Whether it gains by more patches. */
  readonly detailed: boolean = true;
  /** What the visitor reads while no patch is chosen. */
  readonly prompt: string | null = null;
  /** Why there is nothing to save while there is no map. */
  readonly lacking: string = "This view could not be drawn.";

  /** What the view asks of the engine; null where the visitor must act first. */
  abstract request(subject: Subject): ViewRequest | null;

  /** Asks the engine for what is shown of a photograph; null where the visitor must act first. */
  async map(engine: Engine, subject: Subject, shot: Shot, edges: Edges): Promise<ViewMap | null> {
    const request = this.request(subject);
    const photo = shot.encoding?.photo;
    return request && photo !== undefined ? engine.call("view", { photo, request, edges }) : null;
  }

  /** A click while a patch is held; false where it means another patch to hold. */
  pin(_shot: Shot, _at: Place): boolean {
    return false;
  }

  /** Takes note of a map that is drawn. */
  drawn(_map: ViewMap, _shot: Shot): void {}

  /** All that is pinned besides the held patch: another list after each change. */
  get pins(): readonly unknown[] {
    return [];
  }

  /** What is pinned on a photograph besides the held patch. */
  pinned(_shot: Shot): readonly Against[] {
    return [];
  }

  /** The held patch was let go. */
  release(): void {}

  /** Whether something is pinned on a frame. */
  holds(_frame: Shot): boolean {
    return false;
  }

  /** The colour of a patch where it says something, as red, green and blue. */
  colour(_map: ViewMap, _token: number): readonly number[] | null {
    return null;
  }

  /** The patch under the pointer, in words. */
  abstract describe(map: ViewMap, token: number, place: Place): string;

  /** Takes the settings of an address; what it lacks is as in the beginning. */
  read(_address: Address): void {}

  /** What of the picture no link holds; null where it holds all. */
  unlinked(): string | null {
    return null;
  }

  /** Adds settings that differ from those of the beginning to an address. */
  write(_address: URLSearchParams): void {}

  /** Connects the controls of its settings. */
  connect(_surface: Surface): void {}

  /** Sets the controls as the settings are; `held` where a patch is chosen. */
  sync(_held: boolean): void {}

  /** Adapts the settings to another model. */
  fit(_model: ModelInfo): void {}

  /** Adapts the settings to the photographs of this visit. */
  fitShots(_shot: Shot, _shots: readonly Shot[]): void {}

  /** Why a model cannot show the view; null where it can. */
  unavailable(_model: ModelInfo): string | null {
    return null;
  }

  /** Does what must be done before the request. */
  async prepare(): Promise<void> {}

  /** Takes note that a request was answered, and is shown. */
  answered(): void {}

  /** The photograph beside, on which the view is shown in place of the one on the stage. */
  partner(_shots: readonly Shot[]): Shot | null {
    return null;
  }

  /** Marks on a photograph besides the chosen patch. */
  marks(_shot: Shot): Mark[] {
    return [];
  }

  /** What was painted on a photograph. */
  strokes(_shot: Shot): Stroke[] {
    return [];
  }

  /** Whether the photograph is darkened below transparent parts of the map. */
  get shaded(): boolean {
    return false;
  }

  /** The light that is drawn in place of the map's colours; null for colours. */
  light(_map: ViewMap): Light | null {
    return null;
  }

  /** What is said above the legend; empty for nothing. */
  note(_map: ViewMap): string {
    return "";
  }

  /** A class in the legend, with its part of the picture; null leaves it out. */
  entry({ names, shares }: ViewMap, index: number): { name: string; count: string } | null {
    const share = shares[index] ?? 0;
    return { name: names[index] ?? "", count: `${share < 0.1 ? "< 0.1" : share.toFixed(1)} %` };
  }

  /** A value of the legend's scale. */
  number(value: number): string {
    return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
  }
}

/** What is said of a patch that belongs to no class, as nothing is drawn there. */
export const TRANSPARENT = "transparent";

/** The name of the class or cluster at a place. */
export function nameAt(map: ViewMap, [x, y]: Place): string {
  return map.names[map.labels[Math.floor(y * map.height) * map.width + Math.floor(x * map.width)] ?? 0] || TRANSPARENT;
}
