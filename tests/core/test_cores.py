"""How many cores may be used."""

from __future__ import annotations

import os

import pytest

from dermalens.core.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)]
)
def test_the_quota_of_a_container_counts(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text + "\n", encoding="ascii")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3), ("9900000", 8), ("none", 8)])
def test_control_groups_of_version_1_count_too(tmp_path, quota, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota, encoding="ascii")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000", encoding="ascii")
    assert usable_cores(tmp_path) == cores


def test_without_control_groups_all_cores_of_the_process_count(tmp_path):
    assert usable_cores(tmp_path) == 8
