import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.index import Row, write_index
from dermalens.data.leaks import SAME_LESION_PAIRS, check_apart, check_no_leak, merge_known_pairs
from dermalens.data.sources import read_source
from dermalens.data.split import (
    folds_sha256,
    keep_parts,
    parse_shares,
    read_rows,
    read_split,
    split_rows,
    split_sha256,
    write_split,
)
from tests.data.conftest import REAL_DATA, save

Rows = Callable[..., list[Row]]


def test_shares_are_kept_within_each_diagnosis(rows: Rows) -> None:
    split = split_rows([*rows(100, ["nv"]), *rows(20, ["df"])])
    counts = Counter((row.label, row.part) for row in split)
    assert {part: counts["nv", part] for part in ("train", "val", "test")} == {"train": 140, "val": 30, "test": 30}
    assert {part: counts["df", part] for part in ("train", "val", "test")} == {"train": 28, "val": 6, "test": 6}


def test_a_lesion_is_never_divided(rows: Rows) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for row in split_rows(rows(), folds=3):
        parts[row.lesion_id].add(f"{row.part}{row.fold}")
    assert {len(found) for found in parts.values()} == {1}


def test_every_lesion_outside_the_test_part_is_in_exactly_one_fold(rows: Rows) -> None:
    split = split_rows(rows(), folds=4)
    assert all((row.fold is None) == (row.part == "test") for row in split)
    per_fold = Counter(row.fold for row in split if row.fold is not None)
    assert sorted(per_fold) == [0, 1, 2, 3]
    assert max(per_fold.values()) - min(per_fold.values()) <= 4


def test_folds_leave_the_parts_as_they_are(rows: Rows) -> None:
    with_folds = split_rows(rows(), folds=5)
    assert [replace(row, fold=None) for row in with_folds] == split_rows(rows())


def test_eighteen_pairs_are_known_to_show_one_lesion_and_stay_together(rows: Rows) -> None:
    assert len(SAME_LESION_PAIRS) == len({image for pair in SAME_LESION_PAIRS for image in pair}) / 2 == 18
    pairs = [Row(image, "x", "nv", f"own_{image}") for pair in SAME_LESION_PAIRS for image in pair]
    part_of = {row.image_id: row.part for row in split_rows([*pairs, *rows(50, ["nv"])])}
    assert all(part_of[first] == part_of[second] for first, second in SAME_LESION_PAIRS)


def test_pairs_that_share_a_lesion_become_one(rows: Rows) -> None:
    (a, b), (c, d) = SAME_LESION_PAIRS[:2]
    found = [Row(a, "x", "nv", "L1"), Row(b, "x", "nv", "L2"), Row(c, "x", "nv", "L2"), Row(d, "x", "nv", "L0")]
    assert {row.lesion_id for row in merge_known_pairs(found)} == {"L0"}


def test_the_same_seed_gives_the_same_hash_in_any_order_and_another_seed_another(rows: Rows) -> None:
    given = rows()
    assert split_sha256(split_rows(given)) == split_sha256(split_rows(given[::-1]))
    assert split_sha256(split_rows(given)) != split_sha256(split_rows(given, seed=1))


def test_a_split_keeps_its_hash_when_the_images_move(rows: Rows) -> None:
    split = split_rows(rows())
    assert split_sha256(split) == split_sha256([replace(row, path="/elsewhere") for row in split])


def test_a_written_split_is_read_back_with_its_hash(rows: Rows, tmp_path: Path) -> None:
    split = split_rows(rows())
    sha256 = write_split(split, tmp_path / "split.csv", seed=0)
    found = read_split(tmp_path / "split.csv")
    assert (found.sha256, list(found.rows)) == (sha256, split)
    assert json.loads((tmp_path / "split.json").read_text())["seed"] == 0


def test_a_split_that_was_edited_is_refused(rows: Rows, tmp_path: Path) -> None:
    target = tmp_path / "split.csv"
    write_split(split_rows(rows()), target, seed=0)
    target.write_text(target.read_text().replace(",mel,L_mel_0,", ",nv,L_mel_0,"))
    for read in (read_split, read_rows):
        with pytest.raises(DataError, match="was changed after it was split"):
            read(target)


