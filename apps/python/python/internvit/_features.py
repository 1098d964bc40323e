"""Features of photographs as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from ._errors import ModelError

if TYPE_CHECKING:
    import pandas
    import pyarrow  # type: ignore[import-untyped]

    from ._native import Row

Floats = npt.NDArray[np.float32]


class Hidden(Mapping[int, Floats]):
    """Hidden states by their layers: 0 is the embedding, i the output of block i, -1 the last block's."""

    def __init__(self, layers: int, places: Iterable[int], read: Callable[[int], Floats]) -> None:
        self._layers, self._places, self._read = layers, tuple(places), read

    def __getitem__(self, layer: int) -> Floats:
        place = self._place(layer)
        if place not in self._places:
            known = ", ".join(map(str, self._places)) or "none"
            raise ModelError(f"layer {layer}: asked for were {known}")
        return self._read(place)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, layer: object) -> bool:
        return isinstance(layer, int) and self._place(layer) in self._places

    def _place(self, layer: int) -> int:
        return layer + self._layers + 1 if layer < 0 else layer


@dataclass(repr=False, eq=False)
class PhotoFeatures:
    """Features of one photograph; C is the model's width. All arrays are float32."""

    #: The file's path, or what it was called.
    name: str
    #: Of the photograph, upright, in pixels.
    width: int
    height: int
    #: Rows and columns of patches.
    grid: tuple[int, int]
    #: What stands for the whole photograph, `[C]`: what the model pools, else the mean of the patches.
    pooled: Floats
    #: The class token, `[C]`; of models without one the same as `pooled`.
    cls: Floats
    #: The tokens before the patches, `[prefix, C]`: class token, registers.
    prefix: Floats
    #: The patches of the last hidden state, `[rows, columns, C]`; `[0, 0, C]` without `patches`.
    patches: Floats
    #: All tokens of the layers that were asked for, `[prefix + rows · columns, C]`, by their numbers from 0.
    tokens: dict[int, Floats]
    #: Blocks of the model.
    layers: int
    #: What tables have a column of, by its name there.
    table: dict[str, Floats] = field(default_factory=dict)

    @property
    def hidden(self) -> Hidden:
        """The patches of a layer that was asked for, `[rows, columns, C]`, by its number; -1 is the last."""

        def patches(layer: int) -> Floats:
            return self.tokens[layer][len(self.prefix) :].reshape(*self.grid, -1)

        return Hidden(self.layers, self.tokens, patches)

    @property
    def embedding(self) -> Floats:
        """What a store of vectors keeps, `[P]`: of models that were taught beside texts their `image_embeds`, of length 1;
        of others `pooled`."""
        return self.table.get("image_embeds", self.pooled)

    def __repr__(self) -> str:
        layers = f", hidden={list(self.hidden)}" if self.hidden else ""
        return f"PhotoFeatures({self.name!r}, grid={self.grid}, channels={len(self.cls)}{layers})"


#: Columns of lists in the order in which the library gives them.
COLUMNS = ("cls_embedding", "pooled_embedding", "image_embeds", "logits")


def photo_of(row: Row, layers: int) -> PhotoFeatures:
    """What the library computed of one photograph."""
    table = {name: values for name, values in zip(COLUMNS, row.table) if len(values)}
    return PhotoFeatures(
        row.name, *row.size, row.grid, row.pooled, row.cls, row.prefix, row.patches, dict(row.hidden), layers, table
    )


