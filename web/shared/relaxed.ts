// Which of the page's two modules this browser takes.

/** Whether the browser supports f32x4.relaxed_madd, by validating a module that uses it. */
export function relaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f];
  const code = [0x0a, 20, 1, 18, 0, ...zero, ...zero, ...zero, 0xfd, 0x85, 2, 0x1a, 0x0b];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code]));
}
