"""A browser's session: what is drawn when, with a client that only remembers and a clock that stands still."""

import math
import socket
import threading
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="needs the extra `viewer`")
import viser

from imavatar.anatomy import Joint, pose_slice
from imavatar.errors import ImavatarError
from imavatar.types import Camera, HeadParameters, View
from imavatar.viewer.controls import controls_of
from imavatar.viewer.listening import check_free
from imavatar.viewer.renderer import LiveRenderer
from imavatar.viewer.scene import Scene, ViewerSettings
from imavatar.viewer.session import IDLE_SECONDS, NO_MOTION, Clock, Session

JAW = pose_slice(Joint.JAW).start
PATIENCE = 10.0
FPS = 64.0
"""Times of frames are exact then."""


class Handle:
    """A slider, box, list or text of the page."""

    def __init__(self, value=None):
        self._value, self.callbacks, self.content = value, [], ""

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, new):
        self._value = new

    def user_sets(self, new):
        """As by hand: the callbacks are called."""
        self._value = new
        for callback in self.callbacks:
            callback(SimpleNamespace(target=self))

    def on_update(self, callback):
        self.callbacks.append(callback)

    on_click = on_update


class Client(viser.ClientHandle):
    """A browser without a connection."""

    def __init__(self, gui, scene, camera):
        self.gui, self.scene, self.camera = gui, scene, camera


class Page:
    """The page's controls, by label."""

    def __init__(self):
        self.handles = {}

    def _add(self, label, value=None):
        self.handles[label] = Handle(value)
        return self.handles[label]

    def add_markdown(self, _content):
        return self._add("status")

    def add_slider(self, label, *, min, max, step, initial_value):
        assert min <= initial_value <= max and step > 0
        return self._add(label, initial_value)

    def add_dropdown(self, label, options, *, initial_value):
        assert initial_value in options
        return self._add(label, initial_value)

    def add_checkbox(self, label, *, initial_value):
        return self._add(label, initial_value)

    def add_button(self, label):
        return self._add(label)

    def add_folder(self, _label, **_look):
        return nullcontext()


class ManualClock(Clock):
    """Time that passes when the test says so."""

    def __init__(self):
        self._now, self._waiting, self._lock = 0.0, None, threading.Lock()

    def now(self):
        return self._now

    def wait(self, event, seconds=None):
        until = math.inf if seconds is None else self._now + seconds
        with self._lock:
            self._waiting = event, until
        while not event.is_set() and self._now < until:
            event.wait(0.002)
        with self._lock:
            self._waiting = None
        return event.is_set()

    def settle(self) -> None:
        """Let the session do all it has to do until it waits for a change, or for a later time."""
        limit = time.monotonic() + PATIENCE
        while not self._is_waited_for():
            assert time.monotonic() < limit
            time.sleep(0.001)

    def _is_waited_for(self) -> bool:
        with self._lock:
            return self._waiting is not None and not self._waiting[0].is_set() and self._now < self._waiting[1]

    def pass_by(self, seconds: float) -> None:
        self.settle()
        self._now += seconds
        self.settle()


class Pictures:
    """Remembers the images that were sent."""

    def __init__(self):
        self.images = []

    def set_background_image(self, image, *, format, jpeg_quality):
        assert image.dtype == np.uint8 and format == "jpeg" and 0 < jpeg_quality <= 100
        self.images.append(image)

    @property
    def told(self) -> list[int]:
        """What the images tell."""
        return [int(image[0, 0, 0]) for image in self.images]


class Renderer(LiveRenderer):
    """Draws images that tell the jaw's angle; exact ones are brighter by 100 and come in bands of four."""

    def __init__(self):
        self.abandoned = 0
        self.before_band = lambda band: None

    def draw(self, head, camera, height, width):
        return np.full((height, width, 3), round(100 * float(head.pose[0, JAW])), np.uint8)

    def refine(self, head, camera, height, width, wanted):
        for band in range(4):
            self.before_band(band)
            if not wanted():
                self.abandoned += 1
                return
            yield self.draw(head, camera, height, width) + 100


