"""Photographs in whatever form, as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from . import _native

if TYPE_CHECKING:
    from PIL.Image import Image

#: A photograph: the path of its file, the bytes of it, a PIL image, or pixels, uint8 `[height, width, 3]`. What is read
#: from files is upright, whatever their orientation; transparency is dropped, as image processors do.
Photo = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "Image", npt.NDArray[np.uint8]]

#: What the library takes.
Given = Union[str, bytes, npt.NDArray[np.uint8]]

EXPECTED = "expected a path, bytes, a PIL image, or an array uint8 [height, width, 3]"


def given(photo: Photo) -> Given:
    """A photograph as the library takes it."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, (str, os.PathLike)):
        path = os.fspath(photo)
        if isinstance(path, str):
            return path
        raise TypeError(f"a photograph: {EXPECTED}; found a path in bytes")
    if is_pil(photo):
        from PIL import ImageOps

        image: Any = photo
        return np.ascontiguousarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)
    return pixels(photo)


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


def listed(
    photos: Photo | Iterable[Photo], names: Sequence[str] | None
) -> tuple[list[tuple[Given, str]], list[str]]:
    """Photographs with their names, folders as what is in them and below, and what of those was left out."""
    found: list[tuple[Given, str]] = []
    left_out: list[str] = []
    many = photos if not is_one(photos) and not isinstance(photos, (str, os.PathLike)) else [photos]
    for photo in _each(many):
        if isinstance(photo, (str, os.PathLike)) and os.path.isdir(photo):
            inside, without = _native.folder(os.fspath(photo))
            found.extend((path, path) for path in inside)
            left_out.extend(without)
        else:
            one = given(photo)
            found.append((one, one if isinstance(one, str) else str(len(found))))
    if names is None:
        return found, left_out
    if len(names) != len(found):
        raise ValueError(f"names: expected {len(found)}, one a photograph, found {len(names)}")
    return [(photo, str(name)) for (photo, _), name in zip(found, names)], left_out


def _each(photos: Any) -> Iterator[Photo]:
    try:
        return iter(photos)
    except TypeError:
        raise TypeError(f"photographs: {EXPECTED}, or a list of such; found {type(photos).__name__}") from None
