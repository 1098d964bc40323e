// The samples are encoded while the page has nothing to do, so that the one that is chosen next is there at once.

import type { Encoding } from "../../shared/protocol";
import type { Engine } from "../engine";
import { plainStart } from "../link";
import type { Photographs } from "./photographs";
import { aborted } from "../requests";
import { rest } from "../rest";
import type { Samples } from "./samples";
import type { SettingsForm } from "../settings";

/** How long nothing must have been asked for, in milliseconds: longer than for what is done but once. */
const REST = 1500;
/** Seconds that a photograph takes where it is worth the work: less is not waited for, and more would wear a battery down. */
const [SHORT, LONG] = [0.3, 4];

/** An encoding, and what the visitor had asked for in the settings. */
interface Made {
  encoding: Encoding;
  told: string;
}

export interface AheadParts {
  engine: Engine;
  photographs: Photographs;
  samples: Samples;
  settings: SettingsForm;
}

export class Ahead {
  readonly #parts: AheadParts;
  readonly #made = new Map<File, Made>();
  #models = 0;

  constructor(parts: AheadParts) {
    this.#parts = parts;
  }

  /** The encoding that is there of a photograph, by the settings as they are; whoever takes it forgets it. */
  take(photo: File): Encoding | null {
    const made = this.#made.get(photo);
    this.#made.delete(photo);
    if (!made) return null;
    if (made.told === this.#told) return made.encoding;
    void this.#parts.engine.call("forget", made.encoding.photo);
    return null;
  }

  /** Another model is loaded: what the one before has made is gone, and the samples are encoded by this one. */
  async fit() {
    const model = ++this.#models;
    this.#made.clear();
    if (plainStart() || !isFree()) return;
    const { engine, photographs, samples } = this.#parts;
    for (const name of samples.names) {
      let ended = true;
      // What ends it comes first, and then it begins again.
      while (ended) {
        if (!(await rest(engine, photographs, REST, () => model === this.#models))) return;
        if (!this.#worthwhile) return;
        ended = await this.#make(name, model).then(() => false, aborted);
      }
    }
  }

  /** Whether a visitor looks at the samples, and would wait for the next one. */
  get #worthwhile(): boolean {
    const { photographs, samples, settings } = this.#parts;
    const seconds = settings.usualSeconds;
    return samples.nameOf(photographs.shown!.file) !== "" && seconds > SHORT && seconds <= LONG;
  }

  async #make(name: string, model: number) {
    const { engine, photographs, samples, settings } = this.#parts;
    const photo = await samples.file(name);
    if (!photo || this.#made.has(photo) || photographs.encoded(photo)) return;
    const told = this.#told;
    const encoding = await engine.aside("encode", { photo, settings: settings.read() });
    if (model === this.#models) this.#made.set(photo, { encoding, told });
  }

  get #told(): string {
    return JSON.stringify(this.#parts.settings.told());
  }
}

/** Whether what is fetched without being asked for costs nothing. */
function isFree(): boolean {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  return !connection?.saveData;
}
