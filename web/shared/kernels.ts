// The kinds of kernels that were found fastest for models on this device, kept in this browser.

import { Database } from "./database";

export const CHOSEN = "chosen";

/** By what else would make a choice void: program, browser, adapter, model. */
export const keptKernels = () => new Database("internvit-kernels", [CHOSEN]);
