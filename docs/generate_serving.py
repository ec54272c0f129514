"""The generated parts of the pages on serving: settings, the API, load."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from dermalens.serve.app import create_app
from dermalens.serve.service import close_service, open_service
from dermalens.serve.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("get", "post", "put", "patch", "delete")


def settings() -> str:
    """A row for each setting of the server."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined or field.default in (None, ()) else f"`{field.default}`"
        words = " ".join((field.description or "").split())
        rows.append(f"| `DERMALENS_{name.upper()}` | {default} | {words} |")
    return "\n".join(["| variable | default | what |", "|---|---|---|", *rows]) + "\n"


def api_table() -> str:
    """A row for each request of the API."""
    with tempfile.TemporaryDirectory() as folder:
        service = open_service(read_settings(data_folder=Path(folder), workers=1))
        try:
            return _routes(create_app(service).openapi())
        finally:
            close_service(service)


def _routes(document: dict[str, Any]) -> str:
    routes = [
        f"| `{method.upper()} {path}` | {_first_line(operation)} | {', '.join(sorted(operation['responses']))} |"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    ]
    return "\n".join(["| request | what | answers |", "|---|---|---|", *routes]) + "\n"


def _first_line(operation: dict[str, Any]) -> str:
    text = operation.get("summary") or operation.get("description") or ""
    return str(text).split("\n\n")[0].replace("\n", " ").strip()


def load() -> str:
    """The load benchmark beside its bound and beside its peer."""
    result = json.loads((ROOT / "benchmarks/results/load.json").read_text(encoding="utf-8"))
    ours, peer = result["throughput"], result["flask_eager"]
    rows = [
        f"| {at} | {ours[at]['answers_per_second']:.1f} | {100 * ours[at]['share_of_bound']:.0f} % "
        f"| {100 * ours[at]['share_of_bare_on_all_cores']:.0f} % "
        f"| {ours[at]['median_ms']:.0f} ms | {ours[at]['p99_ms']:.0f} ms | {peer[at]['answers_per_second']:.1f} "
        f"| {result['times_faster_than_flask_eager'][at]:.1f} |"
        for at in ours
    ]
    head = [
        (
            "| at a time | answers a second | of the bound | of the bare classifier on all cores | median | 99 % "
            "| Flask, PyTorch eager | ratio |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, "", _load_notes(result)]) + "\n"


def _load_notes(result: dict[str, Any]) -> str:
    single, flood, machine = (result[key] for key in ("overhead", "overload", "machine"))
    memory = json.loads((ROOT / "benchmarks/results/load_memory.json").read_text(encoding="utf-8"))
    resident = memory["resident_mb_after_each_tenth"]
    refused = ", ".join(f"{count} with {status}" for status, count in flood["statuses"].items())
    sentences = (
        (
            "The bound is the number of cores over the time of the bare classifier for one image, "
            f"{single['bare_median_ms']:g} ms, decoding included; beside it, what the "
            "bare classifier does on all cores at once, where they may hinder each other."
        ),
        (
            f"One request at a time takes {single['request_median_ms']:g} ms, {single['overhead_median_ms']:g} ms more "
            f"({single['requests']} by turns)."
        ),
        (
            f"At ten times capacity ({flood['requests_per_second']:g} requests a second, {flood['seconds']:g} s) the "
            f"requests were answered: {refused};"
        ),
        (
            f"it still gave {100 * flood['answers_as_share_of_normal']:.0f} % of its normal answers, and was itself "
            f"again {flood['recovered_after_seconds']:g} s later."
        ),
        (
            f"Along {memory['requests']:,} requests its memory was, after each tenth, "
            f"{', '.join(f'{one:g}' for one in resident)} MB."
        ),
        (
            f"{machine['processor']}, {machine['cores']} cores, the client on the same ones; "
            "`make bench ARGS=load` and `ARGS=load_memory` measure anew."
        ),
    )
    return " ".join(sentences)
