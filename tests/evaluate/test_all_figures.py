"""Every figure: against scikit-learn, its draws against the same images repeated, and what is undefined."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, roc_auc_score

from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.evaluate.all_figures import figures_drawn, measure_all
from dermalens.evaluate.bootstrap import lesion_draws, lesion_samples
from dermalens.evaluate.metrics import Scored, measure
from tests.evaluate.drawn_answers import answers, of_labels, truth_of_answers


@pytest.mark.parametrize("binary", [False, True])
def test_the_figures_of_a_draw_are_those_of_its_images_repeated(binary: bool) -> None:
    scored = answers(binary=binary)
    truth = truth_of_answers(scored)
    drawn = figures_drawn(scored, lesion_samples(truth, draws=6, seed=5).astype(np.float64))
    for number, rows in enumerate(lesion_draws(truth, draws=6, seed=5), start=1):
        repeated = figures_drawn(scored.take(rows), np.ones((1, len(rows))))
        assert {name: values[number] for name, values in drawn.items()} == pytest.approx(
            {name: values[0] for name, values in repeated.items()}, nan_ok=True
        )


def test_the_figures_of_the_images_as_they_are_equal_scikit_learn() -> None:
    scored = answers()
    found = measure_all(scored, truth_of_answers(scored), draws=3)
    one_hot = np.eye(7, dtype=bool)[scored.labels]
    score = scored.probabilities[:, scored.malignant].sum(axis=1)
    malignant = scored.malignant[scored.labels]
    expected = {
        "weighted_auc": roc_auc_score(one_hot, scored.probabilities, average="weighted"),
        "macro_auc": roc_auc_score(one_hot, scored.probabilities, average="macro"),
        "weighted_average_precision": average_precision_score(one_hot, scored.probabilities, average="weighted"),
        "macro_average_precision": average_precision_score(one_hot, scored.probabilities, average="macro"),
        "weighted_precision": precision_score(scored.labels, scored.given, average="weighted"),
        "macro_f1": f1_score(scored.labels, scored.given, average="macro"),
        "malignant_auc": roc_auc_score(malignant, score),
        "malignant_average_precision": average_precision_score(malignant, score),
        "auc_mel": roc_auc_score(one_hot[:, 4], scored.probabilities[:, 4]),
        "average_precision_df": average_precision_score(one_hot[:, 3], scored.probabilities[:, 3]),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_figures_with_two_names_are_the_same() -> None:
    scored = answers()
    found = measure_all(scored, truth_of_answers(scored), draws=30)
    assert found["macro_sensitivity"].value == pytest.approx(found["balanced_accuracy"].value)
    assert found["weighted_sensitivity"].low == pytest.approx(found["accuracy"].low)
    assert found["melanoma_auc"].high == pytest.approx(found["auc_mel"].high)


def test_what_a_bundle_records_is_the_same_among_all_figures() -> None:
    scored = answers()
    truth = truth_of_answers(scored)
    recorded, found = measure(scored, truth, draws=30), measure_all(scored, truth, draws=30)
    assert len(recorded) == 8 + 7
    for name, figure in recorded.items():
        assert found[name].model_dump() == pytest.approx(figure.model_dump())


def test_a_figure_says_on_how_many_images_it_rests() -> None:
    scored = answers()
    found = measure_all(scored, truth_of_answers(scored), draws=3)
    melanoma, given = int(np.sum(scored.labels == 4)), int(np.sum(scored.given == 4))
    expected = {
        "accuracy": 240,
        "auc_mel": 240,
        "sensitivity_mel": melanoma,
        "specificity_mel": 240 - melanoma,
        "precision_mel": given,
        "sensitivity_at_specificity_95": int(np.sum(scored.is_malignant)),
        "specificity_at_sensitivity_90": int(np.sum(~scored.is_malignant)),
    }
    assert {name: found[name].n for name in expected} == expected


@pytest.mark.parametrize(("classes", "only"), [(CLASSES, 5), (CLASSES, 4), (BINARY, 0), (BINARY, 1)])
def test_a_part_with_one_class_leaves_what_needs_two_undefined_without_a_warning(
    classes: tuple[str, ...], only: int
) -> None:
    scored = of_labels(np.full(30, only), classes, np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure_all(scored, truth_of_answers(scored), draws=20)
    code = classes[only]
    undefined = ("malignant_auc", "malignant_partial_auc", "malignant_average_precision", "macro_auc", "weighted_auc")
    levels = [f"{a}_at_{b}_90" for a, b in (("sensitivity", "specificity"), ("specificity", "sensitivity"))]
    of_class = (f"auc_{code}", f"average_precision_{code}", f"specificity_{code}")
    for name in (*undefined, *levels, *of_class):
        assert (found[name].value, found[name].low, found[name].high) == (None, None, None), name
    assert found["accuracy"].value == found[f"sensitivity_{code}"].value == np.mean(scored.given == only)
    assert found["brier_score"].value is not None


def test_answers_of_a_bundle_with_its_own_classes_are_judged() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    scored = Scored(labels, np.eye(3)[labels], ("melanoma", "naevus", "scc"), np.array([True, False, True]))
    found = measure_all(scored, truth_of_answers(scored), draws=3)
    assert found["accuracy"].value == found["auc_scc"].value == found["malignant_auc"].value == 1
    assert found["malignant_partial_auc"].value == pytest.approx(0.2)
    assert found["melanoma_auc"].value is None
