"""A real server and clients that are no browsers: who gets pictures, and what can be done by talking to it."""

import gc
import http.client
import logging
import math
import socket
import time
from contextlib import closing, contextmanager, nullcontext
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="needs the extra `viewer`")
import msgspec
import viser
import websockets.asyncio.server
import zstandard
from viser import _gui_api, _messages
from viser.infra import _infra
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from imavatar.anatomy import Joint, pose_slice
from imavatar.errors import ImavatarError
from imavatar.types import Camera, HeadParameters, View
from imavatar.viewer import gate
from imavatar.viewer.app import Viewer
from imavatar.viewer.controls import controls_of
from imavatar.viewer.gate import MOST_BROWSERS
from imavatar.viewer.messages import LARGEST_MESSAGE
from imavatar.viewer.renderer import LiveRenderer
from imavatar.viewer.scene import Scene, ViewerSettings

# A browser may leave while a picture is on its way.
pytestmark = pytest.mark.filterwarnings("ignore:Queued a .* on a closed connection:UserWarning")
JAW = pose_slice(Joint.JAW).start
PATIENCE = 10.0
SIZE = 64
CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [0.0, 1.0, 0.0, 0.0],
    "position": [0.0, 0.0, 5.0],
    "fov": 1.0,
    "near": 0.01,
    "far": 1000.0,
    "image_height": 300,
    "image_width": 300,
    "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 1.0, 0.0],
}


class Renderer(LiveRenderer):
    """Draws images that tell the jaw's angle, and remembers their largest side."""

    def __init__(self):
        self.largest = 0

    def draw(self, head, camera, height, width):
        self.largest = max(self.largest, height, width)
        assert torch.isfinite(camera.intrinsics).all() and torch.isfinite(camera.world_from_camera).all()
        return np.full((height, width, 3), round(100 * float(head.pose[0, JAW])), np.uint8)

    def refine(self, head, camera, height, width, wanted):
        return iter(())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(**place):
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 5.0
    viewer = Viewer(
        Renderer(),
        Scene(
            controls_of(4, {}, {}),
            {"talk": HeadParameters(torch.zeros(20, 4), torch.zeros(20, 15))},
            HeadParameters(torch.zeros(1, 4), torch.zeros(1, 15)),
            view=View(Camera(torch.tensor([[-300.0, 300.0, 128.0, 128.0]]), world), 256, 256),
            centre=np.zeros(3),
        ),
        ViewerSettings(size=SIZE, port=free_port(), **place),
    )
    try:
        yield viewer
    finally:
        viewer.stop()


@pytest.fixture(scope="module")
def shared():
    # What is there already need not be looked through after every test.
    gc.freeze()
    with serving(host="127.0.0.1") as viewer:
        yield viewer
    gc.unfreeze()


@pytest.fixture
def viewer(shared, capfd, caplog):
    """A viewer that says nothing about errors while it is used."""
    yield shared
    # Exceptions of tasks are told when these are collected.
    gc.collect()
    said = "".join(capfd.readouterr()) + caplog.text
    said += "\n".join(record.getMessage() for phase in ("setup", "call") for record in caplog.get_records(phase))
    assert "Traceback" not in said and "exception" not in said.lower(), said


