import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dermalens.core.errors import DataError
from dermalens.data.check import find_problems
from dermalens.data.leaks import merge_known_pairs
from dermalens.data.sources import SOURCES, detect_layout, read_source
from dermalens.data.tables import header_of, read_table
from tests.data.conftest import REAL_DATA, save, write_csv

ONE_HOT = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    root = tmp_path / "ISIC2018"
    truth = root / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    write_csv(truth, (ONE_HOT, "ISIC_0000001,0.0,1.0,0.0,0.0,0.0,0.0,0.0", "ISIC_0000002,0,0,0,0,0,0,1"))
    for number in (1, 2):
        save(root / "ISIC2018_Task3_Training_Input" / f"ISIC_000000{number}.jpg", number)
    return root


def class_folders(root: Path) -> Path:
    save(root / "MEL" / "a.jpg", 1)
    save(root / "nv" / "b.png", 2)
    return root


def test_kaggle_folder_gives_lesions_labels_and_what_is_known_of_the_person(kaggle: Path) -> None:
    assert detect_layout(kaggle) == "ham10000"
    rows = read_source(kaggle).rows
    assert [(row.image_id, row.lesion_id, row.label) for row in rows] == [
        ("ISIC_0000001", "HAM_1", "mel"),
        ("ISIC_0000002", "HAM_1", "mel"),
        ("ISIC_0000003", "HAM_2", "nv"),
        ("ISIC_0000004", "HAM_3", "bkl"),
    ]
    assert all(Path(row.path).is_file() for row in rows)
    assert (rows[0].age_years, rows[0].sex, rows[0].site, rows[0].source) == (50.0, "male", "back", "HAM10000")
    assert (rows[2].age_years, rows[2].sex, rows[2].site) == (None, "", "")


def test_how_a_diagnosis_was_made_is_never_taken_in(kaggle: Path) -> None:
    assert not any(word in str(read_source(kaggle)) for word in ("histo", "follow_up", "consensus"))


@pytest.mark.parametrize("folder", ["ham10000_images_part_1", "images", "Test_Images", "."])
def test_kaggle_images_may_lie_in_folders_of_other_names(tmp_path: Path, folder: str) -> None:
    line = "HAM_1,ISIC_0000001,mel,histo,50,male,back"
    write_csv(tmp_path / "HAM10000_metadata.csv", ("lesion_id,image_id,dx,dx_type,age,sex,localization", line))
    image = save(tmp_path / folder / "ISIC_0000001.jpg", 1)
    assert Path(read_source(tmp_path).rows[0].path).samefile(image)


def test_the_metadata_file_itself_may_be_given(kaggle: Path) -> None:
    assert read_source(kaggle / "HAM10000_metadata.csv") == read_source(kaggle)


def test_challenge_folder_gives_the_marked_diagnosis(challenge: Path) -> None:
    assert detect_layout(challenge) == "isic2018"
    rows = read_source(challenge).rows
    assert [(row.image_id, row.label, row.lesion_id, row.part) for row in rows] == [
        ("ISIC_0000001", "nv", "ISIC_0000001", ""),
        ("ISIC_0000002", "vasc", "ISIC_0000002", ""),
    ]
    assert all(Path(row.path).is_file() for row in rows)


@pytest.mark.parametrize(
    "given",
    [
        "ISIC2018_Task3_Training_Input",
        "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv",
    ],
)
def test_challenge_input_folder_or_ground_truth_may_be_given_alone(challenge: Path, given: str) -> None:
    assert read_source(challenge / given) == read_source(challenge)


def test_official_lesion_groupings_are_used_where_they_lie(challenge: Path) -> None:
    lines = ("image,lesion_id,diagnosis_confirm_type", "ISIC_0000001,HAM_7,x", "ISIC_0000002,HAM_7,x")
    write_csv(challenge / "ISIC2018_Task3_Training_LesionGroupings.csv", lines)
    assert {row.lesion_id for row in read_source(challenge).rows} == {"HAM_7"}


