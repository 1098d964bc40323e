// The table of views, in the order of their tabs. The page begins with the first.

import { Attention } from "./attention";
import { Clusters } from "./clusters";
import { Labels } from "./labels";
import { Norms } from "./norms";
import { Pca } from "./pca";
import { Segmentation } from "./segmentation";
import { Similarity } from "./similarity";
import { Talk } from "./talk";
import { Teach, type Lessons } from "./teach";
import type { View } from "./view";
import { Words } from "./words";

const table = {
  pca: (root) => new Pca(root),
  similarity: (root) => new Similarity(root),
  clusters: (root) => new Clusters(root),
  teach: (root, lessons) => new Teach(root, lessons),
  attention: (root) => new Attention(root),
  norms: () => new Norms(),
  segmentation: () => new Segmentation(),
  labels: (root) => new Labels(root),
  words: (root) => new Words(root),
  talk: (root) => new Talk(root),
} satisfies Record<string, (root: HTMLElement, lessons: Lessons) => View>;

export type ViewName = keyof typeof table;
export type Views = Readonly<Record<ViewName, View>>;

export const viewNames = Object.keys(table) as ViewName[];

/** The views, with the controls of their settings below `root`. */
export function makeViews(root: HTMLElement, lessons: Lessons): Views {
  const make = (name: ViewName): View => table[name](root, lessons);
  return Object.fromEntries(viewNames.map((name) => [name, make(name)])) as Record<ViewName, View>;
}
