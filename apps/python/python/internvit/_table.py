"""Features as tables, with the columns that `internvit encode` writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._features import COLUMNS, Floats, PhotoFeatures

if TYPE_CHECKING:
    import pandas
    import pyarrow  # type: ignore[import-untyped]

    from ._errors import ModelError

#: Values of one list array: its offsets are int32.
MOST = 2**31 - 1

Failed = list[tuple[str, "ModelError"]]
NUMBERS = ("width", "height", "grid_h", "grid_w")


def numbers(photo: PhotoFeatures) -> tuple[int, int, int, int]:
    return (photo.width, photo.height, *photo.grid)


def lists(photos: list[PhotoFeatures], widths: dict[str, int]) -> dict[str, list[Floats]]:
    """The columns of lists by their names; all that the model has, also where there are no rows."""
    found = {name: [photo.table[name] for photo in photos] for name in COLUMNS if name in widths}
    for layer in photos[0].tokens if photos else ():
        found[f"hidden_states.{layer}"] = [photo.tokens[layer].ravel() for photo in photos]
    return found


def arrow(photos: list[PhotoFeatures], failed: Failed, widths: dict[str, int]) -> pyarrow.Table:
    import pyarrow as pa

    missing = len(failed)
    paths = [photo.name for photo in photos] + [name for name, _ in failed]
    columns: list[tuple[pyarrow.Field, Any]] = [(pa.field("path", pa.string(), False), pa.array(paths, pa.string()))]
    for at, name in enumerate(NUMBERS):
        values = [numbers(photo)[at] for photo in photos] + [None] * missing
        columns.append((pa.field(name, pa.int32()), pa.array(values, pa.int32())))
    for name, rows in lists(photos, widths).items():
        column = _fixed(rows, widths.get(name), missing)
        columns.append((pa.field(name, column.type), column))
    reasons = [None] * len(photos) + [error.reason for _, error in failed]
    columns.append((pa.field("error", pa.string()), pa.array(reasons, pa.string())))
    return pa.table([column for _, column in columns], pa.schema([field for field, _ in columns]))


def _fixed(rows: list[Floats], width: int | None, missing: int) -> Any:
    """Rows as lists of one length, where they have one; then nulls. What is more than a list array holds is several."""
    import pyarrow as pa

    lengths = {len(row) for row in rows} or {width or 0}
    element = pa.field("element", pa.float32(), False)
    if len(lengths) > 1:
        kind = pa.list_(element)
        parts = [_lists(part, kind) for part in _parts(rows)]
    else:
        kind = pa.list_(element, lengths.pop())
        parts = [pa.FixedSizeListArray.from_arrays(_values(rows), type=kind)]
    parts.append(pa.nulls(missing, kind))
    return pa.concat_arrays(parts) if len(parts) == 2 else pa.chunked_array(parts, kind)


def _lists(rows: list[Floats], kind: pyarrow.DataType) -> pyarrow.Array:
    import pyarrow as pa

    ends = pa.array(np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32))
    return pa.ListArray.from_arrays(ends, _values(rows), type=kind)


def _values(rows: list[Floats]) -> pyarrow.Array:
    import pyarrow as pa

    return pa.array(np.concatenate([*rows, np.empty(0, np.float32)]), pa.float32())


def _parts(rows: list[Floats]) -> Iterator[list[Floats]]:
    """Rows that one list array holds, after each other."""
    part: list[Floats] = []
    count = 0
    for row in rows:
        if part and count + len(row) > MOST:
            yield part
            part, count = [], 0
        part.append(row)
        count += len(row)
    yield part


def frame(photos: list[PhotoFeatures], failed: Failed, widths: dict[str, int]) -> pandas.DataFrame:
    import pandas as pd

    empty: list[Any] = [None] * len(failed)
    columns: dict[str, Any] = {"path": [p.name for p in photos] + [name for name, _ in failed]}
    for at, name in enumerate(NUMBERS):
        columns[name] = pd.array([numbers(photo)[at] for photo in photos] + empty, "Int32")
    for name, rows in lists(photos, widths).items():
        columns[name] = [*rows, *empty]
    columns["error"] = [None] * len(photos) + [error.reason for _, error in failed]
    return pd.DataFrame(columns)
