"""Prediction files of anyone's model: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.data.index import Row
from dermalens.evaluate.predictions_file import Answers, read_predictions, write_isic, write_ours
from tests.tiny_bundle import lesion, write_tiny_bundle

ISIC = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
CERTAIN = "1,0,0,0,0,0,0"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def answers(images: int = 4, seed: int = 0) -> Answers:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(7), size=images)
    rows = [Row(f"ISIC_{number}", f"{number}.jpg", "nv", f"lesion_{number}") for number in range(images)]
    malignant = probabilities[:, [0, 1, 4]].sum(axis=1).tolist()
    return Answers(rows, CLASSES, np.full(images, 5), probabilities, malignant, ["refer"] * images)


@pytest.mark.parametrize("write", [write_isic, write_ours])
def test_what_is_written_in_either_layout_is_read_again(write, tmp_path: Path) -> None:
    given = answers()
    write(given, tmp_path / "predictions.csv")
    found = read_predictions(tmp_path / "predictions.csv")
    assert found.classes == CLASSES
    assert found.image_ids == ("ISIC_0", "ISIC_1", "ISIC_2", "ISIC_3")
    assert found.probabilities == pytest.approx(given.probabilities, rel=1e-8)


def test_our_layout_says_which_class_was_given_and_what_to_do(tmp_path: Path) -> None:
    given = answers(1)
    write_ours(given, tmp_path / "ours.csv")
    names, values = (line.split(",") for line in (tmp_path / "ours.csv").read_text().splitlines())
    row = dict(zip(names, values, strict=True))
    assert (row["label"], row["decision"]) == ("nv", "refer")
    assert row["given"] == CLASSES[int(given.probabilities[0].argmax())]
    assert float(row["malignant_probability"]) == pytest.approx(given.malignant_probabilities[0])


def test_two_classes_have_no_place_in_the_isic_layout(tmp_path: Path) -> None:
    row = Row("a", "a.jpg", "benign", "a")
    given = Answers([row], BINARY, np.array([0]), np.array([[0.7, 0.3]]), [0.3], ["reassure"])
    (tmp_path / "isic.csv").write_text("of another bundle")
    assert not write_isic(given, tmp_path / "isic.csv")
    assert not (tmp_path / "isic.csv").exists()
    write_ours(given, tmp_path / "ours.csv")
    assert read_predictions(tmp_path / "ours.csv").classes == BINARY


def test_the_columns_may_stand_in_any_order_and_case(tmp_path: Path) -> None:
    path = written(tmp_path, "vasc,Image,nv,MEL,bcc,akiec,bkl,df", "0.25,x,0.5,0.25,0,0,0,0")
    found = read_predictions(path)
    assert dict(zip(found.classes, found.probabilities[0], strict=True)) == pytest.approx(
        {"akiec": 0, "bcc": 0, "bkl": 0, "df": 0, "mel": 0.25, "nv": 0.5, "vasc": 0.25}
    )


def test_an_image_may_be_named_with_folder_and_suffix(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC, f"images/ISIC_1.jpg,{CERTAIN}", f"ISIC_2,{CERTAIN}")
    assert read_predictions(path).image_ids == ("ISIC_1", "ISIC_2")


def test_columns_of_another_challenge_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown columns: scc, unk; needed is image,MEL"):
        read_predictions(written(tmp_path, f"{ISIC},SCC,UNK", f"a,{CERTAIN},0,0"))


def test_a_missing_class_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has the class columns mel nv; needed is"):
        read_predictions(written(tmp_path, "image,MEL,NV", "a,1,0"))


def test_a_file_without_a_column_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column image or image_id"):
        read_predictions(written(tmp_path, "mel,nv", "1,0"))


def test_images_that_stand_twice_are_named(tmp_path: Path) -> None:
    lines = [f"{name},{CERTAIN}" for name in ("a", "b", "a.jpg")]
    with pytest.raises(DataError, match="1 images stand more than once: a. Keep one row of each"):
        read_predictions(written(tmp_path, ISIC, *lines))


@pytest.mark.parametrize("value", ["1.5", "-0.5", "nan", "", "much"])
def test_values_that_are_no_probabilities_are_named(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError, match="1 images have values that are not numbers from 0 to 1: b"):
        read_predictions(written(tmp_path, ISIC, f"a,{CERTAIN}", f"b,{value},0,0,0,0,0,0"))


def test_rows_that_do_not_sum_to_one_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC, *(f"{name},0.9,0.8,0,0,0,0,0" for name in "abcdefg"))
    with pytest.raises(DataError, match=r"7 images do not sum to one: a \(1.700\), .* and 2 more.*--normalise"):
        read_predictions(path)


def test_rounding_to_three_decimals_is_no_reason_to_refuse(tmp_path: Path) -> None:
    found = read_predictions(written(tmp_path, ISIC, "a,0.333,0.333,0.333,0,0,0,0"))
    assert found.probabilities.sum() == pytest.approx(0.999)


def test_three_decimals_that_all_were_rounded_down_are_taken(tmp_path: Path) -> None:
    found = read_predictions(written(tmp_path, ISIC, "a,0.142,0.142,0.142,0.142,0.142,0.142,0.145"))
    assert found.probabilities.sum() == pytest.approx(0.997)
    with pytest.raises(DataError, match="do not sum to one"):
        read_predictions(written(tmp_path, ISIC, "a,0.995,0,0,0,0,0,0"))


def test_a_decimal_comma_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC.replace(",", ";"), "a;0,7;0,3;0;0;0;0;0", "b;1;0;0;0;0;0;0", "c;1;0;0;0;0;0;,5E-7")
    with pytest.raises(
        DataError, match=r"2 images have values with a decimal comma \(.* of a\); needed is a point: 0\."
    ):
        read_predictions(path)


def test_the_index_column_of_pandas_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown columns: ''; needed is .*to_csv\(\.\.\., index=False\)\."):
        read_predictions(written(tmp_path, f",{ISIC}", f"0,a,{CERTAIN}"))


def test_confidences_are_divided_by_their_sum_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC, "a,0.9,0.6,0,0,0,0,0")
    found = read_predictions(path, normalise=True)
    assert found.probabilities[0, CLASSES.index("mel")] == pytest.approx(0.6)
    assert found.probabilities.sum() == pytest.approx(1)


def test_a_row_of_zeros_cannot_be_normalised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a \(0.000\). They cannot be divided by it"):
        read_predictions(written(tmp_path, ISIC, "a,0,0,0,0,0,0,0"), normalise=True)


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a header and no predictions"):
        read_predictions(written(tmp_path, ISIC))


def test_an_image_without_an_answer_is_named_with_its_reason(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    lesion("mel", (150, 150)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    command = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--bundle", str(tmp_path / "tiny"), "--csv"]
    (tmp_path / "p.csv").write_text(CliRunner().invoke(app, ["predict", *command]).stdout)
    with pytest.raises(DataError, match=r"1 images have no answer: b\. The first row says: .*Mend them"):
        read_predictions(tmp_path / "p.csv")


def test_what_predict_writes_is_read(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    for name in ("a", "b"):
        lesion("mel", (150, 150)).save(tmp_path / f"{name}.png")
    command = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--bundle", str(tmp_path / "tiny"), "--csv"]
    written_by_predict = CliRunner().invoke(app, ["predict", *command])
    (tmp_path / "p.csv").write_text(written_by_predict.stdout)
    found = read_predictions(tmp_path / "p.csv")
    assert found.image_ids == ("a", "b")
    assert found.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
