from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import robust_choice
from benchmarks.choose_export import AIMS
from dermalens.evaluate.report_json import FORMAT
from dermalens.evaluate.robustness import KEPT


def figures(*, unchanged: float, corrupted: float, ece: float = 0.02) -> dict[str, Any]:
    aims = dict.fromkeys(AIMS, unchanged)
    return {
        "unchanged": {**aims, "expected_calibration_error": ece},
        "corrupted": {"balanced_accuracy": corrupted},
    }


OLD = figures(unchanged=0.9, corrupted=0.5)


@pytest.mark.parametrize(
    ("new", "taken"),
    [
        (figures(unchanged=0.9, corrupted=0.54), "new"),
        (figures(unchanged=0.896, corrupted=0.54), "new"),
        (figures(unchanged=0.89, corrupted=0.7), "old"),
        (figures(unchanged=0.92, corrupted=0.52), "old"),
        (figures(unchanged=0.9, corrupted=0.54, ece=0.04), "old"),
    ],
)
def test_the_rule_asks_for_a_gain_on_bad_pictures_and_no_loss_on_others(new, taken):
    assert robust_choice.choose(new, OLD) == taken


def test_another_calibration_needs_no_gain_but_may_lose_nothing():
    assert robust_choice.choose(figures(unchanged=0.9, corrupted=0.5), OLD, least_gain=0.0) == "new"
    assert robust_choice.choose(figures(unchanged=0.9, corrupted=0.49), OLD, least_gain=0.0) == "old"


def test_the_figures_of_two_reports_are_set_side_by_side(tmp_path, monkeypatch, capsys):
    for name, drop in (("new", 0.1), ("old", 0.3)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(json.dumps(report(drop)), encoding="utf-8")
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["robust_choice", str(tmp_path / "new"), str(tmp_path / "old"), str(out)])
    robust_choice.main()
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["least_gain"] == robust_choice.LEAST_GAIN
    assert written["taken"] == capsys.readouterr().out.strip() == "new"
    assert written["new"]["corrupted"]["balanced_accuracy"] == pytest.approx(0.7167, abs=1e-4)
    assert written["old"]["corrupted_by_family"]["fog"]["balanced_accuracy"] == pytest.approx(0.4)
    assert robust_choice.figures_of(out) == written["new"]
    out.write_text(json.dumps({**written, "taken": "old"}), encoding="utf-8")
    assert robust_choice.figures_of(out) == written["old"]


def report(drop: float) -> dict[str, Any]:
    """The parts of a report that are read: two families, two severities, losing `drop` and twice as much."""

    def of(value: float) -> dict[str, Any]:
        return {name: {"value": value} for name in KEPT}

    overall = {name: {"value": 0.8} for name in (*AIMS, "melanoma_auc")}
    corrupted = {"fog": {"1": of(0.8 - drop), "5": of(0.8 - 5 / 3 * drop)}, "dust": {"1": of(0.8 - drop / 3)}}
    return {
        "format": FORMAT,
        "subject": {"sha256": Path("x").name},
        "evaluation": {"overall": {**overall, "expected_calibration_error": {"value": 0.01}}},
        "robustness": {"clean": of(0.8), "corrupted": corrupted},
    }
