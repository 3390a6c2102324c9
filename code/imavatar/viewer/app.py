"""The viewer's server: a session for every browser that opens its page."""

import logging
import socket
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import viser
from jaxtyping import Float

from imavatar.errors import ImavatarError
from imavatar.types import Camera, HeadParameters
from imavatar.viewer.controls import Control
from imavatar.viewer.orbit import field_of_view, look_towards
from imavatar.viewer.session import Session
from imavatar.viewer.stage import Stage

logger = logging.getLogger(__name__)

EVERY_HOST = "0.0.0.0"
PORTS = 65535
STEP_BACK = 1.25
"""Recordings are cropped to the head; looked at from so many times their distance there is room around it."""


class Viewer:
    """Serves until `stop`; any number of browsers may come and go.

    Args:
        rest: the head where no motion is chosen, one row.
        camera: where browsers look from at first, but from a little farther away; one row.
        height: of its image, pixels.
        centre: what they orbit around, near its axis, model units.
        host: the interface that is listened at; EVERY_HOST: all.

    Raises:
        ImavatarError: the port is taken.
    """

    def __init__(
        self,
        stage: Stage,
        controls: Sequence[Control],
        motions: Mapping[str, HeadParameters],
        rest: HeadParameters,
        *,
        camera: Camera,
        height: int,
        centre: Float[np.ndarray, "3"],
        fps: float,
        size: int,
        host: str = EVERY_HOST,
        port: int = 8080,
    ):
        check_free(host, port)
        logging.getLogger("websockets").setLevel(logging.WARNING)
        self.stage, self.controls, self.motions, self.rest = stage, controls, motions, rest
        self.fps, self.size, self.host = fps, size, host
        place, self._target = look_towards(camera, centre)
        self._position = self._target + STEP_BACK * (place - self._target)
        self._fov = field_of_view(camera, height)
        self._sessions: dict[int, Session] = {}
        self._server = viser.ViserServer(host=host, port=port, label="imavatar", verbose=False)
        self._server.scene.set_up_direction("+y")
        self._server.scene.world_axes.visible = False
        self._server.gui.configure_theme(control_layout="fixed")
        self._server.on_client_connect(self._connect)
        self._server.on_client_disconnect(self._disconnect)

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._server.get_port()

    def addresses(self) -> list[str]:
        """Where browsers find the page: on this machine, and from others where these are let in."""
        names = ["localhost"] if self.host in (EVERY_HOST, "localhost", "127.0.0.1") else [self.host]
        if self.host == EVERY_HOST:
            names.append(socket.gethostname())
        return [f"http://{name}:{self.port}" for name in names]

    def stop(self) -> None:
        """End all sessions and the server."""
        for session in list(self._sessions.values()):
            session.stop()
        self._server.stop()

    def _connect(self, client: viser.ClientHandle) -> None:
        client.camera.position = tuple(self._position)
        client.camera.look_at = tuple(self._target)
        client.camera.fov = self._fov
        session = Session(client, self.stage, self.controls, self.motions, self.rest, fps=self.fps, size=self.size)
        self._sessions[client.client_id] = session
        threading.Thread(target=_run, args=[session], name=f"session {client.client_id}", daemon=True).start()
        logger.info("browser %d looks (%d now)", client.client_id, len(self._sessions))

    def _disconnect(self, client: viser.ClientHandle) -> None:
        session = self._sessions.pop(client.client_id, None)
        if session is not None:
            session.stop()
        logger.info("browser %d is gone (%d now)", client.client_id, len(self._sessions))


def _run(session: Session) -> None:
    """Run a session; what goes wrong in it is said in its browser too, whose picture would merely stand still."""
    try:
        session.run()
    except Exception as error:
        session.say(f"stopped: {error}; the terminal says more")
        raise


def check_free(host: str, port: int) -> None:
    """Raise ImavatarError where a port is taken: viser would silently take another one."""
    if not 0 < port <= PORTS:
        raise ImavatarError(f"port {port}: expected 1 to {PORTS}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ImavatarError(
                f"{host}:{port} cannot be listened at ({error.strerror}); choose another --port"
            ) from error
