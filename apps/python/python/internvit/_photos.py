"""Photographs in whatever form, as the library takes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from . import _native
from ._errors import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

#: A photograph: the path of its file, the bytes of it, a PIL image, or pixels, uint8 `[height, width, 3]`. What is read
#: from files is upright, whatever their orientation; transparency is dropped, as image processors do.
Photo = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "Image", npt.NDArray[np.uint8]]

#: What the library takes; an error is a photograph that could not be had.
Given = Union[str, bytes, npt.NDArray[np.uint8], ModelError]

EXPECTED = "expected a path, bytes, a PIL image, or an array uint8 [height, width, 3]"


def given(photo: Photo) -> Given:
    """A photograph as the library takes it."""
    return drawn(checked(photo))


def checked(photo: Photo) -> Any:
    """The same, but a PIL image as it is, of which nothing is decoded."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, (str, os.PathLike)):
        path = os.fspath(photo)
        if isinstance(path, str):
            return path
        raise TypeError(f"a photograph: {EXPECTED}; found a path in bytes")
    return photo if is_pil(photo) else pixels(photo)


def drawn(photo: Any) -> Given:
    """What was checked as the library takes it. A PIL image is decoded here, which may fail."""
    if not is_pil(photo):
        one: Given = photo
        return one
    from PIL import ImageOps

    try:
        return np.ascontiguousarray(ImageOps.exif_transpose(photo).convert("RGB"), dtype=np.uint8)
    except Exception as error:  # Pillow's are of many kinds.
        return ModelError(str(error) or type(error).__name__, "image")


def is_pil(photo: object) -> bool:
    """Whether it is an image of Pillow's, which need not be installed."""
    return any(kind.__module__ == "PIL.Image" for kind in type(photo).__mro__)


def pixels(photo: Any) -> npt.NDArray[np.uint8]:
    """Pixels that are given as an array."""
    if not (isinstance(photo, np.ndarray) or hasattr(photo, "__array__")):
        raise TypeError(f"a photograph: {EXPECTED}; found {type(photo).__name__}")
    array = np.asarray(photo)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        found = f"{array.dtype} {list(array.shape)}"
        raise TypeError(f"a photograph as an array: expected uint8 [height, width, 3], found {found}")
    return np.ascontiguousarray(array)


def is_one(photos: object) -> bool:
    """Whether this is one photograph, and no folder, list or stack of them."""
    if isinstance(photos, (str, os.PathLike)):
        return not os.path.isdir(photos)
    if isinstance(photos, (bytes, bytearray, memoryview)) or is_pil(photos):
        return True
    return getattr(photos, "ndim", 0) == 3


class Listed:
    """Photographs with their names, folders as what is in them and below. A list or an array is looked through before
    any of it is encoded; other iterables are taken as they come."""

    #: What of folders was left out, a sentence each.
    left_out: list[str]
    #: Photographs; of an iterable those that it gave so far.
    count: int

    def __init__(self, photos: Photo | Iterable[Photo], names: Sequence[str] | None) -> None:
        self.left_out, self.count, self._names = [], 0, names
        one = is_one(photos) or isinstance(photos, (str, os.PathLike))
        found = self._found([photos] if one else photos)
        there = one or isinstance(photos, (list, tuple, np.ndarray))
        self._photos = iter(list(found)) if there else found

    def parts(self, most: int) -> Iterator[list[tuple[Given, str]]]:
        """The photographs, those of which there are pixels at most so many at a time: files are large only once the
        library reads them, and it minds its memory. At least one part, which may be empty."""
        part: list[tuple[Given, str]] = []
        held, first = 0, True
        for photo, name in self._photos:
            one = drawn(photo)
            part.append((one, name))
            held += isinstance(one, np.ndarray)
            if held == most:
                yield part
                part, held, first = [], 0, False
        if part or first:
            yield part

    def _found(self, photos: Any) -> Iterator[tuple[Any, str]]:
        for photo in _each(photos):
            if isinstance(photo, (str, os.PathLike)) and os.path.isdir(photo):
                inside, without = _native.folder(os.fspath(photo))
                self.left_out.extend(without)
            else:
                inside = [checked(photo)]
            for one in inside:
                yield one, self._name(one)
        if self._names is not None and len(self._names) != self.count:
            raise ValueError(f"names: expected {self.count}, one a photograph, found {len(self._names)}")

    def _name(self, photo: Any) -> str:
        """What the next photograph is called."""
        at = self.count
        self.count += 1
        if self._names is not None and at < len(self._names):
            return named(str(self._names[at]))
        return named(photo) if isinstance(photo, str) else str(at)


def named(name: str) -> str:
    """A name as a text: bytes that are no UTF-8 by their numbers, as in `caf\\xE9.png`, as the command line writes it."""
    return re.sub("[\ud800-\udfff]", lambda found: "".join(f"\\x{byte:02X}" for byte in _bytes(found[0])), name)


def _bytes(surrogate: str) -> bytes:
    """What a surrogate stands for in a path: a byte, on Windows a half of a character."""
    escaped = "\udc80" <= surrogate <= "\udcff"
    return surrogate.encode("utf-8", "surrogateescape" if escaped else "surrogatepass")


def _each(photos: Any) -> Iterator[Photo]:
    try:
        return iter(photos)
    except TypeError:
        raise TypeError(f"photographs: {EXPECTED}, or a list of such; found {type(photos).__name__}") from None
