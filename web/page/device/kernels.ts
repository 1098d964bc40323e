// Has other kernels tried when the page has nothing to do.

import { askedDevice } from "./device";
import type { Engine } from "../engine";
import type { Photographs } from "../photographs/photographs";
import { aborted } from "../requests";
import { rest } from "../rest";

/** How long nothing must have been asked for, in milliseconds. */
const REST = 1000;
/** How often trials that were ended begin again. */
const ATTEMPTS = 3;

export class KernelTrials {
  readonly #engine: Engine;
  readonly #photographs: Photographs;
  #models = 0;

  constructor(engine: Engine, photographs: Photographs) {
    [this.#engine, this.#photographs] = [engine, photographs];
  }

  /** Another model is loaded: its kernels are tried once a picture is shown. */
  async fit() {
    const model = ++this.#models;
    if (!askedDevice().kernels) return;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!(await rest(this.#engine, this.#photographs, REST, () => model === this.#models))) return;
      // Without other kernels the page computes as before, so no failure counts.
      const ended = await this.#engine.aside("tryKernels", null).then(() => false, aborted);
      if (!ended) return;
    }
  }
}
