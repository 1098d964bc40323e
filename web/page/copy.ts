// Copies a text to the clipboard; the button that was pressed says so.

/** How long the button confirms the copy, in milliseconds. */
const SAID = 2500;

/** False where the browser does not allow it: pages at http addresses have no clipboard, localhost excepted. */
export async function copyText(button: HTMLButtonElement, text: string): Promise<boolean> {
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (!copied) return false;
  const title = (button.dataset.title ??= button.textContent ?? "");
  button.textContent = "Copied ✓";
  setTimeout(() => (button.textContent = title), SAID);
  return true;
}
