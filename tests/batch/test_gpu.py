"""A GPU, with a session of the CPU in its place: what it is asked for, and what goes together."""

from __future__ import annotations

import time

import numpy as np
import onnxruntime
import pytest

from dermalens.batch.errors import BatchError
from dermalens.batch.gpu import CUDA, TOGETHER, answers_together, cut, on_gpu
from dermalens.batch.keys import chunked
from dermalens.batch.ray_engine import _tasks
from dermalens.batch.scorer import Options, Scorer
from dermalens.batch.storage import read_image
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.sources import find_images
from tests.batch.drawn import COUNT, ready


class Cuda(onnxruntime.InferenceSession):  # type: ignore[misc]  # it has no types
    """A session of the CPU under the name of one of CUDA; notes what it is given."""

    given: tuple[object, object]

    def __init__(self, graph, options, providers):
        super().__init__(graph, options, providers=["CPUExecutionProvider"])
        type(self).given = (providers, options)

    def get_providers(self):
        return [CUDA]


@pytest.fixture
def cuda(monkeypatch):
    """The machine has a GPU by its own account."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Cuda)
    return monkeypatch


@pytest.fixture
def column(images):
    """Each image four times: three runs on a GPU."""
    return {"path": np.array(find_images([str(images)]) * 4, dtype=object)}


def test_a_gpu_computes_in_full_float32_with_algorithms_that_no_timing_chooses(cuda, classifier):
    on_gpu(classifier)
    providers, options = Cuda.given
    assert providers == [(CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})]
    assert options.use_deterministic_compute


def test_every_run_on_a_gpu_has_as_many_squares_and_gives_the_answers_of_a_cpu(cuda, bundle, column):
    expected, counts, run = Scorer(bundle)(column), [], Classifier.run

    def counted(self, squares):
        counts.append(len(squares))
        return run(self, squares)

    cuda.setattr(Classifier, "run", counted)
    rows = Scorer(bundle, Options(gpu=True))(column)
    assert counts == [TOGETHER] * 3
    for name, values in expected.items():
        np.testing.assert_array_equal(rows[name], values)


def test_images_are_read_while_a_gpu_runs_but_no_more_than_it_takes_next(cuda, bundle, column):
    read, counts, run = [], [], Classifier.run

    def noted(key, base):
        read.append(key)
        return read_image(key, base)

    def patient(self, squares):
        awaited, end = min(4 * COUNT, TOGETHER * (len(counts) + 2)), time.monotonic() + 30
        while len(read) < awaited and time.monotonic() < end:
            time.sleep(0.01)
        counts.append(len(read))
        return run(self, squares)

    cuda.setattr("dermalens.batch.scorer.read_image", noted)
    cuda.setattr(Classifier, "run", patient)
    Scorer(bundle, Options(gpu=True))(column)
    assert counts == [2 * TOGETHER, 4 * COUNT, 4 * COUNT]


def test_what_goes_together_on_a_gpu_is_the_same_in_a_run_that_goes_on_with_more_of_them():
    lists = [[f"{shard}/{number}.jpg" for number in range(1000)] for shard in "abc"]

    def together(lists, gpus):
        tasks = _tasks(iter(lists), size=TOGETHER, workers=gpus)
        return [group for task in tasks for group in chunked(task, TOGETHER)]

    whole = together(lists, 1)
    assert len(whole) == 3 * 16
    assert together(lists[1:], 3) == whole[16:]


def test_images_that_go_together_get_the_answers_that_they_get_alone(images, classifier):
    asked, spec = Asked(classifier.operating_point()), classifier.manifest.preprocess
    paths = sorted(images.glob("[0-9bp]*.png"))
    cuts = [cut(str(path), classifier.read(path.read_bytes(), asked), spec) for path in paths]
    together = list(answers_together(classifier, cuts, asked))
    assert [one.as_dict() for one in together] == [classifier.predict(path).as_dict() for path in paths]


def test_a_gpu_that_is_not_there_is_one_line(bundle, images, tmp_path):
    with pytest.raises(BatchError, match="ONNX Runtime has no GPU here"):
        ready(bundle, images, tmp_path / "out", gpu=True)