def test_several_ground_truths_give_the_parts(challenge: Path) -> None:
    write_csv(challenge / "ISIC2018_Task3_Test_GroundTruth.csv", (ONE_HOT, "ISIC_0000003,1,0,0,0,0,0,0"))
    save(challenge / "ISIC2018_Task3_Test_Input" / "ISIC_0000003.jpg", 3)
    assert {row.image_id: row.part for row in read_source(challenge).rows} == {
        "ISIC_0000001": "train",
        "ISIC_0000002": "train",
        "ISIC_0000003": "test",
    }


def test_class_folders_alone_give_labels_in_any_casing(tmp_path: Path) -> None:
    root = class_folders(tmp_path)
    assert detect_layout(root) == "folders"
    assert [(row.image_id, row.label, row.part) for row in read_source(root).rows] == [
        ("a", "mel", ""),
        ("b", "nv", ""),
    ]


def test_folders_of_benign_and_malignant_images_are_read_and_pass_the_check(tmp_path: Path) -> None:
    save(tmp_path / "train" / "benign" / "a.png", 1)
    save(tmp_path / "train" / "Malignant" / "b.png", 2)
    listing = read_source(tmp_path)
    assert {(row.label, row.part) for row in listing.rows} == {("benign", "train"), ("malignant", "train")}
    assert find_problems(listing) == []


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_part_folders_give_the_parts_under_their_usual_names(tmp_path: Path, name: str) -> None:
    class_folders(tmp_path / "train")
    save(tmp_path / name / "bcc" / "c.jpg", 3)
    assert {row.image_id: row.part for row in read_source(tmp_path).rows} == {"a": "train", "b": "train", "c": "val"}


def test_files_of_one_name_in_two_class_folders_are_two_images(tmp_path: Path) -> None:
    save(tmp_path / "mel" / "1.jpg", 1)
    save(tmp_path / "nv" / "1.jpg", 2)
    assert [row.image_id for row in read_source(tmp_path).rows] == ["mel/1", "nv/1"]


def test_an_archive_name_in_two_folders_is_one_image_twice(tmp_path: Path) -> None:
    save(tmp_path / "train" / "mel" / "ISIC_0000001.jpg", 1)
    save(tmp_path / "test" / "mel" / "ISIC_0000001.jpg", 1)
    assert [row.image_id for row in read_source(tmp_path).rows] == ["ISIC_0000001", "ISIC_0000001"]


def test_part_folders_beside_class_folders_are_refused(tmp_path: Path) -> None:
    class_folders(tmp_path)
    class_folders(tmp_path / "train")
    with pytest.raises(DataError, match="both train and MEL"):
        read_source(tmp_path)


def test_images_outside_the_class_folders_are_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(tmp_path / "stray.jpg", 3)
    with pytest.raises(DataError, match=r"1 image\(s\) lie outside the class folders: stray.jpg"):
        read_source(tmp_path)


def test_plain_csv_with_paths_and_everything_optional(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "one.jpg", 1)
    lines = ("Path;Label;Lesion;Age;Sex;Site", "deep/one.jpg;MEL;L1;85+;F;N/A")
    row = read_source(write_csv(tmp_path / "list.csv", lines)).rows[0]
    assert (row.image_id, row.label, row.lesion_id, row.age_years, row.sex, row.site) == (
        "one",
        "mel",
        "L1",
        85,
        "f",
        "",
    )
    assert Path(row.path).is_file()


def test_the_unnamed_column_of_pandas_is_no_id_and_nothing_else(tmp_path: Path) -> None:
    row = read_source(write_csv(tmp_path / "list.csv", (",path,label", "7,one.jpg,nv"))).rows[0]
    assert (row.image_id, row.lesion_id, row.age_years, row.sex, row.site) == ("one", "one", None, "", "")


