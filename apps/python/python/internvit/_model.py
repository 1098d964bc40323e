"""A model that is open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, overload

import numpy as np
import numpy.typing as npt

from . import _native
from ._errors import ModelError
from ._features import COLUMNS, FeatureSet, PhotoFeatures, photo_of
from ._native import Segmentation, Texts, View
from ._photos import Listed, Photo, given, is_one
from ._progress import Progress, reporting

if TYPE_CHECKING:
    from PIL.Image import Image

Dtype = Literal["f32", "f16", "int8", "w8a8", "int4"]
Resize = Literal["squash", "crop", "native", "middle", "pad", "patches"]
Method = Literal["walk", "linear", "mlp"]
Edges = Literal["patches", "smooth", "photograph"]
Point = Sequence[int]

#: Batches whose pixels are held at once, where photographs are no files.
HELD = 4


class Guess(NamedTuple):
    """A class or a text, and how probable it is."""

    #: Its number, from 0.
    class_: int
    name: str
    #: From 0 to 1. Of a model that judges each text by itself (SigLIP) their sum is not 1.
    probability: float


@dataclass(frozen=True, repr=False, eq=False)
class Head:
    """What was taught: `Model.segment_with` applies it."""

    names: list[str]
    #: The classes' colours, uint8 `[classes, 3]`.
    palette: npt.NDArray[np.uint8]
    #: The blocks whose outputs it classifies, from 1.
    layers: list[int]
    #: Its safetensors file, which the page, the command line and the other libraries read too.
    bytes: bytes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes its file, `.safetensors`."""
        Path(path).write_bytes(self.bytes)

    def __repr__(self) -> str:
        return f"Head(names={self.names}, layers={self.layers})"


class Teach:
    """Points on photographs, and the head that is fitted to them. Ends with `fit`."""

    def __init__(self, model: Model, photo: Photo) -> None:
        self._model = model
        self._photos: list[tuple[Any, list[tuple[str, list[int]]]]] = [(given(photo), [])]
        self._layers: list[int] = []
        self._method: Method = "walk"
        self._size: int | None = None

    def photo(self, photo: Photo) -> Teach:
        """Another photograph, to which the points that follow belong."""
        self._photos.append((given(photo), []))
        return self

    def point(self, name: str, at: Point) -> Teach:
        """A class, and a pixel `[x, y]` that shows it."""
        self._photos[-1][1].append((name, _pixel(at)))
        return self

    def layer(self, layer: int) -> Teach:
        """A block whose output is classified, from 1, -1 the last; several are put side by side."""
        self._layers.append(layer)
        return self

    def method(self, method: Method) -> Teach:
        """How classes are told apart: `walk` along what looks alike, if not called; `linear` and `mlp` patch by
        patch."""
        self._method = method
        return self

    def size(self, pixels: int) -> Teach:
        """The short side to which photographs are resized, in pixels; the model's own if not called."""
        self._size = pixels
        return self

    def fit(self) -> Head:
        """Learns from the points, which are of two classes at least."""
        file, names, palette, layers = self._model._native.teach(self._photos, self._layers, self._method, self._size)
        return Head(names, palette, layers, file)


