"""The fit: one shape per subject; expression, pose and translation per frame; the focal length where it is unknown."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import N_LANDMARKS, LandmarkEmbedding
from imavatar.head.mesh_points import FACE_OVAL, IBUG_FROM_MESH
from imavatar.preprocessing.feature_reprojection import FeatureReprojection
from imavatar.preprocessing.feature_tracks import FeatureTracker, FeatureTracks
from imavatar.preprocessing.fit_problem import FitProblem, Observations, Unknowns
from imavatar.preprocessing.initial_pose import initial_unknowns
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.progress import progress_bar

logger = logging.getLogger(__name__)

MAX_ERROR = 0.05
"""Mean reprojection error, as a share of the face's height, above which a frame or a whole fit is not trusted."""

DEFAULT_FOCAL = 2.0
"""Where the search for the focal length starts, in image widths: a field of view of 28 degrees."""

RIGID_STEPS, ALL_STEPS = 80, 300
LOOP_CLOSURES, LOOP_STEPS = 2, 120
"""How often features are looked for again in far frames, where the fit expects them, and the fit's steps after each."""
LEARNING_RATES = {
    "shape": 0.05,
    "expression": 0.05,
    "lids": 0.03,
    "rotation": 0.005,
    "neck": 0.005,
    "jaw": 0.01,
    "gaze": 0.01,
    "iris_bias": 0.001,
    "image_position": 0.005,
    "log_focal": 0.01,
    "depth_offset": 0.02,
}
RIGID = ("rotation", "neck", "image_position")


@dataclass(frozen=True)
class TrackingResult:
    """Parameters of all frames in model units and radians, and how well they explain the detections.

    `landmarks` and `keypoints` are the fitted points in continuous pixels: the 468 of the detector, and the 68 of iBUG
    with the right and left pupil. `error` is the distance of each landmark from its detection in pixels.
    """

    shape: Float[np.ndarray, "100"]
    expression: Float[np.ndarray, "n 50"]
    pose: Float[np.ndarray, "n 15"]
    translation: Float[np.ndarray, "n 3"]
    focal: float
    landmarks: Float[np.ndarray, "n 468 2"]
    keypoints: Float[np.ndarray, "n 70 2"]
    error: Float[np.ndarray, "n 468"]
    face_height: Float[np.ndarray, " n"]

    @property
    def relative_error(self) -> Float[np.ndarray, " n"]:
        """Mean error of each frame as a share of its face's height."""
        return self.error.mean(axis=1) / self.face_height

    @property
    def valid(self) -> Bool[np.ndarray, " n"]:
        """Frames whose fit can be trusted."""
        return self.relative_error <= MAX_ERROR

    def mean_errors(self) -> dict[str, float]:
        """Mean error in pixels and as a share of the face's height, of all landmarks and without the face oval."""
        inner = np.setdiff1d(np.arange(N_LANDMARKS), FACE_OVAL)
        share = self.error / self.face_height[:, None]
        return {
            "error_px": float(self.error.mean()),
            "error_share": float(share.mean()),
            "error_px_without_oval": float(self.error[:, inner].mean()),
            "error_share_without_oval": float(share[:, inner].mean()),
            "worst_frame_share": float(self.relative_error.max()),
        }


def fit_head(
    observations: Observations,
    assets: HeadAssets,
    embedding: LandmarkEmbedding,
    *,
    focal: float | None = None,
    features: FeatureTracker | None = None,
) -> TrackingResult:
    """Fit the head model to the detections of one subject, all frames of all recordings at once.

    Args:
        focal: focal length in pixels of the observed images; estimated where it is None.
        features: follows features of the skull through the frames; without it landmarks alone place the head.
    """
    start = DEFAULT_FOCAL if focal is None else focal / observations.size[1]
    problem = FitProblem(LandmarkModel(assets, embedding), observations, start)
    unknowns = initial_unknowns(problem, observations)
    everything = [name for name in LEARNING_RATES if focal is None or name != "log_focal"]
    tracks = None if features is None else features.follow()
    rounds = [ALL_STEPS] + [LOOP_STEPS] * LOOP_CLOSURES if tracks else [ALL_STEPS]
    with _one_thread(), progress_bar("steps of the head's fit", RIGID_STEPS + sum(rounds)) as bar:
        unknowns = _minimise(problem, unknowns, RIGID, RIGID_STEPS, bar.update)
        for number, steps in enumerate(rounds):
            if tracks:
                seen = tracks if number == 0 else _close_loops(features, tracks, problem, unknowns)
                problem.tracks = FeatureReprojection(seen, problem.points)
                if number == 0:
                    unknowns = replace(unknowns, depth_offset=problem.points.new_zeros(len(tracks)))
            unknowns = _minimise(problem, unknowns, everything, steps, bar.update)
    return _result(problem, unknowns, observations)


