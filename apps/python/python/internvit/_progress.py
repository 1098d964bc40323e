"""How far work is: a function of the caller's, a bar of tqdm's, or a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Union

#: `True` shows a bar of tqdm's, or a plain line where that is not installed; a function is called with what is done and with all.
Progress = Union[bool, Callable[[int, int], object], None]


@contextmanager
def reporting(progress: Progress, unit: str) -> Iterator[Callable[[int, int], object] | None]:
    """What the library calls while it works."""
    if progress is None or progress is False:
        yield None
        return
    if progress is not True:
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        with _line(unit) as report:
            yield report
        return
    with tqdm(unit=unit, unit_scale=unit == "B") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        yield show


@contextmanager
def _line(unit: str) -> Iterator[Callable[[int, int], object]]:
    """The same as numbers on one line of stderr."""
    shown = ""

    def show(done: int, total: int) -> None:
        nonlocal shown
        text = f"{done / 1e6:.0f}/{total / 1e6:.0f} MB" if unit == "B" else f"{done}/{total} {unit}"
        if text != shown:
            print(f"\r{text.ljust(len(shown))}", end="", file=sys.stderr, flush=True)
            shown = text

    yield show
    if shown:
        print(file=sys.stderr)
