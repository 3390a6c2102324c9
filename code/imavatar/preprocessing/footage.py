"""What of the videos is used: a first look at each, the person that is followed, and the square that is cut out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imavatar.errors import DataError
from imavatar.preprocessing.crop import CENTRE, Crop, Heads, common_crops
from imavatar.preprocessing.detection import Box
from imavatar.preprocessing.face_tracks import FollowedFace, follow_face, people_of
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.same_person import Cast, choose_people
from imavatar.preprocessing.survey import FaceTellers, Survey, survey_video

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footage:
    """A video, where its face is expected in it, and the square that is used."""

    survey: Survey
    face: FollowedFace
    crop: Crop


def choose_footage(options: PreprocessOptions, tellers: FaceTellers) -> list[Footage]:
    """Look at all videos, and choose.

    Raises:
        DataError: a video cannot be read, shows no face or another person's only, or no square holds the heads of all.
    """
    surveys = [survey_video(path, tellers, options.fps) for path in options.videos]
    given = [_given_crop(options, survey) for survey in surveys]
    seen = [s if crop is None else _within(s, crop) for s, crop in zip(surveys, given, strict=True)]
    faces = _follow_one_person(seen, options.face)
    for survey, face in zip(surveys, faces, strict=True):
        _check_seen(survey, face, options)
    heads = [
        Heads(survey.path, survey.height, survey.width, face.seen) for survey, face in zip(surveys, faces, strict=True)
    ]
    found = common_crops(heads) if options.crop is None else given
    return [Footage(*parts) for parts in zip(surveys, faces, found, strict=True)]


def _follow_one_person(surveys: Sequence[Survey], point: tuple[int, int] | None) -> list[FollowedFace]:
    """The face of the same person in all videos; a doubt about that becomes a note on the video."""
    people = [people_of(survey) for survey in surveys]
    casts = [Cast(s.path, max(s.height, s.width), known) for s, known in zip(surveys, people, strict=True)]
    choices = choose_people(casts, point)
    for survey, choice in zip(surveys, choices, strict=True):
        if choice.doubt is not None:
            logger.warning("%s: %s", survey.path, choice.doubt)
            if survey.facts is not None:
                survey.facts.notes.append(choice.doubt)
    return [follow_face(s, known, c.person) for s, known, c in zip(surveys, people, choices, strict=True)]


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
