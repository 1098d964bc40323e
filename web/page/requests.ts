// Requests of which the latest wins.

/** One attempt at some work; a later attempt may supersede it. */
export class Attempt {
  readonly #abort = new AbortController();
  readonly #latest: Latest;

  constructor(latest: Latest) {
    this.#latest = latest;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether no later attempt has superseded this one. An aborted attempt may still be current. */
  get current(): boolean {
    return this.#latest.isCurrent(this);
  }

  abort() {
    this.#abort.abort();
  }
}

/** Owns the attempts at one kind of work: a new attempt aborts and supersedes the one before. */
export class Latest {
  #attempt: Attempt | null = null;

  begin(): Attempt {
    this.abort();
    return (this.#attempt = new Attempt(this));
  }

  /** Aborts the current attempt, which stays the current one. */
  abort() {
    this.#attempt?.abort();
  }

  /** Aborts the current attempt, and lets its result count no more. */
  drop() {
    this.abort();
    this.#attempt = null;
  }

  /** Whether an attempt is running. */
  get running(): boolean {
    return this.#attempt !== null && !this.#attempt.signal.aborted;
  }

  isCurrent(attempt: Attempt): boolean {
    return this.#attempt === attempt;
  }
}

/** Whether an error only says that no answer was wanted any more. */
export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Repeats some work as often as it is asked for: one run at a time, and of requests made during a run only the last. */
export class Repeated {
  #run: Promise<void> | null = null;
  #again = false;
  readonly #work: () => Promise<void>;
  readonly #on: { begin(): void; end(): void; error(error: unknown): void };

  constructor(work: () => Promise<void>, on: { begin(): void; end(): void; error(error: unknown): void }) {
    this.#work = work;
    this.#on = on;
  }

  /** Done once nothing is asked for any more. */
  ask(): Promise<void> {
    this.#again = true;
    this.#on.begin();
    return (this.#run ??= this.#repeat());
  }

  async #repeat() {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#work();
      }
    } catch (error) {
      this.#on.error(error);
    } finally {
      this.#run = null;
      this.#on.end();
    }
  }
}
