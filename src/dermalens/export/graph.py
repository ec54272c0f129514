"""The graph of a bundle: uint8 pixels in; logits, embedding and Grad-CAM heat maps out.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs each feature map by the mean gradient of a class logit over the map.
For a head on globally averaged or flattened features that gradient has a closed form, so it is computed in the forward
graph: a linear head gives the class weights, linear-ReLU-linear the product of both through the active units; where the
first layer takes every cell of the maps, the mean of its weights over the cells of a map stands for that map.
"""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from dermalens.core.errors import ExportError
from dermalens.models.heads import LesionClassifier
from dermalens.predict.session import INPUT_NAME, RANKS

OPSET = 18
LARGEST_BYTES = 2**31 - 1
"""Of a protobuf message; larger graphs would need external data, which a bundle refuses."""


class ExportGraph(nn.Module):
    """uint8 [N, S, S, 3] to logits [N, K], embedding [N, D] and heat maps [N, K, h, w], all float32.

    The embedding is the mean of each feature map, whatever the head takes. With a single logit z the heat map of the
    second class shows what raises z, that of the first what lowers it.
    """

    def __init__(self, classifier: LesionClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
        maps = self.classifier.features(images)
        pooled = self.classifier.pooled(maps)
        logits = self.classifier.logits(pooled)
        weights = map_weights(self.classifier.head, pooled, maps)
        if self.classifier.single_logit:
            weights = torch.cat([-weights, weights], dim=-2)
        shape = (maps.shape[0], -1, maps.shape[2], maps.shape[3])
        heatmaps = torch.relu(torch.matmul(weights, maps.flatten(2))).reshape(shape)
        return logits, maps.mean((2, 3)), heatmaps


def map_weights(head: nn.Sequential, pooled: Tensor, maps: Tensor) -> Tensor:
    """Mean gradient of each output of the head over each map: [K, C] for a linear head, [N, K, C] with a hidden layer.

    `pooled` is what the head takes, made of `maps` [N, C, h, w] by mean or by flattening.

    Raises:
        ExportError: a head whose gradient has no closed form here.
    """
    layers = [layer for layer in head if not isinstance(layer, nn.Dropout)]
    match layers:
        case [nn.Linear() as last]:
            return _per_map(last.weight, maps)
        case [nn.Linear() as first, nn.ReLU(), nn.Linear() as last]:
            active = (first(pooled) > 0).to(pooled.dtype)
            return torch.matmul(last.weight * active[:, None, :], _per_map(first.weight, maps))
    raise ExportError(f"No closed-form Grad-CAM for the head {[type(layer).__name__ for layer in layers]}.")


def _per_map(weight: Tensor, maps: Tensor) -> Tensor:
    """Mean gradient over each map, [O, C], of a linear layer with the weights [O, C] or [O, C * h * w]."""
    channels, height, width = maps.shape[1:]
    return weight.reshape(-1, channels, weight.shape[1] // channels).sum(2) / (height * width)


def to_onnx(classifier: LesionClassifier, side_pixels: int) -> bytes:
    """The graph as one self-contained ONNX file; the number of images is free.

    Raises:
        ExportError: the exported file would need external data, as it is larger than 2 GB, or a head on flattened
            features was trained at another side.
    """
    if classifier.fixed_side_pixels not in (None, side_pixels):
        raise ExportError(
            f"A head on flattened features has its side fixed: {side_pixels} pixels given, "
            f"{classifier.fixed_side_pixels} needed. Leave the side as the recipe has it."
        )
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
    model = _without_traces(program.model_proto)
    if model.ByteSize() > LARGEST_BYTES:
        raise ExportError(f"The graph has {model.ByteSize() / 1e9:.1f} GB; one ONNX file holds at most 2 GB.")
    content: bytes = model.SerializeToString()
    return content


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's notes, which name the files of the machine that it ran on."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
