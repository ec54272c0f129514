"""The benchmark of one image, in small."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from benchmarks.installed import closure, installed
from benchmarks.peers import PEERS
from benchmarks.pictures import SMALL, jpeg
from benchmarks.single_image import measure, sizes


def test_times_memory_and_size_stand_beside_those_of_the_peer():
    found = measure(["eager_b0"], repeats=1, starts=1)
    assert found["peers"]["eager_b0"]["times_600x450"] == pytest.approx(
        found["eager_b0_600x450_ms"] / found["bytes_to_answer_600x450_ms"], abs=0.06
    )
    assert found["peak_memory_eager_b0_mb"] > found["peak_memory_predict_mb"] > 20
    assert found["cold_start_predict_s"] > 0
    assert found["installed"]["eager_b0"]["megabytes"] > found["installed"]["dermalens"]["megabytes"]


def test_every_peer_gives_seven_probabilities():
    data = jpeg(*SMALL)
    for peer in PEERS.values():
        answer = peer.open().answer(data)
        assert answer.shape == (1, 7)
        assert float(answer.sum()) == pytest.approx(1, abs=1e-3)


def test_our_size_has_the_graphs_and_no_pytorch():
    assert 22 < sizes([])["dermalens"]["megabytes"] < 500


def test_requirements_are_followed_with_the_extras_that_are_asked_for(tmp_path):
    package(tmp_path, "a", "a-file", ["b[more]", 'never; sys_platform == "nowhere"', 'd; extra == "unasked"'])
    package(tmp_path, "b", "b-file", ['c; extra == "more"'])
    package(tmp_path, "c", "c" * 2_000_000, [])
    found = {one.name: one for one in importlib.metadata.distributions(path=[str(tmp_path)])}
    assert closure(["a"], found) == {"a", "b", "c"}
    assert installed(["a"], tmp_path)["megabytes"] == 2.0
    assert installed(["b"], tmp_path) == {"packages": 1, "megabytes": 0.0, "megabytes_without_cuda_packages": 0.0}


def test_a_requirement_that_is_missing_is_named(tmp_path):
    package(tmp_path, "a", "", ["gone"])
    with pytest.raises(SystemExit, match="gone is needed"):
        installed(["a"], tmp_path)


def package(folder: Path, name: str, content: str, requirements: list[str]) -> None:
    about = folder / f"{name}-1.dist-info"
    about.mkdir()
    (folder / f"{name}.txt").write_text(content)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1", *(f"Requires-Dist: {one}" for one in requirements)]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    (about / "RECORD").write_text(f"{name}.txt,,\n")
