// The published encoders, by what they are good for: the same list as the command line's.

import purposes from "#model/published.json";

/** What encoders are good for, the smallest first, and those that are. */
export type Purpose = (typeof purposes)[number];
export type Published = Purpose["models"][number];

export const PURPOSES: readonly Purpose[] = purposes;

/** What is told of a model before it is fetched. */
export type Offer = Pick<Published, "advice" | "bits" | "gated" | "image" | "parameters"> & { licence: string | null; held?: Held };

/** Bytes that a model that speaks takes of the device, by the bits of its weights, and what each token of a conversation adds. */
export interface Held {
  int4: number;
  int8: number;
  f32: number;
  token: number;
}

/** Bytes that the hub sends of it. */
export const download = ({ parameters, bits }: Pick<Offer, "parameters" | "bits">) => (parameters * bits) / 8;
