// What the visitor has chosen to see, and its place in the address. The photograph never is in the address.

import { Address } from "./address";
import type { BesideChoice } from "./stage/beside";
import type { Place } from "../shared/patches";
import type { Edges } from "../shared/protocol";
import { nameable } from "./models/shelf";
import { viewNames, type ViewName, type Views } from "./views/table";

export interface Choice {
  view: ViewName;
  /** 0 is the embedding, i the output of block i; null the last. */
  layer: number | null;
  /** The chosen patch. */
  at: Place | null;
  /** How much of the view lies over the photograph, in percent; null as suits the view. */
  opacity: number | null;
  /** Where edges come from; null as suits the view. */
  edges: Edges | null;
  /** What stands beside; null for nothing. */
  beside: BesideChoice | null;
}

const EDGES: readonly Edges[] = ["patches", "smooth", "photograph"];

/** The choice of an address; the views take their settings from it. */
export function readAddress(hash: string, views: Views): Choice {
  const address = new Address(hash);
  for (const view of Object.values(views)) view.read(address);
  const [x, y] = address.text("at").split(",").map(Number);
  const inside = (v: number | undefined): v is number => v !== undefined && v >= 0 && v < 1;
  return {
    view: viewNames.find((name) => name === address.text("view")) ?? first(),
    layer: address.whole("layer", 0, 200),
    at: address.text("at") && inside(x) && inside(y) ? [x, y] : null,
    opacity: address.whole("opacity", 0, 100),
    edges: EDGES.find((one) => one === address.text("edges")) ?? null,
    beside: readBeside(address.text("beside")),
  };
}

/** A view, a layer and a model, as `pca,3,internvit-tiny`, `pca,3` or `pca`. */
function readBeside(text: string): BesideChoice | null {
  const [name = "", number = "", ...model] = text.split(",");
  const view = viewNames.find((one) => one === name);
  return view ? { view, layer: /^\d{1,3}$/.test(number) ? Number(number) : null, model: nameable(model.join(",")) ? model.join(",") : "" } : null;
}

/** The address of a choice, with only what differs from the page's start. */
export function addressOf({ view, layer, at, opacity, edges, beside }: Choice, views: Views): string {
  const said = new URLSearchParams();
  const { pointing } = views[view];
  if (view !== first()) said.set("view", view);
  if (layer !== null) said.set("layer", String(layer));
  if (at && (pointing === "hold" || pointing === "choose")) said.set("at", at.map((v) => v.toFixed(3)).join(","));
  views[view].write(said);
  if (edges !== null && edges !== views[view].edges) said.set("edges", edges);
  if (beside) said.set("beside", [beside.view, beside.layer ?? "", beside.model].join(",").replace(/,+$/, ""));
  if (opacity !== null) said.set("opacity", String(opacity));
  return said.size > 0 ? `#${said.toString().replace(/%(2C|2F|3A|40)/g, decodeURIComponent)}` : "";
}

/** The address of the page, as far as it tells the view. An entry of the history stays its picture's. */
export class AddressBar {
  /** Whether the next address is a new entry of the history. */
  #pushing = false;

  /** Back will lead to the view before the next one. */
  push() {
    this.#pushing = true;
  }

  write(address: string) {
    const { pathname, search, hash } = location;
    if (address !== hash && this.#pushing) history.pushState(history.state, "", pathname + search + address);
    else if (address !== hash) history.replaceState(history.state, "", pathname + search + address);
    this.#pushing = false;
  }
}

const first = (): ViewName => viewNames[0] ?? "pca";
