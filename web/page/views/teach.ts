// Teach: a segmentation by classes that the visitor has shown patches of.

import type { ViewMap, ViewRequest } from "../../shared/protocol";
import type { Mark } from "../drawing";
import type { Place } from "../patches";
import type { Shot } from "../shots";
import { nameAt, View } from "./view";

/** What the view needs of the lesson. */
export interface Lessons {
  /** Whether the engine has a head. */
  readonly ready: boolean;
  /** Fits a head where the lesson has changed. */
  learn(): Promise<void>;
  marks(shot: Shot): Mark[];
}

export class Teach extends View {
  readonly title = "Teach";
  override readonly hint = "ten clicks, a mask";
  readonly about =
    "Teach it: click a few spots of each class. The mask updates at every click; a second click takes a spot away.";
  readonly opacity = 60;
  override readonly pointing = "teach";
  override readonly firstLayer = 1;
  override readonly lacking = "Click patches of two classes first.";
  readonly #lessons: Lessons;

  constructor(lessons: Lessons) {
    super();
    this.#lessons = lessons;
  }

  override prepare(): Promise<void> {
    return this.#lessons.learn();
  }

  request(): ViewRequest | null {
    return this.#lessons.ready ? { view: "taught" } : null;
  }

  override marks(shot: Shot): Mark[] {
    return this.#lessons.marks(shot);
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    return nameAt(map, place);
  }
}
