"""A trained avatar as a file for Blender, game engines and browsers, and as a page of its own."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar import assets, build
from imavatar.baking.baked import BakedAvatar, strongest_weights
from imavatar.baking.shown import Shown
from imavatar.errors import ConfigError, ImavatarError
from imavatar.export.approximation import Approximations, approximations
from imavatar.export.arkit import arkit_shapes, expression_shapes
from imavatar.export.clips import Clip, make_clip
from imavatar.export.fidelity import SurfaceFidelity, image_fidelity, surface_fidelity
from imavatar.export.mesh_files import write_npz, write_posed_meshes
from imavatar.export.web_page import AVATAR, check_title, write_page
from imavatar.files.atomic import write_text
from imavatar.paths import command
from imavatar.types import HeadParameters, View
from imavatar.workflows.baking import MESH_FACES, MESH_RESOLUTION, bake, check_bakeable, evenly, shown_in_training
from imavatar.workflows.driving import SWEEP, clip_name, read_driving
from imavatar.workflows.trained import TrainedAvatar

logger = logging.getLogger(__name__)

GLB = ".glb"
SWEEP_FRAMES = 250
REST = "rest"
TEXTURE_SIDE = 2048
CHECKED_FRAMES = 20
MESH_FORMATS = ("ply", "obj")

Shapes = Mapping[str, Float[np.ndarray, "v 3"]]


@dataclass(frozen=True)
class ExportOptions:
    """How an avatar is baked (the arguments of `bake` mean the same here) and what its file holds.

    Attributes:
        expressions: targets of expression coefficients; None: as many as were trained.
        motions: sources that become clips, besides the sweep; see `workflows.driving.MOTION_HELP`.
        named: with targets of the head model's named expressions.
        arkit: with targets of ARKit's face units.
        quantise: targets in 16 bits.
        check: test frames in which the file is compared with the avatar.
        npz: a file for everything in full precision.
        meshes: a folder for the meshes of the clips' frames, in `mesh_format` (ply or obj).
        tracked: a folder for the recordings that videos of `motions` become; None: `tracked` beside the file.
    """

    resolution: int = MESH_RESOLUTION
    faces: int = MESH_FACES
    trim: bool = False
    expressions: int | None = None
    texture: int = TEXTURE_SIDE
    average: int = 0
    motions: tuple[str, ...] = ()
    named: bool = False
    arkit: bool = False
    quantise: bool = False
    check: int = CHECKED_FRAMES
    npz: Path | None = None
    meshes: Path | None = None
    mesh_format: str = MESH_FORMATS[0]
    tracked: Path | None = None


@dataclass(frozen=True)
class ExportFidelity:
    """How near a file is to the avatar: its surface (mm), its unlit pictures (PSNR of each frame, dB), its motion."""

    surface: SurfaceFidelity
    psnr: list[float]
    approximations: Approximations


def export_avatar(
    trained: TrainedAvatar, out: Path | str, options: ExportOptions = ExportOptions()
) -> tuple[BakedAvatar, ExportFidelity | None]:
    """Write the avatar as a skinned mesh with morph targets (glTF 2.0); logs what is made.

    Args:
        out: the file (.glb). How near it is to the avatar is written beside it (.json) with `options.check`.

    Returns:
        What the file holds, in full precision, and how near it is to the avatar; None with `options.check` 0.

    Raises:
        ConfigError: the run's method has no fields to bake, it has fewer expressions than asked for, or the head model
            names none; or the file's name does not end in .glb.
        ImavatarError: a library of the extra `export` is missing.
    """
    out = Path(out)
    if out.suffix.lower() != GLB:
        raise ConfigError(f"{out}: expected a name that ends in {GLB}")
    write_glb = _writer()
    check_bakeable(trained)
    n_expression = trained.n_expression if options.expressions is None else options.expressions
    if n_expression > trained.n_expression:
        raise ConfigError(f"--expressions is {n_expression}, the avatar has {trained.n_expression}")
    names = ("resolution", "faces", "average", "texture", "trim")
    baked = bake(trained, **{name: getattr(options, name) for name in names})
    logger.info("skinning: four joints a vertex, %.1e of the weights lost at most", strongest_weights(baked.weights)[2])
    motions = named_motions(trained, options.motions, options.tracked or out.parent / "tracked")
    fps, flame = trained.config.plot.fps, trained.character.flame
    clips = [make_clip(name, flame, baked.skeleton, motion, fps) for name, motion in motions.items()]
    kept = replace(baked, expression=baked.expression[:n_expression])
    rest, *short = [replace(clip, expression=clip.expression[:, :n_expression]) for clip in clips]
    write_glb(out, kept, short, _shapes(trained, kept, options), rest, quantise=options.quantise)
    logger.info("%s: %.1f MB, %d clip(s)", out, out.stat().st_size / 1e6, len(short))
    _write_more(baked, kept, short, options)
    if options.check == 0:
        return kept, None
    gaps = approximations(kept, flame, motions[SWEEP], short[0])
    shown = shown_in_training(trained) if options.trim else None
    return kept, _compare(trained, kept, options.check, gaps, shown, out.with_suffix(".json"))


def named_motions(trained: TrainedAvatar, sources: tuple[str, ...], tracked: Path) -> dict[str, HeadParameters]:
    """The person at rest, the sweep, and the motions of sources, by names of their own; see `read_driving`."""
    fps = trained.config.plot.fps
    motions = {REST: trained.neutral()}
    for source in (SWEEP, *sources):
        driving = read_driving(source, trained, n_frames=SWEEP_FRAMES, fps=fps, tracked=tracked)
        motions[clip_name(source, motions)] = driving.motion
    return motions


def export_web(
    trained: TrainedAvatar, out: Path | str, options: ExportOptions = ExportOptions(), *, title: str | None = None
) -> Path:
    """Write a page that shows the avatar with sliders and clips, and needs no server and no network; returns its path.

    All expressions and units that the head model names have sliders, and targets are stored in 16 bits.

    Args:
        out: the folder to write `index.html` and `avatar.glb` into.
        title: of the page; None: the subject's name.

    Raises:
        AssetError: three.js has not been fetched.
        DataError: the title is no text, or the folder cannot be written.
        ConfigError, ImavatarError: as `export_avatar`.
    """
    out, three = Path(out), check_page(title)
    options = replace(
        options,
        named=options.named or bool(trained.head.named_expressions),
        arkit=options.arkit or bool(trained.head.face_units),
        quantise=True,
        # Tracked recordings hold pictures of a person: not into a folder that is made to be given away.
        tracked=options.tracked or out.parent / "tracked",
    )
    export_avatar(trained, out / AVATAR, options)
    return write_page(out, out / AVATAR, three, title or trained.config.dataset.subject_name)


def check_page(title: str | None) -> bytes:
    """See that a page with this title can be made, before anything is exported; returns three.js as one module.

    Raises:
        AssetError, DataError: as `export_web`.
    """
    three = assets.asset_bytes("three")
    check_title(title or "")
    return three


def page_of_file(avatar: Path, out: Path, title: str | None = None) -> Path:
    """Write the page of an avatar that has been exported already; see `export_web`."""
    return write_page(out, avatar, check_page(title), title or avatar.name.removesuffix(GLB))


def _writer():
    try:
        from imavatar.export.gltf import write_glb
    except ImportError as error:
        raise ImavatarError(f"glTF files need the extra `export` (pip install -e '.[export]'): {error}") from error
    return write_glb


def _shapes(trained: TrainedAvatar, baked: BakedAvatar, options: ExportOptions) -> Shapes:
    named, units = trained.head.named_expressions, trained.head.face_units
    if options.named and not named:
        raise ConfigError(f"--named: the head model {trained.head.name} names no expressions")
    if options.arkit and not units:
        raise ConfigError(
            f"--arkit: the head model {trained.head.name} defines no face units; the open head does: where it is an "
            f"older build delete open_head.npz and run: {command('build_head')}"
        )
    shapes = expression_shapes(baked, named) if options.named else {}
    return shapes | (arkit_shapes(baked, trained.character.flame, units) if options.arkit else {})


def _write_more(baked: BakedAvatar, kept: BakedAvatar, clips: list[Clip], options: ExportOptions) -> None:
    if options.npz is not None:
        write_npz(options.npz, baked)
        logger.info("%s: %.1f MB", options.npz, options.npz.stat().st_size / 1e6)
    if options.meshes is not None:
        n = write_posed_meshes(options.meshes, kept, clips, options.mesh_format)
        logger.info("%s: %d meshes", options.meshes, n)


def _compare(
    trained: TrainedAvatar, baked: BakedAvatar, n_frames: int, gaps: Approximations, shown: Shown | None, out: Path
) -> ExportFidelity:
    """Log and write how near the export is to the avatar in test frames, and what the format leaves out."""
    dataset = trained.dataset("test")
    rows = evenly(len(dataset), n_frames)
    heads, bound = dataset.head(rows), trained.config.model.ray_tracer.object_bounding_sphere
    surface = surface_fidelity(baked, trained.character, heads, bound, shown=shown)
    logger.info(
        "surface, %(frames)d test frames: off by %(mean).3f mm on average, %(quantile_99).3f mm at 99 %%, "
        "%(largest).2f mm at most",
        asdict(surface),
    )
    renderer = build.build_renderer(trained.config, trained.character.avatar)
    view = View(dataset.camera(rows), dataset.height, dataset.width)
    values = image_fidelity(baked, renderer, trained.character, heads, view)
    mean = sum(values) / len(values)
    logger.info("images, unlit: PSNR %.2f dB against the avatar's own renderings, %.2f dB at worst", mean, min(values))
    logger.info(
        "the sweep halfway between its frames: off by %(between_mean).4f mm on average, %(between_largest).2f mm at "
        "most; an open jaw without its correctives: %(uncorrected_mean).2f mm on average, %(uncorrected_largest).2f mm "
        "at most",
        asdict(gaps),
    )
    content = {
        "surface_mm": asdict(surface),
        "psnr": {"mean": mean, "worst": min(values), "frames": values},
        "approximations_mm": asdict(gaps),
    }
    write_text(out, json.dumps(content, indent=1))
    return ExportFidelity(surface, values, gaps)
