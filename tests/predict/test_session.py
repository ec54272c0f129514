from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dermalens.core.errors import BundleError
from dermalens.predict.session import open_session
from tests.tiny_bundle import COLOURS, SIDE, tiny_graph


def opened(graph, *, classes=7, side=SIDE, threads=1):
    return open_session(graph, name="model.onnx", classes=classes, side_pixels=side, threads=threads)


def flat(*codes):
    return np.stack([np.full((SIDE, SIDE, 3), COLOURS[code], dtype=np.uint8) for code in codes])


def test_a_graph_gives_logits_embedding_and_heat_maps():
    outputs = opened(tiny_graph()).run(flat("mel", "nv", "df"))
    assert outputs.logits.argmax(axis=1).tolist() == [4, 5, 3]
    assert outputs.embedding[1] * 255 == pytest.approx(COLOURS["nv"], abs=1e-3)
    assert outputs.heatmaps.shape == (3, 7, 8, 8)
    assert {part.dtype for part in (outputs.logits, outputs.embedding, outputs.heatmaps)} == {np.dtype(np.float32)}


def test_threads_do_not_change_the_answer():
    squares = flat("vasc", "bcc")
    alone, many = opened(tiny_graph()).run(squares), opened(tiny_graph(), threads=2).run(squares)
    assert many.logits == pytest.approx(alone.logits, abs=1e-4)


def test_bytes_that_are_no_graph_are_refused():
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can load"):
        opened(b"hello")


def test_a_cut_off_graph_is_refused():
    with pytest.raises(BundleError, match="ONNX Runtime can load"):
        opened(tiny_graph()[:-40])


def test_a_graph_for_another_side_is_refused():
    with pytest.raises(BundleError, match=r"\[N, 64, 64, 3\]; the bundle's side needs .*\[N, 96, 96, 3\]"):
        opened(tiny_graph(), side=96)


def test_a_graph_for_other_classes_is_refused():
    with pytest.raises(BundleError, match=r"logits tensor\(float\) \[N, 5\].*7 classes need"):
        opened(tiny_graph(classes=5))


def test_a_graph_with_another_input_name_is_refused():
    with pytest.raises(BundleError, match="has the input image "):
        opened(tiny_graph(pixels="image"))


@pytest.mark.parametrize("name", ["logits", "embedding", "heatmaps"])
def test_a_graph_with_another_output_name_is_refused(name):
    with pytest.raises(BundleError, match="has the outputs "):
        opened(tiny_graph(**{name: "other"}))


def test_pixels_that_do_not_fit_end_in_our_error():
    with pytest.raises(BundleError, match="failed in ONNX Runtime"):
        opened(tiny_graph()).run(np.zeros((1, 8, 8, 3), dtype=np.uint8))


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_onnx_runtime_tells_nobody_of_a_session(tmp_path):
    """Its wheels send what they are used for to their maker, from a thread of their own, and keep an identifier."""
    code = (
        "import os, time; import dermalens.predict.session; time.sleep(0.5); print(len(os.listdir('/proc/self/task')))"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | home, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
    assert not list(tmp_path.iterdir())
