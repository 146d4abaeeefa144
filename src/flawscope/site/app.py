"""The site as a web application: one call makes it, of settings alone."""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from flawscope._version import __version__
from flawscope.errors import UserError, listing
from flawscope.site import web
from flawscope.site.guard import HEADERS, Guard
from flawscope.site.hosted import opened
from flawscope.site.refusals import OURS, NotLoggedInError, Refusal, headers_of, status_of, told
from flawscope.site.rendering import STATIC
from flawscope.site.routes import (
    account,
    api,
    api_boards,
    api_submissions,
    boards,
    home,
    office,
    people,
    submissions,
    teams,
)
from flawscope.site.settings import Settings
from flawscope.site.uploads import Turns, limit_of

API = "/api/v1"
LOG = logging.getLogger("flawscope.site")
PAGES = (
    home.router,
    account.router,
    teams.router,
    submissions.router,
    people.router,
    boards.router,
    office.router,
)
UPLOADS = (submissions.uploads,)
"""Pages that see to the token in their form themselves."""
APIS = (api.router, api_submissions.router, api_boards.router)
WORDS = {
    404: ("there is no such page", "look at the list of challenges"),
    405: ("this address is not used in this way", "go back, and use the page's own links and buttons"),
}


def create_app(settings: Settings) -> FastAPI:
    """The site of these settings.

    Raises:
        UserError: a challenge is none, or the database cannot be reached; see `hosted.opened`.
    """
    app = FastAPI(
        title="flawscope challenges",
        version=__version__,
        summary="Teams, submissions and boards of challenges on hidden test sets.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
    )
    app.state.site = site = opened(settings)
    app.state.turns = Turns()
    for router in PAGES:
        app.include_router(router, include_in_schema=False, dependencies=[Depends(web.protect)])
    for router in UPLOADS:
        app.include_router(router, include_in_schema=False)
    for router in APIS:
        app.include_router(router, prefix=API)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.add_middleware(Guard, limit=partial(limit_of, site), secure=settings.secure_cookies)
    app.add_exception_handler(UserError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    return app


class _Static(StaticFiles):
    """Files that change with the version only."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        response = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


def _answer(request: Request, error: UserError, status: int) -> Response:
    """The same words as a page or as JSON."""
    if request.url.path.startswith(f"{API}/"):
        return JSONResponse({"problem": error.problem, "remedy": error.remedy}, status, headers_of(error))
    made = web.page(request, "error.html", title=HTTPStatus(status).phrase, problem=error, status=status)
    made.headers.update(headers_of(error))
    return made


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    if isinstance(error, OURS):
        LOG.error("%s %s: %s", request.method, request.url.path, error)
    if isinstance(error, NotLoggedInError) and not request.url.path.startswith(f"{API}/"):
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = f"{request.url.path}{query}" if request.method == "GET" else ""
        return web.go(request, f"/login?next={quote(wanted)}" if wanted else "/login", error.problem)
    return _answer(request, told(error), status_of(error))


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith(f"{API}/") and all(each["loc"][0] == "path" for each in error.errors()):
        return _answer(request, Refusal(*WORDS[404]), 404)  # a number that nothing has
    found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return _answer(request, UserError(f"what was sent does not fit:\n{listing(found)}", "see the description"), 422)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "GET" and not request.url.path.startswith(f"{API}/"):
        return web.go(request, _above(request.url.path))
    problem, remedy = WORDS.get(error.status_code, (str(error.detail), "go back and try again"))
    answer = _answer(request, Refusal(problem, remedy), error.status_code)
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request.url.path) or {"GET", "HEAD"}))  # or a file
    return answer


def _methods(path: str) -> set[str]:
    """All that an address may be used for; a route that is asked names its own method alone."""
    routes = [
        (f"{prefix}{route.path}", route.methods or set())
        for prefix, routers in (("", (*PAGES, *UPLOADS)), (API, APIS))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    found = {method for address, methods in routes if compile_path(address)[0].match(path) for method in methods}
    return found | ({"HEAD"} if "GET" in found else set())


def _above(path: str) -> str:
    """The page nearest above an address that takes forms alone: there gets who loads anew what a form has answered."""
    while path and "GET" not in _methods(path):
        path = path.rpartition("/")[0]
    return path or "/"


async def _bug(request: Request, error: Exception) -> Response:
    """A mistake of ours: it stands in the log, with its traceback; the visitor gets words."""
    words = UserError("something went wrong here, and it is not your mistake", "try again, or tell the organiser")
    answer = _answer(request, words, 500)
    answer.headers.update({**HEADERS, "Cache-Control": "no-store"})  # this one is made outside of the guard
    return answer
