// The way to a folder of photographs; what shows it is fetched when a folder is first opened.

import { part } from "../dom";
import type { Folder, FolderParts } from "./folder";
import { dropped, ofFiles, ofFolder, type Listing } from "./source";
import { aborted } from "../requests";

/** What a folder needs of the page. */
export type DoorParts = Omit<FolderParts, "closed" | "another" | "told">;

export class FolderDoor {
  readonly #parts: DoorParts;
  readonly #text: HTMLElement;
  readonly #usual: string;
  readonly #input = part(document, "#folder-files", HTMLInputElement);
  #folder: Promise<Folder> | null = null;
  /** Whether a folder is open, on the stage or behind it. */
  #open = false;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    const button = part(document, "[data-folder-door]", HTMLButtonElement);
    this.#text = part(button, "span", HTMLElement);
    this.#usual = this.#text.textContent ?? "";
    button.addEventListener("click", () => (this.#open ? void this.#folder?.then((folder) => folder.show()) : this.#ask()));
    this.#input.addEventListener("change", () => {
      const files = [...(this.#input.files ?? [])];
      this.#input.value = "";
      if (files.length > 0) void this.#begin(Promise.resolve(ofFiles(files)));
    });
  }

  /** Takes a folder that was dropped; false where there is none. */
  drop(items: Iterable<DataTransferItem>): boolean {
    const listing = dropped(items);
    if (listing) void this.#begin(listing);
    return listing !== null;
  }

  /** Leaves it for what the stage shows. */
  leave() {
    void this.#folder?.then((folder) => folder.hide(), () => undefined);
  }

  /** Another model is loaded. */
  fit() {
    void this.#folder?.then((folder) => folder.fit(), () => undefined);
  }

  #ask() {
    // A handle reads a folder as it is walked; an input lists all of it before.
    if (window.showDirectoryPicker) void this.#begin(window.showDirectoryPicker({ id: "photographs" }).then(ofFolder));
    else this.#input.click();
  }

  async #begin(asked: Promise<Listing>) {
    try {
      const listing = await asked;
      this.#open = true;
      this.#folder ??= this.#fetch();
      this.#folder.catch(() => (this.#folder = null));
      await (await this.#folder).begin(listing);
    } catch (error) {
      // Who closes the browser's window wants no folder.
      if (!aborted(error)) this.#parts.alarm(error);
    }
  }

  async #fetch(): Promise<Folder> {
    const { Folder } = await import("./folder").catch(() => {
      throw new Error("The part of the page that shows folders could not be fetched from the server.");
    });
    return new Folder({
      ...this.#parts, another: () => this.#ask(), told: (text) => (this.#text.textContent = text),
      closed: () => {
        this.#open = false;
        this.#text.textContent = this.#usual;
      },
    });
  }
}
