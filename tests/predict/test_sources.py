"""The images below a folder: each once, whatever links there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dermalens.predict.sources import find_images

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes need rights there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`in` with a folder, a hidden one and a file that is not read; `other` and `far/deep` beside it."""
    for place in ("in/real", "in/.hidden", "other", "far/deep"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.jpg").touch()
    (tmp_path / "other" / "y.heic").touch()
    return tmp_path / "in"


def found(folder: Path, passed_over: list[str] | None = None) -> list[str]:
    return [os.path.relpath(path, folder) for path in find_images([str(folder)], passed_over=passed_over)]


def test_a_folder_that_is_linked_below_is_searched_too(folder: Path) -> None:
    (folder / "away").symlink_to(folder.parent / "other")
    (folder / "real" / "farther").symlink_to(folder.parent / "far")
    passed_over: list[str] = []
    assert found(folder, passed_over) == ["away/x.jpg", "real/farther/deep/x.jpg", "real/x.jpg"]
    assert passed_over == [str(folder / "away" / "y.heic")]


def test_no_image_counts_twice_and_none_from_above_whatever_links_there_are(folder: Path) -> None:
    (folder / "a").symlink_to("real")
    (folder / "loop").symlink_to(".")
    (folder / "up").symlink_to("..")
    (folder / "b").symlink_to(folder.parent / "far" / "deep")
    (folder / "c").symlink_to(folder.parent / "far")
    (folder.parent / "far" / "back").symlink_to(folder)
    assert found(folder) == ["b/x.jpg", "real/x.jpg"]


def test_a_hidden_folder_is_searched_where_a_link_shows_it(folder: Path) -> None:
    assert found(folder) == ["real/x.jpg"]
    (folder / "shown").symlink_to(".hidden")
    assert found(folder) == ["real/x.jpg", "shown/x.jpg"]


def test_a_link_to_a_folder_may_be_named_itself(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    assert found(folder.parent / "link") == ["real/x.jpg"]


def test_a_pipe_among_the_images_of_a_folder_is_left_out(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "to_pipe.jpg").symlink_to("pipe.jpg")
    (folder / "to_file.jpg").symlink_to("real/x.jpg")
    (folder / "to_nothing.jpg").symlink_to("nothing")
    (folder / "to_itself.jpg").symlink_to("to_itself.jpg")
    assert found(folder) == ["real/x.jpg", "to_file.jpg", "to_itself.jpg", "to_nothing.jpg"]
    assert find_images([str(folder / "pipe.jpg")]) == [str(folder / "pipe.jpg")]
