import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from dermalens.core.errors import DataError
from dermalens.data.audit import Audit, audit_rows
from dermalens.data.audit_figure import draw_class_distribution
from dermalens.data.audit_text import audit_as_text
from dermalens.data.index import Row
from dermalens.data.phash import close_pairs, perceptual_hashes
from tests.data.conftest import drawn_lesion, save

LESIONS = 12


def recompressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return Image.open(buffer)


@pytest.fixture
def parted(tmp_path: Path) -> list[Row]:
    """Twelve different lesions, in train and test by turns."""
    return [
        Row(
            f"i{number}",
            str(save(tmp_path / f"i{number}.jpg", number, quality=95)),
            ("mel", "nv")[number % 3 == 0],
            f"L{number}",
            age_years=None if number == 0 else 30.0 + number,
            sex="" if number == 1 else "male",
            site="back",
            part=("train", "test")[number % 2],
        )
        for number in range(LESIONS)
    ]


def with_copy(rows: list[Row], picture: Image.Image, *, lesion_id: str = "Lx", part: str = "test") -> list[Row]:
    path = Path(rows[0].path).with_name("copy.jpg")
    picture.save(path, quality=90)
    return [*rows, replace(rows[0], image_id="copy", path=str(path), lesion_id=lesion_id, part=part)]


def pairs_of(audit: Audit) -> list[tuple[str, str, bool]]:
    return [(pair.first.image_id, pair.second.image_id, pair.across_parts) for pair in (*audit.exact, *audit.near)]


def test_different_lesions_are_no_duplicates(parted: list[Row]) -> None:
    audit = audit_rows(parted)
    assert (pairs_of(audit), audit.leaks) == ([], 0)


def test_a_copy_in_another_fold_of_the_train_part_leaks_too(parted: list[Row]) -> None:
    rows = [replace(row, part="train", fold=0) for row in parted]
    copy = replace(with_copy(rows, drawn_lesion(0), part="train")[-1], fold=1)
    assert audit_rows([*rows, copy]).leaks == 1
    assert audit_rows([*rows, replace(copy, fold=0)]).leaks == 0


@pytest.mark.parametrize(
    "change",
    [
        recompressed,
        lambda picture: picture.resize((48, 36)),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.8),
        lambda picture: picture.convert("L").convert("RGB"),
    ],
    ids=["recompressed", "reduced", "darker", "grey"],
)
def test_a_changed_copy_in_another_part_is_found(
    parted: list[Row], change: Callable[[Image.Image], Image.Image]
) -> None:
    audit = audit_rows(with_copy(parted, change(drawn_lesion(0))))
    assert pairs_of(audit) == [("i0", "copy", True)]
    assert audit.leaks == 1
    assert not audit.near[0].turned


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_a_mirrored_or_turned_copy_is_found(parted: list[Row], turn: Image.Transpose) -> None:
    audit = audit_rows(with_copy(parted, drawn_lesion(0).transpose(turn)))
    assert pairs_of(audit) == [("i0", "copy", True)]
    assert audit.near[0].turned


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_copy_that_agrees_in_two_views_has_that_in_which_it_agrees_most(parted: list[Row], is_turned: bool) -> None:
    """The picture and its mirror image at the diagonal correlate by some 0.9."""
    original = drawn_lesion(1, (96, 96))
    mirrored = original.transpose(Image.Transpose.TRANSPOSE)
    original, mirrored = Image.blend(original, mirrored, 0.4), Image.blend(original, mirrored, 0.6)
    original.save(parted[0].path, quality=95)
    (pair,) = audit_rows(with_copy(parted[:1], mirrored if is_turned else original)).near
    assert pair.turned == is_turned
    assert pair.correlation > 0.98


def test_the_same_file_is_an_exact_duplicate_and_not_also_a_near_one(parted: list[Row]) -> None:
    audit = audit_rows([*parted, replace(parted[0], image_id="again", lesion_id="Lx", part="test")])
    assert [(pair.first.image_id, pair.second.image_id) for pair in audit.exact] == [("i0", "again")]
    assert audit.near == ()


