// Boxes that a model writes around what it speaks of: thousandths of the photograph's width and height.

export interface Box {
  /** What is in it, or its numbers. */
  name: string;
  /** Left, top, right and bottom, in parts of the photograph. */
  sides: readonly [number, number, number, number];
  colour: readonly [number, number, number];
}

/** Colours that can be told apart on photographs. */
const COLOURS = [[255, 176, 0], [100, 143, 255], [220, 38, 127], [0, 190, 140], [254, 97, 0], [170, 110, 255]] as const;
const NAMED = /(?:<ref>([^<]{1,200})<\/ref>\s*)?(?:<box>\s*)?\[\s*(\[[^[\]]*\](?:\s*,\s*\[[^[\]]*\])*)\s*\](?:\s*<\/box>)?/g;
const FOUR = /\[\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*\]/g;

/** The boxes of a text: `<ref>a cat</ref><box>[[100, 200, 300, 400]]</box>`, with or without the marks. What is no box of the picture is text. */
export function boxesOf(text: string): Box[] {
  const boxes: Box[] = [];
  let things = 0;
  for (const [, thing, list = ""] of text.matchAll(NAMED)) {
    const colour = COLOURS[things % COLOURS.length] ?? COLOURS[0];
    const before = boxes.length;
    for (const [whole, ...numbers] of list.matchAll(FOUR)) {
      const [left = 0, top = 0, right = 0, bottom = 0] = numbers.map((number) => Number(number) / 1000);
      if (right > 1 || bottom > 1 || left >= right || top >= bottom) continue;
      boxes.push({ name: thing?.trim() || whole, sides: [left, top, right, bottom], colour });
    }
    if (boxes.length > before) things++;
  }
  return boxes;
}
