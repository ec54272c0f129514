"""Trainable weights from the graph of an exported bundle, for a recipe to start from (`model.weights` = a file).

    python -m benchmarks.recover_weights BUNDLE/GRAPH.onnx RECIPE OUT.safetensors
    python -m benchmarks.recover_weights BUNDLE/GRAPH.onnx RECIPE FOLDER RUN.json

The second form writes the folder of a run, as `dermalens export` reads it, with the notes of the run that made the
graph. Of weights that a bundle stores in 16 or 8 bits, that is what comes back.

The exporter folds each batch norm into its convolution. Here the kernels get the size back that the weight package
gives them (with a norm behind it, only the direction of a kernel matters, but the optimiser's step is relative to its
size), and the norms the mean and variance that 512 training images have before them, such that the network computes
what the graph computes; that is checked. For EfficientNets of the recipe's backbone with a linear head.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng
from safetensors.torch import save_file
from torch import Tensor, nn

from dermalens.core.bundlefile import read_bundle
from dermalens.data.split import read_split
from dermalens.export.stored import stored_constants
from dermalens.models.heads import LesionClassifier
from dermalens.predict.classifier import open_sessions
from dermalens.train.checkpoint import BEST
from dermalens.train.notes import NOTES
from dermalens.train.recipe import read_recipe
from dermalens.transforms.rows import read_square

IMAGES, BATCH = 512, 32
LARGEST_DIFFERENCE = 1e-4
"""Of a logit between the graph and the network."""
NORMS = {
    "DepthwiseSeparableConv": {"conv_dw": "bn1", "conv_pw": "bn2"},
    "InvertedResidual": {"conv_pw": "bn1", "conv_dw": "bn2", "conv_pwl": "bn3"},
}
TOP = {"conv_stem": "bn1", "conv_head": "bn2"}


def main() -> None:
    """Write the file and say how close the network is to the graph."""
    file, recipe = Path(sys.argv[1]), read_recipe(Path(sys.argv[2]))
    bundle = read_bundle(file.parent)
    number = [member.file for member in bundle.manifest.members].index(file.name)
    given = initialisers(bundle.graphs[file.name])
    spec = bundle.manifest.preprocess
    rows = read_split(Path(recipe.data.split)).part("train")
    chosen = default_rng(0).choice(len(rows), IMAGES, replace=False)
    squares = np.stack([read_square(rows[number], spec) for number in chosen])
    network = LesionClassifier(recipe.model.backbone, classes=len(recipe.classes), weights="package").eval()
    with torch.no_grad():
        unfold(network, given, torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255)
        logits = network(torch.from_numpy(squares[:8]).permute(0, 3, 1, 2).float() / 255).numpy()
    difference = float(np.abs(logits - open_sessions(bundle)[number].run(squares[:8]).logits).max())
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"The network differs from the graph by {difference:.1e}: is {sys.argv[2]} its recipe?")
    state = {name: value.contiguous() for name, value in network.state_dict().items() if "num_batches" not in name}
    if len(sys.argv) > 4:
        write_run(state, Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        save_file(state, sys.argv[3])
    print(f"Written to {sys.argv[3]}; largest difference of a logit {difference:.1e}")


def write_run(state: dict[str, Tensor], folder: Path, notes: Path) -> None:
    """The folder of a run: its best checkpoint with these weights, and its notes."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {f"network.{name}": value for name, value in state.items()}}, folder / BEST)
    shutil.copy(notes, folder / NOTES)


def initialisers(graph: bytes) -> dict[str, Tensor]:
    """The constants of a graph by name, in 32 bits."""
    return {name: torch.from_numpy(value) for name, value in stored_constants(graph).items()}


def unfold(network: LesionClassifier, given: dict[str, Tensor], images: Tensor) -> None:
    """Fill `network` from the initialisers `given`; norms from what `images` (float [N, 3, S, S]) make of them."""
    modules = dict(network.backbone.named_modules())
    pairs: list[tuple[nn.Module, nn.BatchNorm2d, Tensor, Tensor]] = []
    moments: dict[nn.Module, list[Tensor]] = {}
    for name, conv in modules.items():
        if not isinstance(conv, nn.Conv2d):
            continue
        key = f"classifier.backbone.{name}.weight"
        kernel, bias = given[key], given[f"{key}_bias"]
        norm = modules[_norm_of(name, modules)]
        assert isinstance(norm, nn.BatchNorm2d)
        size = (kernel.flatten(1).norm(dim=1) / conv.weight.flatten(1).norm(dim=1).clamp_min(1e-3)).clamp_min(1e-6)
        conv.weight.copy_(kernel / size.view(-1, 1, 1, 1))
        _set_norm(norm, torch.zeros_like(size), torch.ones_like(size) - norm.eps, size, bias)
        pairs.append((conv, norm, size, bias))
        moments[conv] = [torch.zeros(conv.out_channels, dtype=torch.float64) for _ in range(2)]
    network.head.load_state_dict({k.removeprefix("classifier.head."): v for k, v in given.items() if ".head." in k})

    def gather(conv: nn.Module, _: tuple[Tensor, ...], result: Tensor) -> None:
        first, second = moments[conv]
        first += result.double().mean((2, 3)).sum(0) / len(images)
        second += result.double().square().mean((2, 3)).sum(0) / len(images)

    hooks = [conv.register_forward_hook(gather) for conv, *_ in pairs]
    for batch in torch.split(images, BATCH):
        network(batch)
    for hook in hooks:
        hook.remove()
    for conv, norm, size, bias in pairs:
        mean, second = moments[conv]
        variance = (second - mean.square()).clamp_min(0).float()
        _set_norm(norm, mean.float(), variance, size * (variance + norm.eps).sqrt(), bias + size * mean.float())


def _norm_of(name: str, modules: dict[str, nn.Module]) -> str:
    parent, _, leaf = name.rpartition(".")
    if not parent:
        return TOP[leaf]
    return f"{parent}.{NORMS[type(modules[parent]).__name__][leaf]}"


def _set_norm(norm: nn.Module, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor) -> None:
    for name, value in {"running_mean": mean, "running_var": variance, "weight": weight, "bias": bias}.items():
        getattr(norm, name).copy_(value)


if __name__ == "__main__":
    main()
