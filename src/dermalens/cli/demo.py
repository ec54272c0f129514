"""`dermalens demo`: the classifier on a Gradio page. Nothing leaves the machine: no analytics, no share link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermalens.cli.extras import needing
from dermalens.core.errors import DermaLensError, ImageError

if TYPE_CHECKING:
    from dermalens.predict.classifier import Classifier


def demo(
    bundle: Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in, without a password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page.")] = 7860,
) -> None:
    """Open a Gradio page on this machine: image in; decision, probabilities, heat map out. Not a medical device."""
    from dermalens.predict.classifier import load

    try:
        build(load(bundle)).launch(server_name=host, server_port=port, share=False, ssr_mode=False, footer_links=[])
    except OSError as error:
        raise DermaLensError(f"The demo cannot have {host}:{port}: {error} Choose another with --port.") from error


def build(classifier: Classifier) -> Any:
    """The `gradio.Interface`; it hands over the file unopened: the same bytes give the same answer as everywhere."""
    with needing("gradio", "The demo"):
        import gradio as gr
    upload = gr.Image(sources=["upload"], label="Dermatoscopic image")
    upload.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    return gr.Interface(
        lambda path: answer(classifier, path),
        upload,
        [gr.Markdown(), gr.Label(label="Probabilities"), gr.Image(format="png", buttons=[], label="Heat map")],
        title="DermaLens",
        article="\n".join(f"- {limit}" for limit in classifier.manifest.limits),
        flagging_mode="never",
        analytics_enabled=False,
        delete_cache=(600, 600),  # seconds that an upload may stay on disk
    )


def answer(classifier: Classifier, path: str | None) -> tuple[str, dict[str, float] | None, object]:
    """The decision as Markdown, the probabilities by name and the heat map; or why there is no answer."""
    from dermalens.cli.forms import HEADLINES, both_names

    try:
        found = classifier.predict(Path(path).read_bytes() if path else b"", heatmap=True)
    except ImageError as error:
        return f"## No answer\n\n{error}", None, None
    named = {f"{code} {both_names(code)}".strip(): value for code, value in found.probabilities.items()}
    shown = (named, found.explanation.overlay()) if found.explanation and found.decision != "abstain" else (None, None)
    words = [f"## {HEADLINES[found.decision][0]}", *found.reasons, f"**Next step:** {found.recommendation}"]
    return "\n\n".join([*words, *found.notes, "Not a medical device."]), *shown