@pytest.fixture
def seen():
    """A running session that has drawn its first image: controls, pictures, renderer, camera, clock and the thread."""
    page, pictures, renderer, clock = Page(), Pictures(), Renderer(), ManualClock()
    view = Handle()
    view.position, view.wxyz = np.array([0.0, 0.0, 5.0]), np.array([0.0, 1.0, 0.0, 0.0])
    view.fov, view.aspect = 1.0, 1.0
    client = Client(page, pictures, view)
    pose = torch.zeros(20, 15)
    pose[:, JAW] = torch.arange(20) / 100
    camera = Camera(torch.tensor([[-64.0, 64.0, 32.0, 32.0]]), torch.eye(4)[None])
    neutral = HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))
    motions = {"talk": HeadParameters(torch.zeros(20, 50), pose)}
    scene = Scene(controls_of(50, {}, {}), motions, neutral, view=View(camera, 64, 64), centre=np.zeros(3))
    session = Session(client, renderer, scene, ViewerSettings(fps=FPS, size=64), clock)
    thread = threading.Thread(target=session.run, daemon=True)
    thread.start()
    clock.settle()
    yield SimpleNamespace(
        page=page.handles, pictures=pictures, renderer=renderer, view=view, clock=clock, session=session, thread=thread
    )
    session.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_first_image_comes_unasked_and_the_exact_one_when_nothing_changes(seen):
    assert seen.pictures.told == [0] and seen.pictures.images[0].shape == (64, 64, 3)
    seen.clock.pass_by(0.9 * IDLE_SECONDS)
    assert seen.pictures.told == [0]
    seen.clock.pass_by(0.2 * IDLE_SECONDS)
    assert seen.pictures.told == [0, 100, 100, 100, 100]
    seen.clock.pass_by(1000.0)
    assert len(seen.pictures.told) == 5 and seen.page["status"].content == "the exact image"


def test_a_slider_and_the_camera_show_at_once_and_end_the_refinement(seen):
    seen.renderer.before_band = lambda band: seen.page["jaw open"].user_sets(0.3) if band == 1 else None
    seen.clock.pass_by(IDLE_SECONDS)
    assert seen.pictures.told == [0, 100, 30] and seen.renderer.abandoned == 1
    seen.view.aspect = 2.0
    seen.view.user_sets(None)
    seen.clock.settle()
    assert seen.pictures.images[-1].shape[1] > seen.pictures.images[-1].shape[0]
    seen.page["reset all sliders"].user_sets(None)
    seen.clock.settle()
    assert seen.pictures.told == [0, 100, 30, 30, 0] and seen.page["jaw open"].value == 0.0


def test_without_exact_images_there_are_none(seen):
    seen.page["exact when idle"].user_sets(False)
    seen.clock.settle()
    seen.page["jaw open"].user_sets(0.2)
    seen.clock.pass_by(1000.0)
    assert seen.pictures.told == [0, 0, 20]


def test_a_motion_plays_by_the_clock_round_and_round_and_can_be_stopped(seen):
    seen.page["exact when idle"].user_sets(False)
    seen.page["motion"].user_sets("talk")
    seen.clock.settle()
    seen.clock.pass_by(16.0)
    before = len(seen.pictures.told)
    seen.page["play"].user_sets(True)
    for _ in range(22):
        seen.clock.pass_by(1 / FPS)
    assert seen.pictures.told[before:] == [*range(20), 0, 1, 2]
    assert seen.page["status"].content == "64 frames a second"
    # Frames that there was no time for are left out.
    seen.clock.pass_by(5 / FPS)
    assert seen.pictures.told[-1] == 7
    seen.page["play"].user_sets(False)
    seen.clock.pass_by(1000.0)
    assert seen.pictures.told[-1] == 7 == seen.page["frame"].value
    seen.page["frame"].user_sets(9)
    seen.clock.settle()
    assert seen.pictures.told[-1] == 9
    seen.page["motion"].user_sets(NO_MOTION)
    seen.clock.settle()
    assert seen.pictures.told[-1] == 0


def test_a_session_that_is_stopped_ends_also_while_it_refines(seen):
    seen.renderer.before_band = lambda band: seen.session.stop() if band == 2 else None
    seen.clock._now += IDLE_SECONDS
    seen.thread.join(PATIENCE)
    assert not seen.thread.is_alive() and seen.pictures.told == [0, 100, 100]


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ImavatarError, match=f"127.0.0.1:{port} cannot be listened at.*--port"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)
    with pytest.raises(ImavatarError, match="port 70000: expected 1 to 65535"):
        check_free("127.0.0.1", 70000)