class Browser:
    """Opens a viewer's websocket and its controls, as the page does.

    Args:
        address: of the page, or another one where Host says something else.
        at: where the server really is, instead.
    """

    def __init__(self, address: str, *, origin: str | None = None, at: int | None = None, starts: bool = True):
        url = urlsplit(address)
        self.socket = connect(
            f"ws://{url.netloc}{url.path.rstrip('/')}",
            sock=socket.create_connection(("127.0.0.1", at or url.port), timeout=PATIENCE),
            origin=f"http://{url.netloc}" if origin is None else origin or None,
            subprotocols=[f"viser-v{viser.__version__}"],
            proxy=None,
            max_size=None,
        )
        self.images, self.controls, self.kinds = [], {}, set()
        if starts:
            self.say(**CAMERA)
            self.wait_for(lambda: self.images and "reset all sliders" in self.controls)

    def close(self) -> None:
        self.socket.close()

    def say(self, **message) -> None:
        self.socket.send(msgspec.msgpack.encode(message))

    def set(self, label: str, value) -> None:
        self.say(type="GuiUpdateMessage", uuid=self.controls[label], updates={"value": value})

    def listen(self, seconds: float) -> None:
        """Take in a batch of messages, or what does not come in a time."""
        try:
            raw = self.socket.recv(timeout=seconds)
        except TimeoutError:
            return
        size = int.from_bytes(raw[8:16], "little")
        for message in msgspec.msgpack.decode(zstandard.decompress(raw[16 : 16 + size]))["messages"]:
            self.kinds.add(message["type"])
            if message["type"] == "BackgroundImageMessage" and message["rgb_data"]:
                self.images.append(cv2.imdecode(np.frombuffer(message["rgb_data"], np.uint8), cv2.IMREAD_COLOR))
            if label := message.get("props", {}).get("label"):
                self.controls[label] = message["uuid"]

    def wait_for(self, condition) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until
            self.listen(until - time.monotonic())

    def shows(self, jaw: float) -> None:
        """Open the jaw and wait for the picture of it."""
        self.set("jaw open", jaw)
        self.wait_for(lambda: abs(float(self.images[-1].mean()) - 100 * jaw) < 1)


@pytest.fixture
def browser(viewer):
    with closing(Browser(viewer.addresses()[0])) as opened:
        yield opened


def client_of(viewer: Viewer, browser: Browser):
    """A browser as the server knows it."""
    uuid = browser.controls["jaw open"]
    return next(c for c in viewer._server.get_clients().values() if uuid in c.gui._gui_input_handle_from_uuid)


def handle(viewer: Viewer, browser: Browser, label: str):
    """A control as the server knows it."""
    return client_of(viewer, browser).gui._gui_input_handle_from_uuid[browser.controls[label]]


def wait_until_handled(viewer: Viewer, browser: Browser) -> None:
    """Messages are handled in their order: one more is sent, which is known to be handled."""
    browser.set("neck turn", 0.1)
    until = time.monotonic() + PATIENCE
    while handle(viewer, browser, "neck turn").value != 0.1:
        assert time.monotonic() < until
        time.sleep(0.01)


