"""The languages of the page: gettext catalogues, read as they are when first needed; a further language is one file."""

from __future__ import annotations

import gettext as standard
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

LOCALES: Final = Path(__file__).resolve().parents[1] / "locale"
"""LANGUAGE/LC_MESSAGES/dermalens.po for each language."""

SOURCE: Final = "en"
"""The language that the messages are written in."""


def N_(text: str) -> str:  # noqa: N802  (the name by which gettext's tools know it)
    """Mark a text for the catalogues where it stands; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """One language: what it is called, what its texts are, how it writes numbers and dates."""

    code: str
    """As HTML writes it, such as de or pt-BR."""
    name: str
    """In the language itself."""
    texts: Mapping[str, str]
    plurals: Mapping[tuple[str, ...], tuple[str, ...]]
    plural_number: Callable[[int], int]

    def gettext(self, text: str, /, **values: object) -> str:
        """The text in this language, or as it is where the catalogue lacks it; `{name}` is filled from `values`."""
        found = self.texts.get(text, text)
        return found.format(**values) if values else found

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form of the text that belongs to the number `n`, which `{n}` stands for."""
        forms = self.plurals.get((one, many))
        found = forms[self.plural_number(n)] if forms else (one if n == 1 else many)
        return found.format(n=n, **values)

    def number(self, value: float, decimals: int = 2) -> str:
        """With as many decimals, written as the language does."""
        return format_decimal(value, format=f"#,##0.{'0' * decimals}" if decimals else "#,##0", locale=self._locale)

    def percent(self, share: float, decimals: int = 0) -> str:
        """A share 0 to 1; what would be rounded to none, or to all, is said to be less, or more."""
        smallest = 0.1**decimals / 100
        if 0 < share <= smallest / 2:
            return f"< {self._percent(smallest, decimals)}"
        if 1 - smallest / 2 <= share < 1:
            return f"> {self._percent(1 - smallest, decimals)}"
        return self._percent(share, decimals)

    def mebibytes(self, count: int) -> str:
        """A size in MiB, never rounded up, with decimals only where it needs them."""
        decimals = 0 if count % 2**20 == 0 else 1 if count > 2**20 else 2
        return self.number(math.floor(count / 2**20 * 10**decimals) / 10**decimals, decimals)

    def day(self, when: date) -> str:
        """The date."""
        return format_date(when, "medium", locale=self._locale)

    def moment(self, when: datetime) -> str:
        """Date and time by the clock of the server."""
        return format_datetime(when.astimezone(), "medium", locale=self._locale)

    @property
    def _locale(self) -> Locale:
        return Locale.parse(self.code, sep="-")

    def _percent(self, share: float, decimals: int) -> str:
        pattern = self._locale.percent_formats[None].pattern.replace("0", f"0.{'0' * decimals}")
        return format_percent(share, format=pattern if decimals else None, locale=self._locale)


@cache
def languages() -> Mapping[str, Language]:
    """All languages by code, that of the source first."""
    found = [_read(file) for file in LOCALES.glob("*/LC_MESSAGES/dermalens.po")]
    return MappingProxyType({one.code: one for one in sorted(found, key=lambda one: (one.code != SOURCE, one.code))})


def language_named(code: str) -> Language | None:
    """The language of a code, in capitals or not and however its parts are joined: pt-BR, pt_BR, pt-br."""
    wanted = code.replace("_", "-").lower()
    return next((one for one in languages().values() if one.code.lower() == wanted), None)


def language_of(cookie: str | None, accepted: str | None) -> Language:
    """The language that was chosen, else the first one that the browser accepts, else English."""
    for code in (cookie or "", *_by_preference(accepted or "")):
        if found := language_named(code) or language_named(code.partition("-")[0]):
            return found
    return languages()[SOURCE]


def _by_preference(accepted: str) -> list[str]:
    """The codes of an Accept-Language header, the most wanted first; what is malformed is left out.

    >>> _by_preference("fr;q=0.4, de-AT, en;q=x, it;q=0")
    ['de-AT', 'fr']
    """
    weighed = []
    for part in accepted[:500].split(","):
        code, _, weight = part.partition(";")
        try:
            share = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if code.strip() and share > 0:
            weighed.append((-share, code.strip()))
    return [code for _, code in sorted(weighed, key=lambda one: one[0])]


def _read(path: Path) -> Language:
    locale = Locale.parse(path.parts[-3])
    with path.open("rb") as file:
        catalogue = read_po(file, locale=locale)
    single: dict[str, str] = {}
    several: dict[tuple[str, ...], tuple[str, ...]] = {}
    for one in catalogue:
        if isinstance(one.id, str) and isinstance(one.string, str) and one.id and one.string:
            single[one.id] = one.string
        elif isinstance(one.id, (list, tuple)) and isinstance(one.string, (list, tuple)) and all(one.string):
            several[tuple(one.id)] = tuple(one.string)
    code = str(locale).replace("_", "-")
    name = locale.get_display_name() or code
    plural_number: Callable[[int], int] = standard.c2py(catalogue.plural_expr)
    return Language(code, name[:1].upper() + name[1:], single, several, plural_number)
