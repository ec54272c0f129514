"""The model card as one HTML file."""

from __future__ import annotations

from dermalens.core.bundle import Manifest
from dermalens.evaluate.card import card_document
from dermalens.evaluate.card_report import Judged
from dermalens.evaluate.document_html import to_html


def model_card_html(manifest: Manifest, sha256: str, judged: Judged | None = None) -> str:
    """The card of a bundle as a page that needs no network; `sha256` is that of its `bundle.json`."""
    return to_html(card_document(manifest, sha256, judged))