class FeatureSet(Sequence[PhotoFeatures]):
    """Features of several photographs, and why others have none. Arrays have the photographs as their first axis,
    in the order in which they were given, those without features left out."""

    #: Photographs that could not be read, and why.
    failed: list[tuple[str, ModelError]]
    #: What of folders was left out, a sentence each.
    left_out: list[str]

    def __init__(
        self,
        photos: list[PhotoFeatures],
        failed: list[tuple[str, ModelError]],
        left_out: list[str],
        widths: dict[str, int],
    ) -> None:
        self._photos, self.failed, self.left_out = photos, failed, left_out
        self._widths = widths
        self._stacks: dict[str | int, Floats] = {}

    def __len__(self) -> int:
        return len(self._photos)

    @overload
    def __getitem__(self, at: int) -> PhotoFeatures: ...
    @overload
    def __getitem__(self, at: slice) -> FeatureSet: ...
    def __getitem__(self, at: int | slice) -> PhotoFeatures | FeatureSet:
        if isinstance(at, slice):
            return FeatureSet(self._photos[at], [], [], self._widths)
        return self._photos[at]

    @property
    def names(self) -> list[str]:
        """Paths, or what photographs were called."""
        return [photo.name for photo in self._photos]

    @property
    def errors(self) -> dict[str, str]:
        """Photographs that could not be read, by their names, and why. The second of one name is `NAME (2)`."""
        found: dict[str, str] = {}
        count: Counter[str] = Counter()
        for name, error in self.failed:
            key = name
            # Of those with one name, each keeps its reason.
            while key in found:
                count[name] += 1
                key = f"{name} ({count[name] + 1})"
            found[key] = error.reason
        return found

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, where all photographs have the same."""
        grids = {photo.grid for photo in self._some()}
        if len(grids) > 1:
            raise ModelError(self._differ("grids", sorted(grids)))
        return grids.pop()

    @property
    def pooled(self) -> Floats:
        """What stands for whole photographs, `[photographs, C]`: what the model pools, else the mean of the patches."""
        return self._attribute("pooled")

    @property
    def cls(self) -> Floats:
        """Class tokens, `[photographs, C]`; of models without one the same as `pooled`."""
        return self._attribute("cls")

    @property
    def embedding(self) -> Floats:
        """What a store of vectors keeps, `[photographs, P]`: `image_embeds` of models that have such, else `pooled`."""
        return self._stacked("embedding", lambda photo: photo.embedding, lambda photo, view: None)

    @property
    def prefix(self) -> Floats:
        """The tokens before the patches, `[photographs, prefix, C]`: class token, registers."""
        return self._attribute("prefix")

    @property
    def patches(self) -> Floats:
        """The patches of the last hidden state, `[photographs, rows, columns, C]`."""
        return self._attribute("patches")

    @property
    def hidden(self) -> Hidden:
        """The patches of layers that were asked for, `[photographs, rows, columns, C]`, by their numbers."""
        first = self._some()[0]

        def patches(layer: int) -> Floats:
            tokens = self._stacked(layer, lambda photo: photo.tokens[layer], lambda photo, view: photo.tokens.update({layer: view}))
            return tokens[:, len(first.prefix) :].reshape(len(self), *self.grid, -1)

        return Hidden(first.layers, first.tokens, patches)

    def to_arrow(self) -> pyarrow.Table:
        """A table with the columns that `internvit encode` writes, a row a photograph, those with an error last:
        `path`, `width`, `height`, `grid_h`, `grid_w`, `cls_embedding` and `pooled_embedding` as fixed-size lists of C
        floats, `image_embeds` and `logits` where the model has such, `hidden_states.{i}` of layers that were
        asked for (all tokens), `error`. Wants pyarrow."""
        from ._table import arrow

        return arrow(self._photos, self.failed, self._widths)

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a data frame, a list an array. Wants pandas."""
        from ._table import frame

        return frame(self._photos, self.failed, self._widths)

    def __repr__(self) -> str:
        return f"FeatureSet({len(self)} photographs, {len(self.failed)} failed)"

    def _some(self) -> list[PhotoFeatures]:
        if not self._photos:
            raise ModelError("no photograph has features: `errors` says why")
        return self._photos

    @staticmethod
    def _differ(what: str, found: list[Any]) -> str:
        some = ", ".join(str(one) for one in found[:3])
        return f"photographs of different {what} ({some}) are no one array: take them one by one"

    def _attribute(self, name: str) -> Floats:
        def put(photo: PhotoFeatures, view: Floats) -> None:
            setattr(photo, name, view)

        return self._stacked(name, lambda photo: getattr(photo, name), put)

    def _stacked(
        self, what: str | int, get: Callable[[PhotoFeatures], Floats], put: Callable[[PhotoFeatures, Floats], None]
    ) -> Floats:
        if what not in self._stacks:
            shapes = {get(photo).shape for photo in self._some()}
            if len(shapes) > 1:
                raise ModelError(self._differ("grids", sorted(shapes)))
            whole = np.empty((len(self), *shapes.pop()), np.float32)
            # Each photograph's own array is let go for its part of the whole.
            for at, photo in enumerate(self._photos):
                whole[at] = get(photo)
                put(photo, whole[at])
            self._stacks[what] = whole
        return self._stacks[what]
