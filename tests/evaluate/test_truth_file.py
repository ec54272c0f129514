"""What predictions are scored against, and how the two are brought together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.data.index import Row, write_index
from dermalens.evaluate.predictions_file import PredictionFile
from dermalens.evaluate.truth_file import matched, read_truth

ISIC = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
MEL, NV = "1.0,0.0,0.0,0.0,0.0,0.0,0.0", "0.0,1.0,0.0,0.0,0.0,0.0,0.0"


def written(folder: Path, *lines: str, name: str = "truth.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def predicted(*image_ids: str, classes: tuple[str, ...] = CLASSES) -> PredictionFile:
    """Image number k is given class number k for certain."""
    return PredictionFile(Path("p.csv"), classes, image_ids, np.eye(len(classes))[: len(image_ids)])


def rows(*labels: str) -> list[Row]:
    return [Row(f"i{number}", f"i{number}.jpg", label, f"l{number}") for number, label in enumerate(labels)]


def test_the_ground_truth_of_isic_is_read_with_its_lesions(tmp_path: Path) -> None:
    written(tmp_path, "image,lesion_id,diagnosis_confirm_type", "a,L1,x", "b,L1,x", name="LesionGroupings.csv")
    found = read_truth(written(tmp_path, ISIC, f"a,{MEL}", f"b,{NV}"))
    assert [(row.image_id, row.label, row.lesion_id) for row in found] == [("a", "mel", "L1"), ("b", "nv", "L1")]


def test_images_without_one_class_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC, f"a,{MEL}", "b,0,0,0,0,0,0,0", "c,1,1,0,0,0,0,0")
    with pytest.raises(DataError, match="2 images do not have one class with a 1 and the others with a 0: b, c"):
        read_truth(path)


def test_a_split_is_scored_on_its_test_part_and_an_index_whole(tmp_path: Path) -> None:
    split = [Row("a", "a.jpg", "nv", "1", part="train"), Row("b", "b.jpg", "nv", "2", part="test")]
    write_index(split, tmp_path / "split.csv")
    write_index(rows("nv", "mel"), tmp_path / "index.csv")
    assert [row.image_id for row in read_truth(tmp_path / "split.csv")] == ["b"]
    assert [row.image_id for row in read_truth(tmp_path / "split.csv", "train")] == ["a"]
    assert len(read_truth(tmp_path / "index.csv")) == 2


def test_a_ground_truth_of_isic_has_no_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--part test was given; .* which has no parts"):
        read_truth(written(tmp_path, ISIC, f"a,{MEL}"), "test")


@pytest.mark.parametrize("content", ["id,dx", ""])
def test_another_table_is_no_truth(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="is no truth: its first line is"):
        read_truth(written(tmp_path, content))


def test_images_of_the_truth_that_stand_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 images stand more than once: a"):
        read_truth(written(tmp_path, ISIC, f"a,{MEL}", f"a,{MEL}"))


def test_predictions_are_put_in_the_order_of_the_truth() -> None:
    scored, truth = matched(predicted("i1", "i0"), rows("bcc", "akiec"))
    assert scored.probabilities.argmax(axis=1).tolist() == [1, 0] == scored.labels.tolist()
    assert truth.lesions == ("l0", "l1")
    assert scored.malignant.tolist() == [True, True, False, False, True, False, False]


def test_images_without_a_prediction_are_named() -> None:
    with pytest.raises(DataError, match="no prediction for 6 of 7 images of the truth: i1, i2, i3, i4, i5 and 1 more"):
        matched(predicted("i0"), rows(*CLASSES))


def test_images_that_are_not_in_the_truth_are_named() -> None:
    with pytest.raises(DataError, match="has 1 images that are not in the truth: i1"):
        matched(predicted("i0", "i1"), rows("nv"))


def test_labels_outside_the_classes_are_named() -> None:
    with pytest.raises(DataError, match="Labels scc are not classes"):
        matched(predicted("i0"), rows("scc"))


def test_two_classes_are_scored_on_the_seven_diagnoses() -> None:
    scored, _ = matched(predicted("i0", "i1", classes=BINARY), rows("nv", "mel"))
    assert scored.labels.tolist() == [0, 1]
    assert scored.malignant.tolist() == [False, True]
