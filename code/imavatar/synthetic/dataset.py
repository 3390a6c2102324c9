"""Makes the synthetic subject: renders its train and test sequences into the layout of SPEC section 11."""

import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16

from imavatar.anatomy import Joint
from imavatar.data.images import read_colour, read_grey
from imavatar.data.normals import NORMALS, encode_normals, read_normals_file
from imavatar.data.subject_writer import JSON_NAME, SubjectWriter
from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import N_SHAPE_COLUMNS
from imavatar.head.landmarks import (
    LandmarkEmbedding,
    embedding_path,
    flame_keypoints,
    load_embedding,
)
from imavatar.head.makehuman import MakeHuman
from imavatar.head.open_head_faces import load_expression_units
from imavatar.head.open_head_mesh import HeadMesh, cut_head
from imavatar.synthetic.labels import seen_surface
from imavatar.synthetic.layout import METRES_PER_UNIT
from imavatar.synthetic.motion import expression_of, random_motion
from imavatar.synthetic.paint import Label
from imavatar.synthetic.processes import work_in_processes
from imavatar.synthetic.renderer import SCALAR, StudioCamera, fastest_variant, render
from imavatar.synthetic.subject import N_EXPRESSION, Subject, head_parameters
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

SETTINGS_FILE = "synthetic.json"
LOOK_VERSION = 1
"""Counts changes of the subject's look or motion, so that data of another version are not taken for this one's."""

CAMERA_FROM_EYES = (0.0, -0.012, -0.054)
"""What the middle of the image shows, metres from the midpoint of the template's eyes."""

TRAIN, TEST, HARDER = "train", "test", "harder"
STRENGTH = {TRAIN: 1.0, TEST: 1.0, HARDER: 1.6}
"""Of a sequence's motion: 1 is the training's."""
N_STRANDS = 14000
HAIR = ("surface", "strands")
MASKED = 127
"""Coverage above which a pixel that no surface is seen in shows strands."""

Images = tuple[
    UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], UInt16[np.ndarray, "h w 3"]
]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SyntheticSettings:
    """What a synthetic data set depends on; kept beside it. `head` identifies the head model."""

    subject: str
    size: int
    n_train: int
    n_test: int
    seed: int
    samples: int
    head: str
    look: int = LOOK_VERSION
    hair: str = HAIR[0]
    n_harder: int = 0

    def __post_init__(self):
        if not self.subject or set(self.subject) & set("/\\") or self.subject.startswith("."):
            raise DataError(f"subject {self.subject!r}: is not a name for a folder")
        for name, least in (("size", 8), ("n_train", 1), ("n_test", 1), ("samples", 1), ("seed", 0), ("n_harder", 0)):
            if getattr(self, name) < least:
                raise DataError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.hair not in HAIR:
            raise DataError(f"hair is {self.hair!r}, expected {' or '.join(HAIR)}")


def make_synthetic(
    out: Path,
    *,
    assets_dir: Path,
    subject: str = "synthetic",
    size: int = 128,
    n_train: int = 80,
    n_test: int = 20,
    n_harder: int = 0,
    seed: int = 0,
    samples: int = 16,
    hair: str = HAIR[0],
    workers: int = 0,
    embedding: LandmarkEmbedding | None = None,
    progress: Progress | None = None,
) -> Path:
    """Render the subject's sequences, unless they are there; returns the folder that holds its sequences.

    Frames that an interrupted run has left are kept.

    Args:
        out: the data folder; files go to `<out>/<subject>/<subject>/{train,test,harder}`.
        assets_dir: holds `open_head.npz`, its landmarks, and `makehuman`.
        samples: paths per pixel.
        hair: a `surface`, or `strands` on it.
        n_harder: frames of a sequence with stronger motion than the training's.
        workers: processes that render; 0 renders in this one.
        embedding: where the landmarks lie on the head; by default the file beside the head's.
        progress: called with the number of finished frames and of all frames.

    Raises:
        DataError: the folder holds another data set, or cannot be written.
        AssetError: the head model, its landmarks or MakeHuman's files are missing.
    """
    head_path = find_head("open", assets_dir, assets_dir)
    head = load_head(head_path)
    settings = SyntheticSettings(
        subject, size, n_train, n_test, seed, samples, _fingerprint(head), hair=hair, n_harder=n_harder
    )
    folder = Path(out) / subject / subject
    _claim(folder, settings)
    lengths = {name: n for name, n in ((TRAIN, n_train), (TEST, n_test), (HARDER, n_harder)) if n > 0}
    if all((folder / name / JSON_NAME).is_file() for name in lengths):
        logger.info("%s: the synthetic subject is there", folder)
        return folder
    fastest_variant()
    if embedding is None:
        embedding = load_embedding(embedding_path(head_path), head)
    make_studio = functools.partial(_make_studio, settings, head_path, assets_dir, embedding)
    studio, frames_before = make_studio(), 0
    for stream, (name, n_frames) in enumerate(lengths.items(), start=1):
        if not (folder / name / JSON_NAME).is_file():
            sequence = studio.motion(n_frames, stream, STRENGTH[name])
            missing = _missing_frames(folder / name, sequence, stream, settings.size)
            if workers > 0:
                pictures = work_in_processes(functools.partial(_photographer, make_studio), missing, workers)
            else:
                pictures = map(studio.photograph, missing)
            for k in _record(studio, folder / name, sequence, missing, pictures):
                if progress is not None:
                    progress(frames_before + k, sum(lengths.values()))
        frames_before += n_frames
    return folder


