from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer
from typer.testing import CliRunner

from dermalens.cli.train import train
from dermalens.core.errors import MissingExtraError, RecipeError
from dermalens.train.epochs import read_metrics
from tests.terminal import run_on_terminal

SMOKE = Path(__file__).parents[2] / "recipes" / "smoke.toml"


def call(*arguments: str):
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_trains_and_says_where_everything_is(split_file, tmp_path):
    run = tmp_path / "run"
    changes = [f"--set={key}" for key in (f"data.split='{split_file}'", "data.workers=0", "trainer.epochs=2")]
    result = call(str(SMOKE), "--out", str(run), *changes)
    assert result.exit_code == 0, result.output
    best = max(record.val_balanced_accuracy for record in read_metrics(run / "metrics.csv"))
    assert f"balanced accuracy {best:.3f}" in result.stdout
    for name in ("best.ckpt", "curves.png", "metrics.csv"):
        assert str(run / name) in result.stdout
        assert (run / name).is_file()
    assert f"Next: dermalens export {run}" in result.stderr
    assert "epoch 1 of 0 to 1: training loss" in result.stderr
    assert "Warning" not in result.output
    again = call(str(SMOKE), "--out", str(run), "--resume", *changes)
    assert again.stdout == result.stdout


def test_a_wrong_key_is_refused_before_torch_is_loaded():
    result = call(str(SMOKE), "--set", "trainer.speed=11")
    assert isinstance(result.exception, RecipeError)
    assert "unknown key trainer.speed" in str(result.exception)


def test_without_torch_the_command_says_what_to_install():
    code = (
        "import sys; from pathlib import Path; sys.modules['torch'] = None\n"
        "from dermalens.cli.train import train\n"
        f"train(Path({str(SMOKE)!r}))"
    )
    import os

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.stderr.strip().splitlines()[-1] == (
        f"{MissingExtraError.__module__}.MissingExtraError: {MissingExtraError('Training', 'train')}"
    )


def test_on_a_terminal_a_bar_shows_how_far_it_is(split_file, tmp_path):
    changes = [f"--set={key}" for key in (f"data.split='{split_file}'", "data.workers=0", "trainer.epochs=1")]
    command = [sys.executable, "-m", "dermalens", "train", str(SMOKE), "--out", str(tmp_path / "run"), *changes]
    status, drawn = run_on_terminal(command)
    assert status == 0, drawn
    assert "Epoch 0/0" in drawn
    assert "it/s" in drawn
    lines = drawn.replace("\r", "\n").splitlines()
    assert any(line.startswith("epoch 0 of 0 to 0: training loss") for line in lines)  # not behind a bar
