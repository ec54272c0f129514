"""One image from bytes to answer, beside PyTorch eager with EfficientNet-B4 at 380 pixels in the same run.

The peer does what a published Flask app of this kind does per request: decode, resize to 380, normalise, run
EfficientNet-B4 without gradients, softmax. Its weights are random: they do not change the time.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.pictures import LARGE, SMALL, jpeg
from benchmarks.timing import machine, median_ms

ROOT = Path(__file__).resolve().parents[1]
COLD_STARTS = 7


def measure() -> dict[str, object]:
    """All figures of the issue: times, cold start, memory; each beside its counterpart."""
    import torch

    import dermalens

    small, large = jpeg(*SMALL), jpeg(*LARGE)
    classifier = dermalens.load()
    ours_small = median_ms(lambda: classifier.predict(small))
    ours_large = median_ms(lambda: classifier.predict(large))
    torch.set_num_threads(1)
    peer = eager_b4()
    peer_small, peer_large = median_ms(lambda: peer(small), repeats=10), median_ms(lambda: peer(large), repeats=10)
    torch.set_num_threads(2)
    peer_two_threads = median_ms(lambda: peer(small), repeats=10)
    return {
        "machine": machine(),
        "bytes_to_answer_600x450_ms": ours_small,
        "bytes_to_answer_12_megapixels_ms": ours_large,
        "eager_b4_600x450_ms": peer_small,
        "eager_b4_12_megapixels_ms": peer_large,
        "eager_b4_600x450_two_threads_ms": peer_two_threads,
        "times_faster_600x450": round(peer_small / ours_small, 1),
        "times_faster_12_megapixels": round(peer_large / ours_large, 1),
        **cold_start(small),
    }


def eager_b4() -> Callable[[bytes], object]:
    """The peer: EfficientNet-B4 at 380 pixels, PyTorch eager."""
    import timm
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    network = timm.create_model("efficientnet_b4", num_classes=7).eval()
    steps = v2.Compose(
        [
            v2.Resize((380, 380)),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def answer(data: bytes) -> object:
        with torch.inference_mode():
            image = steps(Image.open(io.BytesIO(data)).convert("RGB"))
            return network(image[None]).softmax(1)

    return answer


def cold_start(data: bytes) -> dict[str, float]:
    """Whole processes: `--help`, `predict` and its peak memory, and the peer's."""
    command = [sys.executable, "-m", "dermalens"]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.jpg"
        picture.write_bytes(data)
        predict = [*command, "predict", str(picture), "--json"]
        peer = [sys.executable, "-c", PEER_PROCESS, str(picture)]
        return {
            "help_s": _seconds([*command, "--help"]),
            "cold_start_predict_s": _seconds(predict),
            "cold_start_eager_b4_s": _seconds(peer, repeats=3),
            "peak_memory_predict_mb": _peak_megabytes(predict),
            "peak_memory_eager_b4_mb": _peak_megabytes(peer),
        }


PEER_PROCESS = """
import sys
sys.path.insert(0, ".")
from pathlib import Path
from benchmarks.single_image import eager_b4
eager_b4()(Path(sys.argv[1]).read_bytes())
"""


def _seconds(command: list[str], repeats: int = COLD_STARTS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
    return round(median(times), 3)


def _peak_megabytes(command: list[str]) -> float:
    """Peak resident memory of one process, measured by a fresh interpreter that has only this child."""
    wrapper = (
        "import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    run = subprocess.run(
        [sys.executable, "-c", wrapper, *command], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return round(int(run.stdout) / 1024, 1)  # Linux counts in KiB
