// The sheet that shows the view on screen as code.

import { codeOfView, type Language } from "./code";
import { codeOfLabels } from "./labels";
import { codeOfLesson } from "./lesson";
import { codeOfTalk } from "./talk";
import type { Fed } from "./command";
import { copyText } from "../copy";
import { part } from "../dom";
import type { ModelLoading } from "../models/loading";
import { BUNDLED_NAME, BUNDLED_TITLE, DEFAULT_NAME } from "../models/picker";
import type { Model } from "../../shared/protocol";
import type { SettingsForm } from "../settings";
import { Labels } from "../views/labels";
import { Talk } from "../views/talk";
import type { Workbench } from "../workbench";

export interface CodeParts {
  workbench: Workbench;
  settings: SettingsForm;
  loading: ModelLoading;
  /** Tells a screen reader. */
  say(text: string): void;
}

/** What each tab needs to run. */
const NEEDS: Readonly<Record<Language, string>> = {
  shell: "Runs in the folder of your pictures. The command line is in this project: cargo install --path apps/cli",
  python: "Needs the Python package internvit: this project’s node web/tools/wheel.mjs makes it.",
  rust: "Needs the library, internvit.",
  script: "Needs the npm package internvit: this project’s node web/tools/package.mjs makes it.",
};

export class CodeSheet {
  readonly #parts: CodeParts;
  readonly #root = part(document, "#code-sheet", HTMLElement);
  readonly #text = part(this.#root, "textarea", HTMLTextAreaElement);
  readonly #hint = part(this.#root, "[data-needs]", HTMLElement);
  readonly #copy = part(this.#root, "[data-copy]", HTMLButtonElement);
  #language: Language = "shell";

  constructor(parts: CodeParts) {
    this.#parts = parts;
    for (const radio of this.#root.querySelectorAll<HTMLInputElement>("input[type=radio]")) {
      radio.addEventListener("change", () => {
        this.#language = radio.value as Language;
        void this.#show();
      });
    }
    this.#copy.addEventListener("click", () => void this.#copyText());
    this.#root.addEventListener("toggle", () => void this.#show());
    const stage = part(document, "#stage", HTMLElement);
    new MutationObserver(() => void this.#show()).observe(stage, { attributeFilter: ["data-drawn"] });
    part(document, "#teach", HTMLElement).addEventListener("lesson", () => void this.#show());
  }

  async #show() {
    if (!this.#root.matches(":popover-open")) return this.#clear();
    const model = await this.#parts.loading.model;
    const text = model && this.#code(model);
    this.#text.value = text ?? "";
    this.#text.rows = Math.min(24, Math.max(4, this.#text.value.split("\n").length + 1));
    this.#text.hidden = this.#copy.disabled = !text;
    this.#hint.textContent = text ? this.#needs() : this.#lacking();
  }

  /** Closed, it holds nothing, so that it never opens with another view's code, or lets that be copied. */
  #clear() {
    this.#text.value = "";
    this.#copy.disabled = true;
  }

  /** What the page shows, in the language chosen; null where there is nothing to tell yet. */
  #code({ name, info }: Model): string | null {
    const { workbench, settings } = this.#parts;
    const known: Readonly<Record<string, string>> = { [DEFAULT_NAME]: "", [BUNDLED_TITLE]: BUNDLED_NAME };
    const fed: Fed = { model: known[name] ?? name, settings: settings.read(), side: info.image_size, patch: info.patch };
    const { teaching } = workbench;
    if (workbench.viewName === "teach") return codeOfLesson(this.#language, { ...fed, lesson: teaching.panel.now, layers: teaching.layers, edges: workbench.edges });
    const { looked, view, shown } = workbench;
    if (view instanceof Labels) return shown && view.asked && codeOfLabels(this.#language, { ...fed, ...view.asked, photo: shown.file.name });
    if (view instanceof Talk) return view.said && codeOfTalk(this.#language, view.said);
    return looked && codeOfView(this.#language, { ...fed, ...looked });
  }

  #needs(): string {
    // A lesson's strokes are the command line's, which Python calls.
    return this.#text.value.startsWith("import subprocess") ? "Needs the command line in the PATH." : NEEDS[this.#language];
  }

  #lacking(): string {
    const { workbench } = this.#parts;
    return workbench.viewName === "teach" ? "A lesson of strokes, or on several pictures, has no short form in this language: take the command line." : `Nothing to show yet. ${workbench.view.lacking}`;
  }

  async #copyText() {
    if (await copyText(this.#copy, this.#text.value)) return this.#parts.say("The code is copied.");
    this.#text.focus();
    this.#text.select();
    this.#parts.say("This browser lets the page copy nothing. The code is selected, to be copied by hand.");
  }
}
