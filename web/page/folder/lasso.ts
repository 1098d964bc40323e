// What lies inside of a line that was drawn around it.

/** In pixels. */
export type Point = readonly [number, number];

/** Whether a point lies inside of a closed line: a ray from it crosses the line an odd number of times. */
export function inside(path: readonly Point[], [x, y]: Point): boolean {
  let odd = false;
  path.forEach(([ax, ay], at) => {
    const [bx, by] = path[(at + path.length - 1) % path.length] ?? [0, 0];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  });
  return odd;
}
