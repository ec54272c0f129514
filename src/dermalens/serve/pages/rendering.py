"""Templates to responses: one Jinja environment for each language, and what every page has."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dermalens.serve.access import SESSION_COOKIE
from dermalens.serve.addresses import readable_path
from dermalens.serve.pages.i18n import N_, Language, language_of, languages
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import lay_name
from dermalens.serve.running import running_of

TEMPLATES: Final = Path(__file__).resolve().parents[1] / "templates"
LANGUAGE_COOKIE: Final = "language"

ANY_SCOPE: Final = frozenset({"predict", "records"})
"""Of a caller whom nobody asked for."""

_ABSENT: Final = dict.fromkeys(
    (
        "answer",
        "answered",
        "done",
        "ended",
        "heatmap_at",
        "heatmap_error",
        "kept_error",
        "kept_id",
        "kept_lesion",
        "layers",
        "more",
        "problem",
    )
)
"""What a template may ask for whether or not the page has it; anything else that is missing is an error."""


_MENU: Final = (
    ("/", N_("Classify"), "predict"),
    ("/batch", N_("Several images"), "predict"),
    ("/history", N_("History"), "records"),
    ("/help", N_("Help"), None),
)
"""Address, words, and the scope that is needed."""


def language_for(request: Request) -> Language:
    """The language of a request: its cookie, else what the browser accepts."""
    return language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def is_fragment(request: Request) -> bool:
    """Whether the page's own module asks, which puts the answer into the page that is there."""
    return request.headers.get("x-fragment") == "1"


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, in the language of the request."""
    language = language_for(request)
    content = _environment(language.code).get_template(template).render(_shared(request, language) | values)
    return HTMLResponse(content, status, {"Content-Language": language.code, "Vary": "Accept-Language, Cookie"})


def _shared(request: Request, language: Language) -> dict[str, Any]:
    menu = _menu_of(request, getattr(request.state, "scopes", ANY_SCOPE))
    is_read = request.method == "GET"
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return _ABSENT | {
        "bare": False,
        "menu": [(address, language.gettext(words)) for address, words in menu],
        "home": menu[0][0],
        "path": request.url.path if is_read else "",
        "here": here if is_read else readable_path(request),
        "languages": tuple(languages().values()),
        "has_records": "/history" in dict(menu),
        "is_signed_in": SESSION_COOKIE in request.cookies,
    }


def home_of(request: Request, scopes: Collection[str]) -> str:
    """The first page that these scopes allow."""
    return _menu_of(request, scopes)[0][0]


def _menu_of(request: Request, scopes: Collection[str]) -> list[tuple[str, str]]:
    has_records = running_of(request).service.records is not None
    allowed = {None, *scopes} if has_records else {None, *scopes} - {"records"}
    return [(address, words) for address, words, scope in _MENU if scope in allowed]


@cache
def _environment(code: str) -> Environment:
    language = languages()[code]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "_": language.gettext,
        "ngettext": language.ngettext,
        "language": language,
        "number": language.number,
        "percent": language.percent,
        "say": lambda sentence: say(sentence, language),
        "lay": lambda code: lay_name(code, language),
    }
    return environment
