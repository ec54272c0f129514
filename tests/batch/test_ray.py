"""Ray Data gives the same bytes as the local engine; one start of Ray for all."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest

from dermalens.batch.errors import BatchError
from dermalens.batch.ray_engine import MEMORY_MONITOR, Actor, _grouped, score_with_ray
from dermalens.batch.run import finish
from dermalens.batch.worker import key_array
from dermalens.core.errors import MissingExtraError
from tests.batch.drawn import DiesAlways, DiesAtOnce, KillsItsOwner, KillsThreeOwners, ready, score, shards

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Four places: for up to half a minute Ray keeps actors of a run that lost some, and later tests would wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
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


def test_an_image_that_kills_every_process_is_found_as_by_the_local_engine(cluster, bundle, images, tmp_path):
    score(bundle, images, tmp_path / "local", workers=1, scorer=DiesAlways)
    run = ready(bundle, images, tmp_path / "out")
    run = replace(run, work=replace(run.work, scorer=DiesAlways))
    finish(run, partial(score_with_ray, workers=1))
    assert run.tally.errors == 2
    assert shards(tmp_path / "out") == shards(tmp_path / "local")


def test_a_process_that_cannot_load_the_bundle_ends_the_run_with_its_line(cluster, bundle, images, tmp_path):
    run = ready(bundle, images, tmp_path / "out")
    run = replace(run, work=replace(run.work, scorer=DiesAtOnce))
    with pytest.raises(
        BatchError, match=r"Ray gave up: .*was killed \(signal 9\) while it loaded the bundle; .*memory"
    ):
        finish(run, partial(score_with_ray, workers=1))


def test_a_run_survives_more_lost_actors_than_a_task_may_lose(cluster, bundle, images, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    score(bundle, images, tmp_path / "local")
    run = ready(str(folder), images, tmp_path / "out")
    run = replace(run, work=replace(run.work, scorer=KillsThreeOwners))
    finish(run, partial(score_with_ray, workers=1))
    assert len(list(folder.glob("killed-*"))) == 3
    assert shards(tmp_path / "out") == shards(tmp_path / "local")


def test_a_task_at_which_actors_are_lost_again_and_again_ends_the_run_with_one_line(cluster, bundle, images, tmp_path):
    run = ready(bundle, images, tmp_path / "out")
    run = replace(run, work=replace(run.work, scorer=KillsItsOwner))
    with pytest.raises(BatchError, match="Ray gave up: .*--engine local goes on from there") as raised:
        finish(run, partial(score_with_ray, workers=1))
    assert "\n" not in str(raised.value)


def test_where_a_run_starts_ray_the_system_and_not_ray_ends_what_takes_too_much_memory(
    bundle, images, tmp_path, monkeypatch
):
    seen = []

    def refuse(**_):
        seen.append(os.environ[MEMORY_MONITOR])
        raise ConnectionError("no Ray")

    monkeypatch.delenv(MEMORY_MONITOR, raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(BatchError, match="Ray cannot be started or reached: no Ray"):
        finish(ready(bundle, images, tmp_path / "out"), partial(score_with_ray, workers=1))
    assert seen == ["0"]


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


def test_ray_is_handed_some_tasks_at_once_and_none_is_lost(monkeypatch):
    monkeypatch.setattr("dermalens.batch.ray_engine.GROUP", 5)
    groups = list(_grouped(iter([["a", "b"], ["c", "d", "e"], ["f"] * 7, ["g"]])))
    assert groups == [[["a", "b"], ["c", "d", "e"]], [["f"] * 7], [["g"]]]


def test_without_ray_the_line_to_type_is_given(monkeypatch, bundle, images, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs an optional part: pip install 'dermalens\[ray\]'"):
        finish(ready(bundle, images, tmp_path / "out"), partial(score_with_ray, workers=1))


def test_an_actor_says_of_every_task_why_it_cannot_load_the_bundle(bundle, images, tmp_path):
    work = ready(bundle, images, tmp_path / "out").work
    actor = Actor(replace(work, options=replace(work.options, bundle_sha256="0" * 64)), 8)
    for _ in range(2):
        with pytest.raises(BatchError, match="The bundle has changed: SHA-256"):
            actor({"path": key_array(["a.png"])})