def test_copies_within_one_lesion_are_no_leak(parted: list[Row]) -> None:
    audit = audit_rows(with_copy(parted, recompressed(drawn_lesion(0)), lesion_id="L0", part="train"))
    assert (pairs_of(audit), audit.leaks) == ([], 0)


def test_a_lesion_in_two_parts_is_reported_and_does_not_stop_the_audit(parted: list[Row]) -> None:
    audit = audit_rows(
        [replace(row, lesion_id="same" if number < 2 else row.lesion_id) for number, row in enumerate(parted)]
    )
    assert audit.leaking_lesions == ("same",)
    assert "LEAK: 1" in audit_as_text(audit)


def test_everything_is_counted_by_part(parted: list[Row]) -> None:
    audit = audit_rows(parted)
    assert (audit.images, audit.lesions, audit.parts) == (12, 12, ("train", "test"))
    assert audit.by_property["diagnosis"]["nv"] == {"train": 2, "test": 2}
    assert audit.by_property["diagnosis"]["df"] == {}
    assert audit.by_property["sex"] == {"male": {"train": 6, "test": 5}, "not known": {"test": 1}}
    assert audit.by_property["age"] == {
        "30 to 39": {"train": 4, "test": 5},
        "40 to 49": {"train": 1, "test": 1},
        "not known": {"train": 1},
    }
    assert audit.sizes == {"96 x 72": 12}


def test_unreadable_images_are_listed_and_the_rest_is_audited(parted: list[Row]) -> None:
    Path(parted[3].path).write_bytes(b"text")
    Path(parted[4].path).unlink()
    audit = audit_rows(parted)
    assert [found.row.image_id for found in audit.unreadable] == ["i3", "i4"]
    assert audit.sizes == {"96 x 72": 10}
    assert "Unreadable images: 2\n  i3: The file is text" in audit_as_text(audit)


def test_even_pictures_are_not_taken_for_copies_of_each_other(tmp_path: Path) -> None:
    rows = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), (200 + number, 150, 130)).save(path)
        rows.append(Row(str(number), str(path), "nv", str(number), part="train"))
    assert audit_rows(rows).near == ()


def test_an_empty_index_is_refused() -> None:
    with pytest.raises(DataError, match="no images to audit"):
        audit_rows([])


def test_the_json_form_holds_the_pairs_and_is_plain(parted: list[Row]) -> None:
    found = json.loads(json.dumps(audit_rows(with_copy(parted, recompressed(drawn_lesion(0)))).as_json()))
    pair = found["near_duplicates"][0]
    assert (pair["images"], pair["parts"], pair["across_parts"]) == (["i0", "copy"], ["train", "test"], True)
    assert found["leaks"] == 1
    assert found["counts"]["diagnosis"]["mel"] == {"train": 4, "test": 4}


def test_the_text_of_an_index_that_is_not_split_says_so(parted: list[Row]) -> None:
    text = audit_as_text(audit_rows([replace(row, part="") for row in parted]))
    assert "Not split yet" in text
    assert "12 images of 12 lesions" in text


def test_the_figure_is_a_png(parted: list[Row], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_class_distribution(audit_rows(parted), tmp_path / "new" / "classes.png")
    with Image.open(tmp_path / "new" / "classes.png") as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture.convert("RGB")).std() > 10


def test_close_pairs_are_found_across_blocks_once_each() -> None:
    hashes = np.array([0, 0b111, 0, 2**63, 0b1111], dtype=np.uint64)
    found = [
        (int(i), int(j)) for a, b in close_pairs(hashes, hashes, distance=1, rows=2) for i, j in zip(a, b, strict=True)
    ]
    assert found == [(0, 2), (0, 3), (1, 4), (2, 3)]


def test_a_hash_does_not_change_with_light() -> None:
    thumb = np.asarray(drawn_lesion(1).convert("L").resize((64, 64)))
    thumbs = np.stack([thumb, thumb // 2 + 40])
    first, second = perceptual_hashes(thumbs)
    assert int(np.bitwise_count(first ^ second)) <= 2
