"""How far work is: a function of the caller's, or a bar of tqdm's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Union

#: `True` shows a bar of tqdm's; a function is called with what is done and with all.
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
        raise ImportError("progress=True wants tqdm: pip install tqdm, or give a function of your own") from None
    with tqdm(unit=unit, unit_scale=unit == "B") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        yield show
