// Helpers that find elements of index.html and make new ones.

/** An element of index.html, of a known type. */
export function part<E extends Element>(root: ParentNode, selector: string, type: new () => E): E {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The page lacks ${selector}.`);
  return found;
}

export function make<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  properties: Partial<HTMLElementTagNameMap[T]> = {},
  ...children: Node[]
): HTMLElementTagNameMap[T] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Whether the visitor has a finger and no mouse. */
export const byTouch = () => matchMedia("(hover: none)").matches;

/** A context that draws in the processor's memory: on the GPU, drawing may wait until the model has run. */
export function pen(canvas: HTMLCanvasElement, alpha = true): CanvasRenderingContext2D | null {
  return canvas.getContext("2d", { alpha, willReadFrequently: true });
}
