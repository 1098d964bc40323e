// The device that computes: the GPU or the processor, as the address asks and the browser allows.

import type { Calls, Device, Model } from "../../shared/protocol";
import type { Engine } from "../engine";
import { tellDevice } from "./chips";
import { showDevice } from "./facts";
import type { Notice } from "../notice";

export class DeviceStatus {
  readonly #root: HTMLElement;
  readonly #messages: Notice;
  #device: Promise<Device> = Promise.reject(new Error("No device has been opened."));

  constructor(root: HTMLElement, messages: Notice) {
    this.#root = root;
    this.#messages = messages;
    this.#device.catch(() => undefined);
  }

  /** The device that was opened last. */
  get device(): Promise<Device> {
    return this.#device;
  }

  /** Opens the device, and begins to fetch the model that is loaded next from its folder. */
  open(engine: Engine, first: { folder?: string }) {
    this.#device = engine.call("open", { ...askedDevice(), ...first });
    this.#device.then((device) => {
      tellDevice(device, null);
      showDevice(this.#root, device, null);
    }, this.#messages.alarm);
  }

  /** Names the loaded model's threads too. */
  async show(model: Model) {
    showDevice(this.#root, await this.#device, model);
  }

  /** Tells what has happened to the device, which may be another one afterwards. */
  async tell(message: string, found: Device | null, model: () => Promise<Model | null>) {
    this.#messages.say(message);
    if (found) this.#device = Promise.resolve(found);
    const known = await this.#device.catch(() => null);
    if (known) showDevice(this.#root, known, found && (await model()), message);
  }
}

/** The device that the address asks for. */
export function askedDevice(): Calls["open"]["given"] {
  const asked = new URLSearchParams(location.search).get("device");
  return { device: asked === "cpu" || asked === "gpu" ? asked : "auto", threads: askedThreads(), ...askedPatience() };
}

/** Seconds that trials of other kernels take at most. */
const PATIENCE = 2;

/** Whether other kernels may be tried: `probe=off` in the address forbids it, a number is of seconds, for any adapter. */
function askedPatience(): Pick<Calls["open"]["given"], "kernels"> {
  const asked = new URLSearchParams(location.search).get("probe");
  if (asked === "off") return {};
  const seconds = Number(asked);
  return { kernels: asked !== null && seconds > 0 ? { seconds, software: true } : { seconds: PATIENCE, software: false } };
}

/** At most as many threads as the device has cores: a link should not start a thousand workers. */
function askedThreads(): number | null {
  const asked = Number(new URLSearchParams(location.search).get("threads"));
  return Number.isInteger(asked) && asked >= 1 ? Math.min(asked, navigator.hardwareConcurrency || 1) : null;
}