@pytest.mark.parametrize("header", ["path,label,label", "path,Label,label", 'path,"label","LABEL"'])
def test_a_column_that_is_needed_and_stands_twice_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match=r"more than one column of the name \(in any casing\) label\. Keep"):
        read_source(write_csv(tmp_path / "list.csv", (header, "one.jpg,nv,mel")))


def test_columns_that_are_not_read_may_stand_twice(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "list.csv", ("path,label,dx,dx,note,note,,", "one.jpg,nv,mel,bcc,x,y,z,w"))
    assert [row.label for row in read_source(table).rows] == ["nv"]


def test_a_column_that_stands_twice_in_the_other_tables_is_refused(kaggle: Path, challenge: Path) -> None:
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization,DX"
    write_csv(kaggle / "HAM10000_metadata.csv", (header, "HAM_1,ISIC_0000001,mel,histo,50,male,back,nv"))
    with pytest.raises(DataError, match=r"\(in any casing\) dx\."):
        read_source(kaggle)
    groups = challenge / "ISIC2018_Task3_Training_LesionGroupings.csv"
    write_csv(groups, ("image,lesion_id,Lesion_ID", "ISIC_0000001,HAM_7,HAM_8"))
    with pytest.raises(DataError, match=r"\(in any casing\) lesion_id\."):
        read_source(challenge)
    groups.unlink()
    write_csv(next(challenge.glob("*/*.csv")), (f"{ONE_HOT},mel", "ISIC_0000001,0,1,0,0,0,0,0,1"))
    with pytest.raises(DataError, match=r"\(in any casing\) mel\."):
        read_source(challenge)


def test_an_id_that_is_written_as_a_file_name_loses_its_suffix(tmp_path: Path) -> None:
    lines = ("image_id,label", "ISIC_0033481.jpg,nv", "ISIC_0033421.JPG,nv", "v1.2,nv")
    rows = read_source(write_csv(tmp_path / "list.csv", lines)).rows
    assert [row.image_id for row in rows] == ["ISIC_0033481", "ISIC_0033421", "v1.2"]
    assert len({row.lesion_id for row in merge_known_pairs(rows)}) == 2


def test_tables_are_found_by_a_suffix_in_capitals(tmp_path: Path, challenge: Path) -> None:
    write_csv(tmp_path / "photos" / "METADATA.CSV", ("path,label", "one.jpg,nv"))
    assert [row.label for row in read_source(tmp_path / "photos").rows] == ["nv"]
    truth = next(challenge.glob("*/*.csv"))
    truth.rename(truth.with_suffix(".CSV"))
    groupings = challenge / "ISIC2018_Task3_Training_LesionGroupings.CSV"
    write_csv(groupings, ("image,lesion_id", "ISIC_0000001,HAM_7", "ISIC_0000002,HAM_7"))
    for given in (challenge, challenge / "ISIC2018_Task3_Training_Input"):
        assert {row.lesion_id for row in read_source(given).rows} == {"HAM_7"}


@pytest.mark.parametrize("word", ["NA", "unknown", "-", "nan", ""])
def test_an_unknown_lesion_is_a_lesion_of_its_own(tmp_path: Path, word: str) -> None:
    lines = ("path,label,lesion", f"one.jpg,nv,{word}", f"two.jpg,mel,{word}", "three.jpg,nv,L1")
    rows = read_source(write_csv(tmp_path / "list.csv", lines)).rows
    assert [row.lesion_id for row in rows] == ["one", "two", "L1"]


@pytest.mark.parametrize("column", ["filename", "image", "image_id", "IMAGE_ID"])
@pytest.mark.parametrize("label", ["label", "dx", "diagnosis"])
def test_plain_csv_takes_the_usual_column_names(tmp_path: Path, column: str, label: str) -> None:
    save(tmp_path / "images" / "one.jpg", 1)
    write_csv(tmp_path / "metadata.csv", (f"{column},{label}", "one,nv"))
    row = read_source(tmp_path).rows[0]
    assert (row.image_id, row.label, row.lesion_id) == ("one", "nv", "one")
    assert Path(row.path).is_file()