def page(address: str, path: str | None = None, **headers) -> tuple[int, bytes]:
    """Status and content of the answer to a browser's request."""
    url = urlsplit(address)
    with closing(http.client.HTTPConnection("127.0.0.1", url.port, timeout=PATIENCE)) as connection:
        connection.request("GET", url.path if path is None else path, headers={"Host": url.netloc} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_only_this_machine_is_listened_to_by_default():
    with serving() as viewer, socket.socket() as probe:
        # All of 127.0.0.0/8 is this machine, but only one address of it is listened at.
        assert probe.connect_ex(("127.0.0.1", viewer.port)) == 0
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", viewer.port)) != 0


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_without_the_token_there_is_neither_a_page_nor_a_websocket(host):
    with serving(host=host) as viewer:
        address = viewer.addresses()[0]
        bare = f"http://{urlsplit(address).netloc}/"
        for path in ("/", "/index.html", "/wrong/", "/?token=wrong", urlsplit(address).path[:-2] + "/"):
            status, content = page(address, path)
            assert status == 403 and len(content) < 200
            with pytest.raises(InvalidStatus, match="403"):
                Browser(f"http://{urlsplit(address).netloc}{path}")
        status, content = page(address)
        assert status == 200 and b"<html" in content
        with pytest.raises(InvalidStatus, match="403"):
            Browser(bare)
        with closing(Browser(address)) as browser:
            browser.shows(0.25)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"])
def test_pages_of_other_origins_see_nothing_even_with_the_token(viewer, origin):
    address = viewer.addresses()[0]
    with pytest.raises(InvalidStatus, match="403"):
        Browser(address, origin=origin)
    assert page(address, Origin=origin)[0] == 403


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example"])
def test_names_that_are_not_ours_see_nothing_even_with_the_token(viewer, name):
    url = urlsplit(viewer.addresses()[0])
    rebound = f"http://{name}:{url.port}{url.path}"
    with pytest.raises(InvalidStatus, match="403"):
        Browser(rebound)
    assert page(rebound)[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        Browser(f"http://{url.hostname}:{url.port + 1 if url.port < 65535 else 1}{url.path}", at=url.port)


def test_a_program_without_origin_is_let_in_with_the_token(viewer):
    with closing(Browser(viewer.addresses()[0], origin="")) as browser:
        browser.shows(0.25)


def test_the_page_does_not_tell_its_address_and_is_not_kept(viewer):
    url = urlsplit(viewer.addresses()[0])
    with closing(http.client.HTTPConnection("127.0.0.1", url.port, timeout=PATIENCE)) as connection:
        connection.request("GET", url.path)
        headers = connection.getresponse().headers
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"


def test_nobody_can_share_the_viewer_with_the_world(viewer, monkeypatch):
    asked = []
    monkeypatch.setattr(viser.ViserServer, "request_share_url", lambda self: asked.append("share"))
    monkeypatch.setattr(viser.ViserServer, "disconnect_share_url", lambda self: asked.append("end"))
    with closing(Browser(viewer.addresses()[0])) as browser:
        for kind in ("ShareUrlRequest", "ShareUrlDisconnect"):
            browser.say(type=kind)
        browser.shows(0.25)
        time.sleep(0.2)
        assert not asked


def test_viser_has_no_handler_of_requests_to_share_and_its_page_no_button(viewer):
    server = viewer._server._websock_server
    assert not {_messages.ShareUrlRequest, _messages.ShareUrlDisconnect} & server._incoming_handlers.keys()
    themes = [m for m in server._broadcast_buffer.message_from_id.values() if type(m).__name__.startswith("ThemeConf")]
    assert themes and not themes[-1].show_share_button


def test_a_size_that_is_not_offered_is_not_drawn(viewer, browser):
    for size in ("12000", "abc", 512, None, "-1", ""):
        browser.set("pixels", size)
        browser.shows(0.25)
        browser.shows(0.0)
    assert viewer.renderer.largest <= 2 * SIZE and browser.images[-1].shape[0] == SIZE
    browser.set("pixels", "512")
    browser.wait_for(lambda: browser.images[-1].shape[0] == 512)


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("motion", "no such motion", "none"),
        ("motion", 7, "none"),
        ("motion", None, "none"),
        ("frame", math.nan, 0),
        ("frame", 1000, 19),
        ("frame", "x", 0),
        ("frame", [1, 2], 0),
        ("play", "yes", False),
        ("play", 2, False),
        ("exact when idle", None, True),
        ("jaw open", 50.0, 0.5),
        ("jaw open", -1e300, 0.0),
        ("jaw open", math.nan, 0.0),
        ("jaw open", "wide", 0.0),
        ("jaw open", True, 0.0),
        ("expression_00", math.inf, 0.0),
        ("expression_00", {}, 0.0),
        ("reset all sliders", 3, False),
    ],
)
def test_a_value_that_is_not_offered_harms_nothing(viewer, browser, label, value, expected):
    browser.set(label, value)
    wait_until_handled(viewer, browser)
    found = handle(viewer, browser, label).value
    assert found == expected and type(found) is type(expected)
    browser.shows(0.25)


