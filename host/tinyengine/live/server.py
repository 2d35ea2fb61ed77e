"""The page over HTTP and its websocket: who may have it, and what becomes of messages.

Everything lies below a random token, so that no other program or page finds it. The Host header must name this server
by an address or a name that cannot be rebound; a websocket's Origin must be this very page. HTTP only reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tinyengine.errors import ToolError
from tinyengine.live.hub import Hub, Tab
from tinyengine.live.messages import (
    PICTURE_BYTES,
    MessageError,
    TakeControl,
    parse_order,
    parse_picture,
)
from tinyengine.live.pages import Publish
from tinyengine.live.session import Session
from tinyengine.optional import starlette, uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

STATIC = Path(__file__).with_name("static")
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
POLICY_VIOLATION, TOO_LARGE, TRY_AGAIN = 1008, 1009, 1013
_TAB = re.compile(r"[0-9a-f]{16}")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MakeSession = Callable[[Publish], Session]


def new_token() -> str:
    return secrets.token_urlsafe(24)


def host_is_ours(header: str, names: frozenset[str]) -> bool:
    """Whether a Host header is an address, or one of ``names``: another name may have been rebound to us."""
    match = _HOST.fullmatch(header)
    if not match:
        return False
    host = match[1].strip("[]").lower()
    if host in names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Guard:
    """Lets through only what knows the token and came by a name of ours; adds the headers."""

    def __init__(self, app: Any, token: str, names: frozenset[str]) -> None:
        self._app, self._token, self._names = app, token, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        token, slash, rest = scope["path"].lstrip("/").partition("/")
        allowed = host_is_ours(host, self._names) and hmac.compare_digest(token.encode(), self._token.encode())
        if scope["type"] == "websocket":
            await receive()  # the connection
            if not allowed or headers.get(b"origin") not in (f"http://{host}", f"https://{host}"):
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return
            receive = _with_first({"type": "websocket.connect"}, receive)
        elif not (allowed and slash):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Open the address that tinyengine live has printed.\n"})
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}
        await self._app(inner, receive, with_headers)


def _with_first(message: MutableMapping[str, Any], receive: Receive) -> Receive:
    waiting = [message]

    async def following() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return following


def application(make_session: MakeSession, token: str, names: frozenset[str]) -> Guard:
    """The ASGI application. ``make_session``: called when it starts, with what the session's events go to."""
    return Guard(_Page(make_session).app(), token, names)


class _Page:
    """The routes. ``session`` lives as long as the server."""

    def __init__(self, make_session: MakeSession) -> None:
        self._make_session = make_session
        self._hub = Hub()
        self._session: Session | None = None
        self._static = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir())}

    def app(self) -> Starlette:
        web = starlette("serve a page")
        return web.applications.Starlette(
            routes=[
                web.routing.Route("/", self._file),
                web.routing.Route("/files/{key}/{name}", self._pulled),
                web.routing.Route("/{name}", self._file),
                web.routing.WebSocketRoute("/socket", self._socket),
            ],
            lifespan=self._lifespan,
        )

    @property
    def session(self) -> Session:
        assert self._session is not None
        return self._session

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def publish(event: dict[str, Any] | bytes) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._hub.broadcast, event)

        self._session = self._make_session(publish)
        self._session.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._session.close)

    async def _file(self, request: Request) -> Response:
        web = starlette("serve a page")
        name = request.path_params.get("name", "index.html")
        if name not in self._static:
            return web.responses.Response("no such file\n", 404, media_type="text/plain")
        return web.responses.Response(self._static[name], media_type=KINDS[Path(name).suffix])

    async def _pulled(self, request: Request) -> Response:
        web = starlette("serve a page")
        found = self.session.files.get(request.path_params["key"])
        if found is None or found[0] != request.path_params["name"]:
            return web.responses.Response("no such file\n", 404, media_type="text/plain")
        attachment = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found[0], safe='')}"}
        return web.responses.Response(found[1], media_type="application/octet-stream", headers=attachment)

    async def _socket(self, websocket: WebSocket) -> None:
        name = websocket.query_params.get("tab", "")
        tab = self._hub.join(name) if _TAB.fullmatch(name) else None
        if tab is None:
            await websocket.close(TRY_AGAIN)
            return
        await websocket.accept()
        self._hub.tell_roles()
        tab.send(self.session.snapshot())
        sender = asyncio.create_task(_pump(websocket, tab))
        try:
            await self._listen(websocket, tab)
        finally:
            sender.cancel()
            if self._hub.leave(tab):
                self.session.leave()
            self._hub.tell_roles()

    async def _listen(self, websocket: WebSocket, tab: Tab) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] != "websocket.receive":
                return
            try:
                if message.get("text") is not None:
                    self._text(tab, message["text"])
                else:
                    self._picture(tab, message.get("bytes") or b"")
            except MessageError as error:
                if not tab.mistakes.take():
                    with contextlib.suppress(RuntimeError, OSError):  # it may have gone by itself
                        await websocket.close(POLICY_VIOLATION, "too many messages that are none")
                    return
                tab.send({"is": "notice", "kind": "error", "text": str(error)})

    def _text(self, tab: Tab, text: str) -> None:
        if not tab.orders.take():
            raise MessageError("that were too many orders at once: slow down")
        order = parse_order(text)
        if isinstance(order, TakeControl):
            former = self._hub.controls
            if former is not tab:
                self._hub.take(tab)
                if former is not None:
                    self.session.leave()
            self._hub.tell_roles()
            return
        self._must_control(tab)
        if not self.session.submit(order):
            raise MessageError("the board is not connected, or busy: wait a moment, or stop its training")

    def _picture(self, tab: Tab, content: bytes) -> None:
        if not tab.pictures.take():
            return  # the newest counts, and another will come
        self._must_control(tab)
        self.session.offer(parse_picture(content))

    def _must_control(self, tab: Tab) -> None:
        if self._hub.controls is not tab:
            raise MessageError("another tab controls the board: take over first")


async def _pump(websocket: WebSocket, tab: Tab) -> None:
    """Send what waits for a tab; close its socket where it has missed something that it must know."""
    gone = starlette("serve a page").websockets.WebSocketDisconnect
    with contextlib.suppress(RuntimeError, OSError, gone):
        while True:
            message = await tab.waiting.get()
            if message is None:
                await websocket.close(TRY_AGAIN)
                return
            if isinstance(message, bytes):
                await websocket.send_bytes(message)
            else:
                await websocket.send_text(message)


def listen(host: str, port: int) -> socket.socket:
    """A socket for the page. ToolError where the port or the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # who comes before the server has started waits
    except OSError as error:
        listening.close()
        raise ToolError(
            f"the page cannot be had at {host}, port {port} ({error.strerror or error}): give another --http-port, 0 "
            "for any that is free"
        ) from error
    return listening


def server(make_session: MakeSession, token: str, names: frozenset[str] = frozenset()) -> Any:
    """A uvicorn server, for which ``run(sockets=[...])`` serves until Ctrl-C or SIGTERM, or until its ``should_exit``
    is set. ``names``: those of this computer that a Host header may have, besides addresses."""
    module = uvicorn("serve a page")
    config = module.Config(
        application(make_session, token, names | {"localhost"}),
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=PICTURE_BYTES + 1024,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    return module.Server(config)
