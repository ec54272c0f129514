"""The peer: the networks of the packaged bundle in PyTorch eager behind a plain Flask app, as such apps are written.

    python -m benchmarks.load_flask PORT

It decodes, resizes, normalises, runs a network for each member of the bundle on each of its views and averages their
logits; it has no gate, no findings on quality, no queue and no limits. Its weights are random: they do not change the
time.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import flask
import timm
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from dermalens.core.bundle import Manifest
from dermalens.core.bundlefile import read_bundle
from dermalens.models.backbones import find_backbone
from dermalens.predict.classifier import DEFAULT_BUNDLE
from dermalens.train.recipe import read_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def create_app() -> flask.Flask:
    """One route, `POST /`, which takes the bytes of an image and answers with probabilities."""
    manifest = read_bundle(DEFAULT_BUNDLE).manifest
    networks = networks_of(manifest)
    side, views = manifest.preprocess.side_pixels, len(manifest.views)
    steps = v2.Compose(
        [
            v2.Resize(side, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(side),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    app = flask.Flask(__name__)

    @app.post("/")
    def answer() -> flask.Response:
        with torch.inference_mode():
            image = steps(Image.open(io.BytesIO(flask.request.get_data())).convert("RGB"))
            turned = torch.stack([torch.rot90(image, turns, (1, 2)) for turns in range(views)])
            logits = torch.stack([network(turned).mean(0) for network in networks]).mean(0)
            probabilities = logits.softmax(0)
        return flask.jsonify(dict(zip(manifest.classes, probabilities.tolist(), strict=True)))

    return app


def networks_of(manifest: Manifest) -> list[nn.Module]:
    """One of timm for each member, its backbone that of its recipe; `provenance.recipes` has these in the same order.

    Raises:
        ValueError: not as many recipes as members, as where two runs had the same one.
    """
    named = zip(manifest.provenance.recipes, manifest.members, strict=True)
    backbones = [read_recipe(RECIPES / f"{name}.toml").model.backbone for name, _ in named]
    made = (timm.create_model(find_backbone(name).timm_name, num_classes=len(manifest.classes)) for name in backbones)
    return [network.eval() for network in made]


if __name__ == "__main__":
    create_app().run("127.0.0.1", int(sys.argv[1]))
