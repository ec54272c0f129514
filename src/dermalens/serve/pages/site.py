"""Pages around the answers: several images, help, the language, signing in and out, what a problem means."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from dermalens.serve import access
from dermalens.serve.access import MAY_LOOK, MAY_PREDICT, Predicts
from dermalens.serve.pages.asked import remembered_share
from dermalens.serve.pages.figures import tables_of
from dermalens.serve.pages.help_texts import meanings, privacy
from dermalens.serve.pages.i18n import languages
from dermalens.serve.pages.problems import ProblemView
from dermalens.serve.pages.rendering import LANGUAGE_COOKIE, home_of, language_for, page
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import TIPS, about, clinical_name, lay_name
from dermalens.serve.problems import PROBLEMS, Refusal
from dermalens.serve.running import Running, running_of

router = APIRouter(include_in_schema=False)

YEAR_SECONDS = 365 * 24 * 3600


@router.get("/batch")
async def batch_page(request: Request, _: Predicts) -> Response:
    """Several images; its module sends them one by one."""
    service, language = running_of(request).service, language_for(request)
    has_share = service.classifier.manifest.prevalence is not None
    return page(
        request,
        "batch.html",
        prevalence=remembered_share(request) if has_share else None,
        class_names={code: lay_name(code, language) for code in service.classifier.manifest.classes},
        max_images=service.settings.max_batch_images,
        largest=language.mebibytes(service.settings.max_upload_bytes),
    )


@router.get("/say", dependencies=[MAY_PREDICT])
async def say_page(request: Request, text: Annotated[str, Query(max_length=1000)]) -> Response:
    """A sentence of the API in the language of the page, for the table of several images."""
    return JSONResponse({"text": say(text, language_for(request))})


@router.get("/help", dependencies=[MAY_LOOK])
async def help_page(request: Request) -> Response:
    """What the model knows and what not; open to all, as it holds nothing private."""
    running, language = running_of(request), language_for(request)
    bundle = running.service.classifier.bundle
    classes = [
        {
            "name": lay_name(code, language),
            "clinical": clinical_name(code, language),
            "about": about(code, language),
            "is_malignant": code in bundle.manifest.malignant,
        }
        for code in bundle.manifest.classes
    ]
    return page(
        request,
        "help.html",
        manifest=bundle.manifest,
        sha256=bundle.sha256,
        classes=classes,
        tips=[language.gettext(tip) for tip in TIPS],
        meanings=meanings(language),
        privacy=privacy(language, running.service, is_open=await _is_open(running)),
        tables=tables_of(bundle.manifest, language),
    )


async def _is_open(running: Running) -> bool:
    """Whether no key is needed; where that cannot be known, it is not said."""
    try:
        return await running.keyring.is_open()
    except Refusal:
        return False


@router.get("/problems/{slug}", dependencies=[MAY_LOOK])
async def problem_about(request: Request, slug: str) -> Response:
    """What the type of a problem of the API means."""
    if slug not in PROBLEMS:
        raise Refusal("not-found", "There is no such kind of problem.")
    problem, language = PROBLEMS[slug], language_for(request)
    words = language.gettext("Status {status}, type {type}", status=problem.status, type=problem.type)
    view = ProblemView(language.gettext(problem.title), language.gettext(problem.about), words)
    return page(request, "problem.html", problem=view)


@router.post("/language")
async def choose_language(
    language: Annotated[str, Form(max_length=20)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Remember the language in the reader's browser."""
    response = _redirect(next)
    if language in languages():
        response.set_cookie(LANGUAGE_COOKIE, language, YEAR_SECONDS, httponly=True, samesite="lax")
    return response


@router.get("/sign-in")
async def sign_in_page(request: Request, next: str = "/", ended: str = "") -> Response:  # noqa: A002
    """The form for a key; `ended` where something was sent after the session had ended."""
    return page(request, "sign-in.html", next=local_path(next), ended=bool(ended), bare=True)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    key: Annotated[str, Form(max_length=400)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session, or say that the key is wrong."""
    response = _redirect(next)
    caller = await access.sign_in(request, response, key.strip()) if key else None
    if caller is not None:
        if local_path(next) == "/":
            response.headers["location"] = home_of(request, caller.scopes)
        return response
    language = language_for(request)
    problem = ProblemView(
        language.gettext("This key is not valid"),
        language.gettext("It is unknown, mistyped or was revoked. Ask the person who runs this server."),
    )
    path = local_path(next)
    return page(request, "sign-in.html", status=HTTPStatus.UNAUTHORIZED, next=path, problem=problem, bare=True)


@router.post("/sign-out")
async def sign_out() -> Response:
    """End the session."""
    response = _redirect("/sign-in")
    access.sign_out(response)
    return response


def local_path(text: str) -> str:
    r"""A path of this server, and nothing that a browser takes for another one.

    >>> local_path("/history?text=a"), local_path("//evil.example"), local_path("/\\evil.example")
    ('/history?text=a', '/', '/')
    """
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_local else "/"


def _redirect(path: str) -> RedirectResponse:
    return RedirectResponse(local_path(path), HTTPStatus.SEE_OTHER)
