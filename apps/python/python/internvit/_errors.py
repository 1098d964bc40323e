"""What goes wrong, in one line."""

from __future__ import annotations


class ModelError(Exception):
    """What went wrong, in one line that says what was wanted, what was found, and where.

    `kind` is one of `io`, `hub`, `config`, `checkpoint`, `image`, `input`, `device`, `lost`, `not_finite` and
    `cancelled`; `reason` is the line without the name of the file with which it begins.
    """

    kind: str
    reason: str

    def __init__(self, message: str, kind: str = "input", reason: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = message if reason is None else reason

    def __reduce__(self) -> tuple[type[ModelError], tuple[str, str, str]]:
        return type(self), (str(self), self.kind, self.reason)