class Model:
    """A model on a device. Calls block, and let other threads of Python run meanwhile; several threads may share it.
    Ctrl-C ends a call at the next block of the model, or batch of texts; what follows the last block, as the fitting of a
    head, is finished first. As a context manager it is closed at the end.

    Errors are `ModelError`: one line, and a `kind`. A photograph is a `Photo`: a path, the bytes of a file, a PIL
    image, or pixels, uint8 `[height, width, 3]`.
    """

    def __init__(self, native: _native.Model) -> None:
        self._native = native
        self._widths: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The folder, or another name for it."""
        return self._native.name

    @property
    def device(self) -> str:
        """The adapter's name, or `CPU`."""
        return self._native.device

    @property
    def notes(self) -> list[str]:
        """What it did by itself and its caller should know, a sentence each."""
        return self._native.notes

    @property
    def info(self) -> dict[str, int]:
        """`hidden` (channels of a token), `layers`, `heads`, `image_size` and `patch` (sides in pixels)."""
        return self._native.info

    @overload
    def features(  # type: ignore[overload-overlap]  # An array of three axes is one photograph.
        self, photos: bytes | bytearray | memoryview | np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], *,
        layers: Iterable[int] = ..., size: int | None = ..., resize: Resize | None = ..., batch: int = ...,
        patches: bool = ..., names: Sequence[str] | None = ..., progress: Progress = ...,
    ) -> PhotoFeatures: ...
    @overload
    def features(  # type: ignore[overload-overlap]  # A text is a path, and no list of paths.
        self, photos: str | os.PathLike[str], *, layers: Iterable[int] = ..., size: int | None = ...,
        resize: Resize | None = ..., batch: int = ..., patches: bool = ..., names: Sequence[str] | None = ...,
        progress: Progress = ...,
    ) -> PhotoFeatures | FeatureSet: ...
    @overload
    def features(
        self, photos: Iterable[Photo], *, layers: Iterable[int] = ..., size: int | None = ...,
        resize: Resize | None = ..., batch: int = ..., patches: bool = ..., names: Sequence[str] | None = ...,
        progress: Progress = ...,
    ) -> FeatureSet: ...
    @overload
    def features(
        self, photos: Image, *, layers: Iterable[int] = ..., size: int | None = ...,
        resize: Resize | None = ..., batch: int = ..., patches: bool = ..., names: Sequence[str] | None = ...,
        progress: Progress = ...,
    ) -> PhotoFeatures: ...
    def features(
        self,
        photos: Photo | Iterable[Photo],
        *,
        layers: Iterable[int] = (),
        size: int | None = None,
        resize: Resize | None = None,
        batch: int = 8,
        patches: bool = True,
        names: Sequence[str] | None = None,
        progress: Progress = None,
    ) -> PhotoFeatures | FeatureSet:
        """Features of a photograph (`PhotoFeatures`), or of a folder's or of several in their order (`FeatureSet`).
        One of several that cannot be read costs only itself: `FeatureSet.errors`. Which of both a path gives is known
        when it is read; types are told by `isinstance`.

        `layers`: hidden states wanted besides the last: 0 is the embedding, i the output of block i, -1 the last.
        `size`: side of the square in pixels, or the short side of `native`; the model's own if left out.
        `resize`: what becomes of the aspect ratio; as the model's preprocessing says if left out.
        `batch`: photographs of one size that are encoded at once, at most.
        `patches`: whether the patches of the last hidden state are kept; without them a photograph takes a few kB.
        `names`: what the photographs are called. If left out files are called by their paths, others by their numbers from 0.
        Bytes of a path that are no UTF-8 are written by their numbers: `caf\\xE9.png`.
        `progress`: `True` for a bar (of tqdm's where that is installed), or a function of the photographs that are done and of
        all; of a generator's all that were taken so far.

        PIL images and arrays are converted a few batches at a time, and a generator of them is asked for no more ahead.
        """
        found, taps = Listed(photos, names), list(layers)
        rows: list[_native.Row] = []
        failed: list[tuple[str, ModelError]] = []
        with reporting(progress, "photos") as report:
            for part in found.parts(HELD * max(batch, 1)):
                more, without = self._native.features(
                    part, layers=taps, size=size, resize=resize, batch=batch, patches=patches,
                    progress=_behind(report, len(rows) + len(failed), found),
                )
                rows += more
                failed += without
                part.clear()  # before the next is converted
        if is_one(photos):
            for _, error in failed:
                raise error
        last = self.info["layers"]
        all_photos = [photo_of(row, last) for row in rows]
        return all_photos[0] if is_one(photos) else FeatureSet(all_photos, failed, found.left_out, self._known(all_photos))

    def _known(self, photos: list[PhotoFeatures]) -> dict[str, int]:
        """How wide the columns of tables are, also for a set of which nothing could be read."""
        if photos and not self._widths:
            self._widths = {name: len(values) for name, values in photos[0].table.items()}
        return self._widths or {name: width for name, width in zip(COLUMNS, self._native.widths) if width}

    def classify(self, photo: Photo) -> list[Guess]:
        """What a photograph shows by the classes of the model's own classifier: all of them, the most probable first."""
        return [Guess(*guess) for guess in self._native.classify(given(photo))]

    def text(self, texts: str | Sequence[str]) -> Texts:
        """Reads texts, by the tokenizer beside the model, which must have been opened with `texts=True`. Their
        `features` are float32 `[texts, P]`."""
        return self._native.text([texts] if isinstance(texts, str) else list(texts))

    def classify_with(self, texts: Texts | Sequence[str], photo: Photo) -> list[Guess]:
        """Which of the texts describes a photograph: all of them, the most probable first."""
        read = texts if isinstance(texts, Texts) else self.text(texts)
        return [Guess(*guess) for guess in self._native.classify_with(read, given(photo))]

    def look(
        self,
        photo: Photo,
        view: str = "pca",
        *,
        layer: int | None = None,
        at: Point | None = None,
        size: int | None = None,
        resize: Resize | None = None,
        tiles: int = 1,
        shifts: int = 1,
        edges: Edges | None = None,
        **settings: bool | int | str,
    ) -> View:
        """A view of a photograph: `pca`, `similarity` (which wants `at`), `attention`, `rollout`, `clusters`, `norms`,
        `words` (which wants `text`) or `segmentation`.

        `layer`: the hidden state, or of `attention` and `rollout` the block, from 1; the last if left out.
        `at`: the pixel `[x, y]` whose patch is compared, or looks.
        `tiles`: cuts the photograph into at most so many tiles of the model's size, which overlap and are blended.
        `shifts`: encodes it so many times along each axis, for a grid as many times as fine, 1 to 4.
        `edges`: where the edges of the picture come from; the photograph's colours for most if left out.
        Settings of views: `foreground`, `swap` (pca), `centred` (similarity), `head` (attention), `k` (clusters),
        `text` (words).
        """
        return self._native.look(
            given(photo), view, list(settings.items()), layer=layer, at=None if at is None else _pixel(at),
            size=size, resize=resize, tiles=tiles, shifts=shifts, edges=edges,
        )

    def segment(self, photo: Photo) -> Segmentation:
        """A photograph's parts by the model's own head."""
        return self._native.segment(given(photo))

    def teach(self, photo: Photo) -> Teach:
        """Begins to teach a segmentation by points on a photograph:
        `model.teach("cat.jpg").point("cat", [220, 160]).point("wall", [430, 20]).fit()`."""
        return Teach(self, photo)

    def segment_with(self, head: Head | bytes | str | os.PathLike[str], photo: Photo) -> Segmentation:
        """A photograph's parts by a head that was taught, by the bytes of its file, or by its path."""
        if isinstance(head, Head):
            head = head.bytes
        elif isinstance(head, (str, os.PathLike)):
            head = Path(head).read_bytes()
        return self._native.segment_with(bytes(head), given(photo))

    def close(self) -> None:
        """Lets weights and device go. Calls after it raise."""
        self._native.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return "Model(closed)" if self._native.closed else f"Model({self.name!r}, device={self.device!r})"


