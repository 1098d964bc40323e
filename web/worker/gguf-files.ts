// Which files of a repository are one model in GGUF, as src/hub/gguf.rs chooses them; tests/common/gguf-names.json has the cases of both.

import { isGguf } from "../shared/names";

/** A file of GGUF, or all the parts of one model, by their names. */
interface Named {
  files: string[];
  /** The last part of the first one's name, without its number and ending. */
  stem: string;
}

/** Of several projectors, which differ in their types alone, the first of these is taken. */
const PROJECTORS = ["BF16", "F16", "F32", "Q8_0"];

/** Parts of one model at most. */
const MOST_PARTS = 9999;

/** The files of the model that `choice` means, a quantisation or the name of a file, or of the only one: all its parts, the projector last. */
export function ggufFiles(repository: string, names: readonly string[], choice: string | null): string[] {
  const all = among(names);
  const meant = all.filter((one) => choice === null || isCalled(one, choice));
  const models = meant.filter((one) => !isProjector(one));
  // A projector is meant where nothing else is.
  const [one, ...others] = models.length > 0 ? models : meant;
  const there = all.filter((other) => !isProjector(other)).map(({ files }) => files[0]).slice(0, 8).join(", ");
  if (!one) throw new Error(`${repository}: no model in GGUF called “${choice ?? ""}”, but ${there || "none at all"}.`);
  if (others.length > 0) throw new Error(`${repository}: several models in GGUF, ${there}: name one, as ${repository}:Q4_K_M or ${repository}:FILE.gguf.`);
  const projectors = all.filter(isProjector);
  const projector = PROJECTORS.flatMap((kind) => projectors.find((other) => isQuantised(other, kind)) ?? [])[0] ?? projectors[0];
  return projector && projector !== one ? [...one.files, ...projector.files] : one.files;
}

/** The models of some files, in order. */
function among(names: readonly string[]): Named[] {
  const all = new Map<string, Named>();
  for (const one of names.filter((name) => isGguf({ name })).map(named)) {
    const [first = ""] = one.files;
    if (!all.has(first)) all.set(first, one);
  }
  return [...all.values()];
}

/** What a file belongs to. */
function named(file: string): Named {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const [, stem, count = "", ending] = /^(.*?)-\d{5}-of-(\d{5})(.*)$/s.exec(name) ?? [];
  if (stem === undefined || Number(count) < 1 || Number(count) > MOST_PARTS) return { files: [file], stem: name.replace(/\.[^.]*$/s, "") };
  const folder = file.slice(0, file.length - name.length);
  const part = (at: number) => `${folder}${stem}-${String(at + 1).padStart(5, "0")}-of-${count}${ending}`;
  return { files: Array.from({ length: Number(count) }, (_, at) => part(at)), stem };
}

const isProjector = ({ stem }: Named) => stem.toLowerCase().includes("mmproj");

const isCalled = (one: Named, choice: string) =>
  one.files.some((file) => file === choice || file.endsWith(`/${choice}`)) || isQuantised(one, choice);

/** Whether it is in these types, as far as its name tells. */
function isQuantised({ stem }: Named, kind: string): boolean {
  const before = stem.at(-kind.length - 1);
  return stem.toLowerCase().endsWith(kind.toLowerCase()) && (before === "-" || before === ".");
}
