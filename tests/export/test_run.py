"""A run from drawn pictures to a bundle that answers: export, parity, calibration, evaluation, model card."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundle import HALF_WEIGHTS_CHANGE, QUARTER_WEIGHTS_CHANGE, Manifest
from dermalens.core.bundlefile import read_bundle
from dermalens.core.errors import DataError, ExportError
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row, write_index
from dermalens.data.split import write_split
from dermalens.evaluate.record import record_figures, rows_of
from dermalens.export import parity
from dermalens.export.finished import read_run
from dermalens.export.run import VIEWS, ExportOptions, export_run
from dermalens.predict.classifier import load
from dermalens.predict.session import Session
from dermalens.train.recipe import read_recipe
from dermalens.train.run import train
from tests.drawn_lesions import draw_split

SMOKE = Path(__file__).parents[2] / "recipes" / "smoke.toml"
IN_PART = {"train": 3, "val": 10, "test": 3}  # of each class; parity wants 64 validation images


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_split(tmp_path_factory.mktemp("drawn"), IN_PART)


@pytest.fixture(scope="module")
def run_folder(split: Path) -> Path:
    torch.set_num_threads(1)
    folder = split.parent / "run"
    train(read_recipe(SMOKE, [f"data.split='{split}'", "data.workers=0", "trainer.epochs=1"]), folder)
    return folder


@pytest.fixture(scope="module")
def bundle_folder(run_folder: Path) -> Path:
    export_run(run_folder, run_folder.parent / "bundle", ExportOptions(views=VIEWS[2]))
    return run_folder.parent / "bundle"


def manifest_of(folder: Path) -> Manifest:
    return read_bundle(folder).manifest


def test_bundle_says_what_the_run_was(bundle_folder: Path, run_folder: Path) -> None:
    manifest, notes = manifest_of(bundle_folder), json.loads((run_folder / "run.json").read_text())
    assert manifest.classes == list(CLASSES)
    assert manifest.views == ["identity", "turn_180"]
    assert manifest.provenance.split_sha256 == notes["split_sha256"]
    assert manifest.provenance.data[0].startswith("HAM10000: P. Tschandl")
    assert "CC BY-NC 4.0" in manifest.provenance.data_licence
    assert manifest.calibration.n == 70
    assert {point.name for point in manifest.operating_points} == {"sensitivity_90", "sensitivity_95"}
    assert manifest.metrics == {}


def test_bundle_answers_as_the_checkpoint_does(bundle_folder: Path, run_folder: Path, split: Path) -> None:
    classifier, network = load(bundle_folder), read_run(run_folder).classifier
    squares = parity_squares(split)
    both = np.concatenate([squares, squares[:, ::-1, ::-1]])
    with torch.inference_mode():
        expected = network(torch.from_numpy(both.copy()).permute(0, 3, 1, 2).float() / 255).numpy()
    given = classifier.run(squares).logits
    np.testing.assert_allclose(given, (expected[: len(squares)] + expected[len(squares) :]) / 2, atol=1e-4)


def parity_squares(split: Path) -> np.ndarray:
    from dermalens.evaluate.judge import read_squares

    return read_squares(rows_of(split, "test"), read_recipe(SMOKE).preprocess)


def test_a_graph_that_differs_from_the_network_is_refused(run_folder: Path, split: Path) -> None:
    classifier = read_run(run_folder).classifier
    squares = np.tile(parity_squares(split), (4, 1, 1, 1))
    assert parity.check_parity(classifier, load_sessions(run_folder), squares) <= 1e-4
    with torch.no_grad():
        list(classifier.head.parameters())[-1].add_(torch.arange(7.0))
    with pytest.raises(ExportError, match="No bundle was written"):
        parity.check_parity(classifier, load_sessions(run_folder), squares)


def test_a_graph_that_is_too_far_from_the_checkpoint_leaves_no_bundle(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermalens.export.parity.largest_difference", lambda *_: 0.1)
    with pytest.raises(ExportError, match=r"differs from the checkpoint by 0\.1 .* No bundle was written"):
        export_run(run_folder, tmp_path / "bundle", ExportOptions())
    assert not list(tmp_path.iterdir())


def test_weights_that_change_too_much_when_rounded_leave_no_bundle(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermalens.export.run.LARGEST_ROUNDING", 1e-9)
    with pytest.raises(ExportError, match=r"in 8 bits change a class probability .* No bundle was written"):
        export_run(run_folder, tmp_path / "bundle", ExportOptions(bits=8))
    assert not list(tmp_path.iterdir())


def test_the_side_in_use_may_differ_from_that_of_training(run_folder: Path, tmp_path: Path) -> None:
    export_run(run_folder, tmp_path / "bundle", ExportOptions(side_pixels=96))
    assert manifest_of(tmp_path / "bundle").preprocess.side_pixels == 96
    outputs = load(tmp_path / "bundle").run(np.zeros((1, 96, 96, 3), dtype=np.uint8))
    assert outputs.logits.shape == (1, 7)


def test_a_damaged_checkpoint_is_one_line(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes((run_folder / "run.json").read_bytes())
    (tmp_path / "best.ckpt").write_bytes((run_folder / "best.ckpt").read_bytes()[:1000])
    with pytest.raises(ExportError, match="damaged or from another version"):
        read_run(tmp_path)


def test_a_difference_that_is_no_number_is_the_largest() -> None:
    assert np.isnan(parity.largest([0.0, float("nan"), 1.0]))
    assert parity.largest([0.5, 0.75, 0.25]) == 0.75


def test_too_few_validation_images_for_parity_are_refused(run_folder: Path, split: Path) -> None:
    classifier = read_run(run_folder).classifier
    with pytest.raises(ExportError, match="at least 64"):
        parity.check_parity(classifier, load_sessions(run_folder), parity_squares(split))


def load_sessions(run_folder: Path) -> Session:
    return load(run_folder.parent / "bundle").sessions[0]


def test_a_folder_without_a_run_says_how_to_train(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="dermalens train RECIPE"):
        read_run(tmp_path)


def test_another_split_than_the_run_was_trained_on_is_refused(run_folder: Path, split: Path, tmp_path: Path) -> None:
    rows = [row for row in rows_of(split, "all") if row.part != "test"]
    write_split(rows, tmp_path / "other.csv", seed=0)
    with pytest.raises(DataError, match="is not the split of this run"):
        export_run(run_folder, tmp_path / "bundle", ExportOptions(split=tmp_path / "other.csv"))


def test_evaluate_prints_every_figure_and_records_it(bundle_folder: Path, split: Path, tmp_path: Path) -> None:
    before = read_bundle(bundle_folder).graphs
    words = ["evaluate", str(bundle_folder), str(split), "--record", "--json", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    recorded = manifest_of(bundle_folder).metrics
    assert set(figures) == set(recorded) >= {"balanced_accuracy", "melanoma_auc", "sensitivity_df"}
    assert recorded["accuracy"].n == 21
    assert dict(read_bundle(bundle_folder).graphs) == dict(before)


def test_figures_of_another_split_are_not_recorded(bundle_folder: Path, split: Path, tmp_path: Path) -> None:
    rows = [row for row in rows_of(split, "all") if row.part != "val"]
    write_split(rows, tmp_path / "other.csv", seed=0)
    with pytest.raises(DataError, match="is not the split that the bundle was trained on"):
        record_figures(bundle_folder, read_bundle(bundle_folder), {}, tmp_path / "other.csv")


def test_evaluate_refuses_an_unknown_part_and_an_index_without_parts(
    bundle_folder: Path, split: Path, tmp_path: Path
) -> None:
    plain = split.parent / "index.csv"
    write_index([Row("a", str(split.parent / "mel_val_0.png"), "mel", "a")], plain)
    runner = CliRunner()
    unknown = runner.invoke(app, ["evaluate", str(bundle_folder), str(split), "--part", "exam"])
    assert (unknown.exit_code, "--part exam is unknown" in unknown.stderr) == (2, True)
    without = runner.invoke(app, ["evaluate", str(bundle_folder), str(plain)])
    assert (without.exit_code, "without a part" in without.stderr) == (2, True)
    whole = runner.invoke(
        app, ["evaluate", str(bundle_folder), str(plain), "--part", "all", "--out", str(tmp_path / "out")]
    )
    assert whole.exit_code == 0
    assert "Balanced accuracy (mean sensitivity of the classes): not defined, n = 1" in whole.stdout


def test_card_is_made_from_the_bundle(bundle_folder: Path) -> None:
    result = CliRunner().invoke(app, ["card", str(bundle_folder)])
    assert result.exit_code == 0
    for point in manifest_of(bundle_folder).operating_points:
        assert f"{point.threshold:.4f}" in result.stdout
    assert read_bundle(bundle_folder).sha256 in result.stdout
    assert "not a medical device" in result.stdout.lower()


def test_export_command_names_the_next_step(run_folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(run_folder), "--out", str(tmp_path / "bundle"), "--views", "4"])
    assert result.exit_code == 0, result.output
    assert "sensitivity_95: threshold" in result.stdout
    assert "dermalens evaluate" in result.stderr
    assert len(manifest_of(tmp_path / "bundle").views) == 4


def test_three_views_are_refused(run_folder: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(run_folder), "--views", "3"])
    assert result.exit_code == 2
    assert "choose 1, 2, 4 or 8" in result.stderr


def test_half_weights_halve_the_bundle_and_the_change_is_written_down(run_folder: Path, bundle_folder: Path) -> None:
    target = run_folder.parent / "half"
    options = ExportOptions(views=VIEWS[2], bits=16)
    bundle, difference = export_run(run_folder, target, options)
    sizes = [sum(len(graph) for graph in read_bundle(folder).graphs.values()) for folder in (bundle_folder, target)]
    assert sizes[1] < 0.7 * sizes[0]  # a part of the tiny graph is not weights
    assert difference < 1e-4  # of the graph before it was rounded
    change = bundle.manifest.provenance.training[HALF_WEIGHTS_CHANGE]
    assert isinstance(change, float)
    assert 0 < change < 0.01
    side = bundle.manifest.preprocess.side_pixels
    square = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    whole, half = (load(folder).run(square) for folder in (bundle_folder, target))
    assert half.logits == pytest.approx(whole.logits, abs=0.05)
    assert not np.array_equal(half.logits, whole.logits)


def test_quarter_weights_are_smaller_still_and_the_change_is_written_down(
    run_folder: Path, bundle_folder: Path
) -> None:
    folders = [run_folder.parent / name for name in ("sixteen_bits", "eight_bits")]
    half, _ = export_run(run_folder, folders[0], ExportOptions(views=VIEWS[2], bits=16))
    quarter, _ = export_run(run_folder, folders[1], ExportOptions(views=VIEWS[2], bits=8))
    sizes = [sum(len(graph) for graph in one.graphs.values()) for one in (half, quarter)]
    assert sizes[1] < sizes[0]
    noted = quarter.manifest.provenance.training
    assert 0 < float(noted[QUARTER_WEIGHTS_CHANGE]) < 0.1
    assert HALF_WEIGHTS_CHANGE not in noted
    side = quarter.manifest.preprocess.side_pixels
    square = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    whole, rounded = (load(folder).run(square).logits for folder in (bundle_folder, folders[1]))
    assert rounded == pytest.approx(whole, abs=0.3)
    assert not np.array_equal(rounded, whole)


def test_one_way_to_store_weights_at_a_time(run_folder: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(run_folder), "--half", "--quarter"])
    assert result.exit_code == 2
    assert "16 or 8 bits, not both" in result.stderr


@pytest.mark.parametrize(("option", "bits"), [("--half", 16), ("--quarter", 8)])
def test_the_command_says_what_smaller_weights_change(run_folder: Path, option: str, bits: int) -> None:
    target = run_folder.parent / f"by_command_{bits}"
    result = CliRunner().invoke(app, ["export", str(run_folder), "--out", str(target), option])
    assert result.exit_code == 0, result.output
    assert re.search(rf"checkpoint \S+ in 32 bits, and \S+ more as stored in {bits} bits", result.stdout)
