// The model that comes with the package.

import config from "#bundled/config.json?raw";
import preprocessor from "#bundled/preprocessor_config.json?raw";
import type { OwnFiles } from "../shared/protocol";
import { ModelError } from "./errors";

/** Whether a name means it. Of the command line's other model it says where that is. */
export function isBundled(source: unknown): boolean {
  if (source === "internvit-tiny") {
    throw new ModelError("input", 'internvit-tiny does not come with this package, only dinov2-small does: open its folder, www/models/internvit-tiny of the repository, by its path or by the address where it is served.');
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
