// What the visitor has chosen to see, and its place in the address. The photograph never is.

export const viewNames = ["pca", "similarity", "attention", "clusters", "norms", "segmentation", "teach"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Choice {
  view: ViewName;
  /** 0 is the embedding, i the output of block i; null the last. */
  layer: number | null;
  /** The chosen patch, as parts of the region's width and height. */
  at: [number, number] | null;
  /** null is the mean of all heads. */
  head: number | null;
  rollout: boolean;
  clusters: number;
  foreground: boolean;
  /** Whether the other side is taken for the foreground. */
  swap: boolean;
  /** How much of the view lies over the photograph, in percent; null as suits the view. */
  opacity: number | null;
}

export const start: Choice = {
  view: "pca", layer: null, at: null, head: null, rollout: false, clusters: 6, foreground: false, swap: false, opacity: null,
};

export function readAddress(hash: string): Choice {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name: string, low: number, high: number) => {
    const text = asked.get(name);
    const value = Number(text);
    return text && Number.isInteger(value) && value >= low && value <= high ? value : null;
  };
  const [x, y] = (asked.get("at") ?? "").split(",").map(Number);
  const inside = (v: number | undefined): v is number => v !== undefined && v >= 0 && v < 1;
  return {
    view: viewNames.find((name) => name === asked.get("view")) ?? start.view,
    layer: whole("layer", 0, 200),
    at: asked.get("at") && inside(x) && inside(y) ? [x, y] : null,
    head: whole("head", 0, 200),
    rollout: asked.has("rollout"),
    clusters: whole("clusters", 2, 16) ?? start.clusters,
    foreground: asked.has("foreground"),
    swap: asked.has("swap"),
    opacity: whole("opacity", 0, 100),
  };
}

/** Only what differs from the start. */
export function address(choice: Choice): string {
  const said = new URLSearchParams();
  if (choice.view !== start.view) said.set("view", choice.view);
  if (choice.layer !== null) said.set("layer", String(choice.layer));
  if (choice.at && (choice.view === "similarity" || choice.view === "attention")) {
    said.set("at", choice.at.map((v) => v.toFixed(3)).join(","));
  }
  if (choice.view === "attention" && choice.head !== null) said.set("head", String(choice.head));
  if (choice.view === "attention" && choice.rollout) said.set("rollout", "");
  if (choice.view === "clusters" && choice.clusters !== start.clusters) said.set("clusters", String(choice.clusters));
  if (choice.view === "pca" && choice.foreground) said.set("foreground", "");
  if (choice.view === "pca" && choice.foreground && choice.swap) said.set("swap", "");
  if (choice.opacity !== null) said.set("opacity", String(choice.opacity));
  return said.size > 0 ? `#${said.toString().replaceAll("%2C", ",")}` : "";
}