def test_files_of_one_name_in_two_folders_of_a_plain_csv_are_two_images(tmp_path: Path) -> None:
    for number, place in enumerate(("p1", "p2")):
        save(tmp_path / place / "img.jpg", number)
    lines = ("path,label", "p1/img.jpg,mel", f"{tmp_path}/p2/img.jpg,nv", "p1/other.jpg,nv")
    rows = read_source(write_csv(tmp_path / "list.csv", lines)).rows
    assert [(row.image_id, row.lesion_id) for row in rows] == [(name, name) for name in ("p1/img", "p2/img", "other")]


def test_an_archive_name_twice_in_a_plain_csv_is_one_image_twice(tmp_path: Path) -> None:
    lines = ("path,label", "p1/ISIC_0000001.jpg,mel", "p2/ISIC_0000001.jpg,mel")
    rows = read_source(write_csv(tmp_path / "list.csv", lines)).rows
    assert [row.image_id for row in rows] == ["ISIC_0000001", "ISIC_0000001"]


def test_lines_without_an_image_are_read_and_left_to_the_check(tmp_path: Path) -> None:
    rows = read_source(write_csv(tmp_path / "list.csv", ("path,label", ",mel", ",nv"))).rows
    assert [row.label for row in rows] == ["mel", "nv"]


def test_a_link_upwards_neither_goes_round_in_circles_nor_mixes_the_classes(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "photos")
    (root / "MEL" / "up").symlink_to(root)
    (root / "nv" / "self").symlink_to(root / "nv")
    assert [(row.image_id, row.label) for row in read_source(root).rows] == [("a", "mel"), ("b", "nv")]


def test_folders_linked_into_place_are_read(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "c.jpg", 3)
    save(tmp_path / "apart" / "d.jpg", 4)
    root = class_folders(tmp_path / "photos")
    (root / "nv" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "df").symlink_to(tmp_path / "apart")
    assert {row.image_id: row.label for row in read_source(root).rows} == {"a": "mel", "d": "df", "b": "nv", "c": "nv"}


def test_a_part_that_is_a_link_to_another_is_refused_with_both_names(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test")
    (tmp_path / "val").symlink_to("test")
    with pytest.raises(DataError, match=r"2 folder\(s\) would be read .*: val/MEL is test/MEL, val/nv is test/nv\."):
        read_source(tmp_path)


def test_a_folder_in_two_classes_is_refused_unless_it_has_no_image(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "photos")
    shared = tmp_path / "shared"
    shared.mkdir()
    for label in ("MEL", "nv"):
        (root / label / "more").symlink_to(shared)
    assert len(read_source(root).rows) == 2
    save(shared / "c.jpg", 3)
    with pytest.raises(DataError, match="nv/more is MEL/more. Remove the links"):
        read_source(root)


@pytest.mark.parametrize("link", ["nv", "train/nv", "train/mel/more"])
def test_a_link_to_a_folder_that_is_gone_is_named(tmp_path: Path, link: str) -> None:
    save(tmp_path / ("train/mel/a.jpg" if "train" in link else "mel/a.jpg"), 1)
    (tmp_path / link).symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=rf"1 link\(s\) lead nowhere, .*: {tmp_path / link}\. Bring back"):
        read_source(tmp_path)


def test_a_note_or_an_image_that_is_a_link_to_nothing_does_not_stop_the_listing(tmp_path: Path) -> None:
    root = class_folders(tmp_path)
    (root / "README.md").symlink_to("gone.md")
    (root / "nv" / "c.png").symlink_to("gone.png")
    assert [(found.kind, found.row.image_id) for found in find_problems(read_source(root))] == [("missing image", "c")]


