"""The viewer's server: a session for every browser that opens its page."""

import logging
import threading

import viser

from imavatar.viewer.access import Access
from imavatar.viewer.camera import field_of_view, look_towards
from imavatar.viewer.gate import open_server
from imavatar.viewer.listening import check_free
from imavatar.viewer.renderer import LiveRenderer
from imavatar.viewer.scene import Scene, ViewerSettings
from imavatar.viewer.session import Session

logger = logging.getLogger(__name__)

STEP_BACK = 1.25
"""Recordings are cropped to the head; looked at from so many times their distance there is room around it."""


class Viewer:
    """Serves until `stop`; browsers may come and go, as many at a time as the gate lets in.

    Raises:
        ImavatarError: the port is taken, there is no such host, or the installed viser is not known to the gate.
    """

    def __init__(self, renderer: LiveRenderer, scene: Scene, settings: ViewerSettings):
        check_free(settings.host, settings.port)
        self.renderer, self.scene, self.settings = renderer, scene, settings
        place, self._target = look_towards(scene.view, scene.centre)
        self._position = self._target + STEP_BACK * (place - self._target)
        self._fov = field_of_view(scene.view.camera, scene.view.height)
        self._sessions: dict[int, Session] = {}
        self._access = Access(settings.host, settings.port)
        self._server = open_server(self._access, "imavatar")
        self._server.scene.set_up_direction("+y")
        self._server.scene.world_axes.visible = False
        self._server.gui.main_panel.dock_right()
        self._server.on_client_connect(self._connect)
        self._server.on_client_disconnect(self._disconnect)

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._server.get_port()

    def addresses(self) -> list[str]:
        """Where browsers find the page, token included: on this machine, and from others where these are let in."""
        return self._access.addresses()

    def stop(self) -> None:
        """End all sessions and the server."""
        for session in list(self._sessions.values()):
            session.stop()
        self._server.stop()

    def _connect(self, client: viser.ClientHandle) -> None:
        client.camera.position = tuple(self._position)
        client.camera.look_at = tuple(self._target)
        client.camera.fov = self._fov
        session = Session(client, self.renderer, self.scene, self.settings)
        self._sessions[client.client_id] = session
        threading.Thread(target=_run, args=[session], name=f"session {client.client_id}", daemon=True).start()
        logger.info("browser %d looks (%d now)", client.client_id, len(self._sessions))
        # It may have left before its session was there to be stopped.
        if client.client_id not in self._server.get_clients():
            self._disconnect(client)

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
        session.show_status(f"stopped: {error}; the terminal says more")
        raise
