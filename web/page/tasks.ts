// Long calls behind the progress bar and its Cancel button.

import type { Options } from "../client/caller";
import type { Notice } from "./notice";
import type { ProgressBar } from "./progress";
import { aborted } from "./requests";

/** What a task is stopped by: an `AbortController`, or an attempt. */
export interface Cancellable {
  readonly signal: AbortSignal;
  abort(): void;
}

export class Tasks {
  readonly #bar: ProgressBar;
  readonly #messages: Notice;

  constructor(bar: ProgressBar, messages: Notice) {
    this.#bar = bar;
    this.#messages = messages;
  }

  /** Runs a call; `cancel` is what the Cancel button does. */
  async run<T>(title: string, task: Cancellable, call: (options: Options) => Promise<T>, cancel = () => task.abort()): Promise<T> {
    const work = this.#bar.begin(title, cancel);
    this.#messages.say(`${title}.`);
    try {
      return await call({ signal: task.signal, progress: work.report });
    } finally {
      work.end();
    }
  }

  /** Tells of a failure, or with `cancelled` that the visitor has cancelled. */
  complain(error: unknown, cancelled: string) {
    if (aborted(error)) this.#messages.say(cancelled);
    else this.#messages.alarm(error);
  }
}
