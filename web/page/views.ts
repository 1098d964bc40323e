// The views: what each asks of the engine, and how it reads.

import type { Choice, ViewName } from "./choice";
import type { Encoded, ViewMap, ViewRequest } from "../shared/protocol";

export interface View {
  title: string;
  /** One sentence on what is seen. */
  about: string;
  /** Opacity to begin with, in percent. */
  opacity: number;
  smooth: boolean;
  outlines: boolean;
  /** The patch under the pointer, in words. */
  read(map: ViewMap, token: number, place: [number, number], choice: Choice): string;
}

const byPlace = (map: ViewMap, [x, y]: [number, number]) =>
  map.names[map.labels[Math.floor(y * map.height) * map.width + Math.floor(x * map.width)] ?? 0] ?? "";

/** Of several maps the one that is shown has the colours' values; the last is the mean. */
const percent = (map: ViewMap, token: number, head: number | null) => {
  const area = map.width * map.height;
  const last = map.data.length / area - 1;
  return `${(100 * (map.data[Math.min(head ?? last, last) * area + token] ?? 0)).toFixed(2)} % of the attention`;
};

export const views: Record<ViewName, View> = {
  pca: {
    title: "PCA",
    about:
      "Each patch’s features, their three strongest directions shown as red, green and blue: patches of like colour look alike to the model.",
    opacity: 100,
    smooth: true,
    outlines: false,
    read: (map, token) => `components ${[...map.data.slice(3 * token, 3 * token + 3)].map((v) => v.toFixed(2)).join(", ")}`,
  },
  similarity: {
    title: "Similarity",
    about: "Bright patches resemble the one you point at, by the cosine of their features. Click a patch to hold it and point at others to read their cosines with it; click it again, or press Esc, to let it go.",
    opacity: 75,
    smooth: true,
    outlines: false,
    read: (map, token) => `cosine ${(map.data[token] ?? 0).toFixed(3)}`,
  },
  attention: {
    title: "Attention",
    about: "Where the class token looks as it sums the picture up. Click a patch to see where that patch looks.",
    opacity: 75,
    smooth: true,
    outlines: false,
    read: (map, token, _, { head, rollout }) => percent(map, token, rollout ? null : head),
  },
  clusters: {
    title: "Clusters",
    about: "Patches grouped by the direction of their features, without any label: k-means.",
    opacity: 70,
    smooth: false,
    outlines: true,
    read: (map, _, place) => byPlace(map, place),
  },
  norms: {
    title: "Norms",
    about:
      "The length of each patch’s feature vector. Single bright patches are outliers, in which large models keep notes about the whole picture.",
    opacity: 75,
    smooth: false,
    outlines: false,
    read: (map, token) => `norm ${(map.data[token] ?? 0).toFixed(2)}`,
  },
  segmentation: {
    title: "Segmentation",
    about: "What the model’s own segmentation head calls each part of the picture.",
    opacity: 60,
    smooth: true,
    outlines: false,
    read: (map, _, place) => byPlace(map, place),
  },
  teach: {
    title: "Teach",
    about: "Your own segmentation: choose a class, click a few patches of it, then some of another. The map follows each click; a second click takes a patch away.",
    opacity: 60,
    smooth: true,
    outlines: false,
    read: (map, _, place) => byPlace(map, place),
  },
};

/** What the choice asks of the engine; null where the visitor must act first. */
export function requestFor(choice: Choice, layer: number, keep: "own" | "keep" | "kept", token: number | null, of: number, taught: boolean): ViewRequest | null {
  switch (choice.view) {
    case "pca":
      return { view: "pca", layer, foreground: choice.foreground, swap: choice.swap, basis: keep };
    case "similarity":
      return token === null ? null : { view: "similarity", layer, token, of };
    case "attention":
      return choice.rollout
        ? { view: "rollout", layer: Math.max(1, layer), token }
        : { view: "attention", layer: Math.max(1, layer), token, head: choice.head };
    case "clusters":
      return { view: "clusters", layer, k: choice.clusters };
    case "norms":
      return { view: "norms", layer };
    case "segmentation":
      return { view: "segmentation" };
    case "teach":
      return taught ? { view: "taught" } : null;
  }
}

/** The patch at a chosen place. */
export function tokenAt(at: readonly [number, number] | null, { rows, cols }: Encoded): number | null {
  return at && Math.floor(at[1] * rows) * cols + Math.floor(at[0] * cols);
}

/** The middle of a patch. */
export function placeOf(token: number, { rows, cols }: Encoded): [number, number] {
  return [((token % cols) + 0.5) / cols, (Math.floor(token / cols) + 0.5) / rows];
}
