from pathlib import Path

import pytest

from dermalens.core.files import is_image, write_whole


@pytest.mark.parametrize("name", ["a.jpg", "B.JPEG", "c.tiff", "d.WebP"])
def test_images_are_known_by_their_suffix_in_any_casing(name: str) -> None:
    assert is_image(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", "._a.jpg", ".jpg", "a.jpg.part"])
def test_other_and_hidden_files_are_no_images(name: str) -> None:
    assert not is_image(name)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old and long")
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
