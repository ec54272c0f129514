"""The heat maps of a bundle on real images: are they Grad-CAM, do they go with the weights, do they show what counts?

    python -m benchmarks.gradcam --split work/split.csv --outlines FOLDER [--recipe RECIPE] [--bundle BUNDLE]
    python -m benchmarks.gradcam --split work/split.csv --runs RUN ...

Images of the validation part, as many of each class as there are up to 8, drawn with a fixed seed. The packaged
bundle's weights are taken back into a network (benchmarks/recover_weights.py), whose heat maps the package grad-cam
works out by backward passes. Runs with other heads are held against their own checkpoints. Writes
results/gradcam.json; what is not measured anew stays in it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import ceil, prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor

from benchmarks.recover_weights import BATCH, initialisers, unfold
from benchmarks.timing import machine
from dermalens.cli.progress import counting
from dermalens.core.bundle import Measured
from dermalens.core.bundlefile import Bundle, read_bundle
from dermalens.data.index import Row
from dermalens.data.outlines import SUFFIX, read_outline
from dermalens.data.split import read_split
from dermalens.evaluate.faithfulness import FaithfulnessSettings, faithfulness, inside
from dermalens.evaluate.perturbation import blurred, mean_colour
from dermalens.export.finished import read_run
from dermalens.models.heads import LesionClassifier
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.explain import explain
from dermalens.predict.session import Squares, open_session
from dermalens.train.recipe import read_recipe
from dermalens.transforms.rows import read_square

RESULTS: Final = Path(__file__).resolve().parent / "results"
ROOT: Final = RESULTS.parents[1]
EACH: Final = 8
SHARES: Final = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Of the weight tensors, from the output on, that are shuffled."""
BASELINES: Final = {"blurred": blurred, "mean_colour": mean_colour}

Maps = NDArray[np.float32]  # [N, h, w]
Target = Callable[[Tensor], Tensor]
"""What is explained: the logits [K] of one image to a number."""


