"""Templates to responses: one Jinja environment for each language, and what every page has."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dermalens.serve.access import SESSION_COOKIE
from dermalens.serve.addresses import readable_path
from dermalens.serve.pages.i18n import Language, language_of, languages
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import lay_name
from dermalens.serve.running import running_of

TEMPLATES: Final = Path(__file__).resolve().parents[1] / "templates"
LANGUAGE_COOKIE: Final = "language"

_ABSENT: Final = dict.fromkeys(
    ("answer", "back", "done", "heatmap_at", "heatmap_error", "kept_error", "kept_id", "layers", "more", "problem")
)
"""What a template may ask for whether or not the page has it; anything else that is missing is an error."""


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
    is_allowed = "records" in getattr(request.state, "scopes", ("records",))
    has_records = is_allowed and running_of(request).service.records is not None
    menu = [
        ("/", language.gettext("Classify")),
        ("/batch", language.gettext("Several images")),
        *([("/history", language.gettext("History"))] if has_records else []),
        ("/help", language.gettext("Help")),
    ]
    is_read = request.method == "GET"
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return _ABSENT | {
        "bare": False,
        "menu": menu,
        "path": request.url.path if is_read else "",
        "here": here if is_read else readable_path(request),
        "languages": tuple(languages().values()),
        "has_records": has_records,
        "is_signed_in": SESSION_COOKIE in request.cookies,
    }


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
