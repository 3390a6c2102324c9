"""How people turn a head's joints by sliders: the same in the live viewer and on exported pages."""

from dataclasses import dataclass

from imavatar.anatomy import Joint


@dataclass(frozen=True)
class JointSlider:
    """A slider from `low` to `high`, radians, that turns joints.

    Each of `turns` is a joint, the axis that it turns about (0: x to the subject's left, 1: y up, 2: z to the front),
    and what the slider's value is multiplied with.
    """

    label: str
    turns: tuple[tuple[Joint, int, float], ...]
    low: float
    high: float


JOINT_SLIDERS = (
    JointSlider("jaw open", ((Joint.JAW, 0, 1.0),), 0.0, 0.5),
    JointSlider("jaw sideways", ((Joint.JAW, 1, 1.0),), -0.15, 0.15),
    JointSlider("neck down / up", ((Joint.NECK, 0, -1.0),), -0.6, 0.6),
    JointSlider("neck turn", ((Joint.NECK, 1, 1.0),), -0.8, 0.8),
    JointSlider("neck tilt", ((Joint.NECK, 2, 1.0),), -0.5, 0.5),
    JointSlider("eyes down / up", ((Joint.LEFT_EYE, 0, -1.0), (Joint.RIGHT_EYE, 0, -1.0)), -0.35, 0.35),
    JointSlider("eyes turn", ((Joint.LEFT_EYE, 1, 1.0), (Joint.RIGHT_EYE, 1, 1.0)), -0.5, 0.5),
)

N_COEFFICIENTS = 10
"""Sliders of single expression coefficients: of the first ones, which move the face most."""
LARGEST_COEFFICIENT = 3.0
"""Standard deviations at the ends of those sliders."""
