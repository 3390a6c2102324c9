"""A trained avatar baked as commands ask for it."""

from collections.abc import Sequence
from pathlib import Path

from imavatar.errors import ConfigError

TRIM_FRAMES = 16
"""Training frames by which the bust is trimmed."""


def check_bakeable(config, conf: Path) -> None:
    """Raise ConfigError where the run's method has no fields to bake."""
    from imavatar.baselines.names import IMAVATAR

    if config.model.method != IMAVATAR:
        raise ConfigError(
            f"{conf}: model.method is {config.model.method!r}, expected {IMAVATAR!r}: only its surface moves by "
            "blendshapes and skinning, which is what meshes of viewers do"
        )


def rest_head(trained):
    """The avatar's person at rest, as its training frames show it (one row): zero coefficients may be no such frame."""
    from imavatar import build
    from imavatar.export.sources import neutral_of

    return neutral_of(build.build_dataset(trained.config, "train", only_json=True).head())


def colour_frames(trained, n_average: int = 0) -> list:
    """The person at rest, or some of the training frames, posed."""
    from imavatar import build

    if n_average == 0:
        heads = rest_head(trained)
    else:
        dataset = build.build_dataset(trained.config, "train", only_json=True)
        heads = dataset.head(evenly(len(dataset), n_average))
    device = trained.flame.v_template.device
    return [trained.flame(heads[k : k + 1].to(device), trained.latent) for k in range(len(heads))]


def evenly(n: int, count: int) -> list[int]:
    """So many of n rows, evenly."""
    count = min(n, count)
    return [k * n // count for k in range(count)]


def shown_in_training(trained):
    """What of the surface the training's pictures have room for; see `shown_in_pictures`."""
    from imavatar import build
    from imavatar.anatomy import Joint
    from imavatar.baking.shown import shown_in_pictures

    dataset = build.build_dataset(trained.config, "train", only_json=True)
    rows, flame = evenly(len(dataset), TRIM_FRAMES), trained.flame
    heads = dataset.head(rows).to(flame.v_template.device)
    frames = [flame(heads[k : k + 1], trained.latent) for k in range(len(rows))]
    below = float((flame.J_regressor @ flame.v_template)[Joint.JAW, 1])
    return shown_in_pictures(trained.avatar, frames, dataset.camera(rows), dataset.height, dataset.width, below)


def bake(trained, frames: Sequence, *, resolution: int, n_faces: int, shown=None):
    """The avatar's mesh with colours of its vertices, the mean over frames; prints what it is made of."""
    from imavatar.baking.bake import bake_avatar, bake_mesh

    bound = trained.config.model.ray_tracer.object_bounding_sphere
    canonical, faces, made, error = bake_mesh(
        trained.avatar, frames[0], resolution=resolution, n_faces=n_faces, bound=bound, shown=shown
    )
    print(
        f"mesh: {made.vertices} vertices, {made.faces} faces in {made.parts} part(s), {made.open_edges} open edges, "
        f"{made.shared_edges} edges of more than two faces; off the surface by {error.mean:.3f} mm on average, "
        f"{error.quantile_99:.3f} mm at 99 %, {error.largest:.2f} mm at most",
        flush=True,
    )
    return bake_avatar(trained.avatar, trained.flame, canonical, faces, frames)


def textured(trained, baked, frames: Sequence, size: int):
    """The mesh cut along seams, with a texture of the mean colours over frames."""
    import torch

    from imavatar.baking.bake import mean_colours
    from imavatar.baking.texture import unwrap, with_texture

    def paint(points):
        return mean_colours(trained.avatar, torch.as_tensor(points).to(trained.flame.v_template), frames)

    return with_texture(baked, unwrap(baked.canonical, baked.faces, size), paint, size)