@torch.no_grad()
def _close_loops(
    features: FeatureTracker, tracks: FeatureTracks, problem: FitProblem, unknowns: Unknowns
) -> FeatureTracks:
    """The tracks with sightings where the fit so far expects them."""
    head = problem.head_motion(unknowns)
    focal = problem.focal(unknowns)

    def predict(frame: int, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k 2"]:
        track = torch.as_tensor(rows)
        where = torch.full_like(track, frame)
        return problem.tracks.project(head, unknowns.depth_offset, focal, problem.centre, track, where).double().numpy()

    return features.close_loops(tracks, head[..., :3].double().numpy(), predict)


def check_fit(result: TrackingResult, observations: Observations) -> None:
    """See that the fit as a whole can be trusted.

    Raises:
        DataError: it cannot; the message says what to try.
    """
    advice = (
        "Try a crop around the head (--crop x,y,size), the camera's focal length (--focal PX), or a recording with "
        "better light and the whole face in view."
    )
    error, height = float(result.error.mean()), float(result.face_height.mean())
    if not np.isfinite(error) or error > MAX_ERROR * height:
        raise DataError(
            f"the head model does not fit the face: mean landmark error {error:.1f} pixels, {100 * error / height:.1f} "
            f"% of the face's height of {height:.0f} pixels; at most {100 * MAX_ERROR:.0f} % is accepted. {advice}"
        )
    rows, columns = observations.size
    centre = result.landmarks.mean(axis=1)
    outside = ((centre < 0) | (centre > [columns, rows])).any(axis=1)
    if outside.any():
        raise DataError(
            f"the fitted head lies outside the image of {columns} x {rows} pixels in {outside.sum()} of "
            f"{len(result.error)} frames. {advice}"
        )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The tensors are small: more threads gain little, and on a busy machine they wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _minimise(
    problem: FitProblem, unknowns: Unknowns, names: Sequence[str], steps: int, stepped: Callable[[], object]
) -> Unknowns:
    """Adam with a learning rate that falls to a tenth; only the named unknowns move."""
    moving = {n: getattr(unknowns, n).detach().clone().requires_grad_(True) for n in names}
    unknowns = replace(unknowns, **moving)
    optimiser = torch.optim.Adam([{"params": [moving[n]], "lr": LEARNING_RATES[n]} for n in names])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 - 0.9 * k / steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = problem.loss(unknowns)
        loss.backward()
        optimiser.step()
        schedule.step()
        stepped()
    logger.debug("fit of %s: loss %.4f after %d steps", ", ".join(names), float(loss.detach()), steps)
    return replace(unknowns, **{name: value.detach() for name, value in moving.items()})


@torch.no_grad()
def _result(problem: FitProblem, unknowns: Unknowns, observations: Observations) -> TrackingResult:
    """The optimised unknowns as arrays; pupils are where the head has them, without the detections' common bias."""
    unbiased = replace(unknowns, iris_bias=torch.zeros_like(unknowns.iris_bias))
    projected = problem.project(unbiased).double().numpy()
    landmarks = projected[:, :N_LANDMARKS]
    return TrackingResult(
        shape=unknowns.shape.numpy(),
        expression=problem.expression(unknowns).numpy(),
        pose=unknowns.pose(problem.video).numpy(),
        translation=unknowns.translation().numpy(),
        focal=float(unknowns.log_focal.exp()) * observations.size[1],
        landmarks=landmarks,
        keypoints=np.concatenate([landmarks[:, list(IBUG_FROM_MESH)], projected[:, N_LANDMARKS:]], axis=1),
        error=np.linalg.norm(landmarks - observations.landmarks, axis=-1),
        face_height=observations.face_height,
    )