@pytest.mark.parametrize(
    "updates",
    [{"props": None}, {"update_cb": []}, {"removed": True}, {"sync_cb": 1}, {"options": ["12000"]}, {"value": []}],
    ids=str,
)
def test_nothing_but_values_can_be_set(viewer, browser, updates):
    browser.say(type="GuiUpdateMessage", uuid=browser.controls["jaw open"], updates=updates)
    browser.shows(0.25)
    slider = handle(viewer, browser, "jaw open")
    assert (slider.min, slider.max, slider.value) == (0.0, 0.5, 0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fov": 0.0},
        {"fov": math.nan},
        {"fov": math.pi},
        {"fov": "wide"},
        {"position": [math.nan] * 3},
        {"position": [1e300] * 3},
        {"position": [0.0, 0.0]},
        {"wxyz": [0.0] * 4},
        {"wxyz": [math.nan] * 4},
        {"wxyz": [1e300] * 4},
        {"image_height": 0},
        {"image_width": 0},
        {"image_height": math.inf},
        {"up_direction": [0.0] * 3},
        {"look_at": [0.0, 0.0, 5.0]},
        {"look_at": [math.inf] * 3},
        {"near": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_camera_that_is_none_harms_nothing(viewer, browser, wrong):
    browser.say(**CAMERA | wrong)
    wait_until_handled(viewer, browser)
    view = client_of(viewer, browser).camera
    assert 0 < view.fov < 3.1 and 0 < view.aspect < math.inf
    assert np.linalg.norm(view.wxyz) == pytest.approx(1) and np.linalg.norm(view.up_direction) > 0
    assert 0 < np.linalg.norm(np.subtract(view.look_at, view.position)) < math.inf
    browser.shows(0.25)
    # The camera can still be moved.
    browser.say(**CAMERA | {"image_width": 600})
    browser.wait_for(lambda: browser.images[-1].shape[1] > 1.5 * browser.images[-1].shape[0])
    assert viewer.renderer.largest <= 512


@pytest.mark.parametrize("wrong", [{"look_at": CAMERA["position"]}, {"up_direction": [0.0] * 3}], ids=str)
def test_a_browser_that_begins_with_such_a_camera_is_waited_for(viewer, wrong):
    with closing(Browser(viewer.addresses()[0], starts=False)) as browser:
        browser.say(**CAMERA | wrong)
        browser.listen(0.3)
        browser.say(**CAMERA)
        browser.wait_for(lambda: browser.images and "reset all sliders" in browser.controls)
        browser.shows(0.25)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"\xff" * 100,
        b"\x91" * 5000,
        "text",
        msgspec.msgpack.encode({"type": "NoSuchMessage"}),
        msgspec.msgpack.encode({"type": 3}),
        msgspec.msgpack.encode({"no": "type"}),
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"type": "GuiUpdateMessage"}),
        msgspec.msgpack.encode({"type": "GuiUpdateMessage", "uuid": [], "updates": {"value": 1}}),
        msgspec.msgpack.encode({"type": "FileTransferPart", "transfer_uuid": {}, "content": 1}),
    ],
    ids=range(12),
)
def test_bytes_that_are_no_message_end_nothing(browser, raw):
    browser.socket.send(raw)
    browser.shows(0.25)


def test_text_that_is_none_ends_nothing(browser):
    browser.socket.send(b"\xff\xfe", text=True)
    browser.shows(0.25)


def test_nothing_is_passed_on_to_other_browsers(viewer, browser):
    with closing(Browser(viewer.addresses()[0])) as other:
        other.say(type="GuiFormDirtyMessage", uuid="anything")
        other.say(type="GuiFormSubmitMessage", uuid="anything")
        other.shows(0.25)
        browser.shows(0.25)
        browser.listen(0.2)
        assert not {kind for kind in browser.kinds if kind.startswith("GuiForm")}


def test_no_files_are_taken_in(viewer, browser):
    client = next(iter(viewer._server.get_clients().values()))
    browser.say(
        type="FileTransferStartUpload",
        source_component_uuid=browser.controls["jaw open"],
        transfer_uuid="one",
        filename="x",
        mime_type="x",
        part_count=10**6,
        size_bytes=10**12,
    )
    browser.shows(0.25)
    assert not client.gui._current_file_upload_states


