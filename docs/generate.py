"""`make docs`: everything in the docs that a command wrote. Run with --check, it only compares.

Blocks between `<!-- generated: NAME -->` and `<!-- end -->` are filled; whole pages are written. Figures come from
the packaged bundle and from benchmarks/results. Answers for real images come from docs/examples/real.json, which
`docs/real_examples.py` writes where the data is at hand.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import generate_benchmarks
import generate_serving

from dermalens.core.bundlefile import read_bundle
from dermalens.evaluate.card import model_card
from dermalens.evaluate.card_report import read_judged
from dermalens.evaluate.report_names import CAUTION
from dermalens.evaluate.systems import read_systems
from dermalens.evaluate.systems_page import Budget, systems_page
from dermalens.predict.classifier import DEFAULT_BUNDLE
from dermalens.train.recipe_reference import recipe_reference

ROOT = Path(__file__).resolve().parents[1]
PASSED = ("gate", "quality", "both")
EVALUATION = ROOT / "results/default/evaluation"
COMMANDS = (
    "predict",
    "batch",
    "compare",
    "data",
    "data index",
    "data split",
    "data audit",
    "data cache",
    "data folders",
    "data balance",
    "train",
    "export",
    "equip",
    "evaluate",
    "score",
    "similar",
    "gallery",
    "gallery draw",
    "gallery build",
    "outline",
    "outline train",
    "outline export",
    "outline judge",
    "card",
    "serve",
    "records",
    "records upgrade",
    "records downgrade",
    "records status",
    "records purge",
    "records sweep",
    "records backup",
    "keys",
    "keys create",
    "keys list",
    "keys revoke",
    "keys renew",
    "audit",
    "audit verify",
    "demo",
)
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def run_dermalens(*arguments: str) -> str:
    """Standard output of a command, 100 columns wide and without colour."""
    environment = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1", "PATH": ""}
    command = [sys.executable, "-m", "dermalens", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in run.stdout.strip("\n").splitlines())


def fenced(text: str) -> str:
    """A code block."""
    return f"```\n{text}\n```\n"


def drawn_answer() -> str:
    """What `dermalens predict` says of a drawn picture."""
    command = ("predict", "docs/examples/drawn_irregular.jpg")
    return fenced(f"$ dermalens {' '.join(command)}\n{run_dermalens(*command)}")


def real_answers() -> str:
    """What was printed for three real images of the test part."""
    content = json.loads((ROOT / "docs/examples/real.json").read_text(encoding="utf-8"))
    return fenced(f"$ dermalens {' '.join(content['command'])}\n{content['output']}")


def figures() -> str:
    """The table of figures out of the model card."""
    card = model_card(read_bundle(DEFAULT_BUNDLE).manifest, "")
    rows = [line for line in card.split("## Figures")[1].split("## ")[0].splitlines() if line.startswith("|")]
    return "\n".join([*rows, "", CAUTION]) + "\n"


def speed() -> str:
    """The benchmark of one image beside its counterpart."""
    result = json.loads((ROOT / "benchmarks/results/single_image.json").read_text(encoding="utf-8"))
    pairs = (
        ("600x450 JPEG, bytes to answer, one thread", "bytes_to_answer_600x450_ms", "eager_b4_600x450_ms", "ms"),
        ("12-megapixel JPEG, the same", "bytes_to_answer_12_megapixels_ms", "eager_b4_12_megapixels_ms", "ms"),
        ("cold start of a whole process", "cold_start_predict_s", "cold_start_eager_b4_s", "s"),
        ("peak resident memory of that process", "peak_memory_predict_mb", "peak_memory_eager_b4_mb", "MB"),
    )
    rows = [
        f"| {what} | {result[ours]:g} {unit} | {result[peer]:g} {unit} | {result[peer] / result[ours]:.1f} |"
        for what, ours, peer, unit in pairs
    ]
    machine = result["machine"]
    head = ["| | DermaLens | PyTorch eager, EfficientNet-B4 at 380 | ratio |", "|---|---|---|---|"]
    note = (
        f"`dermalens --help`: {result['help_s']:g} s. Medians on {machine['processor']}, {machine['cores']} cores, "
        f"onnxruntime {machine['version_onnxruntime']}, torch {machine['version_torch']}, with random weights in the "
        "peer; `make bench` measures anew."
    )
    return "\n".join([*head, *rows, "", note]) + "\n"


def layouts() -> str:
    """What the commands that lay out class folders printed for a real split."""
    content = json.loads((ROOT / "docs/examples/layouts.json").read_text(encoding="utf-8"))
    return fenced("\n\n".join(f"$ dermalens {command}\n{output}" for command, output in content["outputs"].items()))


def made_images() -> str:
    """The first lines of a real `made.csv`."""
    return fenced(json.loads((ROOT / "docs/examples/layouts.json").read_text(encoding="utf-8"))["made"])


def cleaning_times() -> str:
    """The benchmark of the cleaning steps."""
    result = json.loads((ROOT / "benchmarks/results/cleaning.json").read_text(encoding="utf-8"))
    rows = [f"| `{step}` | {milliseconds:g} ms |" for step, milliseconds in result["steps_ms"].items()]
    machine, side = result["machine"], result["side_pixels"]
    note = (
        f"CPU time of one {side} x {side} square on one thread of {machine['processor']}, OpenCV "
        f"{machine['version_opencv-python-headless']}; decoding and resizing a 600 x 450 JPEG to it takes "
        f"{result['decode_and_resize_ms']:g} ms. `make bench ARGS=cleaning` measures anew."
    )
    return "\n".join(["| step | time |", "|---|---|", *rows, "", note]) + "\n"


def gate() -> str:
    """What the packaged bundle's gate lets through, of pictures that it was not fitted on."""
    result = json.loads((ROOT / "benchmarks/results/gate.json").read_text(encoding="utf-8"))
    rows = [
        f"| {kind.replace('_', ' ')} | {shares['both']['n']} | {' | '.join(_share(shares[of]) for of in PASSED)} |"
        for kind, shares in result["kinds"].items()
    ]
    return "\n".join(["| pictures | n | by the gate | by quality | by both |", "|---|---|---|---|---|", *rows]) + "\n"


