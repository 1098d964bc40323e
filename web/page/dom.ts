// Finding elements of index.html and making small new ones.

/** The element that the page's HTML promises. */
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

/** To draw in the processor's memory: on the graphics device, drawing may wait for what the network computes there. */
export function pen(canvas: HTMLCanvasElement, alpha = true): CanvasRenderingContext2D | null {
  return canvas.getContext("2d", { alpha, willReadFrequently: true });
}
