"""What the faces of an evaluated run's renderings do, against those of the pictures; needs no avatar for it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from imavatar import build
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import read_colour
from imavatar.data.subject import frame_number
from imavatar.data.workplace import alone
from imavatar.errors import DataError, ImavatarError
from imavatar.evaluation.face_descriptor import FaceDescriptor, load_face_descriptor
from imavatar.evaluation.looks import FacePoints, Looks, compare_looks
from imavatar.evaluation.looks_files import write_looks
from imavatar.evaluation.results import image_name
from imavatar.paths import command
from imavatar.preprocessing.landmarks import FaceLandmarker
from imavatar.progress import track
from imavatar.rendering.image_export import colour_bytes
from imavatar.workflows.evaluating import ScoreOptions, score_run
from imavatar.workflows.trained import TrainedAvatar

logger = logging.getLogger(__name__)

Pixels = UInt8[np.ndarray, "h w 3"]


def look_at_run(trained: TrainedAvatar, protocols: Sequence[str], options: ScoreOptions) -> dict[str, Looks]:
    """The looks of each test sequence, by its name, from the renderings in the run's folder; none without a detector.

    Where renderings are missing the sequence is scored again, and they are kept.

    Args:
        trained: the run.
        protocols: that the sequence is scored under then.
        options: as of `score_run`.

    Raises:
        BusyError: another process evaluates the run.
        DataError: a recording, a rendering or a file of results is not there or damaged.
    """
    networks = LookNetworks.load()
    if networks is None:
        return {}
    found = {}
    for name in options.sequences or trained.config.dataset.test.sub_dir:
        dataset = build.build_dataset(build.with_test_dir(trained.config, name), "test", use_semantics=False)
        folder = trained.folder.evaluation(name, trained.epoch)
        if not all(path.is_file() for path in rendering_paths(folder, dataset)):
            score_run(trained, protocols, replace(options, sequences=(name,), again=True, images=True))
        with alone(trained.folder.evaluation_lock, "an evaluation"):
            found[name] = look_at_renderings(folder, dataset, networks)
    return found


@dataclass(frozen=True)
class LookNetworks:
    """What looks at faces: a detector of landmarks and, where its weights are there, the descriptor of a face."""

    landmarker: FaceLandmarker
    descriptor: FaceDescriptor | None

    @classmethod
    def load(cls) -> "LookNetworks | None":
        """The networks as they are installed; None, with a message, without the detector."""
        try:
            landmarker = FaceLandmarker()
        except (ImportError, ImavatarError) as error:
            logger.warning("looks skipped: %s", error)
            return None
        return cls(landmarker, load_face_descriptor())


def rendering_paths(folder: Path, dataset: FaceDataset) -> list[Path]:
    """The file of each frame's rendering in a folder of results."""
    return [folder / "rgb" / image_name(dataset, record) for record in dataset.records]


def look_at_renderings(folder: Path, dataset: FaceDataset, networks: LookNetworks) -> Looks:
    """Compare a folder's renderings with the frames of one recording; `looks.*` are written beside them.

    Args:
        folder: of results, with a folder `rgb`.
        dataset: the frames, which the renderings have the size and the names of.
        networks: what looks at them.

    Raises:
        DataError: a picture or a rendering is missing, damaged, or has another size.
    """
    paths = rendering_paths(folder, dataset)
    pictured = _faces(track(_pictures(dataset), "pictures looked at", len(paths)), networks)
    drawn = _faces(track(_renderings(paths, dataset), "renderings looked at", len(paths)), networks)
    time = np.array([frame_number(record, index) for index, record in enumerate(dataset.records)])
    distance = [_distance(a, b) for a, b in zip(drawn, pictured, strict=True)]
    points = [[None if face is None else face.points for face in faces] for faces in (drawn, pictured)]
    looks = compare_looks(*points, time, distance)
    notes = []
    if networks.descriptor is None:
        notes.append(f"identity is null: fetch its network with `{command('fetch_assets')} --only face_recognition`")
    write_looks(folder, looks, notes)
    return looks


@dataclass(frozen=True)
class _Face:
    """What is found in one image."""

    points: FacePoints
    descriptor: Float[np.ndarray, "128"] | None


def _faces(images: Iterable[Pixels], networks: LookNetworks) -> list[_Face | None]:
    """The face of each image of a recording, in its order; None where none is found."""
    networks.landmarker.reset()
    return [_face(image, networks) for image in images]


def _face(image: Pixels, networks: LookNetworks) -> _Face | None:
    found = networks.landmarker.detect(image)
    if found is None:
        return None
    descriptor = None if networks.descriptor is None else networks.descriptor.of_image(image, found.points)
    return _Face(FacePoints(found.points, found.irises[:, 0]), descriptor)


def _distance(drawn: _Face | None, pictured: _Face | None) -> float | None:
    """Of two faces' descriptors; None where one is not known."""
    descriptors = [None if face is None else face.descriptor for face in (drawn, pictured)]
    if any(descriptor is None for descriptor in descriptors):
        return None
    return float(np.linalg.norm(descriptors[0] - descriptors[1]))


def _pictures(dataset: FaceDataset) -> Iterator[Pixels]:
    """The frames on white, as renderings are."""
    for index in range(len(dataset)):
        yield colour_bytes(dataset.frame(index).image)


def _renderings(paths: Sequence[Path], dataset: FaceDataset) -> Iterator[Pixels]:
    for path in paths:
        image = read_colour(path, "rendering")
        if image.shape[:2] != (dataset.height, dataset.width):
            height, width = image.shape[:2]
            raise DataError(
                f"{path}: the rendering has {height} x {width} pixels, expected the {dataset.height} x {dataset.width} "
                "of the frames; render again with --again --images"
            )
        yield image
