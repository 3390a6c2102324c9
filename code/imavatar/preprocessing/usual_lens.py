"""What the focal length of a video is likely to be before its frames are looked at."""

import math

from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.options import PreprocessOptions

DIAGONAL_35MM = math.hypot(36, 24)
"""Millimetres of the picture that equivalent focal lengths are stated for."""
EQUIVALENT_SPREAD = 0.15
"""Of the logarithm of a stated one: makers mean the diagonal or the width, and stabilisers cut off an edge."""
USUAL, USUAL_SPREAD = 0.85, 0.35
"""Over the longer side, of telephones' and computers' cameras: 61 degrees, most between 45 and 80."""
SHAPES = (16 / 9, 4 / 3, 3 / 2, 2 / 1, 19.5 / 9, 20 / 9)
"""Of pictures as cameras record them, longer over shorter side."""
SHAPE_TOLERANCE = 0.01
LEAST_SIDE = 480
"""Pixels of the longer side: what is smaller was cut out or made smaller."""


def lens_of(options: PreprocessOptions, video: AnalysedVideo) -> Lens | None:
    """What is asked for or known of a video's lens, in pixels of the written images; None where that is nothing."""
    survey = video.survey
    if options.focal is not None:
        lens = Lens(options.focal)
    elif options.fov is not None:
        lens = Lens(max(survey.width, survey.height) / 2 / math.tan(math.radians(options.fov) / 2))
    else:
        camera = None if survey.facts is None else survey.facts.camera
        lens = lens_of_video(survey.width, survey.height, None if camera is None else camera.focal_35mm)
    return lens and lens.scaled(video.scale)


def lens_of_video(width: int, height: int, equivalent: float | None = None) -> Lens | None:
    """What is known of the lens by the video's file, pixels; None where the picture seems to be cut out of another.

    Args:
        width, height: of the whole picture, pixels.
        equivalent: focal length in millimetres for a picture of 36 by 24, where the file states it.
    """
    if equivalent:
        return Lens(equivalent / DIAGONAL_35MM * math.hypot(width, height), EQUIVALENT_SPREAD)
    longer, shorter = max(width, height), min(width, height)
    as_recorded = any(abs(longer / shorter / shape - 1) < SHAPE_TOLERANCE for shape in SHAPES)
    return Lens(USUAL * longer, USUAL_SPREAD) if as_recorded and longer >= LEAST_SIDE else None
