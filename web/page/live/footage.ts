// Pictures that move: a camera, or a video file. Nothing is recorded: a frame is there until the next one is.

import { bmpParts } from "../../shared/bmp";
import { spelled } from "../../shared/spelled";
import { make, pen } from "../dom";
import { stem } from "../save";

/** What a camera is asked for, in pixels. */
const SIZE = { width: { ideal: 1280 }, height: { ideal: 720 } } as const;
/** A time after the end of any video, in seconds: sought, it tells the length of one whose file does not say it. */
const NEVER = 1e7;

const CAMERA = "Camera";
const ENDINGS = /\.(mp4|m4v|webm|mov|ogv|mkv|avi|3gp)$/i;

/** Whether a file is a video by its type or its name. */
export const isVideo = (file: File) => file.type.startsWith("video/") || (!file.type && ENDINGS.test(file.name));

export interface FootageEvents {
  /** The video came to its end, or the camera was unplugged. */
  ended(): void;
}

export class Footage {
  readonly name: string;
  readonly #file: File | null;
  readonly #video = make("video", { muted: true, playsInline: true, autoplay: true });
  readonly #frame = make("canvas");
  readonly #events: FootageEvents;
  readonly #closed = new AbortController();
  #address = "";
  #seconds = 0;
  /** The camera that was chosen; empty for the one that the browser gives. */
  #device = "";
  /** The last picture of a camera that is off. */
  #last: HTMLCanvasElement | null = null;
  /** Whether the video has a picture that was not taken yet, and who waits for it. */
  #fresh = false;
  #waiting: () => void = () => undefined;
  #taken = 0;

  private constructor(file: File | null, events: FootageEvents) {
    this.#file = file;
    this.#events = events;
    this.name = file ? file.name : CAMERA;
    this.#video.addEventListener("ended", () => events.ended());
    this.#watch();
  }

  /** A camera, which `play` turns on. */
  static camera(events: FootageEvents): Footage {
    return new Footage(null, events);
  }

  /** A video; an error where this browser cannot play it. */
  static async of(file: File, events: FootageEvents): Promise<Footage> {
    const footage = new Footage(file, events);
    try {
      await footage.#load(file);
      return footage;
    } catch (error) {
      footage.close();
      throw error;
    }
  }

  get isCamera(): boolean {
    return this.#file === null;
  }

