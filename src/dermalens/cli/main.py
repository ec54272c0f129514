"""The table of commands, and the one place where an error becomes a line and an exit code.

Exit codes: 0 good, 1 our bug (with its traceback), 2 what was given, 130 interrupted, 141 the reader of the output
went away.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from dermalens import __version__
from dermalens.cli.audit import app as audit
from dermalens.cli.batch import batch
from dermalens.cli.card import card
from dermalens.cli.compare import compare
from dermalens.cli.data import app as data
from dermalens.cli.demo import demo
from dermalens.cli.equip import equip
from dermalens.cli.evaluate import evaluate
from dermalens.cli.export import export
from dermalens.cli.gallery import app as gallery
from dermalens.cli.keys import app as keys
from dermalens.cli.outline import app as outline
from dermalens.cli.predict import predict
from dermalens.cli.records import app as records
from dermalens.cli.score import score
from dermalens.cli.serve import serve
from dermalens.cli.similar import similar
from dermalens.cli.train import train
from dermalens.core.errors import NO_ROOM, REFUSED_PATH, DermaLensError, StoppedError
from dermalens.core.files import visible

INTERRUPTED: Final = 130
OUTPUT_CLOSED: Final = 141
"""As the shell reports a program that ended by SIGINT (128 + 2) or SIGPIPE (128 + 13)."""


class Commands(TyperGroup):
    """The commands, with our errors translated for the shell."""

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Read the command line; `--help` and `--version` write and leave here."""
        with _told():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: Any) -> Any:  # the context's class differs between the versions of typer
        """Run the command that was asked for."""
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    """Turn an error, an interrupt and an output that takes nothing into a line and an exit code."""
    try:
        with _flushed():
            yield
    except DermaLensError as error:
        typer.echo(f"error: {visible(' '.join(str(error).split()))}", err=True)
        raise typer.Exit(INTERRUPTED if isinstance(error, StoppedError) else 2) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError as error:
        _forget_output()
        raise typer.Exit(OUTPUT_CLOSED) from error
    except OSError as error:
        if error.errno in REFUSED_PATH and error.filename:
            typer.echo(f"error: {visible(os.fsdecode(error.filename))}: {error.strerror}. Check the path.", err=True)
            raise typer.Exit(2) from error
        if error.errno not in NO_ROOM:
            raise
        _forget_output()
        typer.echo(f"error: {error.filename or 'The output'} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(2) from error


@contextmanager
def _flushed() -> Iterator[None]:
    """See that the output is written, or Python complains when it leaves; Rich, too, may find that its reader is gone.

    Raises:
        OSError: the output takes nothing more.
    """
    try:
        yield
    except typer.Exit:
        _flush()
        raise
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # as Rich leaves, with 1
            raise error.__context__ from None
        raise
    _flush()


def _flush() -> None:
    if sys.stdout is not None:  # closed by `>&-`
        sys.stdout.flush()


app = typer.Typer(
    name="dermalens", cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "predict": predict,
    "batch": batch,
    "compare": compare,
    "train": train,
    "export": export,
    "equip": equip,
    "evaluate": evaluate,
    "score": score,
    "similar": similar,
    "card": card,
    "serve": serve,
    "demo": demo,
}
"""Every command, in the order of the help page; its module imports what is heavy when it is called."""

for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
for _name, _group in {
    "data": data,
    "gallery": gallery,
    "outline": outline,
    "records": records,
    "keys": keys,
    "audit": audit,
}.items():
    app.add_typer(_group, name=_name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dermalens {__version__}")
        raise typer.Exit


@app.callback()
def _dermalens(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Classify dermatoscopic images of skin lesions. For research and education; not a medical device."""


def _forget_output() -> None:
    """Send what is still to be written nowhere, or Python complains of the closed pipe when it leaves."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _leave_at_once() -> None:
    """Python looks for cycles among all imports when it leaves, a tenth of a second. With PyTorch it must.

    Modules that come with PyTorch (triton) count what was not freed, and complain in many lines.
    """
    if "torch" not in sys.modules:
        gc.freeze()


def _open_closed_outputs() -> None:
    """What is closed (`>&-`) takes all and keeps nothing; Python has None for it, which cannot be written to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (until the end)


def main() -> None:
    """Entry point of the `dermalens` command."""
    atexit.register(_leave_at_once)
    # Pillow warns of odd metadata; what matters for an answer is in its notes, what prevents one is our one-line error.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    _open_closed_outputs()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name that cannot be shown ends no run
    app()
