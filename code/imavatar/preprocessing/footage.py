"""What of the videos is used: a first look at each, the person that is followed, and the square that is cut out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from imavatar.errors import DataError
from imavatar.preprocessing.crop import CENTRE, Crop, Heads, common_crops
from imavatar.preprocessing.detection import Box
from imavatar.preprocessing.face_search import SeenFace
from imavatar.preprocessing.face_texture import Texture
from imavatar.preprocessing.face_tracks import FollowedFace, follow_face
from imavatar.preprocessing.landmarks import Image, Points
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.survey import Survey, survey_video


@dataclass(frozen=True)
class Footage:
    """A video, where its face is expected in it, and the square that is used."""

    survey: Survey
    face: FollowedFace
    crop: Crop


def choose_footage(
    options: PreprocessOptions, search: Callable[..., list[SeenFace]], texture: Callable[[Image, Points], Texture]
) -> list[Footage]:
    """Look at all videos, and choose.

    Raises:
        DataError: a video cannot be read or shows no face, or no square holds the heads of all.
    """
    surveys = [survey_video(path, search, texture, options.fps) for path in options.videos]
    given = [_given_crop(options, survey) for survey in surveys]
    seen = [s if crop is None else _within(s, crop) for s, crop in zip(surveys, given, strict=True)]
    faces = [follow_face(survey, options.face) for survey in seen]
    for survey, face in zip(surveys, faces, strict=True):
        _check_seen(survey, face, options)
    heads = [
        Heads(survey.path, survey.height, survey.width, face.seen) for survey, face in zip(surveys, faces, strict=True)
    ]
    found = common_crops(heads) if options.crop is None else given
    return [Footage(*parts) for parts in zip(surveys, faces, found, strict=True)]


def _given_crop(options: PreprocessOptions, survey: Survey) -> Crop | None:
    """The square that was asked for; None where it is to be found."""
    if options.crop is None:
        return None
    if options.crop == CENTRE:
        return Crop.centred(survey.height, survey.width)
    crop = Crop(*options.crop)
    crop.check(survey.height, survey.width, survey.path)
    return crop


def _within(survey: Survey, crop: Crop) -> Survey:
    """The survey with those faces only whose middle is in a square."""
    low = np.array([crop.x, crop.y])

    def inside(box: Box) -> bool:
        middle = (box[:2] + box[2:]) / 2
        return bool(((middle >= low) & (middle <= low + crop.side)).all())

    return replace(survey, sightings=[[s for s in look if inside(s.box)] for look in survey.sightings])


def _check_seen(survey: Survey, face: FollowedFace, options: PreprocessOptions) -> None:
    """Raise where there is no face to follow."""
    if len(face.seen):
        return
    if options.face is not None and any(survey.sightings):
        x, y = options.face
        raise DataError(
            f"{survey.path}: no face comes near {x},{y} (pixels of the upright picture of {survey.width} x "
            f"{survey.height}); give --face a point on the face, or leave it out to follow the largest"
        )
    where = "" if options.crop is None else " in the square given by --crop"
    raise DataError(
        f"{survey.path}: no face found in any of its {survey.n_frames} frames{where}. It has to be lit and not turned "
        "away; about 40 pixels high is the least, more than 200 give a good avatar"
    )