  get #stream(): MediaStream | null {
    return this.#video.srcObject instanceof MediaStream ? this.#video.srcObject : null;
  }

  /** Seconds of a video; 0 of a camera. */
  get seconds(): number {
    return this.#seconds;
  }

  /** The place in the video, in seconds. */
  get at(): number {
    return this.#video.currentTime;
  }

  /** Turns the camera on, or lets the video run. */
  async play() {
    if (this.isCamera && !this.#stream) await this.#turnOn();
    await this.#video.play();
  }

  /** Turns the camera off, or halts the video. The last picture stays. */
  pause() {
    this.#video.pause();
    if (!this.#stream) return;
    if (this.#video.videoWidth > 0) {
      this.#last = make("canvas");
      this.#draw(this.#last, Infinity);
    }
    this.#turnOff();
  }

  /** How many cameras there are; 0 for a video. */
  async cameras(): Promise<number> {
    return this.isCamera ? (await cameras()).length : 0;
  }

  /** Turns the camera off; the next one takes its place when it is turned on. */
  async turn() {
    const all = await cameras();
    const [track] = this.#stream?.getTracks() ?? [];
    this.#device = all[(all.indexOf(track?.getSettings().deviceId ?? this.#device) + 1) % all.length] ?? "";
    this.pause();
  }

  /** Goes to a place in the video. */
  async seek(seconds: number) {
    const there = this.#arrived("seeked");
    this.#video.currentTime = seconds;
    await there;
  }

  /** Waits for a picture that was not taken yet; those in between are dropped. */
  async next(signal: AbortSignal) {
    if (!this.#fresh && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const go = () => {
          signal.removeEventListener("abort", go);
          resolve();
        };
        this.#waiting = go;
        signal.addEventListener("abort", go);
      });
    }
    this.#fresh = false;
  }

  /** The picture that is there as a file, its longer side at most `most` pixels. */
  grab(name: string, most = Infinity): File {
    const context = this.#draw(this.#frame, most);
    const { width, height } = this.#frame;
    return new File(bmpParts(context.getImageData(0, 0, width, height)), name, { type: "image/bmp" });
  }

  /** The picture that is there as a picture of its own, under a name that no other has. */
  async picture(): Promise<File> {
    const canvas = make("canvas");
    this.#draw(canvas, Infinity);
    const name = this.isCamera ? `camera-${++this.#taken}` : `${stem(this.name)}-${this.at.toFixed(2)}s`;
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error("The browser could not write the picture.");
    return new File([blob], `${name}.png`, { type: "image/png" });
  }

  /** Ends it: the camera's light goes out. */
  close() {
    this.#closed.abort();
    this.#video.pause();
    this.#turnOff();
    this.#video.removeAttribute("src");
    this.#last = null;
    if (this.#address) URL.revokeObjectURL(this.#address);
  }

  #draw(canvas: HTMLCanvasElement, most: number): CanvasRenderingContext2D {
    const source = this.#last ?? this.#video;
    const [width, height] = source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
    const scale = Math.min(1, most / Math.max(width, height));
    const [wide, tall] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
    const context = pen(canvas, false);
    if (!context || width === 0) throw new Error(`${spelled(this.name)} has no picture to show.`);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, wide, tall);
    return context;
  }

  async #turnOn() {
    const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
    if (!mediaDevices) throw new Error("There is no camera for this page: browsers let only pages at https addresses and at localhost use it.");
    const video = this.#device ? { ...SIZE, deviceId: { exact: this.#device } } : { ...SIZE, facingMode: "environment" };
    const stream = await mediaDevices.getUserMedia({ video, audio: false }).catch((error: unknown) => {
      throw new Error(refusal(error));
    });
    for (const track of stream.getTracks()) track.addEventListener("ended", () => this.#events.ended());
    this.#video.srcObject = stream;
    this.#last = null;
    await this.#arrived("loadeddata");
  }

  #turnOff() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#video.srcObject = null;
  }

  async #load(file: File) {
    const loaded = this.#arrived("loadeddata");
    this.#video.src = this.#address = URL.createObjectURL(file);
    await loaded;
    this.#video.pause(); // phones load no picture of what is not to play
    if (this.#video.videoWidth === 0) throw new Error(cannotPlay(file.name));
    if (!Number.isFinite(this.#video.duration)) await this.seek(NEVER);
    this.#seconds = Number.isFinite(this.#video.duration) ? this.#video.duration : this.at;
    if (this.at > 0) await this.seek(0);
  }

  /** Notes each new picture. */
  #watch() {
    if (this.#closed.signal.aborted) return;
    const note = () => {
      this.#fresh = true;
      this.#waiting();
      this.#watch();
    };
    if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) this.#video.requestVideoFrameCallback(note);
    else requestAnimationFrame(note);
  }

  /** Waits for an event of the video; fails where the browser gives it up, and once it is closed. */
  #arrived(event: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = new AbortController();
      const on = (target: EventTarget, type: string, then: () => void) => target.addEventListener(type, () => (end.abort(), then()), { signal: end.signal });
      on(this.#video, event, resolve);
      on(this.#video, "error", () => reject(new Error(cannotPlay(this.name))));
      on(this.#closed.signal, "abort", () => reject(this.#closed.signal.reason));
    });
  }
}

async function cameras(): Promise<string[]> {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId);
}

const cannotPlay = (name: string) => `${spelled(name)}: this browser cannot play this kind of video. Convert it to MP4 (H.264) or WebM.`;

/** Why there is no camera, and what to do. */
function refusal(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "The camera is blocked for this page. Allow it in the browser’s settings for this site, beside the address, and try again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera was found. Connect one, or open a video in its place.";
    case "NotReadableError":
    case "AbortError":
      return "The camera could not be started: another program may be using it. Close that, and try again.";
    default:
      return `The camera could not be started: ${message}.`;
  }
}