def test_large_messages_end_the_connection_that_sends_them_before_they_are_read(viewer, browser):
    with closing(Browser(viewer.addresses()[0])) as other:
        with pytest.raises(ConnectionClosed) as closed:
            other.socket.send(bytes(LARGEST_MESSAGE + 1))
            while True:
                other.listen(PATIENCE)
        assert closed.value.rcvd.code == 1009
    browser.shows(0.25)


def test_one_browser_too_many_is_told_so_and_let_in_later(viewer):
    browsers = [Browser(viewer.addresses()[0]) for _ in range(MOST_BROWSERS)]
    try:
        one_more = Browser(viewer.addresses()[0], starts=False)
        with pytest.raises(ConnectionClosed) as closed:
            one_more.listen(PATIENCE)
        assert closed.value.rcvd.code == 1002 and "8 browsers" in closed.value.rcvd.reason
        browsers.pop().close()
        until = time.monotonic() + PATIENCE
        while True:
            try:
                browsers.append(Browser(viewer.addresses()[0]))
                break
            except ConnectionClosed:
                assert time.monotonic() < until
                time.sleep(0.1)
        for browser in browsers:
            browser.shows(0.25)
    finally:
        for browser in browsers:
            browser.close()


def test_a_browser_that_leaves_at_once_leaves_no_session(viewer):
    before = set(viewer._sessions)
    for _ in range(10):
        browser = Browser(viewer.addresses()[0], starts=False)
        browser.say(**CAMERA)
        browser.close()
    until = time.monotonic() + PATIENCE
    while set(viewer._sessions) - before:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_requests_that_are_none_say_nothing_in_the_terminal(capfd, caplog, monkeypatch):
    # viser silences websockets at the first proper request, for all servers.
    monkeypatch.setattr(logging.getLogger("websockets.server"), "filters", [])
    requests = [b"", b"garbage\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
    with serving() as viewer:
        for request in requests:
            with socket.create_connection(("127.0.0.1", viewer.port), timeout=PATIENCE) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
    said = "".join(capfd.readouterr()) + caplog.text
    assert "Traceback" not in said and "handshake" not in said


def other_start(self, ready):
    raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        (_infra.WebsockServer, "_background_worker", other_start),
        (_infra.WebsockMessageHandler, "unregister_handler", None),
        (_gui_api.GuiApi, "__init__", other_start),
        (viser.ViserServer, "__init__", other_start),
        (_messages, "ShareUrlRequest", None),
        (_messages, "ViewerCameraMessage", _messages.GuiUpdateMessage),
        (_messages, "GuiUpdateMessage", _messages.ViewerCameraMessage),
        (websockets.asyncio.server, "serve", other_start),
    ],
)
def test_a_viser_that_is_not_known_serves_nothing(monkeypatch, owner, name, instead):
    if instead is None:
        monkeypatch.delattr(owner, name)
    else:
        monkeypatch.setattr(owner, name, instead)
    with pytest.raises(ImavatarError, match=r"viser .* nothing is served: .*pip install viser==1\.1\.1"), serving():
        pass


def test_a_server_that_did_not_start_through_the_gate_is_stopped(monkeypatch):
    port = free_port()
    monkeypatch.setattr(gate, "_stands_in", lambda serve: nullcontext())
    monkeypatch.setattr(f"{__name__}.free_port", lambda: port)
    with pytest.raises(ImavatarError, match="start of a server"), serving():
        pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_websockets_is_as_before_when_the_server_has_started(viewer):
    assert websockets.asyncio.server.serve.__module__ == "websockets.asyncio.server"


def test_the_terminal_gets_no_address_without_the_token(capfd):
    with serving() as viewer:
        port = viewer.port
    assert str(port) not in "".join(capfd.readouterr())
