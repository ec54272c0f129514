"""Robustness of the tiny bundle and of fakes whose answers to every change are known."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.core.spec import Median, PreprocessSpec
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row
from dermalens.evaluate.robustness import judge_robustness, stratified
from dermalens.evaluate.robustness_answers import CLEAN, RobustnessOptions, answers_to_changes
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.session import Outputs
from tests.tiny_bundle import SIDE, lesion, write_tiny_bundle

FEW = RobustnessOptions(images=None, families=("darker", "jpeg"), perturbations=("brightness", "zoom"), draws=50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robustness")
    write_tiny_bundle(folder / "bundle")
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    """Two drawn lesions of each class."""
    rows = []
    for number, code in enumerate([*CLASSES, *CLASSES]):
        path = folder / f"{number}.png"
        lesion(code, (150 + number, 150)).save(path)
        rows.append(Row(path.stem, str(path), code, f"lesion_{number}"))
    return rows


class ByBrightness:
    """A session that says melanoma below a mean grey level and naevus at or above it, with certainty."""

    def __init__(self, level: float) -> None:
        self.level = level

    def run(self, pixels: np.ndarray) -> Outputs:
        is_dark = pixels.mean(axis=(1, 2, 3)) < self.level
        logits = np.zeros((len(pixels), 7), dtype=np.float32)
        logits[np.arange(len(pixels)), np.where(is_dark, CLASSES.index("mel"), CLASSES.index("nv"))] = 20
        return Outputs(logits, np.zeros((len(pixels), 3), np.float32), np.zeros((len(pixels), 7, 8, 8), np.float32))


def fake(folder: Path, level: float) -> Classifier:
    return Classifier(load(folder / "bundle").bundle, (ByBrightness(level),))


def grey_rows(folder: Path, values: dict[int, str]) -> list[Row]:
    rows = []
    for value, label in values.items():
        path = folder / f"grey_{value}.png"
        Image.new("RGB", (SIDE, SIDE), (value, value, value)).save(path)
        rows.append(Row(path.stem, str(path), label, path.stem))
    return rows


def value_of(figure: Measured) -> float:
    assert figure.value is not None
    return figure.value


def test_a_bundle_that_tells_colours_apart_is_lost_in_the_dark_and_not_in_jpeg(folder, rows) -> None:
    found = judge_robustness(load(folder / "bundle"), rows, FEW)
    assert found.clean["balanced_accuracy"].value == 1.0
    dark = [value_of(found.corrupted["darker"][str(at)]["balanced_accuracy"]) for at in range(1, 6)]
    assert dark[-1] == pytest.approx(1 / 7)  # all of them are melanoma-dark
    assert dark == sorted(dark, reverse=True)
    assert found.corrupted["jpeg"]["1"]["balanced_accuracy"].value == 1.0


def test_losses_are_means_of_the_differences(folder, rows) -> None:
    found = judge_robustness(load(folder / "bundle"), rows, FEW)
    by_hand = {
        family: [1.0 - value_of(of["balanced_accuracy"]) for of in by_severity.values()]
        for family, by_severity in found.corrupted.items()
    }
    assert found.loss["darker"].value == pytest.approx(np.mean(by_hand["darker"]))
    assert found.loss_at["5"].value == pytest.approx(np.mean([values[4] for values in by_hand.values()]))
    assert found.mean_loss.value == pytest.approx(np.mean(list(by_hand.values())))
    assert found.mean_loss.low is not None
    assert found.mean_loss.high is not None
    assert found.mean_loss.low <= value_of(found.mean_loss) <= found.mean_loss.high
    assert found.mean_loss.n == found.images == 14


def test_sensitivity_and_specificity_under_a_corruption_are_those_of_the_operating_point(folder) -> None:
    rows = grey_rows(folder, {180: "mel", 200: "nv", 215: "nv"})
    options = replace(FEW, families=("darker",), severities=(1, 5), perturbations=("zoom",))
    found = judge_robustness(fake(folder, 190), rows, options)
    assert (found.clean["sensitivity"].value, found.clean["specificity"].value) == (1.0, 1.0)
    worst = found.corrupted["darker"]["5"]
    assert (worst["sensitivity"].value, worst["specificity"].value) == (1.0, 0.0)
    assert (worst["sensitivity"].n, worst["specificity"].n, worst["malignant_auc"].n) == (1, 2, 3)
    assert worst["malignant_auc"].value == 0.5
    assert found.of_class["nv"] == 2


def test_one_turn_in_a_sequence_is_one_flip_in_eight_steps(folder) -> None:
    rows = grey_rows(folder, {188: "nv", 120: "mel"})
    options = replace(FEW, families=("jpeg",), severities=(1,), perturbations=("brightness", "zoom"))
    found = judge_robustness(fake(folder, 190), rows, options)
    assert found.flips["brightness"]["diagnosis"].value == pytest.approx((1 / 8 + 0) / 2)
    assert found.flips["brightness"]["decision"].value == pytest.approx((1 / 8 + 0) / 2)
    assert found.flips["zoom"]["either"].value == 0.0
    assert found.flips["mean"]["either"].value == pytest.approx(1 / 32)


def test_either_counts_a_step_once_and_a_change_within_the_benign_as_no_decision(folder) -> None:
    class Benign(ByBrightness):
        def run(self, pixels: np.ndarray) -> Outputs:
            outputs = super().run(pixels)
            logits = outputs.logits.copy()
            logits[:, [CLASSES.index("mel"), CLASSES.index("df")]] = logits[
                :, [CLASSES.index("df"), CLASSES.index("mel")]
            ]
            return replace(outputs, logits=logits)

    classifier = Classifier(load(folder / "bundle").bundle, (Benign(190),))
    options = replace(FEW, families=("jpeg",), severities=(1,), perturbations=("brightness",))
    flips = judge_robustness(classifier, grey_rows(folder, {188: "nv"}), options).flips["brightness"]
    assert (flips["diagnosis"].value, flips["decision"].value, flips["either"].value) == (1 / 8, 0.0, 1 / 8)


def test_progress_counts_every_square_that_is_classified(folder, rows) -> None:
    done: list[int] = []
    judge_robustness(load(folder / "bundle"), rows, FEW, advance=done.append)
    assert sum(done) == FEW.runs(14) == 14 * (1 + 2 * 5 + 2 * 9)


def test_the_answers_are_the_same_with_one_worker_and_with_three(folder, rows) -> None:
    classifier, options = load(folder / "bundle"), replace(FEW, families=("hair", "shot_noise"), severities=(3,))
    one, three = (answers_to_changes(classifier, rows, options, workers=workers) for workers in (1, 3))
    assert set(one) == {CLEAN, "hair", "shot_noise", "brightness", "zoom"}
    assert all(np.array_equal(one[name], three[name]) for name in one)
    assert one["hair"].shape == (14, 1, 7)


def test_an_image_is_corrupted_alike_whatever_else_is_judged(folder, rows) -> None:
    classifier, options = load(folder / "bundle"), replace(FEW, families=("gaussian_noise",))
    alone = answers_to_changes(classifier, rows[3:4], options)["gaussian_noise"]
    among = answers_to_changes(classifier, rows, options)["gaussian_noise"]
    assert alone[0] == pytest.approx(among[3], abs=1e-6)


def test_a_corruption_comes_before_the_cleaning_steps(folder, rows, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    write_tiny_bundle(tmp_path / "b", preprocess=PreprocessSpec(side_pixels=SIDE, clean=[Median(window=0.1)]))
    options = replace(FEW, families=("impulse_noise",), severities=(5,), perturbations=("zoom",))
    plain, cleaning = (answers_to_changes(load(where), rows, options) for where in (folder / "bundle", tmp_path / "b"))
    lost, kept = (np.abs(of["impulse_noise"] - of[CLEAN]).mean() for of in (plain, cleaning))
    assert kept < lost / 2


def many_rows() -> list[Row]:
    counts = {"nv": 60, "mel": 20, "df": 3}
    return [
        Row(f"{code}{number}", f"{code}{number}.jpg", code, f"{code}_{number // 2}")
        for code, count in counts.items()
        for number in range(count)
    ]


def test_a_choice_of_images_has_as_many_of_each_class_as_there_are() -> None:
    chosen = stratified(many_rows(), CLASSES, RobustnessOptions(images=19))
    assert Counter(row.label for row in chosen) == {"nv": 8, "mel": 8, "df": 3}
    assert [row.image_id for row in many_rows() if row in chosen] == [row.image_id for row in chosen]


def test_a_second_image_of_a_lesion_comes_after_the_first_of_all_others() -> None:
    chosen = stratified(many_rows(), CLASSES, RobustnessOptions(images=23))
    lesions = Counter(row.lesion_id for row in chosen if row.label != "df")
    assert set(lesions.values()) == {1}


def test_the_choice_follows_from_the_seed_and_all_are_taken_when_there_are_fewer() -> None:
    rows = many_rows()
    first, again, other = (stratified(rows, CLASSES, RobustnessOptions(images=20, seed=seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert stratified(rows, CLASSES, RobustnessOptions(images=100)) == rows
    assert stratified(rows, CLASSES, RobustnessOptions(images=None)) == rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RobustnessOptions(images=0), "0 images given"),
        (RobustnessOptions(families=("snow",)), "snow given as corruption; choose among gaussian_noise"),
        (RobustnessOptions(families=()), "none given as corruption"),
        (RobustnessOptions(severities=(0, 6)), "0, 6 given as severity; choose among 1, 2, 3, 4, 5"),
        (RobustnessOptions(perturbations=("tilt",)), "tilt given as perturbation; choose among rotation"),
    ],
)
def test_options_that_cannot_be_met_are_refused(folder, rows, options: RobustnessOptions, message: str) -> None:
    with pytest.raises(DataError, match=message):
        judge_robustness(load(folder / "bundle"), rows, options)


def test_the_result_is_plain_values_for_a_report(folder, rows) -> None:
    found = asdict(judge_robustness(load(folder / "bundle"), rows, replace(FEW, draws=5)))
    read = json.loads(json.dumps(found, default=lambda measured: measured.model_dump()))
    assert set(read["corrupted"]["darker"]) == {"1", "2", "3", "4", "5"}
    assert read["operating_point"] == "sensitivity_95"
