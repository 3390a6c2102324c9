"""A trained avatar in the browser, live."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imavatar import build
from imavatar.errors import ImavatarError
from imavatar.paths import data_dir
from imavatar.viewer.controls import controls_of
from imavatar.viewer.scene import Scene, ViewerSettings
from imavatar.workflows.baking import MESH_FACES, bake, check_bakeable
from imavatar.workflows.exporting import REST, named_motions
from imavatar.workflows.trained import TrainedAvatar

if TYPE_CHECKING:
    from imavatar.viewer.app import Viewer

DRAWN_RESOLUTION = 160
"""Cells along the longest side of the mesh that is drawn while something moves."""


@dataclass(frozen=True)
class ViewerOptions:
    """What browsers are shown (the mesh's `resolution` and `faces` are as in `bake`), and where.

    Attributes:
        motions: sources that can be played, besides the sweep; see `workflows.driving.MOTION_HELP`.
        size: side of the images, pixels.
        host: the interface to listen at; 0.0.0.0: all of them, without encryption.
    """

    motions: tuple[str, ...] = ()
    size: int = ViewerSettings.size
    resolution: int = DRAWN_RESOLUTION
    faces: int = MESH_FACES
    host: str = ViewerSettings.host
    port: int = ViewerSettings.port


def view(trained: TrainedAvatar, options: ViewerOptions = ViewerOptions()) -> "Viewer":
    """A server that shows the avatar in browsers until its `stop`; its `addresses` say where.

    Raises:
        ConfigError: the run's method has no fields to bake.
        ImavatarError: the extra `viewer` is not installed or its viser not known, or the port is taken.
    """
    check_viewer(options)
    from imavatar.viewer.app import Viewer
    from imavatar.viewer.renderer import LiveRenderer

    check_bakeable(trained)
    config, character = trained.config, trained.character
    baked = bake(trained, resolution=options.resolution, faces=options.faces)
    renderers = [
        build.build_renderer(config, character.avatar, supersample=n, silhouette_blur=0.0)
        for n in sorted({1, config.plot.supersample})
    ]
    motions = named_motions(trained, options.motions, data_dir() / "tracked")
    rest = motions.pop(REST)
    scene = Scene(
        controls_of(trained.n_expression, trained.head.named_expressions, trained.head.face_units),
        motions,
        rest,
        view=trained.view(),
        centre=character.flame.canonical_vertices.mean(dim=0).double().cpu().numpy(),
    )
    renderer = LiveRenderer(character, baked, renderers, config.plot.silhouette_blur)
    return Viewer(renderer, scene, ViewerSettings(config.plot.fps, options.size, options.host, options.port))


def check_viewer(options: ViewerOptions) -> None:
    """See that there is a viewer and a port for it, before anything is loaded.

    Raises:
        ImavatarError: the extra `viewer` is not installed or its viser not known, or the port is taken.
    """
    try:
        from imavatar.viewer.gate import check_viser
        from imavatar.viewer.listening import check_free
    except ImportError as error:
        raise ImavatarError(f"the viewer needs the extra `viewer` (pip install -e '.[viewer]'): {error}") from error
    check_viser()
    check_free(options.host, options.port)
