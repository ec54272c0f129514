import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.check import Listing, Problem, describe, find_problems, leave_out, refuse
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.sources import read_source
from tests.data.conftest import save, write_csv


def problems_of(rows: Sequence[Row]) -> list[Problem]:
    return find_problems(Listing(tuple(rows)))


def kinds(listing: Listing) -> list[tuple[str, str]]:
    return [(problem.kind, problem.row.image_id) for problem in find_problems(listing)]


def test_good_rows_have_no_problem_and_every_image_is_counted(kaggle: Path) -> None:
    steps: list[int] = []
    listing = read_source(kaggle)
    assert find_problems(listing, advance=steps.append) == []
    assert sum(steps) == len(listing.rows) == 4


def test_a_missing_image_is_named(kaggle: Path) -> None:
    (kaggle / "HAM10000_images_part_1" / "ISIC_0000001.jpg").unlink()
    assert kinds(read_source(kaggle)) == [("missing image", "ISIC_0000001")]


def test_an_image_under_a_name_that_is_too_long_is_missing(kaggle: Path) -> None:
    first, *others = read_source(kaggle).rows
    problems = problems_of([replace(first, path=str(kaggle / ("n" * 300 + ".jpg"))), *others])
    assert [(problem.kind, problem.row.image_id) for problem in problems] == [("missing image", "ISIC_0000001")]


@pytest.mark.parametrize("content", [b"", b"no picture at all", "half"])
def test_an_image_that_does_not_open_to_its_end_is_named(kaggle: Path, content: bytes | str) -> None:
    image = kaggle / "HAM10000_images_part_1" / "ISIC_0000002.jpg"
    whole = image.read_bytes()
    image.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    assert kinds(read_source(kaggle)) == [("unreadable image", "ISIC_0000002")]


def test_an_unknown_label_is_named_with_the_known_ones(kaggle: Path) -> None:
    rows = [replace(row, label="wart" if row.label == "bkl" else row.label) for row in read_source(kaggle).rows]
    with pytest.raises(DataError, match=r"1 unknown label: ISIC_0000004 \(wart\). Labels are akiec bcc bkl"):
        refuse(problems_of(rows))


def test_an_image_listed_twice_is_named_once(kaggle: Path) -> None:
    rows = list(read_source(kaggle).rows)
    doubled = [*rows, replace(rows[0])]
    problems = problems_of(doubled)
    assert [(problem.kind, problem.row.image_id) for problem in problems] == [("repeated image id", "ISIC_0000001")]
    assert leave_out(doubled, problems) == rows


def test_an_image_listed_under_two_labels_is_left_out_altogether(kaggle: Path) -> None:
    rows = list(read_source(kaggle).rows)
    doubled = [*rows, replace(rows[0], label="nv")]
    assert leave_out(doubled, problems_of(doubled)) == rows[1:]


def test_an_image_whose_name_is_not_utf8_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    save(tmp_path / "nv" / "a.png", 1)
    image = Path(os.fsdecode(os.fsencode(tmp_path / "nv") + b"/M\xfcller.png"))
    try:
        save(image, 2)
    except OSError:
        pytest.skip("this disk takes no such name")
    listing = read_source(tmp_path)
    problems = find_problems(listing)
    assert describe(problems) == r"1 unusable name: M\xfcller (name is not UTF-8; rename it)"
    write_index(leave_out(listing.rows, problems), tmp_path / "index.csv")
    assert [row.image_id for row in read_index(tmp_path / "index.csv")] == ["a"]


def test_five_are_named_and_the_rest_is_counted(kaggle: Path) -> None:
    rows = [replace(read_source(kaggle).rows[0], image_id=f"ISIC_{number}", label="x") for number in range(7)]
    with pytest.raises(DataError) as caught:
        refuse(problems_of(rows))
    assert "7 unknown labels: ISIC_0 (x), ISIC_1 (x), ISIC_2 (x), ISIC_3 (x), ISIC_4 (x) and 2 more." in str(
        caught.value
    )
    assert "--skip-bad" in str(caught.value)


def test_leaving_out_everything_is_refused(kaggle: Path) -> None:
    rows = [replace(row, label="x") for row in read_source(kaggle).rows]
    with pytest.raises(DataError, match="No usable image is left: 4 unknown labels"):
        leave_out(rows, problems_of(rows))


def test_ages_that_are_none_are_listed_and_can_be_left_out(tmp_path: Path) -> None:
    ages = ("45y", "40", "old", "-1", "131", "inf", "4 5", "unknown")
    for number in range(len(ages)):
        save(tmp_path / f"i{number}.jpg", number)
    lines = [f"i{number}.jpg,nv,{age}" for number, age in enumerate(ages)]
    listing = read_source(write_csv(tmp_path / "list.csv", ("path,label,age", *lines)))
    problems = find_problems(listing)
    assert describe(problems) == "6 unusable ages: i0 (45y), i2 (old), i3 (-1), i4 (131), i5 (inf) and 1 more"
    with pytest.raises(DataError, match=r"An age is a number of years, or nothing when not known\. Mend .* --skip-bad"):
        refuse(problems)
    assert [(row.image_id, row.age_years) for row in leave_out(listing.rows, problems)] == [("i1", 40), ("i7", None)]


def test_an_age_of_the_kaggle_table_that_is_none_is_listed(kaggle: Path) -> None:
    table = kaggle / "HAM10000_metadata.csv"
    table.write_text(table.read_text().replace(",35,", ",35y,"))
    assert kinds(read_source(kaggle)) == [("unusable age", "ISIC_0000004")]
