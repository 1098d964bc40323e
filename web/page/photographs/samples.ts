// The samples: small pictures to choose from; the photographs are fetched on demand.

import { make } from "../dom";
import { isSample } from "../teach/starters";

// Vite finds the pictures by these very expressions, so they cannot be computed.
const samples = [
  { file: "chelsea.png", title: "Cat", picture: new URL("../../samples/chelsea.jpg", import.meta.url) },
  { file: "astronaut.png", title: "Astronaut", picture: new URL("../../samples/astronaut.jpg", import.meta.url) },
  { file: "coffee.png", title: "Coffee", picture: new URL("../../samples/coffee.jpg", import.meta.url) },
  { file: "rocket.jpg", title: "Rocket", picture: new URL("../../samples/rocket.jpg", import.meta.url) },
  { file: "camera.png", title: "Photographer", picture: new URL("../../samples/camera.jpg", import.meta.url) },
];

/** The sample that the page begins with: every view of it is easy to read. */
const FIRST = "coffee.png";

export interface Samples {
  /** Marks the sample on the stage, if there is one. */
  mark(photo: File | null): void;
  /** Opens the sample of a name. */
  open(name: string): void;
  /** Opens the first sample, unless it cannot be fetched or something else is opened meanwhile. */
  begin(): void;
  /** Whether the page began with a sample, and the visitor has not chosen it since. */
  begun(photo: File): boolean;
  /** Drops a sample that has not arrived yet. */
  forget(): void;
  /** The names of all, without their endings. */
  readonly names: readonly string[];
  /** The sample of a name, without its ending; null where there is none. */
  file(name: string): Promise<File | null>;
  /** The name of a sample, without its ending; empty for a visitor's own photograph. */
  nameOf(photo: File | null): string;
}

export function sampleList(list: HTMLElement, onPhoto: (photo: File) => void, onError: (error: unknown) => void): Samples {
  /** The samples fetched so far. A visitor's file of the same name is no sample. */
  const own = new Map<string, File>();
  const fetched = async (file: string) => {
    const photo = own.get(file) ?? (await fetchSample(file));
    own.set(file, photo);
    return photo;
  };
  /** The sample that was asked for last: files may arrive in another order. */
  let asked = "";
  /** Those that the visitor has asked for. */
  const chosen = new Set<string>();
  const choose = (file: string) => {
    chosen.add(file);
    take(file);
  };
  const take = (file: string, failed = onError) => {
    asked = file;
    fetched(file).then((photo) => asked === file && onPhoto(photo), failed);
  };
  const buttons = new Map(samples.map(({ file, title, picture }) => {
    const image = make("img", { src: picture.href, alt: "", width: 192, height: 144 });
    const button = make("button", { type: "button", ariaPressed: "false" }, image, make("span", { textContent: title }));
    button.addEventListener("click", () => choose(file));
    list.append(make("li", {}, button));
    return [file, button];
  }));
  return {
    mark(photo) {
      for (const [file, button] of buttons) button.ariaPressed = String(photo !== null && own.get(file) === photo);
    },
    open(name) {
      const known = samples.find(({ file }) => stem(file) === name);
      if (known) choose(known.file);
      else if (name) onError(new Error(`There is no sample ${name}: the samples are ${names.join(", ")}.`));
    },
    begin: () => take(FIRST, () => undefined),
    begun: (photo) => own.get(photo.name) === photo && !chosen.has(photo.name),
    forget: () => (asked = ""),
    names,
    file: async (name) => {
      const known = samples.find(({ file }) => stem(file) === name);
      return known ? fetched(known.file) : null;
    },
    nameOf: (photo) => (photo && own.get(photo.name) === photo ? stem(photo.name) : ""),
  };
}

const stem = (file: string) => file.replace(/\.[^.]+$/, "");

const names = samples.map(({ file }) => stem(file));

async function fetchSample(file: string): Promise<File> {
  const response = await fetch(new URL(`samples/${file}`, document.baseURI)).catch(() => null);
  if (!response?.ok) throw new Error(`The sample ${file} could not be fetched from the server.`);
  const photo = new File([await response.blob()], file);
  isSample(photo);
  return photo;
}
