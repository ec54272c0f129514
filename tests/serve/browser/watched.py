"""A page of the server, and what the browser said of it that must not happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[3]
MOLE = ROOT / "docs" / "examples" / "drawn_mole.jpg"
IRREGULAR = ROOT / "docs" / "examples" / "drawn_irregular.jpg"


@dataclass
class Watched:
    """A page, and what a browser said of it that must not happen."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of complaints that a test provokes."""

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    @property
    def unexpected(self) -> list[str]:
        return [one for one in self.complaints if not any(part in one for part in self.expected)]
