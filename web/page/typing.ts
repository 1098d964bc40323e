// Fields that take keys: which of them have text of their own, and something of their own to undo.

export class Typing {
  /** What the field in focus had when it was entered, or changed last. */
  #before = "";

  constructor() {
    for (const event of ["focusin", "change"]) document.addEventListener(event, () => this.rest());
  }

  /** What the field in focus has now is what it has to begin with. */
  rest() {
    const { activeElement } = document;
    this.#before = isField(activeElement) ? activeElement.value : "";
  }

  /** Whether keys are text there. */
  takes(target: EventTarget | null): boolean {
    return target instanceof HTMLSelectElement || isField(target);
  }

  /** Whether Ctrl Z is a field's own there: it was edited, or lies elsewhere than in `root`. */
  undoes(target: EventTarget | null, root: HTMLElement): boolean {
    return isField(target) && (!root.contains(target) || target.value !== this.#before);
  }
}

function isField(target: EventTarget | null): target is HTMLInputElement | HTMLTextAreaElement {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && ["text", "number", "password", "search"].includes(target.type));
}
