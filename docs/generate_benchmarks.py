"""The generated parts of the page of benchmarks: one image, a folder, growing folders, Ray."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
SIZES = {"600x450": "600x450", "12_megapixels": "12 megapixels"}
FEW = 100


def measured(name: str, write: Callable[[], str]) -> Callable[[], str]:
    """The block that `write` makes of a result; where there is none yet, a sentence that says so."""

    def block() -> str:
        is_there = (RESULTS / f"{name}.json").is_file() and (name != "single_image" or "peers" in _read(name))
        return write() if is_there else f"Not measured yet: `make bench ARGS={name}` does it.\n"

    return block


def one_image() -> str:
    """A row for us and for each peer: bytes to answer, cold start, memory, installed size."""
    result = _read("single_image")
    rows = [_image_row("DermaLens, packaged bundle", result, "dermalens")]
    rows += [_image_row(peer["what"], result, name) for name, peer in result["peers"].items()]
    head = [
        "| | 600x450 | ratio | 12 megapixels | ratio | cold start | peak memory | installed | without CUDA packages |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    note = f"Medians of {result['repeats']} rounds on one thread. {_on(result)} `make bench ARGS=single_image`."
    return _table(head, rows, note)


def _image_row(words: str, result: dict[str, Any], name: str) -> str:
    is_ours = name == "dermalens"
    small, large = (result[f"{'bytes_to_answer' if is_ours else name}_{size}_ms"] for size in SIZES)
    process = "predict" if is_ours else name
    times = {} if is_ours else result["peers"][name]
    ratios = [_number(times.get(f"times_{size}", 1.0)) for size in SIZES]
    size = result["installed"][name]
    return (
        f"| {words} | {small:.1f} ms | {ratios[0]} | {large:.1f} ms | {ratios[1]} "
        f"| {result[f'cold_start_{process}_s']:.2f} s | {result[f'peak_memory_{process}_mb']:.0f} MB "
        f"| {size['megabytes']:,.0f} MB | {size['megabytes_without_cuda_packages']:,.0f} MB |"
    )


def folder() -> str:
    """The rates of a folder against its bound, and those of the peers."""
    result = _read("folder")
    words = {name: f"of {size}" for name, size in SIZES.items()} | {"both": "of both sizes in one folder"}
    rows = [row for name, found in result["folders"].items() for row in _folder_rows(words[name], found)]
    head = ["| images | who | images/s | of the bound | we are faster |", "|---|---|---|---|---|"]
    note = f"{result['workers']} workers. {_on(result)} `make bench ARGS=folder`."
    return _table(head, rows, note)


def _folder_rows(words: str, found: dict[str, Any]) -> list[str]:
    whole, steady = found["whole_command"], found["steady"]
    ahead = f"| {found['images']:,} {words} |"
    ours = [
        (
            f"{ahead} `dermalens batch`, without start and end | {steady['images_per_second']:.1f} "
            f"| {_per_cent(steady['share_of_bound'])} ({_per_cent(steady['share_of_bound_by_processor_time'])} "
            "by processor time) | |"
        ),
        f"{ahead} the whole command | {whole['images_per_second']:.1f} | {_per_cent(whole['share_of_bound'])} | |",
    ]
    how = {"loop": "in a loop", "loader": "with a DataLoader"}
    peers = [
        f"{ahead} {name.replace('_', ' ')}, {words_} | {rates[key]:.1f} | | {_number(rates[f'times_{key}'])} times |"
        for name, rates in found["peers"].items()
        for key, words_ in how.items()
    ]
    return ours + peers


def reader_thread() -> str:
    """What a thread that reads ahead brings to a worker."""
    found = _read("folder")["reader_thread"]
    words = {
        "in_memory": "files that the system has in memory",
        "from_disk": "files fetched from the disk",
        "each_read_waits_10_ms": "each read waits 10 ms more, as over a network",
    }
    rows = [
        f"| {words[where]} | {one['images_per_second_without']:.1f} | {one['images_per_second_with']:.1f} "
        f"| {one['ratio']:.2f} ({min(one['ratio_of_each_round']):.2f} to {max(one['ratio_of_each_round']):.2f}) "
        f"| {one['processor_ms_without']:.1f} ms | {one['processor_ms_with']:.1f} ms |"
        for where, one in found.items()
    ]
    head = [
        "| 600x450 | images/s without | with | ratio (of the rounds) | processor time of an image without | with |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def scaling() -> str:
    """Time and memory at each count."""
    result = _read("scaling")
    rows = [
        f"| {int(count):,} | {one['seconds']:,.0f} s | {one['images_per_second']:.1f} | {one['ms_an_image']:.2f} ms "
        f"| {one['relative_to_smallest']:.3f} | {one['bound_images_per_second']:.1f} "
        f"| {100_000 / (one['ms_an_image'] * one['bound_images_per_second']):.0f} % "
        f"| {one['peak_mb_of_the_command']:.0f} MB | {one['peak_mb_of_its_workers']:.0f} MB |"
        for count, one in result["runs"].items()
    ]
    head = [
        (
            "| images | time | images/s | an image, start left out | relative | the bound meanwhile, images/s | of it "
            "| peak memory of the command | of its workers |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    note = (
        f"{result['images']}, {result['distinct']:,} different ones. The start takes {result['start_s']:g} s; "
        f"{result['workers']} workers. {_on(result)} `make bench ARGS=scaling`."
    )
    return _table(head, rows, note)


def listing() -> str:
    """Listing alone."""
    rows = [
        f"| {int(count):,} | {one['seconds']:.1f} s | {one['microseconds_an_image']:.1f} µs "
        f"| {one['peak_mb_of_the_command']:.0f} MB |"
        for count, one in _read("scaling")["listing"].items()
    ]
    head = ["| images in the folder | until the manifest is there | an image | peak memory |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def ray_engine() -> str:
    """Ray beside the local engine."""
    result = _read("ray_engine")
    words = {"steady": "without start and end", "whole_command": "the whole command"}
    rows = [
        f"| {words[what]} | {_mean(result[what]['local']):.1f} | {_mean(result[what]['ray']):.1f} "
        f"| {_per_cent(result['ray_share_of_local'][what])} |"
        for what in words
    ]
    head = [
        f"| {result['images']:,} images of 600x450 | local, images/s | Ray, images/s | share |",
        "|---|---|---|---|",
    ]
    note = f"{result['workers']} workers or actors. {_on(result)} `make bench ARGS=ray_engine`."
    return _table(head, rows, note)


def training() -> str:
    """Real training beside the same steps on random tensors."""
    result = _read("training")
    rows = [
        f"| {network} | {source} | {one['synthetic_images_per_second']:.1f} | {one['real_images_per_second']:.1f} "
        f"| {one['ratio']:.3f} | {one['first_step_of_an_epoch_s']:.1f} s |"
        for network, sources in result.items()
        if " at " in network
        for source, one in sources.items()
    ]
    head = [
        "| network | images | random tensors, images/s | real, images/s | ratio | first step with new workers |",
        "|---|---|---|---|---|---|",
    ]
    note = f"Float32 unless the device is a GPU. {_on(result)} `make bench ARGS=training`."
    return _table(head, rows, note)


def million_rows() -> str:
    """Index, split and audit at each number of rows."""
    result = _read("million_rows")
    rows = [
        f"| {count} | {command} | {one['seconds']:.1f} s | {one['processor_seconds']:.1f} s | {one['peak_mib']:,} MiB |"
        for count, commands in result.items()
        if count.endswith(" rows")
        for command, one in commands.items()
    ]
    growth = ", ".join(f"{command} {ratio:g}" for command, ratio in result["growth_per_row"].items())
    head = ["| rows | command | time | processor time | peak memory |", "|---|---|---|---|---|"]
    note = (
        f"Processor time of a further row at the end, by that at the start: {growth}. {_on(result)} "
        "`make bench ARGS=million_rows`."
    )
    return _table(head, rows, note)


def _table(head: list[str], rows: list[str], note: str) -> str:
    """A table with the note below it."""
    return "\n".join([*head, *rows, "", note]) + "\n"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _mean(runs: list[dict[str, float]]) -> float:
    return sum(run["images_per_second"] for run in runs) / len(runs)


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= FEW else f"{ratio:.1f}"


def _on(result: dict[str, Any]) -> str:
    machine = result["machine"]
    bundle = machine.get("packaged_bundle")
    return (
        f"{machine['processor']}, {machine['cores']} cores, onnxruntime {machine['version_onnxruntime']}, "
        f"torch {machine['version_torch']}{f', packaged bundle {bundle}' if bundle else ''}."
    )
