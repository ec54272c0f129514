"""What cannot be done, as a page or a part of one, in the language of the reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from fastapi import Request, Response

from dermalens.serve.pages.i18n import N_, SOURCE, Language
from dermalens.serve.pages.rendering import is_fragment, language_for, page
from dermalens.serve.pages.sentences import is_known, say
from dermalens.serve.problems import Refusal

CHOOSE_AGAIN: Final = N_("What you entered is still here. Choose the image again: a browser keeps no file for a form.")


@dataclass(frozen=True, slots=True)
class ProblemView:
    """What `_problem.html` shows."""

    title: str
    detail: str
    advice: str = ""


FormAgain = Callable[[ProblemView, int], Awaitable[Response]]
"""The page of a form that was refused, for the problem and the status."""


def give_back(request: Request, again: FormAgain) -> None:
    """From here on a refusal of `request` shows its form with what was typed, unless the page's module asked."""
    request.state.form_again = again


async def problem_page(request: Request, refusal: Refusal) -> Response:
    """A refusal for a reader: a part of a page where the page's module asked, a whole one otherwise."""
    language = language_for(request)
    view, status = problem_view(refusal, language), refusal.problem.status
    again: FormAgain | None = getattr(request.state, "form_again", None)
    if is_fragment(request):
        response: Response = page(request, "_problem.html", status=status, problem=view)
    elif again:
        response = await again(replace(view, advice=language.gettext(CHOOSE_AGAIN)), status)
    else:
        response = page(request, "problem.html", status=status, problem=view)
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