def main() -> None:
    """Measure what the command line names and write the figures."""
    asked = arguments().parse_args()
    classifier = load(asked.bundle)
    rows = chosen(read_split(asked.split).part("val"), classifier.manifest.classes)
    result: dict[str, Any] = {}
    if asked.outlines:
        result |= measure(classifier, rows, asked.outlines, asked.recipe)
    if asked.runs:
        result["other_heads"] = {folder.name: against_run(folder, rows) for folder in asked.runs}
    target = RESULTS / "gradcam.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    RESULTS.mkdir(exist_ok=True)
    target.write_text(json.dumps(before | result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def arguments() -> argparse.ArgumentParser:
    """What may be typed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gradcam", description=__doc__)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--outlines", type=Path, help="folder of IMAGE_ID_segmentation.png; judges the bundle")
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "default.toml", help="of the bundle")
    parser.add_argument("--bundle", type=Path, help="with one network; the packaged one if not given")
    parser.add_argument("--runs", type=Path, nargs="+", help="exported runs of one network with the bundle's classes")
    return parser


def chosen(rows: Sequence[Row], classes: Sequence[str]) -> list[Row]:
    """Up to `EACH` images of each class, one of a lesion."""
    random = np.random.default_rng(0)
    found: list[Row] = []
    for code in classes:
        of_class = list({row.lesion_id: row for row in rows if row.label == code}.values())
        found += [of_class[place] for place in np.sort(random.permutation(len(of_class))[:EACH])]
    return found


def measure(classifier: Classifier, rows: Sequence[Row], outlines: Path, recipe: Path) -> dict[str, Any]:
    """Every figure of the file."""
    squares = np.stack([read_square(row, classifier.manifest.preprocess) for row in rows])
    side = classifier.manifest.preprocess.side_pixels
    steps = FaithfulnessSettings().steps
    found: dict[str, Any] = {
        "machine": machine(),
        "bundle": f"{classifier.manifest.name} {classifier.manifest.version}",
        "part": "val",
        "images": len(rows),
        "reference": against_reference(recovered(classifier.bundle, recipe, squares), classifier.bundle, squares),
        "randomised": {"seeds": 3, "by_share_of_weights": against_randomised(classifier.bundle, squares)},
    }
    with counting(len(rows) * (len(BASELINES) + 1), "Explaining") as advance:
        found["faithfulness"] = {"steps": steps} | {
            name: figures(
                faithfulness(classifier, rows, settings=FaithfulnessSettings(baseline=baseline), advance=advance)
            )
            for name, baseline in BASELINES.items()
        }
        found["inside"] = figures(
            inside(
                classifier,
                rows,
                lambda row: read_outline(outlines / f"{row.image_id}{SUFFIX}", side_pixels=side),
                advance=advance,
            )
        )
    return found


def figures(measured: Any) -> dict[str, dict[str, float | int | None]]:
    """A dataclass of `Measured` with four decimals."""
    fields: dict[str, Measured] = {name: getattr(measured, name) for name in asdict(measured)}
    return {
        name: {key: round(value, 4) if isinstance(value, float) else value for key, value in field.model_dump().items()}
        for name, field in fields.items()
    }


def against_run(folder: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """The graph of an exported run against its checkpoint, with what its head is."""
    run, bundle = read_run(folder), read_bundle(folder / "bundle")
    squares = np.stack([read_square(row, bundle.manifest.preprocess) for row in rows])
    model = run.recipe.model
    head = {"backbone": model.backbone, "pooling": model.pooling, "hidden": model.hidden, "images": len(rows)}
    return head | against_reference(run.classifier.eval(), bundle, squares)


def against_reference(network: LesionClassifier, bundle: Bundle, squares: Squares) -> dict[str, Any]:
    """Correlations of the graph's heat maps with those of grad-cam, for the most probable class of each image."""
    images = as_floats(squares)
    logits, maps = run_graph(bundle, bundle.graphs[bundle.manifest.members[0].file], squares)
    numbers = logits.argmax(axis=1)
    parts = np.split(numbers, range(BATCH, len(numbers), BATCH))
    expected = np.concatenate(
        [
            reference_maps(network, batch, [target_of(int(number)) for number in part])
            for batch, part in zip(torch.split(images, BATCH), parts, strict=True)
        ]
    )
    own = maps[np.arange(len(numbers)), numbers]
    side = squares.shape[1]
    drawn = scale_cam_image(own, (side, side))
    shown = [explain(heat, square, code="").heat for heat, square in zip(own, squares, strict=True)]
    as_drawn = [correlation(one, other) for one, other in zip(drawn, expected, strict=True)]
    as_shown = [correlation(one, other) for one, other in zip(shown, expected, strict=True)]
    with torch.inference_mode():
        difference = float(np.abs(network(images[:8]).numpy() - logits[:8]).max())
    return {
        "largest_difference_of_a_logit": difference,
        "correlation": summary(as_drawn),
        "correlation_as_shown": summary(as_shown),
    }


def summary(correlations: Sequence[float]) -> dict[str, float | int]:
    """Least and mean; an even map, which correlates with nothing, is counted apart."""
    found = np.array(correlations)
    even = int(np.isnan(found).sum())
    return {"least": round(float(np.nanmin(found)), 6), "mean": round(float(np.nanmean(found)), 6), "even_maps": even}


def target_of(number: int) -> Target:
    """The logit of a class."""
    return lambda logits: logits[number]


def recovered(bundle: Bundle, recipe: Path, squares: Squares) -> LesionClassifier:
    """The network that computes what the first graph of the bundle computes."""
    settings = read_recipe(recipe)
    network = LesionClassifier(settings.model.backbone, classes=len(bundle.manifest.classes), weights="none").eval()
    given = initialisers(bundle.graphs[bundle.manifest.members[0].file])
    with torch.no_grad():
        unfold(network, given, as_floats(squares[:BATCH]))
    return network


def as_floats(squares: Squares) -> Tensor:
    """Float RGB 0..1 [N, 3, S, S]."""
    return torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255


def reference_maps(network: LesionClassifier, images: Tensor, targets: Sequence[Target]) -> Maps:
    """Grad-CAM of the package grad-cam [N, S, S] for a target of each image, at the output of the backbone."""
    with GradCAM(model=network, target_layers=[network.backbone]) as cam:
        maps: Maps = cam(input_tensor=images, targets=list(targets))
    return maps


def run_graph(bundle: Bundle, graph: bytes, squares: Squares) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits [N, K] and heat maps [N, K, h, w] of a graph as it is, without views."""
    classes = len(bundle.manifest.classes)
    session = open_session(graph, name="model.onnx", classes=classes, side_pixels=squares.shape[1])
    outputs = [session.run(batch) for batch in np.split(squares, range(8, len(squares), 8))]
    return np.concatenate([one.logits for one in outputs]), np.concatenate([one.heatmaps for one in outputs])


def against_randomised(bundle: Bundle, squares: Squares, *, seeds: int = 3) -> dict[str, float]:
    """Mean correlation of the heat maps with those after a share of the weights was shuffled, from the output on.

    J. Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018 (cascading randomisation). The class is the one
    that the intact graph gives; an even map counts as 0.
    """
    graph = bundle.graphs[bundle.manifest.members[0].file]
    logits, maps = run_graph(bundle, graph, squares)
    place = np.arange(len(squares)), logits.argmax(axis=1)
    result = {}
    for share in SHARES:
        changed = [randomised(graph, share=share, seed=seed) for seed in range(seeds if share else 1)]
        found = [run_graph(bundle, one, squares)[1][place] for one in changed]
        pairs = [pair for each in found for pair in zip(maps[place], each, strict=True)]
        result[f"{share:g}"] = round(float(np.mean(np.nan_to_num([correlation(*pair) for pair in pairs]))), 4)
    return result


def randomised(graph: bytes, *, share: float, seed: int) -> bytes:
    """The graph with the entries of a share of its weight tensors shuffled, those used last first.

    Shuffled, a tensor keeps its mean and its spread, so that the network stays within its range.
    """
    model, random = onnx.load_from_string(graph), np.random.default_rng(seed)
    tensors = {one.name: one for one in model.graph.initializer if is_weight(one)}
    used = dict.fromkeys(name for node in reversed(model.graph.node) for name in node.input if name in tensors)
    for name in list(used)[: ceil(share * len(used))]:
        values = numpy_helper.to_array(tensors[name])
        tensors[name].CopyFrom(numpy_helper.from_array(random.permutation(values.ravel()).reshape(values.shape), name))
    content: bytes = model.SerializeToString()
    return content


def is_weight(tensor: onnx.TensorProto) -> bool:
    """Floating-point numbers, more than the means and deviations of three colours."""
    return tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and prod(tensor.dims) > 3


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's, of two maps; NaN where one is even."""
    if not (np.ptp(one) and np.ptp(other)):
        return float("nan")
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


if __name__ == "__main__":
    main()
