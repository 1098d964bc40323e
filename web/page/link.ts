// Links that open what they show: a sample, how it is encoded, and its view. A visitor's own photograph is in none.

import { make } from "./dom";
import type { Settings } from "../shared/protocol";

const RESIZES: readonly string[] = ["squash", "crop", "native"] satisfies Settings["resize"][];

/** Names of the parameters that a link may have beside those of the page's address. */
const [SAMPLE, SIZE, RESIZE, TILES] = ["sample", "size", "resize", "tiles"] as const;

/** How long a button says that it has done its work, in milliseconds. */
const SAID = 2500;

/** The address of what is on the stage; `sample` is empty for a visitor's photograph. */
export function link(sample: string, settings: Settings): string {
  const url = new URL(location.href);
  const set = (name: string, value: string | number | undefined) => {
    if (value) url.searchParams.set(name, String(value));
    else url.searchParams.delete(name);
  };
  set(SAMPLE, sample);
  set(SIZE, settings.image_size);
  set(RESIZE, settings.resize);
  set(TILES, settings.tiles);
  url.search = url.search.replace(/%(2F|40|3A)/g, decodeURIComponent);
  return url.href;
}

/** The sample that the address asks for; empty where it asks for none. */
export function askedSample(): string {
  return new URLSearchParams(location.search).get(SAMPLE) ?? "";
}

/** Whether the address asks for a page without a photograph, which encodes as the model's own preprocessing does: `start=plain`. */
export function plainStart(): boolean {
  return new URLSearchParams(location.search).get("start") === "plain";
}

/** How the address asks for photographs to be encoded. */
export function askedSettings(): Settings {
  const asked = new URLSearchParams(location.search);
  const settings: Settings = {};
  const [size, tiles, resize] = [Number(asked.get(SIZE)), Number(asked.get(TILES)), asked.get(RESIZE) ?? ""];
  if (Number.isInteger(size) && size > 0) settings.image_size = size;
  if (Number.isInteger(tiles) && tiles > 0) settings.tiles = tiles;
  if (RESIZES.includes(resize)) settings.resize = resize as NonNullable<Settings["resize"]>;
  return settings;
}

/** Once another photograph is shown, the address no longer names the sample that it began with. */
export function forgetSample(shown: string) {
  const url = new URL(location.href);
  const asked = url.searchParams.get(SAMPLE);
  if (asked === null || asked === shown) return;
  url.searchParams.delete(SAMPLE);
  history.replaceState(null, "", url);
}

/** Copies what `address` gives; where the browser does not let pages copy, shows it to be copied by hand. */
export function copyLink(button: HTMLButtonElement, address: () => string, say: (text: string) => void) {
  const title = button.textContent;
  let timer = 0;
  let byHand: HTMLElement | null = null;

  function tell(text: string) {
    clearTimeout(timer);
    button.textContent = "Link copied ✓";
    timer = setTimeout(() => (button.textContent = title), SAID);
    say(text);
  }

  function show(text: string) {
    const field = make("input", { type: "text", readOnly: true, value: text });
    const label = make("label", { className: "by-hand hint", textContent: "This browser lets the page copy nothing. Copy the link by hand:" }, field);
    byHand = label;
    button.parentElement?.append(label);
    field.focus();
    field.select();
    say("The link is shown, to be copied by hand.");
  }

  button.addEventListener("click", async () => {
    byHand?.remove();
    const text = address();
    // Browsers give pages at http addresses no clipboard, the device's own excepted.
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    if (!copied) return show(text);
    const sample = new URL(text).searchParams.has(SAMPLE);
    tell(sample ? "The link is copied. It opens this view of the sample." : "The link is copied. It holds the view, not the photograph.");
  });
}
