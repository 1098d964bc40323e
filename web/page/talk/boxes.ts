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
const NUMBER = String.raw`\s*(\d{1,9}(?:\.\d{1,9})?)\s*`;
const FOUR = new RegExp(String.raw`\[${NUMBER},${NUMBER},${NUMBER},${NUMBER}\]`, "g");
/** What is between marks; the first may have a name before it, and the last may not be closed yet. */
const MARKED = /(?:<ref>([^<]{1,200})<\/ref>\s*)?<box>([^<]*)/g;

/** The boxes of a text: `<ref>a cat</ref><box>[[100, 200, 300, 400]]</box>`, with or without a name and the outer brackets. Numbers without marks are text. */
export function boxesOf(text: string): Box[] {
  const boxes: Box[] = [];
  let things = 0;
  for (const [, thing, list = ""] of text.matchAll(MARKED)) {
    const colour = COLOURS[things % COLOURS.length] ?? COLOURS[0];
    const before = boxes.length;
    for (const [whole, ...numbers] of list.matchAll(FOUR)) {
      const [x = 0, y = 0, otherX = 0, otherY = 0] = numbers.map((number) => Math.min(1, Number(number) / 1000));
      const sides = [Math.min(x, otherX), Math.min(y, otherY), Math.max(x, otherX), Math.max(y, otherY)] as const;
      if (sides[0] === sides[2] || sides[1] === sides[3]) continue;
      boxes.push({ name: thing?.trim() || whole, sides, colour });
    }
    if (boxes.length > before) things++;
  }
  return boxes;
}
