"""The web page: routes under `/` that answer with HTML, and how a refusal is shown to a reader."""

from fastapi import APIRouter

from dermalens.serve.pages import case, classify, history, lesion, site
from dermalens.serve.pages.problems import problem_page as problem_page

router = APIRouter()
for part in (classify, history, case, lesion, site):
    router.include_router(part.router)
