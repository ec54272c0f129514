from dataclasses import replace
from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.check import find_problems, leave_out, refuse
from dermalens.data.index import Row
from dermalens.data.sources import read_source


def kinds(rows: list[Row]) -> list[tuple[str, str]]:
    return [(problem.kind, problem.row.image_id) for problem in find_problems(rows)]


def test_good_rows_have_no_problem_and_every_image_is_counted(kaggle: Path) -> None:
    steps: list[int] = []
    rows = read_source(kaggle)
    assert find_problems(rows, advance=steps.append) == []
    assert sum(steps) == len(rows)


def test_a_missing_image_is_named(kaggle: Path) -> None:
    (kaggle / "HAM10000_images_part_1" / "ISIC_0000001.jpg").unlink()
    assert kinds(read_source(kaggle)) == [("missing image", "ISIC_0000001")]


@pytest.mark.parametrize("content", [b"", b"no picture at all", "half"])
def test_an_image_that_does_not_open_to_its_end_is_named(kaggle: Path, content: bytes | str) -> None:
    image = kaggle / "HAM10000_images_part_1" / "ISIC_0000002.jpg"
    whole = image.read_bytes()
    image.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    assert kinds(read_source(kaggle)) == [("unreadable image", "ISIC_0000002")]


def test_an_unknown_label_is_named_with_the_known_ones(kaggle: Path) -> None:
    rows = [replace(row, label="wart" if row.label == "bkl" else row.label) for row in read_source(kaggle)]
    with pytest.raises(DataError, match=r"1 unknown label: ISIC_0000004 \(wart\). Labels are akiec bcc bkl"):
        refuse(find_problems(rows))


def test_an_image_listed_twice_is_named_once(kaggle: Path) -> None:
    rows = read_source(kaggle)
    doubled = [*rows, replace(rows[0])]
    problems = find_problems(doubled)
    assert [(problem.kind, problem.row.image_id) for problem in problems] == [("repeated image id", "ISIC_0000001")]
    assert leave_out(doubled, problems) == rows


def test_an_image_listed_under_two_labels_is_left_out_altogether(kaggle: Path) -> None:
    rows = read_source(kaggle)
    doubled = [*rows, replace(rows[0], label="nv")]
    assert leave_out(doubled, find_problems(doubled)) == rows[1:]


def test_five_are_named_and_the_rest_is_counted(kaggle: Path) -> None:
    rows = [replace(read_source(kaggle)[0], image_id=f"ISIC_{number}", label="x") for number in range(7)]
    with pytest.raises(DataError) as caught:
        refuse(find_problems(rows))
    assert "7 unknown labels: ISIC_0 (x), ISIC_1 (x), ISIC_2 (x), ISIC_3 (x), ISIC_4 (x) and 2 more." in str(
        caught.value
    )
    assert "--skip-bad" in str(caught.value)


def test_leaving_out_everything_is_refused(kaggle: Path) -> None:
    rows = [replace(row, label="x") for row in read_source(kaggle)]
    with pytest.raises(DataError, match="No usable image is left: 4 unknown labels"):
        leave_out(rows, find_problems(rows))
