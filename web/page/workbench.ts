// The views at work: turns the visitor's choice into requests to the engine, and the answers into a picture.

import type { Edges, Encoded, ModelInfo, Settings, ViewMap } from "../shared/protocol";
import { Beside, type BesideMap } from "./stage/beside";
import { AddressBar, addressOf, readAddress, type Choice } from "./choice";
import type { Fed, Looked } from "./code/command";
import { part } from "./dom";
import type { Engine } from "./engine";
import { Film } from "./stage/film";
import { sameGrid, tokenAt, type Place } from "../shared/patches";
import { Picture } from "./stage/picture";
import { Pointing } from "./stage/pointing";
import { Ranking } from "./photographs/ranking";
import { Repeated } from "./requests";
import type { Shelf } from "./models/shelf";
import type { Shot } from "./photographs/shots";
import { Spot } from "./stage/spot";
import type { Tasks } from "./tasks";
import { Teaching } from "./teach/teaching";
import { ViewPanel } from "./view-panel";
import { makeViews, type ViewName, type Views } from "./views/table";
import type { View } from "./views/view";

/** A view that is drawn, without how the model is fed. */
export type Seen = Omit<Looked, keyof Fed>;

export interface Surroundings {
  alarm(error: unknown): void;
  /** Brings a photograph to the stage. */
  open(shot: Shot): void;
  /** Makes a photograph of the frame on the stage, to be painted on. */
  halt(): void;
  /** How photographs are encoded. */
  settings(): Settings;
  /** The models that can stand beside, and what shows their progress. */
  shelf: Shelf;
  tasks: Tasks;
  /** Tells a screen reader. */
  say(text: string): void;
}

export class Workbench {
  readonly #root: HTMLElement;
  readonly #engine: Engine;
  readonly #alarm: (error: unknown) => void;
  /** Stops what moves, so that something can be painted on its picture. */
  readonly halt: () => void;
  readonly #picture: Picture;
  readonly teaching: Teaching;
  readonly #views: Views;
  readonly #panel: ViewPanel;
  readonly #painting: Repeated;
  readonly #pointing: Pointing;
  readonly #spot: Spot;
  readonly #ranking: Ranking;
  readonly #film: Film;
  readonly #beside: Beside;
  #choice: Choice;
  #model: ModelInfo | null = null;
  #shot: Shot | null = null;
  #shots: readonly Shot[] = [];
  /** The photograph whose patch is held. */
  #holder: Shot | null = null;
  #map: ViewMap | null = null;
  /** The view beside. */
  #other: BesideMap | null = null;
  readonly #address = new AddressBar();
  /** Whether the next frame takes the place of the one on the stage by itself. */
  #moving = false;
  /** Whether the page begins with a picture of its own. */
  #welcoming = false;