def _make_studio(settings: SyntheticSettings, head_path: Path, assets_dir: Path, embedding) -> "Studio":
    return Studio(settings, load_head(head_path), MakeHuman(Path(assets_dir) / "makehuman"), embedding)


def _photographer(make_studio: Callable[[], "Studio"], careful: bool) -> Callable[["Shot"], "Images"]:
    """What takes frames in another process; in the careful way with the variant that needs no compiler."""
    torch.set_num_threads(1)
    return functools.partial(make_studio().photograph, variant=SCALAR if careful else None)


@dataclass(frozen=True)
class Shot:
    """A frame to be rendered: its place in the sequence, its parameters (one row), and a seed for its noise."""

    index: int
    parameters: HeadParameters
    seed: int


def _missing_frames(folder: Path, sequence: HeadParameters, stream: int, size: int) -> list[Shot]:
    """Frames that an earlier run has not left complete."""
    n = len(sequence.expression)
    missing = [k for k in range(n) if _read_frame(folder, k + 1, size) is None]
    return [Shot(k, sequence[k : k + 1], 1000 * stream + k) for k in missing]


def _record(studio: "Studio", folder: Path, sequence: HeadParameters, missing: list[Shot], pictures: Iterator[Images]):
    """Write a sequence; yields the number of finished frames after each."""
    writer, made = SubjectWriter(folder), {shot.index for shot in missing}
    for k in range(len(sequence.expression)):
        *images, normals = next(pictures) if k in made else _read_frame(folder, k + 1, studio.settings.size)
        parameters = sequence[k : k + 1]
        keypoints, bbox = studio.landmarks(parameters)
        writer.add_frame(
            *images,
            normals=normals,
            world_mat=studio.camera.world_mat,
            expression=parameters.expression[0].numpy(),
            pose=parameters.pose[0].numpy(),
            keypoints=keypoints,
            bbox=bbox,
        )
        yield k + 1
    writer.finish(studio.camera.intrinsics, studio.subject.shape_params)


