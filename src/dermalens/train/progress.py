"""What a person sees of a run: a progress bar and a line an epoch, on standard error."""

from __future__ import annotations

import lightning
import rich
from lightning.pytorch.callbacks import Callback, RichProgressBar
from rich.console import Console

from dermalens.train.epochs import EpochLog, EpochRecord


def progress_callbacks(console: Console) -> list[Callback]:
    """A line an epoch on `console` (standard error), and a bar on standard error when that is a terminal."""
    if not console.is_terminal:
        return [EpochLines(console)]
    # The bar draws on Rich's global console; lines that come from elsewhere would end up in the middle of it.
    return [EpochLines(rich.get_console()), RichProgressBar(leave=False, console_kwargs={"stderr": True})]


class EpochLines(Callback):
    """One line an epoch, so that a log file tells as much as the bar does."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        logs = [callback for callback in trainer.callbacks if isinstance(callback, EpochLog)]  # type: ignore[attr-defined]  # lightning's own attribute, which its annotations lack
        if trainer.is_global_zero and logs:
            line = epoch_line(logs[0].records[-1], trainer.max_epochs or 0)
            self.console.print(line, highlight=False, soft_wrap=True)


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """The record in words, the epoch counted from 0 as in the log."""
    return (
        f"epoch {record.epoch} of 0 to {epochs - 1}: training loss {record.train_loss:.3f}, "
        f"validation loss {record.val_loss:.3f}, balanced accuracy {record.val_balanced_accuracy:.3f}, "
        f"macro AUC {record.val_macro_auc:.3f}, {record.seconds:.0f} s"
    )