def _share(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def parts_of_an_answer() -> str:
    """The benchmark of gate, outline and heat map."""
    result = json.loads((ROOT / "benchmarks/results/answer_parts.json").read_text(encoding="utf-8"))
    words = {
        "gate": "gate",
        "heatmap": "heat map",
        "outline_and_measures": "outline and measures",
        "all": "all of them",
    }
    added = result["added_per_cent"]
    rows = [f"| {words[of]} | {result['median_ms'][of]:.1f} ms | {added[of]:+.0f} % |" for of in words]
    plain = f"| none, the plain answer | {result['median_ms']['plain']:.1f} ms | |"
    return "\n".join(["| with | time | added |", "|---|---|---|", plain, *rows]) + "\n"


def evaluation_time() -> str:
    """The benchmark of a whole evaluation."""
    result = json.loads((ROOT / "benchmarks/results/evaluation.json").read_text(encoding="utf-8"))
    machine = result["machine"]
    return (
        f"{result['images']:,} drawn images of {result['side_pixels']} pixels with {result['draws']:,} bootstrap draws "
        f"take {result['seconds']:g} s on {machine['cores']} cores of {machine['processor']}; "
        "`make bench ARGS=evaluation` measures anew.\n"
    )


def commands() -> str:
    """The help of every command."""
    sections = [f"## dermalens {name}\n\n{fenced(run_dermalens(*name.split(), '--help'))}" for name in COMMANDS]
    return "# Commands\n\nWritten by `make docs` from the commands themselves.\n\n" + "\n".join(sections)


def card() -> str:
    """The model card of the packaged bundle, from the bundle and its evaluation on the test part."""
    bundle = read_bundle(DEFAULT_BUNDLE)
    return model_card(bundle.manifest, bundle.sha256, read_judged(EVALUATION / "report.json", bundle.sha256))


def systems() -> str:
    """The table of the published systems."""
    recipes = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "recipes").glob("*.toml")}
    budgets = {
        name: Budget(recipe["preprocess"]["side_pixels"], recipe["trainer"]["epochs"])
        for name, recipe in recipes.items()
    }
    return systems_page(read_systems(ROOT / "results/systems.json"), budgets)


BLOCKS: dict[str, Callable[[], str]] = {
    "drawn-answer": drawn_answer,
    "real-answers": real_answers,
    "figures": figures,
    "speed": speed,
    "api": generate_serving.api_table,
    "load": generate_serving.load,
    "settings": generate_serving.settings,
    "one-image": generate_benchmarks.measured("single_image", generate_benchmarks.one_image),
    "folder": generate_benchmarks.measured("folder", generate_benchmarks.folder),
    "reader-thread": generate_benchmarks.measured("folder", generate_benchmarks.reader_thread),
    "scaling": generate_benchmarks.measured("scaling", generate_benchmarks.scaling),
    "listing": generate_benchmarks.measured("scaling", generate_benchmarks.listing),
    "ray-engine": generate_benchmarks.measured("ray_engine", generate_benchmarks.ray_engine),
    "training": generate_benchmarks.measured("training", generate_benchmarks.training),
    "million-rows": generate_benchmarks.measured("million_rows", generate_benchmarks.million_rows),
    "layouts": layouts,
    "made-images": made_images,
    "cleaning-times": cleaning_times,
    "gate": gate,
    "parts-of-an-answer": parts_of_an_answer,
    "evaluation-time": evaluation_time,
}
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/commands.md": commands,
    "docs/reference/recipe.md": recipe_reference,
    "docs/reference/systems.md": systems,
    "docs/model-cards/default.md": card,
}
FILLED = (
    "README.md",
    "docs/how-to/clean-and-balance.md",
    "docs/how-to/evaluate.md",
    "docs/how-to/serve.md",
    "docs/reference/benchmarks.md",
    "docs/reference/answer.md",
)


def contents() -> dict[str, str]:
    """Every generated page and every page with generated blocks, by path, as it should be."""
    pages = {path: write() for path, write in PAGES.items()}
    for path in FILLED:
        text = (ROOT / path).read_text(encoding="utf-8")
        pages[path] = BLOCK.sub(lambda found: found[1] + BLOCKS[found["name"]]() + found[3], text)
    return pages


def main() -> None:
    """Write, or with --check compare and exit with 1 if something is old."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"Usage: python {sys.argv[0]} [--check]")
    old = []
    for path, content in contents().items():
        target = ROOT / path
        if not target.is_file() or target.read_text(encoding="utf-8") != content:
            old.append(path)
            if "--check" not in sys.argv:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content, encoding="utf-8")
    print("\n".join(old) or "Everything is up to date.")
    sys.exit(1 if old and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
