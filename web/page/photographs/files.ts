// The ways in which files reach the page: dropped, pasted, or chosen.

import { spelled } from "../../shared/spelled";

/** Longest name of a file, in characters. No disk allows a longer one, so its ending is never cut off. */
const MOST = 300;

/** The same file under a name that can be shown anywhere. */
function legible(file: File): File {
  const name = spelled(file.name, MOST);
  return name === file.name ? file : new File([file], name, { type: file.type, lastModified: file.lastModified });
}

/** `onFolder` takes a folder that was dropped; false where there is none. */
export function acceptFiles(page: HTMLElement, onFiles: (files: File[]) => void, onFolder: (items: DataTransferItemList) => boolean) {
  let depth = 0; // dragenter and dragleave also fire for every element on the way
  const mark = (change: number) => {
    depth = Math.max(0, depth + change);
    page.classList.toggle("dragging", depth > 0);
  };
  page.addEventListener("dragenter", () => mark(1));
  page.addEventListener("dragleave", () => mark(-1));
  page.addEventListener("dragover", (event) => event.preventDefault());
  page.addEventListener("drop", (event) => {
    event.preventDefault(); // else the browser would leave the page for the file
    mark(-depth);
    if (event.dataTransfer && onFolder(event.dataTransfer.items)) return;
    give(event.dataTransfer?.files);
  });
  page.addEventListener("paste", (event) => give(event.clipboardData?.files));

  function give(files: FileList | undefined) {
    if (files?.length) onFiles([...files].map(legible));
  }
}

/** Connects buttons to the file dialogue of a hidden input. */
export function chooser(buttons: Iterable<HTMLButtonElement>, input: HTMLInputElement, onFiles: (files: File[]) => void) {
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // so that choosing the same file again is a change
    if (files.length) onFiles(files.map(legible));
  });
}
