// Waits until the page has nothing to do.

import type { Engine } from "./engine";
import type { Photographs } from "./photographs/photographs";

/** How often it is looked at, in milliseconds. */
const LOOK_EVERY = 500;

/** Waits until the page is in sight, a photograph is shown and for this number of milliseconds nothing has been asked for; whether `wanted` still says so. */
export async function rest(engine: Engine, photographs: Photographs, milliseconds: number, wanted: () => boolean): Promise<boolean> {
  while (wanted()) {
    if (!document.hidden && photographs.shown !== null && !photographs.busy && engine.rested >= milliseconds) return true;
    await new Promise((next) => setTimeout(next, LOOK_EVERY));
  }
  return false;
}
