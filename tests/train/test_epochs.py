from __future__ import annotations

import math
from dataclasses import replace

import pytest
from PIL import Image

from dermalens.core.errors import TrainingError
from dermalens.train.curves import draw_curves
from dermalens.train.epochs import EpochRecord, best_record, read_metrics, write_metrics
from dermalens.train.progress import epoch_line

RECORDS = [
    EpochRecord(epoch, 1.9 - 0.1 * epoch, 1.8 - 0.05 * epoch, score, 0.5 + 0.1 * epoch, 1e-3 / (epoch + 1), 3.25)
    for epoch, score in enumerate((1 / 3, 0.6, 0.6, 0.4))
]


def test_the_log_is_read_back_to_the_last_digit(tmp_path):
    write_metrics(RECORDS, tmp_path / "metrics.csv")
    assert read_metrics(tmp_path / "metrics.csv") == RECORDS


def test_a_file_that_is_no_log_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="cannot be read"):
        read_metrics(tmp_path / "metrics.csv")
    for text in ("a,b\n1,2\n", "epoch,train_loss\n0,x\n"):
        (tmp_path / "metrics.csv").write_text(text)
        with pytest.raises(TrainingError, match="is not the log of a run"):
            read_metrics(tmp_path / "metrics.csv")


def test_the_first_of_equally_good_epochs_is_the_best_and_an_undefined_one_never():
    undefined = replace(RECORDS[0], val_balanced_accuracy=math.nan)
    assert best_record(RECORDS).epoch == 1
    assert best_record([undefined, *RECORDS]).epoch == 1


def test_curves_are_drawn_as_a_picture(tmp_path):
    draw_curves(RECORDS, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1200, 768)
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50


def test_a_line_says_what_an_epoch_gave():
    assert epoch_line(RECORDS[1], 4) == (
        "epoch 1 of 0 to 3: training loss 1.800, validation loss 1.750, balanced accuracy 0.600, macro AUC 0.600, 3 s"
    )
