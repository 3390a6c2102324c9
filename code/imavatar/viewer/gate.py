"""viser's server behind a gate: requests pass `access`, messages pass `messages`, and nothing is shared with the world.

viser has no hook for either, so its internals are used, here and nowhere else: while it starts, this module stands in
for the `serve` of websockets that it calls, and it keeps controls by identifier. Before anything is listened at, the
installed viser is compared with what is expected; another one serves nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from inspect import isawaitable, signature
from types import CodeType, ModuleType
from typing import Any

import rich
import viser
import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection

from imavatar.errors import ImavatarError
from imavatar.viewer.access import Access
from imavatar.viewer.messages import LARGEST_MESSAGE, Between, CameraMessage, GuiMessage, Offer, OneOf, admitted

TESTED = "1.1.1"
MOST_BROWSERS = 8
"""Each has a thread that draws."""
PROTOCOL_ERROR = 1002
"""How viser closes connections that it rejects: its page shows the reason then."""
HEADERS = {
    # The page's address holds the token.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SHARE_MESSAGES = ("ShareUrlRequest", "ShareUrlDisconnect")
SETTINGS = {"process_request", "create_connection", "max_size", "logger"}

logger = logging.getLogger(__name__)
_handshakes = logging.getLogger(f"{__name__}.handshakes")
_handshakes.setLevel(logging.WARNING)
# Whoever sends no proper request would fill the terminal with tracebacks.
_handshakes.addFilter(lambda record: record.getMessage() != "opening handshake failed")
_starting = threading.Lock()


def open_server(access: Access, label: str) -> viser.ViserServer:
    """Listen where `access` says, to those it lets in.

    Raises:
        ImavatarError: the installed viser has other internals than expected, or the port was taken.
    """
    with _starting, _silent():
        check_viser()
        gate = _Gate(access)
        with _stands_in(gate.serve):
            server = viser.ViserServer(host=access.host, port=access.port, label=label, verbose=False)
    if not gate.asked:
        server.stop()
        raise _unknown(["start of a server"])
    if server.get_port() != access.port:
        server.stop()
        raise ImavatarError(f"{access.host}:{access.port}: viser took another port; choose another --port")
    gate.server = server
    for name in SHARE_MESSAGES:
        # The gate lets no such message through; without a handler no tunnel would be opened even if one came.
        server._websock_server.unregister_handler(getattr(_messages_of_viser(), name))
    server.gui.configure_theme(show_share_button=False)
    return server


class _Gate:
    """Between the network and viser's handlers."""

    def __init__(self, access: Access):
        self.access = access
        self.server: viser.ViserServer | None = None
        self.asked = False
        self._serve = websockets.asyncio.server.serve
        self._n_browsers = 0

    def serve(self, handler: Callable, *place: Any, **settings: Any) -> websockets.asyncio.server.serve:
        """What viser calls in the place of websockets' `serve`."""
        if not getattr(handler, "__module__", "").startswith("viser."):
            return self._serve(handler, *place, **settings)
        self.asked = True
        settings |= {
            "process_request": self._requests(settings.get("process_request")),
            "create_connection": partial(_Connection, self._offer),
            "max_size": LARGEST_MESSAGE,
            "logger": _handshakes,
        }
        return self._serve(self._sessions(handler), *place, **settings)

    def _requests(self, pages: Callable | None) -> Callable:
        """What answers requests: with a refusal, with one of viser's pages, or (None) by opening a websocket."""

        async def answer(connection, request):
            headers = request.headers
            refusal = self.access.refusal(request.path, headers.get_all("Host"), headers.get_all("Origin"))
            if refusal is not None:
                logger.debug("refused: %s", refusal)
                return connection.respond(HTTPStatus.FORBIDDEN, refusal + "\n")
            request.path = self.access.inside(request.path)
            response = pages(connection, request) if pages else None
            if isawaitable(response):
                response = await response
            if response is not None:
                response.headers.update(HEADERS)
            return response

        return answer

    def _sessions(self, handler: Callable) -> Callable:
        """What handles websockets: viser, as long as there are not too many."""

        async def handle(connection):
            if self._n_browsers >= MOST_BROWSERS:
                reason = f"{MOST_BROWSERS} browsers show this avatar already; close one of them"
                await connection.close(PROTOCOL_ERROR, reason)
                return
            self._n_browsers += 1
            try:
                await handler(connection)
            finally:
                self._n_browsers -= 1

        return handle

    def _offer(self, uuid: str) -> Offer | None:
        """What the control of an identifier offers in its browser."""
        clients = self.server.get_clients() if self.server else {}
        for client in clients.values():
            handle = client.gui._gui_input_handle_from_uuid.get(uuid)
            if isinstance(handle, viser.GuiSliderHandle):
                return Between(handle.min, handle.max)
            if isinstance(handle, viser.GuiDropdownHandle):
                return OneOf(tuple(handle.options))
            if isinstance(handle, viser.GuiCheckboxHandle):
                return OneOf((True, False))
            if isinstance(handle, viser.GuiButtonHandle):
                return OneOf((True,))
        return None


