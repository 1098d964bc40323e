// Steps that undo and redo take back and make again, exactly: every step keeps what was before and after it.

interface Step<State, Note> {
  before: State;
  after: State;
  note: Note;
}

export class History<State, Note> {
  #now: State;
  readonly #past: Step<State, Note>[] = [];
  readonly #future: Step<State, Note>[] = [];

  constructor(start: State) {
    this.#now = start;
  }

  get now(): State {
    return this.#now;
  }

  get undoable(): boolean {
    return this.#past.length > 0;
  }

  get redoable(): boolean {
    return this.#future.length > 0;
  }

  /** All that undo and redo can bring back, and what is there now. */
  get states(): State[] {
    return [this.#now, ...[...this.#past, ...this.#future].flatMap(({ before, after }) => [before, after])];
  }

  /** A new step; with `join` it becomes part of the one before. */
  change(after: State, note: Note, join = false) {
    const last = join ? this.#past.at(-1) : undefined;
    if (last) last.after = after;
    else this.#past.push({ before: this.#now, after, note });
    this.#future.length = 0;
    this.#now = after;
  }

  /** Takes the last step back; null where there is none. */
  undo(): Note | null {
    const step = this.#past.pop();
    if (!step) return null;
    this.#future.push(step);
    this.#now = step.before;
    return step.note;
  }

  redo(): Note | null {
    const step = this.#future.pop();
    if (!step) return null;
    this.#past.push(step);
    this.#now = step.after;
    return step.note;
  }
}
