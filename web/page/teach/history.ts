// Undo and redo: every step stores the states before and after it.

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

  /** The current state and all that undo and redo can restore. */
  get states(): State[] {
    return [this.#now, ...[...this.#past, ...this.#future].flatMap(({ before, after }) => [before, after])];
  }

  /** Another state to begin with. */
  begin(state: State) {
    this.#now = state;
    this.#past.length = this.#future.length = 0;
  }

  /** Adds a step; with `join` the change becomes part of the last step. */
  change(after: State, note: Note, join = false) {
    const last = join ? this.#past.at(-1) : undefined;
    if (last) [last.after, last.note] = [after, note];
    else this.#past.push({ before: this.#now, after, note });
    this.#future.length = 0;
    this.#now = after;
  }

  /** Takes the last step back and returns its note; null where there is none. */
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
