"""What the tracker minimises: the projection of the unknowns of all frames of a subject, and the terms of the loss."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import Joint
from imavatar.head.detector_bias import DetectorBias
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.head.mesh_points import FACE_OVAL
from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.preprocessing.appearance import AppearanceTerm
from imavatar.preprocessing.eye_mouth_terms import EyeMouthTerms
from imavatar.preprocessing.feature_reprojection import FeatureReprojection, distances, to_pixels
from imavatar.preprocessing.fit_unknowns import Unknowns
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.misplacement import Misplacement
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.outline_term import OutlineTerm
from imavatar.preprocessing.torso_term import TorsoTerm

RESIDUAL_UNIT = 0.01
"""Residuals are counted in hundredths of the face's height, so that the image size does not matter."""


@dataclass(frozen=True)
class FitWeights:
    """How much each term counts against the data, whose residuals are in hundredths of the face's height."""

    oval: float = 0.3
    iris: float = 2.0
    shape: float = 0.06
    expression: float = 0.06
    focal: float = 0.5
    jaw_sideways: float = 20.0
    jaw_closed: float = 20.0
    gaze: float = 0.3
    gaze_level: float = 30.0
    gaze_apart: float = 0.3
    gaze_squint: float = 3.0
    gaze_elsewhere: float = 30.0
    iris_bias: float = 10.0
    lids: float = 0.02
    lid_aperture: float = 0.3
    lip_aperture: float = 0.3
    iris_place: float = 1.0
    smooth_expression: float = 0.02
    smooth_rotation: float = 10.0
    smooth_jaw: float = 2.0
    smooth_gaze: float = 4.0
    smooth_apart: float = 10.0
    smooth_translation: float = 500.0
    still_translation: float = 1.0
    tracks: float = 1.0
    depth_offset: float = 0.01
    appearance: float = 3.0
    torso: float = 0.3
    lean: float = 1.0
    outline: float = 2.0


TRACK_SCALE = 0.5
"""Residual of a feature, in hundredths of the face's height, from which on it counts less and less."""


