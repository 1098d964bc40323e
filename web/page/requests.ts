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

/** Repeats some work as often as it is asked for: one run at a time, and of requests made during a run only the last. */
export class Repeated {
  #running = false;
  #again = false;
  readonly #work: () => Promise<void>;
  readonly #on: { begin(): void; end(): void; error(error: unknown): void };

  constructor(work: () => Promise<void>, on: { begin(): void; end(): void; error(error: unknown): void }) {
    this.#work = work;
    this.#on = on;
  }

  async ask() {
    this.#again = true;
    this.#on.begin();
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#work();
      }
    } catch (error) {
      this.#on.error(error);
    } finally {
      this.#running = false;
      this.#on.end();
    }
  }
}