def open(
    source: str | os.PathLike[str],
    device: str = "auto",
    dtype: Dtype = "f32",
    *,
    threads: int | None = None,
    texts: bool = False,
    streamed: bool = False,
    offline: bool = False,
    prefix: str | None = None,
    progress: Progress = None,
) -> Model:
    """Opens a model.

    `source`: a folder with `config.json` and its weights, a file with `config.json` beside it, `owner/name` or
    `owner/name@revision` on the Hugging Face hub, or a model of the package: `dinov2-small` or `internvit-tiny`. `bundled` is
    `dinov2-small` here and in the npm package; in the Rust library it is `internvit-tiny`. What is fetched from the hub
    stays in its standard cache.
    `device`: `auto` (a GPU, else the processor), `gpu`, `cpu`, or words of an adapter's name.
    `dtype`: `f32`, or the blocks' weights in `int8` or `int4`; on a GPU also `f16` and `w8a8`.
    `threads`: threads that compute on the processor, at most; as many as there are cores if left out.
    `texts`: whether what reads texts is opened too, for `text`, `classify_with` and the view `words`.
    `streamed`: the weights of blocks stay on disk and are read block by block.
    `offline`: the hub is asked nothing.
    `prefix`: which encoder, where a file holds several: what the names of its tensors begin with.
    `progress`: `True` for a bar (of tqdm's where that is installed), or a function of the bytes that are there and of all.
    """
    options = {
        "device": device, "dtype": dtype, "threads": threads, "texts": texts, "streamed": streamed,
        "offline": offline, "prefix": prefix,
    }
    with reporting(progress, "B") as report:
        return Model(_native.open(os.fspath(source), options, report))


def _behind(report: Callable[[int, int], object] | None, before: int, found: Listed) -> Callable[[int, int], object] | None:
    """What is told of a part of the photographs, as a part of all."""
    return None if report is None else lambda done, _: report(before + done, found.count)


def _pixel(at: Point) -> list[int]:
    x, y = (int(side) for side in at)
    if x < 0 or y < 0:
        raise ValueError(f"a point {x},{y}: expected a pixel [x, y] of the photograph, from 0")
    return [x, y]
