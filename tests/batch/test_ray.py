"""Ray Data gives the same bytes as the local engine; one start of Ray for all."""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest

from dermalens.batch.errors import BatchError
from dermalens.batch.ray_engine import score_with_ray
from dermalens.batch.run import finish
from dermalens.core.errors import MissingExtraError
from tests.batch.drawn import DiesAlways, ready, score, shards

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Two cores of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def test_ray_gives_the_bytes_of_the_local_engine_also_when_it_goes_on(cluster, bundle, images, tmp_path):
    score(bundle, images, tmp_path / "local")
    run = ready(bundle, images, tmp_path / "ray")
    finish(run, partial(score_with_ray, workers=2))
    assert shards(tmp_path / "ray") == shards(tmp_path / "local")
    assert (run.tally.images, run.tally.errors) == (37, 1)
    (tmp_path / "ray" / "part-00002.parquet").unlink()
    finish(ready(bundle, images, tmp_path / "ray"), partial(score_with_ray, workers=1))
    assert shards(tmp_path / "ray") == shards(tmp_path / "local")
    assert ray.is_initialized()


def test_ray_data_says_nothing_across_the_bar(cluster, bundle, images, tmp_path, capfd, monkeypatch):
    def imported():
        logging.getLogger("ray.data").setLevel(logging.INFO)
        monkeypatch.undo()
        return True

    monkeypatch.setattr(ray, "is_initialized", imported)  # between the start of the engine and its first rows
    finish(ready(bundle, images / "deep", tmp_path / "out"), partial(score_with_ray, workers=1))
    assert capfd.readouterr().err == ""


def test_an_image_that_kills_every_actor_ends_the_run_with_one_line(cluster, bundle, images, tmp_path):
    run = ready(bundle, images, tmp_path / "out")
    run = replace(run, work=replace(run.work, scorer=DiesAlways))
    with pytest.raises(BatchError, match="Ray gave up: .*--engine local goes on from there") as raised:
        finish(run, partial(score_with_ray, workers=1))
    assert "\n" not in str(raised.value)


def test_what_to_do_after_ray_gave_up_on_a_gpu_is_what_such_a_run_can_do(bundle, images, tmp_path, monkeypatch):
    def lost(*_, **__):
        raise ray.exceptions.RayError("The actor died.")

    monkeypatch.setattr("dermalens.batch.ray_engine._scored", lost)
    monkeypatch.setattr("dermalens.batch.ray_engine._running", lambda _: nullcontext())
    run = ready(bundle, images, tmp_path / "out")
    with pytest.raises(
        BatchError, match="the same command goes on from there. .*without --gpus into another"
    ) as raised:
        finish(run, partial(score_with_ray, workers=1, gpus=1))
    assert "--engine local goes on" not in str(raised.value)


def test_a_bundle_that_has_changed_ends_the_run_with_its_line(cluster, bundle, images, tmp_path):
    run = ready(bundle, images, tmp_path / "out")
    run = replace(run, work=replace(run.work, options=replace(run.work.options, bundle_sha256="0" * 64)))
    with pytest.raises(BatchError, match="Ray gave up: .*The bundle has changed: SHA-256"):
        finish(run, partial(score_with_ray, workers=1))


def test_without_ray_the_line_to_type_is_given(monkeypatch, bundle, images, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs an optional part: pip install 'dermalens\[ray\]'"):
        finish(ready(bundle, images, tmp_path / "out"), partial(score_with_ray, workers=1))
