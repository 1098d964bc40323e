// The map of what is known of a folder: arranged by a worker once all is read, drawn with the photographs' small pictures.

import type { Caller } from "../../client/caller";
import type { Arranged, Embedded, FolderCalls } from "../../shared/folder";
import { make } from "../dom";
import { colourOf } from "../teach/lesson";
import { aborted, Latest } from "../requests";
import { Atlas } from "./atlas";
import { FolderMap } from "./map";
import { vectorsOf, type Vectors } from "./near";
import type { Photo } from "./reading";

export interface ChartActions {
  choose(photo: Photo): void;
  encircle(all: Photo[]): void;
}

export class Chart {
  readonly map: FolderMap;
  readonly root: HTMLElement;
  readonly #worker: Caller<FolderCalls>;
  readonly #atlas = new Atlas();
  /** The place of each photograph's picture in the atlas. */
  readonly #pictures = new Map<Photo, number>();
  readonly #painted = new Set<Photo>();
  readonly #runs = new Latest();
  readonly #state = make("p", { className: "map-state hint", role: "status", hidden: true });
  readonly #tip: HTMLElement;
  readonly #tipPicture = make("img", { alt: "" });
  readonly #tipName = make("span");
  /** The photographs that lie on the map, in its order. */
  #photos: readonly Photo[] = [];
  #vectors: { of: readonly Photo[]; vectors: Vectors } | null = null;
  #arranged: { of: readonly Photo[]; arranged: Promise<Arranged | null> } | null = null;
  #groups: { of: Arranged; count: number; colours: string[] } | null = null;

  constructor(worker: Caller<FolderCalls>, { choose, encircle }: ChartActions) {
    this.#worker = worker;
    const canvas = make("canvas", { tabIndex: 0, role: "application", ariaLabel: "Map of the folder’s photographs" });
    canvas.setAttribute("aria-roledescription", "map");
    this.#tip = make("div", { className: "map-tip", hidden: true }, this.#tipPicture, this.#tipName);
    this.root = make("div", { className: "map", hidden: true }, canvas, this.#state, this.#tip);
    this.map = new FolderMap(canvas, this.#atlas, {
      hover: (at, x, y) => this.#point(at, x, y),
      choose: (at) => this.#photos[at] && choose(this.#photos[at]),
      encircle: (all) => encircle(all.flatMap((at) => this.#photos[at] ?? [])),
    });
  }

  clear() {
    this.#runs.drop();
    this.#atlas.clear();
    this.#pictures.clear();
    this.#painted.clear();
    [this.#photos, this.#vectors, this.#arranged, this.#groups] = [[], null, null, null];
    this.map.show(null);
  }

  /** A photograph's small picture may be there. */
  update(photo: Photo) {
    if (this.#pictures.has(photo) && !this.#painted.has(photo)) void this.#paint(photo);
  }

  /** By what photographs are compared. */
  vectors(known: readonly Photo[]): Vectors {
    if (!this.#vectors || !same(this.#vectors.of, known)) {
      this.#vectors = { of: known, vectors: vectorsOf(known.flatMap(({ embedded }): Embedded[] => (embedded ? [embedded] : []))) };
    }
    return this.#vectors.vectors;
  }

  /** Arranges photographs, once; null where other ones were asked for meanwhile. */
  arranged(known: readonly Photo[]): Promise<Arranged | null> {
    if (!this.#arranged || !same(this.#arranged.of, known)) {
      const arranged = this.#arrange(known);
      const asked = (this.#arranged = { of: known, arranged });
      arranged.catch(() => this.#arranged === asked && (this.#arranged = null));
    }
    return this.#arranged.arranged;
  }

  async #arrange(known: readonly Photo[]): Promise<Arranged | null> {
    const attempt = this.#runs.begin();
    const { values, width } = this.vectors(known);
    this.#say("Arranging …");
    try {
      const arranged = await this.#worker.ask("arrange", { vectors: values, width }, {
        signal: attempt.signal, progress: ({ done, total }) => this.#say(`Arranging: ${Math.round((100 * done) / total)} %`),
      });
      return attempt.current ? arranged : null;
    } catch (error) {
      if (aborted(error) || !attempt.current) return null;
      throw error;
    } finally {
      if (attempt.current) {
        attempt.abort();
        this.#say("");
      }
    }
  }

  /** Shows the map, coloured by so many groups; by none for 0. */
  async show(known: readonly Photo[], groups: number) {
    const arranged = known.length > 0 ? await this.arranged(known) : null;
    if (!arranged) return known.length > 0 ? undefined : this.#say("The map comes when photographs are read.");
    const colours = groups > 0 ? await this.#colours(known, arranged, groups) : null;
    this.#photos = known;
    for (const photo of known) if (!this.#pictures.has(photo)) this.#pictures.set(photo, this.#pictures.size);
    for (const photo of known) this.update(photo);
    this.map.show({ places: arranged.places, pictures: known.map((photo) => this.#pictures.get(photo) ?? 0), colours });
  }

  mark(chosen: Photo | null, encircled: readonly Photo[]) {
    const place = (photo: Photo | null) => (photo ? this.#photos.indexOf(photo) : -1);
    const at = place(chosen);
    this.map.mark(at < 0 ? null : at, new Set(encircled.map(place)));
  }

  async #colours(known: readonly Photo[], of: Arranged, count: number): Promise<string[]> {
    if (this.#groups?.of !== of || this.#groups.count !== count) {
      const { values, width } = this.vectors(known);
      const labels = await this.#worker.ask("groups", { vectors: values, width, count });
      this.#groups = { of, count, colours: labels.map((label) => `rgb(${colourOf(label).join(" ")})`) };
    }
    return this.#groups.colours;
  }

  async #paint(photo: Photo) {
    const place = this.#pictures.get(photo);
    if (!photo.thumbnail || place === undefined) return;
    this.#painted.add(photo);
    const image = make("img", { src: photo.thumbnail });
    await image.decode().catch(() => undefined);
    if (this.#pictures.get(photo) !== place || image.naturalWidth === 0) return;
    this.#atlas.put(place, image, image.naturalWidth, image.naturalHeight);
    this.map.redraw();
  }

  #point(at: number | null, x: number, y: number) {
    const photo = at === null ? undefined : this.#photos[at];
    this.#tip.hidden = !photo;
    if (!photo) return;
    this.#tipPicture.hidden = !photo.thumbnail;
    if (photo.thumbnail) this.#tipPicture.src = photo.thumbnail;
    this.#tipName.textContent = photo.path.replace(/^.*\//, "");
    const { clientWidth, clientHeight } = this.root;
    // On the side where there is room.
    this.#tip.style.left = x > clientWidth / 2 ? "" : `${x + 24}px`;
    this.#tip.style.right = x > clientWidth / 2 ? `${clientWidth - x + 24}px` : "";
    this.#tip.style.top = y > clientHeight / 2 ? "" : `${y}px`;
    this.#tip.style.bottom = y > clientHeight / 2 ? `${clientHeight - y}px` : "";
  }

  #say(text: string) {
    this.#state.hidden = !text;
    this.#state.textContent = text;
  }
}

const same = (one: readonly Photo[], other: readonly Photo[]) => one.length === other.length && one.every((photo, at) => photo === other[at]);