class _Connection(ServerConnection):
    """A websocket that receives what is admitted, rewritten, and passes over the rest."""

    def __init__(self, offer_of: Callable[[str], Offer | None], *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self._offer_of = offer_of

    async def recv(self, decode: bool | None = None) -> bytes:
        """The next admitted message, always as bytes."""
        while True:
            message = admitted(await super().recv(decode=False), self._offer_of)
            if message is not None:
                return message
            logger.debug("a message was left out")


@contextmanager
def _stands_in(serve: Callable) -> Iterator[None]:
    """For websockets' function of that name, which viser looks up when it starts."""
    module = websockets.asyncio.server
    original = module.serve
    module.serve = serve
    try:
        yield
    finally:
        module.serve = original


@contextmanager
def _silent() -> Iterator[None]:
    """viser prints where it listens, without the token."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def check_viser() -> None:
    """Compare the installed viser with what the gate was made for.

    Raises:
        ImavatarError: it is another.
    """
    try:
        unlike = [what for what, found in _expectations() if not found]
    except (ImportError, AttributeError) as error:
        raise _unknown([str(error)]) from error
    if unlike:
        raise _unknown(unlike)


def _expectations() -> Iterator[tuple[str, bool]]:
    """What is expected of viser, and whether it is so."""
    from viser._gui_api import GuiApi
    from viser._viser import ViserServer
    from viser.infra._infra import WebsockServer

    messages = _messages_of_viser()
    started = _names(WebsockServer._background_worker.__code__)
    yield "start of a server", {"websockets", "asyncio", "server", "serve"} <= started
    yield "settings of a server", signature(websockets.asyncio.server.serve).parameters.keys() >= SETTINGS
    yield "controls by identifier", "_gui_input_handle_from_uuid" in _names(GuiApi.__init__.__code__)
    yield "handlers of messages", "_websock_server" in _names(ViserServer.__init__.__code__)
    yield "their removal", callable(WebsockServer.unregister_handler)
    yield "requests to share", all(hasattr(messages, name) for name in SHARE_MESSAGES)
    yield "messages of cameras", _same_fields(messages.ViewerCameraMessage, CameraMessage)
    yield "messages of controls", _same_fields(messages.GuiUpdateMessage, GuiMessage)


def _messages_of_viser() -> ModuleType:
    from viser import _messages

    return _messages


def _unknown(unlike: list[str]) -> ImavatarError:
    return ImavatarError(
        f"viser {viser.__version__} cannot be guarded against strangers, so nothing is served: not as in {TESTED} are "
        f"{', '.join(unlike)}; pip install viser=={TESTED}"
    )


def _names(code: CodeType) -> set[str]:
    """Names that a function and those inside it look up."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _same_fields(theirs: type, ours: type) -> bool:
    return set(theirs.__dataclass_fields__) == set(ours.__struct_fields__)
