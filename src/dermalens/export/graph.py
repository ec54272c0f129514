"""The graph of a bundle: uint8 pixels in; logits, embedding and Grad-CAM heat maps out.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs each feature map by the mean gradient of a class logit over the map.
For a head on globally averaged features that gradient has a closed form, so it is computed in the forward graph:
a linear head gives the class weights, linear-ReLU-linear the product of both through the active units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dermalens.core.errors import ExportError
from dermalens.models.heads import LesionClassifier
from dermalens.predict.session import INPUT_NAME, RANKS

OPSET = 18
LARGEST_BYTES = 2**31 - 1
"""Of a protobuf message; larger graphs would need external data, which a bundle refuses."""


class ExportGraph(nn.Module):
    """uint8 [N, S, S, 3] to logits [N, K], embedding [N, D] and heat maps [N, K, h, w], all float32."""

    def __init__(self, classifier: LesionClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
        maps = self.classifier.features(images)
        embedding = maps.mean((2, 3))
        logits = self.classifier.head(embedding)
        weights = class_gradients(self.classifier.head, embedding) / (maps.shape[2] * maps.shape[3])
        flat = maps.flatten(2)
        shape = (maps.shape[0], -1, maps.shape[2], maps.shape[3])
        heatmaps = torch.relu(torch.matmul(weights, flat)).reshape(shape)
        return logits, embedding, heatmaps


def class_gradients(head: nn.Sequential, embedding: Tensor) -> Tensor:
    """Gradient of each logit with respect to the embedding: [K, D] for a linear head, [N, K, D] with a hidden layer.

    Raises:
        ExportError: a head whose gradient has no closed form here.
    """
    layers = [layer for layer in head if not isinstance(layer, nn.Dropout)]
    match layers:
        case [nn.Linear() as last]:
            return last.weight
        case [nn.Linear() as first, nn.ReLU(), nn.Linear() as last]:
            active = (first(embedding) > 0).to(embedding.dtype)
            return torch.matmul(last.weight * active[:, None, :], first.weight)
    raise ExportError(f"No closed-form Grad-CAM for the head {[type(layer).__name__ for layer in layers]}.")


def to_onnx(classifier: LesionClassifier, side_pixels: int) -> bytes:
    """The graph as one self-contained ONNX file; the number of images is free.

    Raises:
        ExportError: the exported file would need external data, as it is larger than 2 GB.
    """
    graph = ExportGraph(classifier).eval()
    example = torch.randint(0, 256, (2, side_pixels, side_pixels, 3), dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (example,),
        input_names=[INPUT_NAME],
        output_names=list(RANKS),
        dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("images", min=1, max=4096)}},
        dynamo=True,
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise ExportError("The exporter of PyTorch returned no graph.")
    model = program.model_proto
    if model.ByteSize() > LARGEST_BYTES:
        raise ExportError(f"The graph has {model.ByteSize() / 1e9:.1f} GB; one ONNX file holds at most 2 GB.")
    content: bytes = model.SerializeToString()
    return content