  constructor(root: HTMLElement, engine: Engine, surroundings: Surroundings) {
    [this.#root, this.#engine, this.#alarm, this.halt] = [root, engine, surroundings.alarm, surroundings.halt];
    this.#pointing = new Pointing(this, () => this.#picture, (pointed) => {
      this.#spot.point(pointed);
      this.#beside.point(pointed);
    });
    this.#picture = new Picture(root, this.#pointing.handlers(), this.#pointing.otherHandlers());
    const edges = () => this.edges;
    this.#spot = new Spot(engine, edges, (light) => this.#picture.spot(light), surroundings.alarm);
    this.#ranking = new Ranking(part(root, "#ranking", HTMLElement), engine, { ...surroundings, error: surroundings.alarm });
    this.#film = new Film(root, engine, (layer) => this.#setLayer(Math.max(this.view.firstLayer ?? 0, layer)));
    this.teaching = this.#makeTeaching(surroundings);
    this.#views = makeViews(root, this.teaching);
    this.#beside = new Beside(root, engine, this.#views, surroundings, {
      edges, light: (light) => this.#picture.spotBeside(light), error: surroundings.alarm,
      changed: (beside) => {
        this.#choice.beside = beside;
        this.#changed();
      },
    });
    this.#panel = new ViewPanel(root, this.#views, {
      turn: (view) => this.#turn(view), layer: (layer) => this.#setLayer(layer), fade: (opacity) => this.#fade(opacity),
      faded: () => this.#writeAddress(),
      edges: (edges) => {
        this.#choice.edges = edges;
        this.#changed();
      },
    });
    this.#painting = new Repeated(() => this.#paint(), {
      begin: () => delete root.dataset.drawn, end: () => (root.dataset.drawn = this.#choice.view),
      error: surroundings.alarm,
    });
    this.#choice = readAddress(location.hash, this.#views);
    this.#connect();
    this.#sync();
  }

  /** The view that is shown. */
  get view(): View {
    return this.#views[this.#choice.view];
  }

  get viewName(): ViewName {
    return this.#choice.view;
  }

  /** The layer that is shown. */
  get layer(): number {
    return Math.min(this.#choice.layer ?? this.#layers, this.#layers);
  }

  /** What is drawn. */
  get map(): ViewMap | null {
    return this.#map;
  }

  /** Where edges come from, but in views that begin with others. */
  get edges(): Edges {
    return this.#choice.edges ?? "photograph";
  }

  /** The chosen place. */
  get at(): Place | null {
    return this.#choice.at;
  }

  /** The photographs of this visit. */
  get shots(): readonly Shot[] {
    return this.#shots;
  }

  get shown(): Shot | null {
    return this.#shot;
  }

  /** The view as it is drawn, for those who draw it elsewhere; null where the visitor must act first. */
  get looked(): Seen | null {
    const [shot, held] = [this.#shot, this.view.pointing === "hold" && this.#choice.at ? this.held : this.#shot];
    if (!this.#map || !shot || shot.frame || !held?.encoding || held.frame) return null;
    const request = this.view.request({ layer: this.layer, token: this.#token(held.encoding), photo: held.encoding.photo, frame: false });
    const edges = this.edgesOf(this.view);
    const second = this.view.partner(this.#shots) ?? (held === shot ? null : shot);
    return request && { request, shot: held, second, edges, opacity: this.#opacity, pins: this.view.pinned(held) };
  }

  png(): Promise<Blob> {
    return this.#picture.png();
  }

  /** Shows a photograph that is about to be encoded. */
  preview(shot: Shot | null, photo: ImageBitmap, patches: number) {
    this.#picture.preview(shot, photo, patches);
  }

  show(shot: Shot, shots: readonly Shot[]) {
    const fresh = shot !== this.#shot;
    this.#take(shot, shots, false);
    this.teaching.outdate();
    if (fresh) this.#picture.reveal(() => this.#opacity);
    this.update();
  }

  /** Takes the choice of the address, and its pins: `here` for the picture on the stage, else for one that comes. */
  read(here: boolean) {
    this.#choice = readAddress(location.hash, this.#views);
    [this.#holder, this.#map, this.#other] = [null, null, null];
    if (!here) return this.#sync();
    if (this.#shot) for (const view of Object.values(this.#views)) view.fitShots(this.#shot, this.#shots);
    this.#changed();
  }

  /** Shows the next frame of what moves; done once its view is drawn. */
  async step(frame: Shot, shots: readonly Shot[]): Promise<void> {
    const same = this.#moving && sameGrid(frame.encoding, this.#shot?.encoding);
    if (same) this.#shot = frame;
    else this.#take(frame, shots, true);
    this.#spot.follow(frame);
    await this.#painting.ask();
  }

  /** No frame follows the last one by itself. */
  rest() {
    if (!this.#moving) return;
    this.#moving = false;
    this.#picture.moves(false);
    this.update();
  }

  /** Whether a frame is shown, or something on it is pinned. */
  holds(frame: Shot): boolean {
    return [this.#shot, this.#holder].includes(frame) || Object.values(this.#views).some((view) => view.holds(frame));
  }

  #take(shot: Shot, shots: readonly Shot[], moving: boolean) {
    [this.#shot, this.#shots, this.#moving] = [shot, shots, moving];
    for (const view of Object.values(this.#views)) view.fitShots(shot, shots);
    [this.#map, this.#other] = [null, null];
    this.#pointing.leave();
    this.#picture.moves(moving);
    this.#root.toggleAttribute("data-frame", shot.frame);
  }

  /** Goes back to the last photograph shown; false where there is none. */
  revert(): boolean {
    if (!this.#shot?.encoding) return false;
    this.update();
    return true;
  }

  fit(model: ModelInfo) {
    this.#model = model;
    this.teaching.fit(model);
    for (const part of [...Object.values(this.#views), this.#beside, this.#panel]) part.fit(model);
    this.#sync();
  }

  /** Imports a head from a file and shows its classes. */
  async importHead(file: File) {
    try {
      await this.teaching.import(file, this.#choice.layer);
      this.#map = null;
      if (this.viewName === "teach") this.#changed();
      else this.#turn("teach");
    } catch (error) {
      this.#alarm(error);
    }
  }

  /** The model's layers; before it is known the usual number. */
  get #layers(): number {
    return this.#model?.layers ?? 12;
  }

  get #opacity(): number {
    return this.#choice.opacity ?? this.view.opacity;
  }

  edgesOf({ edges }: View): Edges {
    return (edges && (this.#choice.edges ?? edges)) ?? "patches";
  }

  #makeTeaching({ alarm, open, settings }: Surroundings): Teaching {
    return new Teaching(this.#root, this.#engine, {
      alarm, settings, changed: () => this.update(), marked: () => this.#redrawn(), layer: () => this.layer,
      shown: () => this.#shot, importHead: (file) => void this.importHead(file),
      open: (shot) => void (shot !== this.#shot && open(shot)),
      choose: (layer) => {
        this.#choice.layer = layer;
        this.#sync();
      },
    });
  }

  #connect() {
    const surface = { changed: () => this.#changed(), redrawn: () => this.#redrawn(), unpoint: () => this.point(null) };
    for (const view of Object.values(this.#views)) view.connect(surface);
  }

  #turn(view: ViewName) {
    if (this.#choice.view === view) return;
    this.#choice = { ...this.#choice, view, opacity: null };
    this.#address.push();
    [this.#map, this.#other] = [null, null];
    this.#pointing.leave();
    this.#picture.wipe.leave();
    this.#changed();
  }

  #setLayer(layer: number) {
    const before = this.#choice.layer;
    this.#choice.layer = layer === this.#model?.layers ? null : layer;
    this.teaching.turn(before, this.#choice.layer);
    this.#changed();
  }

  #fade(opacity: number) {
    this.#choice.opacity = opacity;
    this.#sync();
    this.#picture.fade(opacity);
  }

  /** Holds or chooses a place; null lets it go. */
  point(at: Place | null) {
    this.#choice.at = at;
    this.#holder = at && this.#shot;
    if (!at) this.view.release();
    this.#changed();
  }

  #changed() {
    this.#sync();
    this.update();
  }

  #sync() {
    this.#film.mark(this.layer);
    this.#beside.sync(this.#choice.beside, { view: this.viewName, layer: this.layer, layers: this.#layers });
    this.#panel.sync({ choice: this.#choice, layer: this.layer, layers: this.#layers, opacity: this.#opacity });
  }

  /** Draws the view anew; the next frame does, if it comes by itself. */
  update() {
    if (!this.#moving) void this.#painting.ask();
  }

  async #paint() {
    const shot = this.#shot;
    if (!shot?.encoding) return;
    this.#writeAddress();
    await this.view.prepare();
    // The visitor may have turned to another view meanwhile.
    const { view, viewName } = this;
    if (!shot.encoding) return;
    const second = view.partner(this.#shots);
    const { pointing } = view;
    const held = pointing === "hold" && this.#choice.at ? this.held : shot;
    if (!held?.encoding) return this.point(null);
    const token = this.#token(held.encoding);
    const reason = this.#model && view.unavailable(this.#model);
    this.#root.toggleAttribute("data-unable", Boolean(reason));
    if (reason) {
      this.#finish(shot, null, null);
      return this.#picture.say(reason);
    }
    const quick = shot.frame || this.#pointing.moving;
    const subject = { layer: this.layer, token, photo: held.encoding.photo, frame: shot.frame, quick };
    const model = this.#model;
    const answer = await view.map(this.#engine, subject, second?.encoding ? second : shot, this.edgesOf(view)).catch((error: unknown) => {
      // Another model does not have the encoding: what it makes of the photograph is shown when it is there.
      if (model === this.#model) throw error;
      return null;
    });
    if (shot !== this.#shot || !shot.encoding || viewName !== this.viewName) return;
    const own = held === shot ? token : null;
    // Of what moves one view is enough to draw.
    const other = second || shot.frame ? null : await this.#beside.map(shot, own, (one) => this.edgesOf(one), quick);
    if (shot !== this.#shot || viewName !== this.viewName) return;
    [this.#map, this.#other] = [answer, other];
    if (answer) {
      view.answered();
      view.drawn(answer, shot);
    }
    this.#finish(shot, second, own);
    if (this.#model && !shot.coarse) void this.#film.show(shot, this.#model.layers);
    const pinned = pointing === "hold" && this.#choice.at && token !== null && !shot.frame;
    this.#ranking.rank(pinned ? { view, pins: view.pins, shot: held, token, layer: this.layer, among: this.#shots } : null);
  }

  /** The photograph whose patch is held; that of a link is the first that is shown. */
  get held(): Shot | null {
    return (this.#holder ??= this.#shot);
  }

  /** Draws the map that is there by the view's settings, and its marks. */
  #redrawn() {
    if (!this.#shot?.encoding) return;
    this.#finish(this.#shot, this.view.partner(this.#shots), this.held === this.#shot ? this.#token(this.#shot.encoding) : null);
  }

  /** The chosen patch, or, in a view that holds patches, the one under the pointer, and to begin with the one in the middle. */
  #token(encoding: Encoded): number | null {
    const held = tokenAt(this.#choice.at, encoding);
    const { pointing } = this.view;
    if (pointing === "hold") return held ?? this.#pointing.hovered ?? (this.#moving ? null : tokenAt([0.5, 0.5], encoding));
    return pointing === "choose" ? held : null;
  }

  /** Shows the first picture by a sweep from the photograph to its view. */
  welcome() {
    this.#welcoming = true;
  }

  #finish(shot: Shot, second: Shot | null, token: number | null) {
    const { view } = this;
    if (this.#welcoming && this.#map && view.pointing !== "teach") this.#picture.wipe.sweep();
    const beside = second ? null : this.#other;
    const pointed = view.pointing === "hold" ? (this.#pointing.hovered ?? token ?? (this.#choice.at && (this.#map?.best ?? null))) : token;
    const unpointed = view.pointing === "hold" && !this.#choice.at && this.#pointing.hovered === null;
    this.#picture.paint({ view, shot, second, map: this.#map, token, pointed, unpointed, opacity: this.#opacity, blocks: this.#choice.edges === "patches", beside });
  }

  #writeAddress() {
    // A place on another picture is not one of the picture that the address names.
    const foreign = this.view.pointing === "hold" && this.#holder !== null && this.#holder !== this.#shot;
    this.#address.write(addressOf(foreign ? { ...this.#choice, at: null } : this.#choice, this.#views));
  }
}
