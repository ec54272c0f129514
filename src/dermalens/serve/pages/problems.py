"""What cannot be done, as a page or a part of one, in the language of the reader."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, Response

from dermalens.serve.pages.i18n import SOURCE, Language
from dermalens.serve.pages.rendering import is_fragment, language_for, page
from dermalens.serve.pages.sentences import is_known, say
from dermalens.serve.problems import Refusal


@dataclass(frozen=True, slots=True)
class ProblemView:
    """What `_problem.html` shows."""

    title: str
    detail: str
    advice: str = ""


async def problem_page(request: Request, refusal: Refusal) -> Response:
    """A refusal for a reader: a part of a page where the page's module asked, a whole one otherwise."""
    view = problem_view(refusal, language_for(request))
    template = "_problem.html" if is_fragment(request) else "problem.html"
    response = page(request, template, status=refusal.problem.status, problem=view)
    response.headers.update(refusal.headers)
    if refusal.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_seconds)
    return response


def problem_view(refusal: Refusal, language: Language) -> ProblemView:
    """The words for a refusal; where its detail has no translation, what its kind means comes first."""
    title, detail = language.gettext(refusal.problem.title), say(refusal.detail, language)
    if (
        language.code == SOURCE
        or refusal.is_translated
        or detail != refusal.detail
        or is_known(refusal.detail, language)
    ):
        return ProblemView(title, detail)
    return ProblemView(title, language.gettext(refusal.problem.about), refusal.detail)
