"""The library itself; the other files of the package call it."""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ._errors import ModelError
from ._photos import Given

Report = Callable[[int, int], object] | None

class Row:
    name: str
    size: tuple[int, int]
    grid: tuple[int, int]
    pooled: npt.NDArray[np.float32]
    cls: npt.NDArray[np.float32]
    prefix: npt.NDArray[np.float32]
    patches: npt.NDArray[np.float32]
    hidden: list[tuple[int, npt.NDArray[np.float32]]]
    table: list[npt.NDArray[np.float32]]

class Texts:
    """Texts that a model has read."""

    @property
    def texts(self) -> list[str]:
        """The texts."""
    @property
    def features(self) -> npt.NDArray[np.float32]:
        """Their features, float32 `[texts, P]`, not yet of length 1."""
    def __len__(self) -> int: ...

class View:
    """A view of a photograph."""

    @property
    def data(self) -> npt.NDArray[np.float32]:
        """Its values on the grid of patches, float32: `[rows, columns]`, of `pca` `[rows, columns, 3]`, of `attention`
        `[heads + 1, rows, columns]`, the mean last."""
    def data_at_pixels(self) -> npt.NDArray[np.float32]:
        """Its values at each pixel of the photograph, float32, with the edges that are drawn and NaN where the model did
        not look: `[height, width]` in place of the grid's rows and columns."""
    @property
    def region(self) -> tuple[float, float, float, float]:
        """The part of the photograph that it shows: left, top, width, height in pixels."""
    @property
    def range(self) -> tuple[float, float] | None:
        """The values of the darkest and the brightest colour; `None` where there are no such."""
    @property
    def names(self) -> list[str]:
        """Names of classes or clusters."""
    @property
    def palette(self) -> npt.NDArray[np.uint8]:
        """Their colours, uint8 `[names, 3]`."""
    @property
    def shares(self) -> list[float]:
        """Percent of the region that each has."""
    def over(self, opacity: float | None = None) -> npt.NDArray[np.uint8]:
        """The view over the photograph, uint8 `[height, width, 3]`, at an opacity from 0 to 1; at that at which it shows
        best if left out."""
    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the view over the photograph as PNG: all of the file, or nothing."""

class Segmentation:
    """A class for each pixel of a photograph."""

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """The class of each pixel, int32 `[height, width]`: numbers of `names`."""
    @property
    def names(self) -> list[str]:
        """The classes' names."""
    @property
    def palette(self) -> npt.NDArray[np.uint8]:
        """The classes' colours, uint8 `[classes, 3]`."""
    @property
    def shares(self) -> list[float]:
        """Percent of the pixels that each class has."""
    def probability(self, name: str) -> npt.NDArray[np.float32]:
        """The probability of a class at each pixel, float32 `[height, width]`, its edges those of the photograph."""
    def unsure(self) -> npt.NDArray[np.float32]:
        """How unsure each pixel is, float32 `[height, width]`: 0 where one class has all the probability, 1 where two have
        the same."""
    def cut_out(self, name: str) -> npt.NDArray[np.uint8]:
        """The photograph, uint8 `[height, width, 4]`, all but a class's pixels transparent."""
    def over(self, opacity: float = 0.5) -> npt.NDArray[np.uint8]:
        """The classes' colours over the photograph, uint8 `[height, width, 3]`, at an opacity from 0 to 1."""
    def save_overlay(self, path: str | os.PathLike[str], opacity: float = 0.5) -> None:
        """Writes that as PNG: all of the file, or nothing."""

class Model:
    name: str
    device: str
    notes: list[str]
    info: dict[str, int]
    widths: list[int]
    closed: bool
    def close(self) -> None: ...
    def features(
        self,
        photos: list[tuple[Given, str]],
        *,
        layers: list[int],
        size: int | None,
        resize: str | None,
        batch: int,
        patches: bool,
        progress: Report,
    ) -> tuple[list[Row], list[tuple[str, ModelError]]]: ...
    def classify(self, photo: Given) -> list[tuple[int, str, float]]: ...
    def text(self, texts: list[str]) -> Texts: ...
    def classify_with(self, texts: Texts, photo: Given) -> list[tuple[int, str, float]]: ...
    def look(
        self,
        photo: Given,
        view: str,
        settings: list[tuple[str, bool | int | str]],
        *,
        layer: int | None,
        at: list[int] | None,
        size: int | None,
        resize: str | None,
        tiles: int,
        shifts: int,
        edges: str | None,
    ) -> View: ...
    def segment(self, photo: Given) -> Segmentation: ...
    def teach(
        self,
        lesson: Sequence[tuple[Given, list[tuple[str, list[int]]]]],
        layers: list[int],
        method: str,
        size: int | None,
    ) -> tuple[bytes, list[str], npt.NDArray[np.uint8], list[int]]: ...
    def segment_with(self, head: bytes, photo: Given) -> Segmentation: ...

def open(name: str, options: Mapping[str, object], progress: Report) -> Model: ...
def folder(path: str) -> tuple[list[str], list[str]]: ...
def version() -> str: ...
