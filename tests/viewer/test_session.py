"""A browser's session: what is drawn when, with a client that only remembers."""

import socket
import threading
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="needs the extra `viewer`")

from imavatar.anatomy import Joint, pose_slice
from imavatar.errors import ImavatarError
from imavatar.types import HeadParameters
from imavatar.viewer.controls import controls_of
from imavatar.viewer.listening import check_free
from imavatar.viewer.session import NO_MOTION, Session

JAW = pose_slice(Joint.JAW).start
PATIENCE = 10.0


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


class Scene:
    """Remembers the images that were sent."""

    def __init__(self):
        self.images, self.new = [], threading.Condition()

    def set_background_image(self, image, *, format, jpeg_quality):
        assert image.dtype == np.uint8 and format == "jpeg" and 0 < jpeg_quality <= 100
        with self.new:
            self.images.append(image)
            self.new.notify_all()

    def wait_for(self, condition) -> None:
        with self.new:
            assert self.new.wait_for(condition, timeout=PATIENCE)


class Stage:
    """Draws images that tell the jaw's angle; exact ones are brighter by 100 and come in bands of four."""

    def __init__(self):
        self.abandoned = 0
        self.band_seconds = 0.0

    def draw(self, head, camera, height, width):
        return np.full((height, width, 3), round(100 * float(head.pose[0, JAW])), np.uint8)

    def refine(self, head, camera, height, width, wanted):
        for _ in range(4):
            if not wanted():
                self.abandoned += 1
                return
            time.sleep(self.band_seconds)
            yield self.draw(head, camera, height, width) + 100


@pytest.fixture
def seen():
    """A running session: page, scene, stage, camera and the thread."""
    page, scene, stage = Page(), Scene(), Stage()
    view = Handle()
    view.position, view.wxyz, view.fov, view.aspect = (0.0, 0.0, 5.0), (0.0, 1.0, 0.0, 0.0), 1.0, 1.0
    client = SimpleNamespace(gui=page, scene=scene, camera=view)
    pose = torch.zeros(20, 15)
    pose[:, JAW] = torch.arange(20) / 100
    rest = HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))
    motions = {"talk": HeadParameters(torch.zeros(20, 50), pose)}
    session = Session(client, stage, controls_of(50, {}, {}), motions, rest, fps=50.0, size=64)
    thread = threading.Thread(target=session.run, daemon=True)
    thread.start()
    yield SimpleNamespace(page=page.handles, scene=scene, stage=stage, view=view, session=session, thread=thread)
    session.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def last(scene) -> int:
    return int(scene.images[-1][0, 0, 0]) if scene.images else -1


def test_the_first_image_comes_unasked_and_the_exact_one_when_nothing_changes(seen):
    seen.scene.wait_for(lambda: last(seen.scene) == 100 and len(seen.scene.images) == 5)
    assert [int(image[0, 0, 0]) for image in seen.scene.images] == [0, 100, 100, 100, 100]
    assert seen.scene.images[0].shape == (64, 64, 3)
    time.sleep(0.7)
    assert len(seen.scene.images) == 5 and seen.page["status"].content == "the exact image"


def test_a_slider_and_the_camera_show_at_once_and_end_the_refinement(seen):
    seen.stage.band_seconds = 0.2
    seen.scene.wait_for(lambda: last(seen.scene) == 100)
    seen.page["jaw open"].user_sets(0.3)
    seen.scene.wait_for(lambda: last(seen.scene) == 30)
    assert seen.stage.abandoned == 1
    seen.view.aspect = 2.0
    seen.view.user_sets(None)
    seen.scene.wait_for(lambda: seen.scene.images[-1].shape[1] > seen.scene.images[-1].shape[0])
    seen.page["reset all sliders"].user_sets(None)
    seen.scene.wait_for(lambda: last(seen.scene) == 0)
    assert seen.page["jaw open"].value == 0.0


def test_without_exact_images_there_are_none(seen):
    seen.page["exact when idle"].user_sets(False)
    seen.scene.wait_for(lambda: len(seen.scene.images) >= 1)
    seen.page["jaw open"].user_sets(0.2)
    seen.scene.wait_for(lambda: last(seen.scene) == 20)
    time.sleep(0.7)
    assert last(seen.scene) == 20


def test_a_motion_plays_by_the_clock_round_and_round_and_can_be_stopped(seen):
    seen.page["exact when idle"].user_sets(False)
    seen.page["motion"].user_sets("talk")
    began = time.monotonic()
    seen.page["play"].user_sets(True)
    seen.scene.wait_for(lambda: last(seen.scene) == 15)
    assert time.monotonic() - began > 0.2
    first = len(seen.scene.images)
    seen.scene.wait_for(lambda: any(int(image[0, 0, 0]) < 5 for image in seen.scene.images[first:]))
    assert "frames a second" in seen.page["status"].content
    seen.page["play"].user_sets(False)
    time.sleep(0.3)
    shown = len(seen.scene.images)
    time.sleep(0.3)
    assert len(seen.scene.images) == shown and last(seen.scene) == seen.page["frame"].value
    seen.page["frame"].user_sets(7)
    seen.scene.wait_for(lambda: last(seen.scene) == 7)
    seen.page["motion"].user_sets(NO_MOTION)
    seen.scene.wait_for(lambda: last(seen.scene) == 0)


def test_a_session_that_is_stopped_ends_also_while_it_refines(seen):
    seen.stage.band_seconds = 0.2
    seen.scene.wait_for(lambda: last(seen.scene) == 100)
    seen.session.stop()
    seen.thread.join(PATIENCE)
    assert not seen.thread.is_alive()


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
