"""Progress for people, on standard error, so that standard output stays for results."""

import sys
import time


class Failed(Exception):
    """A step can't be done; the message says why and what to do."""


class Progress:
    """One line a step; on a terminal the line also counts while the step runs."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._last_note = self._started

    @property
    def seconds(self) -> float:
        """Since this object was made."""
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        self._last_note = time.monotonic()
        self._clear()
        print(f"[{self.seconds:5.1f} s] {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Something small within a step: overwritten on a terminal, else said every ten seconds."""
        if self._is_terminal:
            self._clear()
            print(f"          {text[:68]}", end="\r", file=sys.stderr, flush=True)
        elif time.monotonic() - self._last_note >= 10:
            self._last_note = time.monotonic()
            print(f"          {text}", file=sys.stderr, flush=True)

    def done(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._is_terminal:
            print("\x1b[2K", end="\r", file=sys.stderr)
