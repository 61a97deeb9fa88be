"""The pages of the server: the list of studies, a study, its events while it runs, and its files to take away."""

import asyncio
import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from steepest.errors import StudyFolderError
from steepest.messages import ENGLISH, languages, say, speaking, wordings
from steepest.report import html
from steepest.report.export import export
from steepest.serving.feed import Feed
from steepest.serving.library import Library
from steepest.serving.snapshot import Snapshot

FILES = {
    "trials.csv": ("csv", "text/csv"),
    "ranking.csv": ("ranking-csv", "text/csv"),
    "ranking.tex": ("latex", "text/plain"),
    "view.json": ("json", "application/json"),
}
"""What can be taken away → its form for `report.export`, and its media type."""


def application(library: Library) -> Starlette:
    """Everything behind the guard."""

    def feed(request: Request) -> Feed | None:
        return library.feed(request.path_params["study"])

    async def snapshot_of(request: Request) -> Snapshot | Response:
        """The study as it stands; or what is answered where there is none, or none that can be read."""
        found = feed(request)
        if found is None:
            return _missing()
        try:
            return await found.snapshot()
        except StudyFolderError as error:
            return PlainTextResponse(str(error), 503)

    async def studies(request: Request) -> Response:
        if library.only:
            return RedirectResponse(f"/study/{library.only}", 303)
        entries = await asyncio.to_thread(library.entries)
        with speaking(_asked(request)):
            return _page(html.studies(entries, library.name).encode(), html.list_policy())

    async def study(request: Request) -> Response:
        snapshot = await snapshot_of(request)
        if isinstance(snapshot, Response):
            return snapshot
        with speaking(_asked(request)):
            return _page(await asyncio.to_thread(snapshot.page), html.live_policy())

    async def trials(request: Request) -> Response:
        snapshot = await snapshot_of(request)
        if isinstance(snapshot, Response):
            return snapshot
        return Response(await asyncio.to_thread(snapshot.trial_lines), media_type="application/x-ndjson")

    async def events(request: Request) -> Response:
        found = feed(request)
        if found is None:
            return _missing()
        since = request.headers.get("last-event-id") or request.query_params.get("version", "")
        if not (since.isascii() and since.isdigit() and len(since) < 10):
            return PlainTextResponse("Events start from a version.", 400)
        return StreamingResponse(found.events(int(since)), media_type="text/event-stream")

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return _missing()
        snapshot = await snapshot_of(request)
        if isinstance(snapshot, Response):
            return snapshot
        form, kind = FILES[name]
        content = await asyncio.to_thread(export, form, snapshot.record, snapshot.view)
        attached = {"content-disposition": f"attachment; filename={name}"}
        return Response(content, media_type=f"{kind}; charset=utf-8", headers=attached)

    return Starlette(
        routes=[
            Route("/", studies),
            Route("/study/{study}", study),
            Route("/study/{study}/trials", trials),
            Route("/study/{study}/events", events),
            Route("/study/{study}/files/{name}", file),
        ]
    )


def _asked(request: Request) -> str:
    """The language that a browser asks for first, where there is a catalogue; the page has a switch."""
    first = re.split("[-,;]", request.headers.get("accept-language", "").lower())[0].strip()
    return first if first in languages() else ENGLISH


def _page(content: bytes, policy: str) -> Response:
    return Response(content, media_type="text/html; charset=utf-8", headers={"content-security-policy": policy})


def _missing() -> Response:
    return PlainTextResponse("\n\n".join(wordings(say("Study not found. The list of studies is at /.")).values()), 404)
