"""Limits on what an upload may contain, checked before it is kept in memory or decoded."""

from __future__ import annotations

import contextlib
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The first bytes of the kinds of files that the service takes. The name and the content type of an upload are chosen
# by the client and are not relied upon.
SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
}


def check_kind(data: bytes) -> str | None:
    """Return why the content of a file is not taken, or None."""
    if not data:
        return "The file is empty."
    if any(data.startswith(start) for starts in SIGNATURES.values() for start in starts):
        return None
    return f"The file is not one of {', '.join(SIGNATURES)}."


class LimitBody:
    """ASGI middleware that refuses request bodies over a number of bytes with status 413 while they arrive."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app, self._largest = app, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting the bytes of its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._largest:
            await self._refuse(scope, receive, send)
            return
        received, refused = 0, False

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._largest:
                raise _TooLargeError
            return message

        async def answer(message: Message) -> None:
            nonlocal refused
            # FastAPI turns an error while it reads a form into an answer of status 400.
            if received <= self._largest:
                await send(message)
            elif not refused:
                refused = True
                await self._refuse(scope, receive, send)

        with contextlib.suppress(_TooLargeError):
            await self._app(scope, count, answer)
        if received > self._largest and not refused:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        content: dict[str, Any] = {"detail": f"The request is larger than {self._largest} bytes."}
        await JSONResponse(content, status_code=413)(scope, receive, send)


class _TooLargeError(Exception):
    pass