class FitProblem:
    """The loss of one subject's unknowns against its observations.

    Args:
        model: the head's landmarks.
        observations: what is detected.
        lens: what is known of the focal length, image widths.
        bias: of the detector.
    """

    def __init__(
        self,
        model: LandmarkModel,
        observations: Observations,
        lens: Lens,
        bias: DetectorBias | None = None,
    ):
        self.model, self.weights, self.width = model, FitWeights(), observations.size[1]
        self.landmark_weight = np.ones(N_LANDMARKS)
        self.landmark_weight[list(FACE_OVAL)] = self.weights.oval
        iris = self.weights.iris * observations.iris_weight
        landmark = np.broadcast_to(self.landmark_weight, (len(iris), N_LANDMARKS))
        device = model.joint_base.device
        tensor = functools.partial(torch.as_tensor, dtype=model.joint_base.dtype, device=device)
        self.centre, self.face_height = tensor(observations.centre), tensor(observations.face_height)
        self.points = tensor(np.concatenate([observations.landmarks, observations.irises], axis=1))
        self.point_weight = tensor(np.concatenate([landmark, iris], axis=1))
        bias = bias or DetectorBias.none()
        self.misplacement = Misplacement(bias, self.points)
        self.eyes_and_mouth = EyeMouthTerms(
            self.points,
            tensor(observations.iris_weight),
            RESIDUAL_UNIT * self.face_height,
            float(bias.lids),
        )
        self.video = torch.as_tensor(observations.video, device=device)
        self.place = torch.as_tensor(observations.place, device=device)
        self.triples = torch.as_tensor(observations.triples(), device=device)
        self.lens, self.prior_log_focal = lens, float(np.log(lens.focal))
        self.tracks: FeatureReprojection | None = None
        self.appearance: AppearanceTerm | None = None
        self.outline, self.torso = self._outline(observations), self._torso(observations)

    def _outline(self, observations: Observations) -> OutlineTerm | None:
        if observations.outlines is None:
            return None
        generator = torch.Generator("cpu").manual_seed(0)
        unit = RESIDUAL_UNIT * self.face_height
        return OutlineTerm(self.model.above_eyes, observations.outlines, unit, generator)

    def _torso(self, observations: Observations) -> TorsoTerm | None:
        if observations.torso is None or not observations.torso.found.any():
            return None
        return TorsoTerm(observations.torso, RESIDUAL_UNIT * self.face_height)

    def focal(self, unknowns: Unknowns) -> Float[Tensor, ""]:
        """Focal length, pixels."""
        return unknowns.log_focal.exp() * self.width

    def expression(self, unknowns: Unknowns) -> Float[Tensor, "n 50"]:
        """Coefficients of the frames' expressions, the lids among them."""
        return unknowns.expression + unknowns.lids @ self.model.lid_units

    def project(self, unknowns: Unknowns) -> Float[Tensor, "n 470 2"]:
        """Landmarks and pupils in continuous pixels."""
        points = self.model(unknowns.shape, self.expression(unknowns), unknowns.pose(self.place))
        points = points + unknowns.translation()[:, None]
        return to_pixels(points, self.focal(unknowns), self.centre)

    def detected(self, unknowns: Unknowns) -> Float[Tensor, "n 470 2"]:
        """Where the detector should see landmarks and pupils, continuous pixels."""
        pixels = self.project(unknowns)
        # Out is to the left of the image for the right eye; up is against the rows.
        common = unknowns.iris_bias * pixels.new_tensor([[-1.0, -1.0], [1.0, -1.0]])
        motion = self.head_motion(unknowns)
        offset = self.misplacement(motion[..., :3], unknowns.translation(), unknowns.gaze)
        offset = torch.cat([offset[:, :N_LANDMARKS], offset[:, N_LANDMARKS:] + common], dim=1)
        return pixels + offset * self.face_height[:, None, None]

    def residuals(self, unknowns: Unknowns) -> Float[Tensor, "n 470"]:
        """Distances from the detections in hundredths of the face's height."""
        return self._residuals(self.detected(unknowns))

    def _residuals(self, projected: Float[Tensor, "n 470 2"]) -> Float[Tensor, "n 470"]:
        return distances(projected, self.points) / (RESIDUAL_UNIT * self.face_height)[:, None]

    def loss(self, unknowns: Unknowns) -> Tensor:
        """Robust data term, priors and smoothness."""
        projected = self.detected(unknowns)
        distance = self._residuals(projected)
        robust = (1 + distance.square()).sqrt() - 1
        data = (self.point_weight * robust).sum() / self.point_weight.sum()
        loss = data + self._details(projected) + self._priors(unknowns) + self._smoothness(unknowns)
        if self.torso is not None:
            loss = loss + self._torso_loss(unknowns)
        if self.outline is not None:
            loss = loss + self.weights.outline * self.outline(*self._seen_head(unknowns))
        if self.tracks is not None:
            loss = loss + self._track_loss(unknowns)
        if self.appearance is not None:
            frames = self.appearance.batch()
            loss = loss + self.weights.appearance * self.appearance(frames, self._skin(unknowns, frames)[1])
        return loss

    @torch.no_grad()
    def look(self, unknowns: Unknowns) -> None:
        """Note which points and lines each frame shows, as far as the fit has come."""
        if self.outline is not None:
            self.outline.look(*self._seen_head(unknowns))
        if self.appearance is None:
            return
        rotations = self.head_motion(unknowns)[..., :3]
        for frame in range(len(self.points)):
            points, pixels = self._skin(unknowns, torch.tensor([frame], device=self.points.device))
            self.appearance.look(frame, pixels[0], points[0], rotations[frame])

    def _skin(
        self, unknowns: Unknowns, frames: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b m 3"], Float[Tensor, "b m 2"]]:
        """Points of the skin in the camera's axes and in continuous pixels, of some frames."""
        expression, pose = self.expression(unknowns)[frames], unknowns.pose(self.place)[frames]
        points = self.appearance.points(unknowns.shape, expression, pose) + unknowns.translation()[frames, None]
        return points, to_pixels(points, self.focal(unknowns), self.centre)

    def _details(self, projected: Float[Tensor, "n 470 2"]) -> Tensor:
        w, terms = self.weights, self.eyes_and_mouth
        return (
            w.lid_aperture * terms.lids(projected)
            + w.lip_aperture * terms.lips(projected)
            + w.iris_place * terms.irises(projected)
        )

    def head_motion(self, unknowns: Unknowns) -> Float[Tensor, "n 3 4"]:
        """From the head at rest to the camera."""
        pose = unknowns.pose(self.place)
        motion = self.model.joint_motion(unknowns.shape, self.expression(unknowns), pose)[1][:, Joint.NECK, :3]
        return torch.cat([motion[..., :3], motion[..., 3:] + unknowns.translation()[..., None]], dim=-1)

    def _seen_head(self, unknowns: Unknowns) -> tuple[Float[Tensor, "n 3 4"], Float[Tensor, ""], Float[Tensor, " 2"]]:
        """The heads' motion, and the camera, whose focal length the outline does not tell: where it seems to, it is by
        what a head's form lacks.
        """
        held = replace(unknowns, log_focal=unknowns.log_focal.detach())
        return self.head_motion(held), self.focal(held), self.centre

    def _torso_loss(self, unknowns: Unknowns) -> Tensor:
        w = self.weights
        root = self.model.joint_base[Joint.GLOBAL] + unknowns.translation()
        body = axis_angle_to_matrix(unknowns.pose(self.place)[:, :3])
        # Rows run down: against the clock is from down to right.
        turn = -torch.atan2(body[:, 1, 0], body[:, 0, 0])
        loss = w.torso * self.torso(to_pixels(root, self.focal(unknowns), self.centre), turn)
        return loss + w.lean * unknowns.lean.square().mean()

    def _track_loss(self, unknowns: Unknowns) -> Tensor:
        """Robust mean of the features' distances in hundredths of the face's height: hair may move a little."""
        term, w = self.tracks, self.weights
        focal = self.focal(unknowns)
        found = term.project(self.head_motion(unknowns), unknowns.depth_offset, focal, self.centre)
        distance = distances(found, term.points) / (RESIDUAL_UNIT * self.face_height[term.frame])
        robust = 2 * TRACK_SCALE**2 * (1 + (distance / TRACK_SCALE).square()).log()
        loss = (term.weight * robust).sum() / term.weight.sum()
        return w.tracks * loss + w.depth_offset * unknowns.depth_offset.square().mean()

    def _priors(self, unknowns: Unknowns) -> Tensor:
        w, jaw, gaze = self.weights, unknowns.jaw, unknowns.gaze
        apart = gaze[:, 0] - gaze[:, 1]
        # Of a lens that is known the focal length does not move.
        focal = (unknowns.log_focal - self.prior_log_focal) / (self.lens.spread or 1.0)
        return (
            w.gaze_elsewhere * self._mean_gaze(unknowns).square().sum()
            + w.iris_bias * unknowns.iris_bias.square().sum()
            + w.shape * unknowns.shape.square().mean()
            + w.expression * unknowns.expression.square().mean()
            + w.lids * unknowns.lids.square().mean()
            + w.focal * focal.square() * RESIDUAL_UNIT
            + w.jaw_sideways * jaw[:, 1:].square().mean()
            + w.jaw_closed * torch.relu(-jaw[:, 0]).square().mean()
            + w.gaze * gaze.square().mean()
            + w.gaze_level * apart[:, 0].square().mean()
            + w.gaze_apart * apart[:, 1].square().mean()
            # Eyes that always turn apart are more likely the detector's mistake, of which `iris_bias` is the unknown.
            + w.gaze_squint * apart[:, 1].mean().square()
        )

    def _seen_translation(self, unknowns: Unknowns) -> Float[Tensor, "n 3"]:
        """The heads' translation by a camera of the prior's focal length: how much it shakes tells nothing of another
        focal length, by which all depths would be multiplied.
        """
        like_prior = replace(unknowns, log_focal=unknowns.log_focal.new_tensor(self.prior_log_focal))
        return like_prior.translation()

    def _mean_gaze(self, unknowns: Unknowns) -> Float[Tensor, " 2"]:
        """How far the eyes look past the camera on average, right and up: most people look at it most of the time, and
        where an iris is found, as against where the head model has the eyeball, is the same mistake in all frames.
        """
        motion = self.model.joint_motion(unknowns.shape, self.expression(unknowns), unknowns.pose(self.place))[1]
        looking = motion[:, [Joint.RIGHT_EYE, Joint.LEFT_EYE], :2, 2].mean(dim=1)
        to_camera = -torch.nn.functional.normalize(unknowns.translation(), dim=1)[:, :2]
        return (looking - to_camera).mean(dim=0)

    def _smoothness(self, unknowns: Unknowns) -> Tensor:
        w, translation = self.weights, self._seen_translation(unknowns)
        shake = torch.zeros_like(translation).index_add(0, self.video, translation)
        count = torch.bincount(self.video, minlength=len(translation)).clamp(min=1)
        mean = (shake / count[:, None])[self.video]
        loss = w.still_translation * (translation - mean).square().mean()
        for weight, values in (
            (w.smooth_expression, unknowns.expression),
            (w.smooth_rotation, unknowns.neck),
            (w.smooth_rotation, unknowns.lean),
            (w.smooth_jaw, unknowns.jaw),
            (w.smooth_gaze, unknowns.gaze.flatten(start_dim=1)),
            (w.smooth_apart, unknowns.gaze[:, :1, 1] - unknowns.gaze[:, 1:, 1]),
            (w.smooth_translation, translation),
        ):
            before, now, after = values[self.triples].unbind(dim=1)
            if len(now):
                loss = loss + weight * (before - 2 * now + after).square().mean()
        return loss
