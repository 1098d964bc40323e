// Talk: a conversation about the picture, with a model that speaks.

import type { ViewMap } from "../../shared/protocol";
import { Conversation } from "../conversation";
import { part } from "../dom";
import type { Engine } from "../engine";
import type { Shot } from "../shots";
import { View, type Subject } from "./view";

export class Talk extends View {
  readonly title = "Talk";
  override readonly edges = "patches";
  readonly about = "Ask about the picture. A model writes what is likely, which can be wrong.";
  readonly opacity = 0;
  override readonly firstLayer = null;
  override readonly detailed = false;
  override readonly lights = false;
  override readonly lacking = "A conversation is words: there is no picture of it.";
  readonly #conversation: Conversation;

  constructor(root: HTMLElement) {
    super();
    this.#conversation = new Conversation(part(root, "#talk", HTMLElement));
  }

  request() {
    return null;
  }

  override async map(_engine: Engine, _subject: Subject, shot: Shot): Promise<ViewMap | null> {
    this.#conversation.show(shot.file);
    return null;
  }

  describe(): string {
    return "";
  }
}
