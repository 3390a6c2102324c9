"""What one browser sees: its own camera, sliders and motion."""

import threading
import time

import viser

from imavatar.types import Camera, HeadParameters
from imavatar.viewer.camera import orbit_camera
from imavatar.viewer.controls import head_of
from imavatar.viewer.renderer import Image, LiveRenderer
from imavatar.viewer.scene import Scene, ViewerSettings

IDLE_SECONDS = 0.3
"""After the last change, until the exact image is begun."""
RATE_SECONDS = 1.0
"""Over which frames are counted."""
OPEN_FOLDERS = ("expression", "pose")
NO_MOTION = "none"
JPEG_QUALITY = 90
SIZES = (256, 384, 512, 768, 1024)


class Clock:
    """Time as a session sees it."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Wait for an event, or for so many seconds; returns whether the event has come."""
        return event.wait(seconds)


class Session:
    """One browser's view of the scene that all share; `run` in a thread of its own until `stop`."""

    def __init__(
        self,
        client: viser.ClientHandle,
        renderer: LiveRenderer,
        scene: Scene,
        settings: ViewerSettings,
        clock: Clock | None = None,
    ):
        self.client, self.renderer, self.scene, self.fps = client, renderer, scene, settings.fps
        self._clock = clock or Clock()
        self._changed = threading.Event()
        self._changed.set()
        self._stopped = threading.Event()
        self._shown_at: list[float] = []
        self._build_gui(settings.size)
        client.camera.on_update(self._on_change)

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopped.set()
        self._changed.set()

    def show_status(self, text: str) -> None:
        """Show a line of text above the controls."""
        self._status.content = text

    def run(self) -> None:
        """Draw at every change and at a motion's rate; refine what stands still."""
        while not self._stopped.is_set():
            if self._playing():
                self._play()
            elif self._changed.is_set():
                self._changed.clear()
                self._show_drawn()
            elif not self._clock.wait(self._changed, IDLE_SECONDS):
                self._refine()
                self._clock.wait(self._changed)

    def _play(self) -> None:
        """Frames of the motion by the clock: those that there was no time for are left out."""
        motion = self.scene.motions[self._motion.value]
        start, first = self._clock.now(), int(self._frame.value)
        shown = -1
        while self._playing() and self.scene.motions[self._motion.value] is motion:
            number = int((self._clock.now() - start) * self.fps)
            if number == shown:
                self._clock.wait(self._stopped, max(0.0, start + (number + 1) / self.fps - self._clock.now()))
                continue
            shown = number
            self._changed.clear()
            self._frame.value = (first + number) % len(motion)
            self._show_drawn()
        self._changed.set()

    def _playing(self) -> bool:
        return self._play_box.value and self._motion.value != NO_MOTION and not self._stopped.is_set()

    def _show_drawn(self) -> None:
        camera, height, width = self._camera()
        self._send(self.renderer.draw(self._head(), camera, height, width))
        self._count()

    def _refine(self) -> None:
        """The exact image, band by band, until something changes."""
        if not self._exact.value:
            return
        camera, height, width = self._camera()
        self.show_status("refining ...")
        finished = False
        for image in self.renderer.refine(self._head(), camera, height, width, lambda: not self._changed.is_set()):
            self._send(image)
            finished = True
        if finished and not self._changed.is_set():
            self.show_status("the exact image")

    def _send(self, image: Image) -> None:
        self.client.scene.set_background_image(image, format="jpeg", jpeg_quality=JPEG_QUALITY)

    def _camera(self) -> tuple[Camera, int, int]:
        """The browser's camera, and the image's height and width."""
        view = self.client.camera
        return orbit_camera(view.position, view.wxyz, view.fov, view.aspect, int(self._size.value))

    def _head(self) -> HeadParameters:
        return head_of(self.scene.controls, [float(slider.value) for slider in self._sliders], self._base())

    def _base(self) -> HeadParameters:
        """The frame of the motion, where one is chosen; else the neutral head."""
        if self._motion.value == NO_MOTION:
            return self.scene.neutral
        motion = self.scene.motions[self._motion.value]
        frame = int(self._frame.value) % len(motion)
        return motion[frame : frame + 1]

    def _count(self) -> None:
        """Show how many frames a second are drawn."""
        now = self._clock.now()
        self._shown_at = [then for then in self._shown_at if now - then < RATE_SECONDS] + [now]
        span = now - self._shown_at[0]
        if span > 0:
            self.show_status(f"{(len(self._shown_at) - 1) / span:.0f} frames a second")

    def _build_gui(self, size: int) -> None:
        gui = self.client.gui
        self._status = gui.add_markdown("")
        with gui.add_folder("motion"):
            self._motion = gui.add_dropdown("motion", (NO_MOTION, *self.scene.motions), initial_value=NO_MOTION)
            self._play_box = gui.add_checkbox("play", initial_value=False)
            longest = max((len(motion) for motion in self.scene.motions.values()), default=1)
            self._frame = gui.add_slider("frame", min=0, max=max(1, longest - 1), step=1, initial_value=0)
        with gui.add_folder("image", expand_by_default=False):
            sizes = sorted({*SIZES, size})
            self._size = gui.add_dropdown("pixels", [str(s) for s in sizes], initial_value=str(size))
            self._exact = gui.add_checkbox("exact when idle", initial_value=True)
        self._sliders = []
        reset = gui.add_button("reset all sliders")
        folders = {}
        for control in self.scene.controls:
            if control.folder not in folders:
                opened = control.folder in OPEN_FOLDERS
                folders[control.folder] = gui.add_folder(control.folder, expand_by_default=opened)
            with folders[control.folder]:
                step = (control.high - control.low) / 100
                slider = gui.add_slider(control.label, min=control.low, max=control.high, step=step, initial_value=0.0)
            self._sliders.append(slider)
        for handle in (self._motion, self._play_box, self._frame, self._size, self._exact, *self._sliders):
            handle.on_update(self._on_change)
        reset.on_click(self._on_reset)

    def _on_change(self, _event: object) -> None:
        self._changed.set()

    def _on_reset(self, _event: object) -> None:
        for slider in self._sliders:
            slider.value = 0.0
        self._changed.set()
