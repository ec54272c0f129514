"""The peer: the network of the packaged bundle in PyTorch eager behind a plain Flask app, as such apps are written.

    python -m benchmarks.load_flask PORT

It decodes, resizes, normalises and runs the two views of the bundle; it has no gate, no findings on quality, no queue
and no limits. Its weights are random: they do not change the time.
"""

from __future__ import annotations

import io
import sys

import flask
import timm
import torch
from PIL import Image
from torchvision.transforms import v2

from dermalens.core.bundlefile import read_bundle
from dermalens.predict.classifier import DEFAULT_BUNDLE


def create_app() -> flask.Flask:
    """One route, `POST /`, which takes the bytes of an image and answers with probabilities."""
    manifest = read_bundle(DEFAULT_BUNDLE).manifest
    network = timm.create_model("tf_efficientnet_lite2", num_classes=len(manifest.classes)).eval()
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
            probabilities = network(turned).mean(0).softmax(0)
        return flask.jsonify(dict(zip(manifest.classes, probabilities.tolist(), strict=True)))

    return app


if __name__ == "__main__":
    create_app().run("127.0.0.1", int(sys.argv[1]))