def test_a_class_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, scan = class_folders(tmp_path), os.scandir
    (root / "lost+found").mkdir()

    def refuse(place: str | Path) -> Any:  # as the system does, but for root
        if Path(place).name in ("nv", "lost+found"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=rf"^Cannot read {root / 'nv'}: Permission denied\. Make it readable"):
        read_source(root)


def test_nothing_at_the_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Nothing at .*absent"):
        read_source(tmp_path / "absent")


def test_one_image_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is one image; give the folder"):
        read_source(save(tmp_path / "mole.jpg", 1))


def test_a_foreign_folder_says_what_was_found_and_what_would_fit(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    save(tmp_path / "beach.jpg", 1)
    with pytest.raises(DataError) as caught:
        read_source(tmp_path)
    message = str(caught.value)
    assert "1 folder(s) (holiday), 0 CSV file(s) and 1 image(s)" in message
    assert all(name in message for name in SOURCES)
    assert "\n" not in message


@pytest.mark.parametrize("layout", list(SOURCES))
def test_a_layout_that_is_not_there_is_refused(tmp_path: Path, layout: str) -> None:
    with pytest.raises(DataError, match="needed is"):
        read_source(tmp_path, layout=layout)


def test_an_unknown_layout_names_the_known_ones(kaggle: Path) -> None:
    with pytest.raises(DataError, match="auto, ham10000, isic2018, folders, table"):
        read_source(kaggle, layout="imagenet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"path,label\n", "names no image"),
        (b"path,colour\na.jpg,red\n", "has the columns path, colour; needed is"),
        ("path,label\nMüller.jpg,nv\n".encode("latin-1"), "is not UTF-8 text"),
        (b"path,label\na.jpg,nv,1,2\n", ":2 has 4 cells; its header names 2 columns"),
        (b'path,label\n"a.jpg,nv\n', "is not a CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes(content)
    with pytest.raises(DataError, match="(?s)" + message.replace("(", r"\(")) as caught:
        read_source(table)
    assert "\n" not in str(caught.value)


def test_a_metadata_file_without_a_column_names_it(kaggle: Path) -> None:
    write_csv(kaggle / "HAM10000_metadata.csv", ("image_id,dx", "ISIC_0000001,nv"))
    with pytest.raises(DataError, match="has no column lesion_id, age, sex, localization"):
        read_source(kaggle)


def test_two_tables_in_one_folder_ask_for_the_one_that_is_meant(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / name, ("path,label", "x.jpg,nv"))
    with pytest.raises(DataError, match="2 tables: a.csv, b.csv"):
        read_source(tmp_path)


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs ../shared/data beside the repository")
def test_the_real_data_sets_are_read_in_full() -> None:
    counts = {name: len(read_source(REAL_DATA / name).rows) for name in ("HAM10000", "ISIC-archive")}
    assert counts == {"HAM10000": 10_015, "ISIC-archive": 2_894}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_separator_inside_a_quoted_name_of_a_column_shifts_no_other(tmp_path: Path, separator: str) -> None:
    names = separator.join(("image", "dx", '"size, mm; or ""so"""', "lesion_id", "visit"))
    file = tmp_path / "table.csv"
    file.write_text(f"{names}\n{separator.join(('a', 'nv', '5', 'L1', 'V0'))}\n", encoding="utf-8")
    columns = ("image", "dx", 'size, mm; or "so"', "lesion_id", "visit")
    assert header_of(file) == read_table(file).columns == columns
    assert read_table(file).records[0]["lesion_id"] == "L1"


def test_age_and_place_have_the_names_of_the_isic_archive_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 1)
    (tmp_path / "metadata.csv").write_text("filename,dx,age_approx,anatom_site_general\na.png,nv,45,torso\n")
    (row,) = read_source(tmp_path / "metadata.csv").rows
    assert (row.age_years, row.site) == (45.0, "torso")