def test_what_lies_beside_an_index_is_nobodys_note(rows: Rows, tmp_path: Path) -> None:
    write_index(rows(), tmp_path / "index.csv")
    (tmp_path / "index.json").write_text("{}")
    assert read_rows(tmp_path / "index.csv") == list(rows())


def test_a_split_written_through_a_link_has_its_note_beside_the_file_itself(rows: Rows, tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.csv", tmp_path / "split.csv"
    real.parent.mkdir()
    link.symlink_to(real)
    write_split(split_rows(rows()), link, seed=0)
    assert link.is_symlink()
    assert read_split(link).sha256 == read_split(real).sha256
    real.write_text(real.read_text().replace(",test,", ",train,"))
    for split in (link, real):
        with pytest.raises(DataError, match=r"no longer match real\.json"):
            read_split(split)


def test_a_note_that_lies_beside_the_link_alone_still_counts(rows: Rows, tmp_path: Path) -> None:
    blob, link = tmp_path / "blob", tmp_path / "split.csv"
    write_split(split_rows(rows()), link, seed=0)
    link.rename(blob)
    link.symlink_to(blob)
    blob.write_text(blob.read_text().replace(",test,", ",train,"))
    with pytest.raises(DataError, match=r"no longer match split\.json"):
        read_split(link)


def test_another_file_in_the_place_of_the_note_may_be_moved_away(rows: Rows, tmp_path: Path) -> None:
    write_index([replace(row, part="train") for row in rows()], tmp_path / "index.csv")
    (tmp_path / "index.json").write_text('{"images": 160}')
    with pytest.raises(DataError, match=r"index\.json is not the note of a split: .*Move it away if it"):
        read_rows(tmp_path / "index.csv")


def test_a_damaged_note_is_refused(rows: Rows, tmp_path: Path) -> None:
    write_split(split_rows(rows()), tmp_path / "split.csv", seed=0)
    (tmp_path / "split.json").write_text("{")
    with pytest.raises(DataError, match="is not the note of a split"):
        read_split(tmp_path / "split.csv")


def test_an_index_is_no_split(rows: Rows, tmp_path: Path) -> None:
    write_index(rows(2), tmp_path / "index.csv")
    with pytest.raises(DataError, match=r"8 image\(s\) without a part: mel_0_0, .* and 3 more"):
        read_split(tmp_path / "index.csv")


def test_a_leak_is_refused_naming_five_lesions(rows: Rows) -> None:
    leaking = [replace(row, part=("train", "test")[number % 2]) for number, row in enumerate(rows(7, ["nv"]))]
    with pytest.raises(DataError) as caught:
        check_no_leak(leaking)
    assert str(caught.value) == (
        "7 lesions are in both train and test: L_nv_0, L_nv_1, L_nv_2, L_nv_3, L_nv_4 and 2 more. Split by lesion_id."
    )


def test_a_lesion_in_two_folds_is_refused_by_whatever_reads_the_split(rows: Rows, tmp_path: Path) -> None:
    split = split_rows(rows(), folds=3)
    moved = next(row for row in split if row.fold == 1)
    write_index([replace(row, fold=2) if row is moved else row for row in split], tmp_path / "split.csv")
    with pytest.raises(DataError, match=f"1 lesion is in both fold 1 and fold 2: {moved.lesion_id}"):
        read_split(tmp_path / "split.csv")


def test_a_leak_over_three_parts_names_them(rows: Rows) -> None:
    leaking = [
        replace(row, part=("val", "train", "test")[number % 3], lesion_id="L") for number, row in enumerate(rows(3))
    ]
    with pytest.raises(DataError, match="1 lesion is in more than one of train, val, test: L"):
        check_no_leak(leaking)


def test_a_split_that_divides_a_known_pair_is_refused_whoever_made_it(tmp_path: Path) -> None:
    for part, image_id in zip(("train", "test"), SAME_LESION_PAIRS[3], strict=True):
        save(tmp_path / "photos" / part / "nv" / f"{image_id}.jpg", 1)
    write_index(read_source(tmp_path / "photos").rows, tmp_path / "index.csv")
    with pytest.raises(DataError, match="1 lesion is in both train and test: ISIC_0027027"):
        read_split(tmp_path / "index.csv")


@pytest.mark.parametrize("name", ["s.json", "s", "s.csv.gz"])
def test_a_split_never_shares_its_name_with_its_note(rows: Rows, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a name that ends in \.csv"):
        write_split(split_rows(rows()), tmp_path / name, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_cannot_be_written_is_said_in_one_line(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "split.json").mkdir()
    with pytest.raises(DataError, match=r"Cannot write .*split\.json: Is a directory"):
        write_split(split_rows(rows()), tmp_path / "split.csv", seed=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["split.csv", "split.json"]


@pytest.mark.parametrize("content", ['{"title": "Photographs of 2024"}', '["sha256"]', "not even JSON"])
def test_a_file_that_is_no_note_of_a_split_is_never_replaced(rows: Rows, tmp_path: Path, content: str) -> None:
    beside = tmp_path / "split.json"
    beside.write_text(content)
    with pytest.raises(DataError, match=r"split\.json is there and is no note of a split\. Choose another name with"):
        write_split(split_rows(rows()), tmp_path / "split.csv", seed=0)
    assert beside.read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_the_note_of_a_split_takes_the_place_of_an_earlier_one(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "split.json").touch()
    for seed in (1, 2):
        write_split(split_rows(rows(), seed=seed), tmp_path / "split.csv", seed=seed)
    assert json.loads((tmp_path / "split.json").read_text())["seed"] == 2


def test_too_few_lesions_of_a_diagnosis_are_refused_by_name(rows: Rows) -> None:
    with pytest.raises(DataError, match=r"df has 2 lesion\(s\), fewer than the 3 .*: L_df_0, L_df_1"):
        split_rows([*rows(10), *rows(2, ["df"])])
    with pytest.raises(DataError, match="fewer than the 6"):
        split_rows([*rows(10), *rows(5, ["df"])], folds=5)


def test_too_few_lesions_outside_the_test_part_for_the_folds_are_refused_by_name(rows: Rows) -> None:
    many = [Row(f"df_0_{image}", "x", "df", "L_df_0") for image in range(10)]
    rare = [*many, *(Row(f"df_{lesion}", "x", "df", f"L_df_{lesion}") for lesion in range(1, 6))]
    with pytest.raises(DataError, match=r"df has \d lesion\(s\) outside test, fewer than the 5 .*: L_df_"):
        split_rows([*rows(10), *rare], folds=5, seed=1)


@pytest.mark.parametrize("shares", ["70/15/15", "80/10/10", "90/5/5"])
@pytest.mark.parametrize("lesions", [3, 4, 13])
def test_every_part_and_every_fold_gets_a_lesion_of_a_rare_diagnosis(rows: Rows, shares: str, lesions: int) -> None:
    divided = split_rows([*rows(20), *rows(lesions, ["df"])], shares=parse_shares(shares), folds=2)
    rare = [row for row in divided if row.label == "df"]
    assert {row.part for row in rare} == {"train", "val", "test"}
    assert {row.fold for row in rare if row.part != "test"} == {0, 1}


def test_an_image_id_that_stands_twice_is_refused(rows: Rows) -> None:
    given = rows()
    with pytest.raises(DataError, match=r"1 image id\(s\) stand more than once: mel_0_0"):
        split_rows([*given, given[0]])


@pytest.mark.parametrize(
    ("text", "train"), [("70/15/15", 0.7), ("0.7/0.15/0.15", 0.7), ("80/20/0", 0.8), ("1/0/0", 1.0)]
)
def test_shares_are_written_in_percent_or_as_fractions(text: str, train: float) -> None:
    assert parse_shares(text)["train"] == train


@pytest.mark.parametrize("text", ["70/30", "a/b/c", "70/15/15/0", ""])
def test_shares_that_are_not_three_numbers_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="such as 70/15/15"):
        parse_shares(text)


@pytest.mark.parametrize("text", ["70/20/20", "120/-10/-10", "nan/0/0"])
def test_shares_that_do_not_make_one_are_refused(rows: Rows, text: str) -> None:
    with pytest.raises(DataError, match="must sum to 1"):
        split_rows(rows(), shares=parse_shares(text))


def test_one_fold_is_refused(rows: Rows) -> None:
    with pytest.raises(DataError, match="at least 2"):
        split_rows(rows(), folds=1)


def test_parts_of_an_index_are_kept_when_no_lesion_is_on_two_sides(rows: Rows) -> None:
    parted = split_rows(rows())
    assert keep_parts(parted) == parted


def test_parts_that_divide_a_known_pair_are_not_kept(rows: Rows) -> None:
    first, second = SAME_LESION_PAIRS[0]
    divided = [Row(first, "x", "nv", "L1", part="train"), Row(second, "x", "nv", "L2", part="test")]
    with pytest.raises(DataError, match="1 lesion is in both train and test: L1"):
        keep_parts(divided)


def test_missing_parts_cannot_be_kept(rows: Rows) -> None:
    with pytest.raises(DataError, match=r"8 image\(s\) have none"):
        keep_parts(rows(2))
    with pytest.raises(DataError, match="no image is in train"):
        keep_parts([replace(row, part="test") for row in rows(2)])


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs ../shared/data beside the repository")
def test_the_split_of_ham10000_is_the_one_that_the_models_were_trained_on() -> None:
    split = split_rows(read_source(REAL_DATA / "HAM10000").rows, seed=0)
    assert split_sha256(split) == "0d493baf9923236941b58bcb2925db685663badd274f0ff259c2380fe8aef310"
    part_of = {row.image_id: row.part for row in split}
    assert all(part_of[first] == part_of[second] for first, second in SAME_LESION_PAIRS)


def test_folds_do_not_rename_a_split_and_a_changed_fold_is_noticed(rows: Rows, tmp_path: Path) -> None:
    plain, folded = split_rows(rows()), split_rows(rows(), folds=3)
    assert split_sha256(plain) == split_sha256(folded)
    assert folds_sha256(plain) != folds_sha256(folded)
    write_split(folded, tmp_path / "split.csv", seed=0)
    assert read_split(tmp_path / "split.csv").sha256 == split_sha256(plain)
    moved = [replace(row, fold=(row.fold + 1) % 3) if row.fold is not None else row for row in folded]
    write_index(moved, tmp_path / "split.csv")
    with pytest.raises(DataError, match="was changed after it was split"):
        read_split(tmp_path / "split.csv")


def test_extra_images_may_show_no_lesion_that_is_judged_on() -> None:
    known = [Row("a", "a.jpg", "nv", "L1", part="train"), Row("b", "b.jpg", "nv", "L2", part="val", fold=0)]
    check_apart([Row("c", "c.jpg", "nv", "L1"), Row("d", "d.jpg", "nv", "L9")], known)
    with pytest.raises(DataError, match=r"1 extra image\(s\) are already in the split: b"):
        check_apart([Row("b", "elsewhere.jpg", "nv", "L7")], known)
    with pytest.raises(DataError, match="L2"):
        check_apart([Row("e", "e.jpg", "nv", "L2")], known)


def test_a_split_that_divides_a_lesion_is_not_written(rows: Rows, tmp_path: Path) -> None:
    first, second, *others = split_rows(rows(3))
    divided = [replace(first, part="train", lesion_id="L"), replace(second, part="test", lesion_id="L"), *others]
    with pytest.raises(DataError, match="lesion_id"):
        write_split(divided, tmp_path / "split.csv", seed=1)
    assert list(tmp_path.iterdir()) == []


def test_folds_do_not_matter_to_whether_images_are_extra(rows: Rows) -> None:
    in_two_folds = [replace(row, part="train", fold=fold) for fold, row in enumerate(rows(1, ["nv"]))]
    check_apart(in_two_folds, rows(1, ["mel"]))
    check_apart(rows(1, ["mel"]), in_two_folds)
