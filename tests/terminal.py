"""Runs a command as a person does, on a terminal: what it draws there is not drawn into a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Sequence

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_on_terminal(command: Sequence[str]) -> tuple[int, str]:
    """The exit status, and what was drawn, without colours and moves of the cursor."""
    ours, theirs = pty.openpty()
    set_size = {"COLUMNS": "120", "LINES": "40", "TERM": "xterm"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **set_size})
    os.close(theirs)
    drawn = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return process.wait(), CONTROL.sub("", drawn.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    """Empty at the end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
