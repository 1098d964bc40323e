// The buttons that save what is shown: disabled, with the reason in sight, while there is nothing to save.

import { make } from "./dom";
import type { ViewName } from "./choice";

export interface SaveButtons {
  picture: HTMLButtonElement;
  data: HTMLButtonElement;
  features: HTMLButtonElement;
}

/** What is there to be saved. */
export interface Savable {
  view: ViewName;
  /** Whether the view has a map over the photograph. */
  drawn: boolean;
  encoded: boolean;
}

/** Why a view without a map has none. */
const REASONS: Record<ViewName, string> = {
  pca: "This view could not be drawn.",
  similarity: "Click a patch of the picture first.",
  attention: "This view could not be drawn.",
  clusters: "This view could not be drawn.",
  norms: "This view could not be drawn.",
  segmentation: "This model has no segmentation head.",
  teach: "Click patches of two classes first.",
};

/** What is missing to save the view; null where nothing is. */
export function lacking({ view, drawn, encoded }: Savable): string | null {
  if (!encoded) return "The photograph is not encoded.";
  return drawn ? null : REASONS[view];
}

/** Keeps the buttons as the stage is; gives back how to wait until the view asked for last is drawn. */
export function saveButtons(stage: HTMLElement, { picture, data, features }: SaveButtons, now: () => Savable): () => Promise<void> {
  const hint = make("p", { id: "save-hint", className: "hint", hidden: true });
  picture.parentElement?.after(hint);
  for (const button of [picture, data, features]) button.setAttribute("aria-describedby", hint.id);

  function refresh() {
    // Between two drawings the buttons stay as they are, or they would flicker.
    if (stage.dataset.state !== "shown" || !stage.dataset.drawn) return;
    const what = now();
    const reason = lacking(what);
    picture.disabled = data.disabled = reason !== null;
    features.disabled = !what.encoded;
    hint.hidden = reason === null;
    hint.textContent = reason === null ? "" : `Nothing to save in this view yet. ${reason}`;
  }

  new MutationObserver(refresh).observe(stage, { attributeFilter: ["data-drawn", "data-state"] });
  refresh();
  return () => new Promise((resolve) => {
    if (stage.dataset.drawn) return resolve();
    const observer = new MutationObserver(() => {
      if (!stage.dataset.drawn) return;
      observer.disconnect();
      resolve();
    });
    observer.observe(stage, { attributeFilter: ["data-drawn"] });
  });
}
