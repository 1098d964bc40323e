// Links that contain a sample's name, its settings and its view. No link contains a visitor's photograph.

import { copyText } from "./copy";
import { make } from "./dom";
import { RESIZES, type Settings } from "../shared/protocol";

/** The model's own preprocessing, among the ways of resizing. */
export const OWN = "model";
/** How a photograph is resized, as the page's form and its links name it. */
export type Resizing = NonNullable<Settings["resize"]> | typeof OWN;

/** Parameters of a link besides those of the page's address. */
const [SAMPLE, SIZE, RESIZE, TILES, SHIFTS] = ["sample", "size", "resize", "tiles", "shifts"] as const;

/** Parameters that suit the device which has the link, and no other. */
const OWN_DEVICE = ["device", "threads", "probe", "dtype"];

/** The address that shows the stage's content; `sample` is empty for a visitor's photograph. */
export function link(sample: string, settings: Settings, detail: string): string {
  const url = new URL(location.href);
  for (const name of OWN_DEVICE) url.searchParams.delete(name);
  const set = (name: string, value: string | number | undefined) => {
    if (value) url.searchParams.set(name, String(value));
    else url.searchParams.delete(name);
  };
  set(SAMPLE, sample);
  set(SIZE, settings.image_size);
  set("detail", detail);
  set(RESIZE, settings.resize ?? OWN);
  set(TILES, settings.tiles);
  set(SHIFTS, settings.shifts);
  url.search = url.search.replace(/%(2F|40|3A)/g, decodeURIComponent);
  return url.href;
}

/** The sample that the address asks for; empty where it asks for none. */
export function askedSample(): string {
  return new URLSearchParams(location.search).get(SAMPLE) ?? "";
}

/** Whether the address contains `start=plain`: the page begins without a photograph and encodes squares of the model's own size. */
export function plainStart(): boolean {
  return new URLSearchParams(location.search).get("start") === "plain";
}

/** The settings in the address. */
export function askedSettings(): Omit<Settings, "resize"> & { resize?: Resizing } {
  const asked = new URLSearchParams(location.search);
  const settings: ReturnType<typeof askedSettings> = {};
  const [size, tiles, shifts] = [SIZE, TILES, SHIFTS].map((name) => Number(asked.get(name)));
  if (isCount(size)) settings.image_size = size;
  if (isCount(tiles)) settings.tiles = tiles;
  if (isCount(shifts)) settings.shifts = shifts;
  const resize = ([...RESIZES, OWN] as const).find((name) => name === asked.get(RESIZE));
  if (resize) settings.resize = resize;
  return settings;
}

/** Whether a number of the address is a count. */
function isCount(number: number | undefined): number is number {
  return Number.isInteger(number) && number! > 0;
}

/** The page's address with the sample on the stage; one that the page began with by itself is not named. */
export function nameSample(shown: string, chosen: boolean): string {
  const url = new URL(location.href);
  const asked = url.searchParams.get(SAMPLE);
  if (asked === shown || (asked === null && (!shown || !chosen))) return url.href;
  if (shown) url.searchParams.set(SAMPLE, shown);
  else url.searchParams.delete(SAMPLE);
  return url.href;
}

/**
 * Connects a button that copies an address, and says what of the picture it does not hold. Where the browser does not allow
 * it, the address is shown to be copied by hand.
 */
export function copyLink(button: HTMLButtonElement, address: () => string, lacks: () => string[], say: (text: string) => void) {
  let byHand: HTMLElement | null = null;

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
    if (!(await copyText(button, text))) return show(text);
    const sample = new URL(text).searchParams.has(SAMPLE);
    const without = lacks().map((what) => `, without ${what}`).join("");
    say(`The link is copied. ${sample ? "It opens this view of the sample" : "It holds the view, not the photograph"}${without}.`);
  });
}
