"""The fit: one shape per subject; expression, pose and translation per frame; the focal length where it is unknown."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets
from imavatar.head.detector_bias import DetectorBias
from imavatar.head.landmarks import N_LANDMARKS, LandmarkEmbedding
from imavatar.head.mesh_points import FACE_OVAL, IBUG_FROM_MESH
from imavatar.preprocessing.appearance import AppearanceTerm, Pictures
from imavatar.preprocessing.feature_reprojection import FeatureReprojection
from imavatar.preprocessing.feature_tracks import FeatureTracker, FeatureTracks
from imavatar.preprocessing.fit_problem import FitProblem
from imavatar.preprocessing.fit_steps import RIGID, RIGID_STEPS, minimise, moving_of, one_thread
from imavatar.preprocessing.fit_unknowns import Unknowns
from imavatar.preprocessing.focal_fit import find_focal, usual_distance_lens, with_focal
from imavatar.preprocessing.focal_search import FocalRange, Lens
from imavatar.preprocessing.head_outline import head_outlines
from imavatar.preprocessing.initial_pose import initial_unknowns
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.torso_motion import torso_motions
from imavatar.progress import progress_bar

MAX_ERROR = 0.05
"""Mean reprojection error, as a share of the face's height, above which a frame or a whole fit is not trusted."""

ALL_STEPS, APPEARANCE_STEPS = 300, 150
"""Of the first fit of everything, and of the last one, with the texture of the skin."""
LOOP_CLOSURES, LOOP_STEPS = 2, 120
"""How often features are looked for again in far frames, where the fit expects them, and the fit's steps after each."""


@dataclass(frozen=True)
class TrackingResult:
    """Parameters of all frames in model units and radians, and how well they explain the detections.

    `landmarks` and `keypoints` are the fitted points in continuous pixels: the 468 of the detector, and the 68 of iBUG
    with the right and left pupil. `error` is the distance of each landmark from its detection in pixels. `focal_range`
    says which focal lengths (pixels) explain the detections as well.
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
    focal_range: FocalRange

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
    bias: DetectorBias | None = None,
    lens: Lens | None = None,
    features: FeatureTracker | None = None,
    pictures: Pictures | None = None,
    device: torch.device | str = "cpu",
) -> TrackingResult:
    """Fit the head model to the detections of one subject, all frames of all recordings at once.

    Args:
        bias: of the detector on this head model.
        lens: what is known of the focal length, pixels of the observed images; nothing where it is None.
        features: follows features of the skull through the frames; without it landmarks alone place the head.
        pictures: the frames; without them the skin's texture, the outline and the clothes are not compared.
        device: where the fit is computed.
    """
    model, width = LandmarkModel(assets, embedding, device=device), observations.size[1]
    lens = usual_distance_lens(model, observations) if lens is None else lens.scaled(1 / width)
    if pictures is not None:
        outlines = head_outlines(pictures.labels, len(observations))
        torso = torso_motions(pictures.labels, observations.video)
        observations = replace(observations, outlines=outlines, torso=torso)
    with one_thread():
        found = find_focal(model, observations, lens, bias)
        problem = FitProblem(model, observations, lens, bias)
        unknowns = with_focal(initial_unknowns(problem, observations), found.best)
        appearance = None if pictures is None else _appearance(assets, embedding, pictures, observations, device)
        unknowns = _fit_all(problem, unknowns, features, appearance)
    return _result(problem, unknowns, observations, found.scaled(width))


def _fit_all(
    problem: FitProblem, unknowns: Unknowns, features: FeatureTracker | None, appearance: AppearanceTerm | None
) -> Unknowns:
    """Landmarks first, then features of the skull, then the texture of the skin besides."""
    moving = moving_of(problem)
    tracks = None if features is None else features.follow()
    rounds = [ALL_STEPS] + [LOOP_STEPS] * LOOP_CLOSURES if tracks else [ALL_STEPS]
    last = APPEARANCE_STEPS if appearance else 0
    with progress_bar("steps of the head's fit", RIGID_STEPS + sum(rounds) + last) as bar:
        unknowns = minimise(problem, unknowns, RIGID, RIGID_STEPS, bar.update)
        problem.look(unknowns)
        for number, steps in enumerate(rounds):
            if tracks:
                seen = tracks if number == 0 else _close_loops(features, tracks, problem, unknowns)
                problem.tracks = FeatureReprojection(seen, problem.points)
                if number == 0:
                    unknowns = replace(unknowns, depth_offset=problem.points.new_zeros(len(tracks)))
            unknowns = minimise(problem, unknowns, moving, steps, bar.update)
        if appearance:
            problem.appearance = appearance
            problem.look(unknowns)
            unknowns = minimise(problem, unknowns, moving, APPEARANCE_STEPS, bar.update)
    return unknowns


def _appearance(
    assets: HeadAssets,
    embedding: LandmarkEmbedding,
    pictures: Pictures,
    observations: Observations,
    device: torch.device | str,
) -> AppearanceTerm | None:
    """None for a head model without a face between its landmarks."""
    generator = torch.Generator("cpu").manual_seed(0)
    term = AppearanceTerm(assets, embedding, pictures, len(observations), observations.size, generator, device)
    return term if term.points.n_points else None


@torch.no_grad()
def _close_loops(
    features: FeatureTracker, tracks: FeatureTracks, problem: FitProblem, unknowns: Unknowns
) -> FeatureTracks:
    """The tracks with sightings where the fit so far expects them."""
    head = problem.head_motion(unknowns)
    focal = problem.focal(unknowns)

    def predict(frame: int, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k 2"]:
        track = torch.as_tensor(rows, device=head.device)
        where = torch.full_like(track, frame)
        found = problem.tracks.project(head, unknowns.depth_offset, focal, problem.centre, track, where)
        return _array(found.double())

    return features.close_loops(tracks, _array(head[..., :3].double()), predict)


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


@torch.no_grad()
def _result(
    problem: FitProblem, unknowns: Unknowns, observations: Observations, focal_range: FocalRange
) -> TrackingResult:
    """The optimised unknowns as arrays; landmarks are where the head has them, `error` says how well they explain where
    they were seen.
    """
    projected = _array(problem.project(unknowns).double())
    seen = _array(problem.detected(unknowns).double())[:, :N_LANDMARKS]
    landmarks = projected[:, :N_LANDMARKS]
    return TrackingResult(
        shape=_array(unknowns.shape),
        expression=_array(problem.expression(unknowns)),
        pose=_array(unknowns.pose(problem.place)),
        translation=_array(unknowns.translation()),
        focal=float(unknowns.log_focal.exp()) * observations.size[1],
        landmarks=landmarks,
        keypoints=np.concatenate([landmarks[:, list(IBUG_FROM_MESH)], projected[:, N_LANDMARKS:]], axis=1),
        error=np.linalg.norm(seen - observations.landmarks, axis=-1),
        face_height=observations.face_height,
        focal_range=focal_range,
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
