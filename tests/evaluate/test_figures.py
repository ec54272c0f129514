"""Figures: which are drawn, what they say in words, and how they become part of a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.evaluate.document_style import COLOURS
from dermalens.evaluate.figure_style import Drawn, colour_of, drawing, save
from dermalens.evaluate.figures import figures_of
from dermalens.evaluate.figures_classes import class_distribution, confusion_shares, roc_curves
from dermalens.evaluate.figures_decisions import read_history, training_curves
from tests.evaluate.drawn_findings import drawn_evaluation, drawn_findings

LOG = "epoch,train_loss,val_loss,val_balanced_accuracy,val_macro_auc,lr,seconds\n"


def texts(drawn: Drawn) -> str:
    """Every word in a figure."""
    drawn.figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in drawn.figure.findobj(Text))


@pytest.fixture(scope="module")
def all_drawn() -> dict[str, Drawn]:
    return {drawn.name: drawn for drawn in figures_of(drawn_findings())}


def test_every_figure_of_an_evaluation_is_drawn(all_drawn: dict[str, Drawn]) -> None:
    assert list(all_drawn) == [
        *("class_distribution", "confusion_counts", "confusion_shares", "per_class"),
        *("roc_curves", "precision_recall_curves", "reliability_before", "reliability_after"),
        *("confidence", "risk_coverage", "conformal_set_sizes", "conformal_coverage"),
        *("decision_curve", "decision_curve_at_prevalence", "subgroups_sex"),
    ]
    assert all(drawn.alt.endswith(".") and drawn.title for drawn in all_drawn.values())


def test_a_figure_is_written_as_png_and_as_svg_whose_words_are_text(tmp_path: Path) -> None:
    with drawing():
        drawn = class_distribution(drawn_evaluation([4, 4, 5, 5, 5]))
    part = save(drawn, tmp_path)
    with Image.open(tmp_path / "class_distribution.png") as picture:
        assert picture.width > 500
    svg = (tmp_path / "class_distribution.svg").read_text()
    assert "3 (3 lesions)" in svg
    assert "<dc:date>" not in svg  # the same numbers give the same file
    assert part.startswith('<svg role="img" aria-label="Bars: images of each class.')


def test_in_a_page_a_figure_follows_its_colours_and_has_ids_of_its_own(tmp_path: Path) -> None:
    with drawing():
        drawn = class_distribution(drawn_evaluation([4, 5]))
    part = save(drawn, tmp_path)
    assert "var(--ink)" in part
    assert COLOURS["ink"][0] not in part
    assert all(name.startswith("class_distribution-") for name in re.findall(r'\bid="([^"]+)"', part))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', part))
    assert used <= set(re.findall(r'\bid="([^"]+)"', part))
    assert "http" not in part


def test_a_class_has_the_same_colour_everywhere_and_malignant_that_of_melanoma() -> None:
    assert len({colour_of(code, CLASSES) for code in CLASSES}) == 7
    assert colour_of("mel", CLASSES) == colour_of("mel", ("mel", "nv")) == colour_of("malignant", BINARY)
    assert colour_of("x", ("x", "y")) != colour_of("y", ("x", "y"))


def test_words_for_the_blind_hold_the_numbers() -> None:
    evaluation = drawn_evaluation([0, 0, 4, 4, 5, 5, 5])
    with drawing():
        alt = confusion_shares(evaluation).alt
    assert f"mel {evaluation.confusion.shares[4][4].value:.2f}" in alt
    assert "df none" in alt


def test_one_class_only_has_an_empty_roc_figure_that_says_why() -> None:
    with drawing():
        drawn = roc_curves(drawn_evaluation([5, 5, 5]))
        assert "not defined: one class only" in texts(drawn)
    assert drawn.alt == "ROC curves by class; AUC: none is defined."


def test_learning_curves_mark_the_best_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG + "0,2,2.1,0.3,0.6,0.1,9\n1,1,1.2,0.5,0.8,0.1,9\n2,0.5,1.5,0.4,nan,0,9\n")
    with drawing():
        drawn = training_curves(read_history(tmp_path))
    assert "the best is epoch 1 with a balanced accuracy of 0.500" in drawn.alt


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it has no epoch"),
        (LOG, "it has no epoch"),
        ("epoch,train_loss\n0,1\n", "it has no val_loss, val_balanced_accuracy, val_macro_auc"),
        (LOG + "0,2,x,0.3,0.6,0.1,9\n", "could not convert string to float: 'x'"),
    ],
)
def test_another_file_is_no_log_of_a_run(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(DataError, match=f"is not the log of a run: {message}"):
        read_history(tmp_path)


def test_a_run_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics.csv cannot be read: .* with --run"):
        read_history(tmp_path)
