// The model that comes with the package.

import config from "#bundled/config.json?raw";
import preprocessor from "#bundled/preprocessor_config.json?raw";
import type { OwnFiles } from "../shared/protocol";
import { ModelError } from "./errors";

/** Whether that is its name; the other model that programs know by a name is in none of the package's files. */
export function isBundled(source: unknown): boolean {
  if (source === "internvit-tiny") {
    throw new ModelError("input", "internvit-tiny: not in this package, whose model is \"dinov2-small\". Give the address of its folder, or its files.");
  }
  return source === "bundled" || source === "dinov2-small";
}

/** Its files; the small ones stand in the script, as bundlers would turn them into addresses that a policy may forbid. */
export function bundledModel(weights: File): OwnFiles {
  const file = (text: string, name: string) => new File([text], name, { type: "application/json" });
  return {
    name: "DINOv2 ViT-S/14", config: file(config, "config.json"), preprocessor: file(preprocessor, "preprocessor_config.json"), weights: [weights],
  };
}
