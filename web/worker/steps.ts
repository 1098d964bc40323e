// The progress of a module's work, and how it is stopped.

import type { Progress } from "../shared/protocol";
import { pause } from "./pause";
import type { Job } from "./serve";

/** Longest time between two yields to the event loop, in milliseconds. */
const YIELD_EVERY = 30;

/** Receives the engine's progress; the engine stops at false. */
export function steps(stage: Progress["stage"], signal: AbortSignal, progress: Job["progress"]) {
  let lastPause = performance.now();
  return async (done: number, total: number) => {
    progress({ stage, done, total });
    // Yield now and then, so that a cancel message can be delivered.
    if (performance.now() - lastPause > YIELD_EVERY) {
      await pause();
      lastPause = performance.now();
    }
    return !signal.aborted;
  };
}