class Studio:
    """A subject before its camera, and the units that its expressions are made of."""

    def __init__(
        self,
        settings: SyntheticSettings,
        head: HeadAssets,
        makehuman: MakeHuman,
        embedding: LandmarkEmbedding,
    ):
        self.settings, self.head, self.embedding = settings, head, embedding
        mesh = cut_head(makehuman)
        if mesh.n_vertices != len(head.v_template):
            raise DataError(
                f"the open head has {len(head.v_template)} vertices, but MakeHuman's files give {mesh.n_vertices}; "
                "delete open_head.npz and run: python scripts/build_head.py"
            )
        self.subject = Subject(
            head,
            makehuman,
            mesh.source[: mesh.n_vertices],
            seed=settings.seed,
            n_strands=N_STRANDS if settings.hair == "strands" else 0,
        )
        self.units = _face_units(makehuman, mesh)
        eyes = (head.joint_regressor @ head.v_template)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]].mean(0)
        self.camera = StudioCamera(settings.size, centre=tuple((eyes + CAMERA_FROM_EYES).tolist()))

    def motion(self, n_frames: int, stream: int, strength: float = 1.0) -> HeadParameters:
        """The parameters of a sequence; streams are independent. `strength` multiplies the range of motion."""
        generator = np.random.default_rng([self.settings.seed, stream])
        motion = random_motion(tuple(self.units), n_frames, generator, strength)
        columns = slice(N_SHAPE_COLUMNS, N_SHAPE_COLUMNS + N_EXPRESSION)
        offsets = np.stack(list(self.units.values()))
        expression = expression_of(motion.amplitudes, offsets, self.head.shapedirs[..., columns])
        return HeadParameters(
            torch.tensor(expression, dtype=torch.float32), torch.tensor(motion.pose, dtype=torch.float32)
        )

    def photograph(self, shot: Shot, variant: str | None = None) -> Images:
        """Image, mask, labels and normals of one frame; `variant` as in `renderer.render`."""
        parameters = shot.parameters
        surfaces, curves = self.subject.surfaces(parameters), self.subject.curves(parameters)
        image, mask = render(
            surfaces, self.camera, samples=self.settings.samples, seed=shot.seed, curves=curves, variant=variant
        )
        seen = seen_surface(self.subject, surfaces, self.camera)
        labels = np.where((seen.labels == Label.BACKGROUND) & (mask > MASKED), Label.HAIR, seen.labels)
        return image, mask, labels.astype(np.uint8), encode_normals(seen.normals)

    @torch.no_grad()
    def landmarks(self, parameters: HeadParameters) -> tuple[Float[np.ndarray, "70 2"], Float[np.ndarray, " 4"]]:
        """Projected keypoints and the box around the face's landmarks, in [-1, 1]."""
        vertices = self.subject.flame.vertices(parameters)
        keypoints = flame_keypoints(vertices, self.head, self.embedding)[0]
        face = self.embedding.points(vertices, self.subject.flame.faces_tensor)[0]
        keypoints, face = (
            2 * self.camera.project(points.double().numpy())[0] / self.camera.size - 1 for points in (keypoints, face)
        )
        return keypoints, np.concatenate([face.min(axis=0), face.max(axis=0)])


def _face_units(makehuman: MakeHuman, mesh: HeadMesh) -> dict[str, Float[np.ndarray, "v 3"]]:
    """Offsets of the face units at the head's vertices, metres."""
    units = load_expression_units(makehuman, mesh)
    return {name: METRES_PER_UNIT * offset[: mesh.n_vertices] for name, offset in units.items()}


def _fingerprint(head: HeadAssets) -> str:
    digest = hashlib.sha256()
    for values in (head.v_template, head.faces, head.shapedirs, head.posedirs, head.weights):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def _claim(folder: Path, settings: SyntheticSettings) -> None:
    """Note the settings beside the data; raise where the folder holds something else."""
    path = folder.parent / SETTINGS_FILE
    advice = f"delete the folder {folder.parent}, or choose another name with --subject"
    wanted = asdict(settings)
    try:
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                # What older data sets do not say.
                found = {"hair": HAIR[0], "n_harder": 0, **found}
            if found != wanted:
                raise DataError(f"{path}: {_difference(found, wanted)}; {advice}")
            return
        if folder.exists():
            raise DataError(f"{folder}: exists, but was not made by this command; {advice}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.partial")
        partial.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read or written ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{path}: is not valid JSON ({error}); {advice}") from error


def _difference(found, wanted: dict) -> str:
    if not isinstance(found, dict):
        return "does not hold settings"
    keys = [key for key in wanted if found.get(key) != wanted[key]]
    if keys == ["head"] or keys == ["look"]:
        return "was made with another head model or another version of the synthetic subject"
    return "; ".join(f"{key} is {found.get(key)}, asked for is {wanted[key]}" for key in keys)


def _read_frame(folder: Path, k: int, size: int) -> Images | None:
    """The images that an interrupted run has left of a frame, if they are complete."""
    try:
        image = read_colour(folder / "image" / f"{k}.png", "image")
        mask = read_grey(folder / "mask" / f"{k}.png", "mask")
        semantic = read_grey(folder / "semantic" / f"{k}.png", "semantic map")
        normals = read_normals_file(folder / NORMALS / f"{k}.png")
    except DataError:
        return None
    complete = image.shape[:2] == mask.shape == semantic.shape == normals.shape[:2] == (size, size)
    return (image, mask, semantic, normals) if complete else None


__all__ = ["Studio", "SyntheticSettings", "head_parameters", "make_synthetic"]
