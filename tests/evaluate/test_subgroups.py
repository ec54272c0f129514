"""Groups, their figures and gaps on answers whose outcome is known."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import numpy as np
import pytest

from dermalens.core.errors import DataError
from dermalens.core.taxonomy import CLASSES, MALIGNANT
from dermalens.data.index import Row
from dermalens.evaluate.group_figures import NEEDS
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.skin_tone import DESCRIPTIVE_ONLY, NO_ANGLE, TONES, UNKNOWN
from dermalens.evaluate.subgroups import Cohort, Subgroups, dimensions_of, measure_subgroups


def answers(labels: list[str], given: list[str]) -> Scored:
    """Answers that give each image 0.7 for the class of `given`."""
    number = {code: place for place, code in enumerate(CLASSES)}
    probabilities = np.full((len(labels), 7), 0.05)
    probabilities[np.arange(len(labels)), [number[code] for code in given]] = 0.7
    malignant = np.array([code in MALIGNANT for code in CLASSES])
    return Scored(np.array([number[code] for code in labels]), probabilities, CLASSES, malignant)


def by_sex(labels: list[str], given: list[str], sexes: list[str], *, draws: int = 50) -> Subgroups:
    lesions = [str(number) for number in range(len(labels))]
    return measure_subgroups(Cohort(answers(labels, given), lesions, 0.5), {"sex": sexes}, draws=draws)


def test_rows_fall_into_their_groups_and_what_is_not_known_is_one_of_its_own() -> None:
    rows = [
        Row("a", "a.jpg", "nv", "l1", age_years=29.0, sex="female", site="back", source="HAM10000"),
        Row("b", "b.jpg", "nv", "l2", age_years=75.0),
    ]
    assert dimensions_of(rows) == {
        "sex": ["female", "unknown"],
        "age": ["under 30", "75 and over"],
        "site": ["back", "unknown"],
        "source": ["HAM10000", "unknown"],
    }
    assert dimensions_of(rows, ["tan", "dark"])["skin_tone"] == ["tan", "dark"]


def test_each_group_has_the_figures_of_its_own_images() -> None:
    found = by_sex(["mel", "nv", "nv", "mel"], ["mel", "nv", "mel", "nv"], ["male", "male", "female", "female"])
    female, male = found.dimensions["sex"]
    assert (female.name, male.name) == ("female", "male")
    assert {name: figure.value for name, figure in male.figures.items()} == dict.fromkeys(NEEDS, 1.0)
    assert {name: figure.value for name, figure in female.figures.items()} == dict.fromkeys(NEEDS, 0.0)
    assert (male.images, male.lesions, male.malignant, male.melanomas) == (2, 2, 1, 1)


def test_a_figure_without_its_images_is_none_and_says_why() -> None:
    found = by_sex(["nv", "nv", "bcc", "mel"], ["nv", "df", "bcc", "mel"], ["male", "male", "female", "x"])
    groups = {group.name: group for group in found.dimensions["sex"]}
    male, female = groups["male"], groups["female"]
    assert male.figures["sensitivity"].value is None
    assert male.undefined == {
        "malignant_auc": "no malignant image in this group",
        "melanoma_auc": "no image of a melanoma in this group",
        "sensitivity": "no malignant image in this group",
    }
    assert male.figures["specificity"].value == 1.0
    assert female.undefined["specificity"] == "no benign image in this group"
    assert groups["x"].undefined["melanoma_auc"] == "no image of anything but melanoma in this group"


def test_a_binary_bundle_says_that_it_has_no_melanoma() -> None:
    scored = Scored(
        np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ("benign", "malignant"), np.array([False, True])
    )
    found = measure_subgroups(Cohort(scored, ["a", "b"], 0.5), {"sex": ["male", "male"]}, draws=10)
    (group,) = found.dimensions["sex"]
    assert group.undefined == {"melanoma_auc": "the bundle has no class for melanoma"}
    assert group.figures["malignant_auc"].value == 1.0


def many(right: dict[str, float], each: int = 60) -> Subgroups:
    """`each` images a group, half melanomas, of which (and of the naevi) a share is answered right."""
    labels, given, groups = [], [], []
    for name, share in right.items():
        for number in range(each):
            label, other = ("mel", "nv") if number % 2 else ("nv", "mel")
            labels.append(label)
            given.append(label if number < share * each else other)
            groups.append(name)
    return by_sex(labels, given, groups, draws=200)


def test_the_gap_is_the_largest_difference_and_names_its_groups() -> None:
    gap = many({"a": 0.9, "b": 0.6, "c": 0.8}).gaps["sex"]["accuracy"]
    assert (gap.highest, gap.lowest) == ("a", "b")
    assert gap.difference.value == pytest.approx(0.3)
    assert gap.difference.n == 120
    assert gap.difference.low is not None
    assert 0.1 < gap.difference.low < 0.3
    assert gap.difference.high is not None
    assert 0.3 < gap.difference.high < 0.5


def test_small_groups_and_the_unknown_count_in_no_gap() -> None:
    labels, given = ["mel", "nv"] * 100, ["mel", "nv"] * 70 + ["nv", "mel"] * 30
    sexes = ["male"] * 70 + ["female"] * 70 + [UNKNOWN] * 40 + ["other"] * 20
    gaps = by_sex(labels, given, sexes).gaps["sex"]
    assert gaps["accuracy"].difference.value == 0.0
    assert {gaps["accuracy"].highest, gaps["accuracy"].lowest} == {"male", "female"}


def test_a_gap_in_sensitivity_needs_thirty_malignant_images_a_group() -> None:
    labels = ["mel"] * 29 + ["nv"] * 40 + ["mel"] * 35 + ["nv"] * 40
    gaps = by_sex(labels, labels, ["male"] * 69 + ["female"] * 75).gaps["sex"]
    assert set(gaps) == {"accuracy", "balanced_accuracy", "specificity"}


def test_groups_stand_in_their_order_and_what_is_not_known_comes_last() -> None:
    tones = [UNKNOWN, NO_ANGLE, "dark", "light", "very light", "light"]
    dimensions = {"skin_tone": tones, "age": ["75 and over", "under 30", "unknown", "30 to 44", "unknown", "unknown"]}
    dimensions["site"] = ["ear", "back", "back", "unknown", "unknown", "unknown"]
    cohort = Cohort(answers(["nv"] * 6, ["nv"] * 6), list("abcdef"), 0.5)
    found = measure_subgroups(cohort, dimensions, draws=5)
    names = {name: [group.name for group in groups] for name, groups in found.dimensions.items()}
    assert names["skin_tone"] == ["very light", "light", "dark", NO_ANGLE, UNKNOWN]
    assert names["age"] == ["under 30", "30 to 44", "75 and over", "unknown"]
    assert names["site"] == ["back", "ear", "unknown"]
    assert next(iter(TONES)) == "very light"


def test_skin_tone_is_marked_descriptive_and_nothing_else_is() -> None:
    cohort = Cohort(answers(["nv"], ["nv"]), ["a"], 0.5)
    assert measure_subgroups(cohort, {"skin_tone": ["tan"]}, draws=5).notes == {"skin_tone": DESCRIPTIVE_ONLY}
    assert measure_subgroups(cohort, {"sex": ["male"]}, draws=5).notes == {}


def test_a_dimension_of_another_length_is_named() -> None:
    cohort = Cohort(answers(["nv", "mel"], ["nv", "mel"]), ["a", "b"], 0.5)
    with pytest.raises(DataError, match=r"2 images need one value each; another number have site \(3\)"):
        measure_subgroups(cohort, {"sex": ["male"] * 2, "site": ["ear"] * 3}, draws=5)


def test_the_result_is_plain_values_for_a_report() -> None:
    found = asdict(many({"a": 0.9, "b": 0.6}))
    text = json.dumps(found, default=lambda measured: measured.model_dump())
    assert json.loads(text)["gaps"]["sex"]["accuracy"]["highest"] == "a"


def test_1500_images_in_40_groups_with_1000_draws_take_seconds() -> None:
    random = np.random.default_rng(0)
    labels = random.choice(CLASSES, 1500).tolist()
    dimensions = {f"d{number}": random.integers(8, size=1500).astype(str).tolist() for number in range(5)}
    lesions = random.integers(1100, size=1500).astype(str).tolist()
    start = time.process_time()
    found = measure_subgroups(Cohort(answers(labels, labels[::-1]), lesions, 0.5), dimensions)
    assert time.process_time() - start < 15
    assert sum(group.images for groups in found.dimensions.values() for group in groups) == 5 * 1500
