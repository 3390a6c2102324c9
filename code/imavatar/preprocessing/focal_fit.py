"""Finds the focal length of a subject's recordings by fits of some of their frames."""

from dataclasses import replace

import numpy as np
import torch

from imavatar.anatomy import HEAD_SCALE
from imavatar.head.detector_bias import DetectorBias
from imavatar.preprocessing.fit_problem import FitProblem
from imavatar.preprocessing.fit_steps import RIGID, RIGID_STEPS, minimise, moving_of
from imavatar.preprocessing.fit_unknowns import Unknowns
from imavatar.preprocessing.focal_search import N_TRIED, FocalRange, Lens, search_focal, spread_frames
from imavatar.preprocessing.initial_pose import initial_unknowns
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.observations import Observations
from imavatar.progress import progress_bar

USUAL_DISTANCE, DISTANCE_SPREAD = 0.8, 0.45
"""Metres from a camera to the head in front of it, and the standard deviation of its logarithm: a telephone in the hand
is at 0.4, one on a stand at 1, a camera for an interview at 1.5."""
SEARCH_STEPS, NEXT_STEPS = 400, 150
"""Of the fit with the first focal length that is tried, and of those that start from a neighbour's."""


def usual_distance_lens(model: LandmarkModel, observations: Observations) -> Lens:
    """The lens, in image widths, that shows the head as large as it is seen from where people film themselves."""
    start = initial_unknowns(FitProblem(model, observations, Lens(1.0, 1.0)), observations)
    extent = float(start.image_position[:, 2].exp().median()) / HEAD_SCALE
    return Lens(USUAL_DISTANCE / extent, DISTANCE_SPREAD)


def find_focal(model: LandmarkModel, observations: Observations, lens: Lens, bias: DetectorBias | None) -> FocalRange:
    """In image widths, from some of the frames."""
    if lens.known:
        return FocalRange(lens.focal, lens.focal, lens.focal)
    some = observations.rows(spread_frames(observations.video, observations.time))
    some = replace(some, outlines=None, torso=None)
    problem = FitProblem(model, some, lens, bias)
    fixed = [name for name in moving_of(problem) if name != "log_focal"]
    unknowns = initial_unknowns(problem, some)
    with progress_bar(
        "steps of the search for the focal length", RIGID_STEPS + SEARCH_STEPS + N_TRIED * NEXT_STEPS
    ) as bar:
        unknowns = minimise(problem, unknowns, RIGID, RIGID_STEPS, bar.update)
        unknowns = minimise(problem, unknowns, fixed, SEARCH_STEPS, bar.update)

        def loss_at(focal: float) -> float:
            nonlocal unknowns
            unknowns = minimise(problem, with_focal(unknowns, focal), fixed, NEXT_STEPS, bar.update)
            with torch.no_grad():
                return float(problem.loss(unknowns))

        return search_focal(lens, loss_at)


def with_focal(unknowns: Unknowns, focal: float) -> Unknowns:
    """Another focal length, image widths."""
    return replace(unknowns, log_focal=torch.full_like(unknowns.log_focal, float(np.log(focal))))
