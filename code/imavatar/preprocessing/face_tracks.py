"""The faces of a recording: sightings linked to tracks, tracks to people; and where one person is expected in it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from imavatar.preprocessing.detection import Box, box_side, overlap
from imavatar.preprocessing.face_texture import Texture, likeness
from imavatar.preprocessing.survey import Sighting, Survey, shot_of_frames

LINK_OVERLAP, LINK_LIKENESS = 0.25, 0.5
"""Of the boxes and the textures of one face at two looks in a row: a head that turns fast shows another texture."""
SAME_PERSON = 0.8
"""Likeness from which on two tracks show one person: single looks have 0.82 and more with the rest of their recording,
0.77 and less with other people's."""
SAME_PERSON_NEARBY = 0.75
"""The same for tracks that follow each other in one place: the head was turned away in between."""
NEARBY_LOOKS = 10
BEYOND_LOOKS = 5
"""So long before and after a track its face is still expected where it was: the detector misses faces that the landmark
model follows."""
NEAR_POINT = 0.75
"""Of a face's side: a point that is not farther from its middle means this face."""
OTHER_PERSON = "another person"
NO_FACE = "no face found"


@dataclass(eq=False)
class FaceTrack:
    """One face's sightings within a shot."""

    shot: int
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first frame of a sighting."""
        return self.sightings[0].frame

    @property
    def last(self) -> int:
        """The last one."""
        return self.sightings[-1].frame

    @property
    def weight(self) -> float:
        """How large the face is in how many looks."""
        return sum(box_side(sighting.box) for sighting in self.sightings)

    @property
    def textures(self) -> list[Texture]:
        """Of all sightings."""
        return [sighting.texture for sighting in self.sightings]


Person = list[FaceTrack]
"""One person's tracks, in the order of time."""


@dataclass(frozen=True)
class FollowedFace:
    """Where a recording's face is expected.

    Args:
        shot: of each frame.
        boxes: pixels of the upright picture; NaN where the face is not expected.
        reasons: by shot, why no frame of it is used.
        textures: of the face at all looks.
    """

    shot: Int[np.ndarray, " n"]
    boxes: Float[np.ndarray, "n 4"]
    reasons: dict[int, str]
    textures: Sequence[Texture] = ()

    def reason(self, frame: int) -> str | None:
        """Why a frame is not used; None where the face is expected in it."""
        if np.isfinite(self.boxes[frame, 0]):
            return None
        return self.reasons.get(int(self.shot[frame]), NO_FACE)

    @property
    def seen(self) -> Float[np.ndarray, "k 4"]:
        """The boxes of all frames in which the face is expected."""
        return self.boxes[np.isfinite(self.boxes[:, 0])]


def link_sightings(survey: Survey) -> list[FaceTrack]:
    """Tracks of all faces; none crosses a cut, or a look at which its face is not seen."""
    shots, tracks = shot_of_frames(survey), []
    active: list[FaceTrack] = []
    for frame, sightings in zip(survey.looks, survey.sightings, strict=True):
        active = [track for track in active if track.shot == shots[frame]]
        pairs = _pairs([track.sightings[-1] for track in active], sightings)
        begun = [FaceTrack(int(shots[frame])) for k in range(len(sightings)) if k not in pairs]
        tracks += begun
        starting = iter(begun)
        active = [active[pairs[k]] if k in pairs else next(starting) for k in range(len(sightings))]
        for track, sighting in zip(active, sightings, strict=True):
            track.sightings.append(sighting)
    return tracks


def _pairs(before: Sequence[Sighting], after: Sequence[Sighting]) -> dict[int, int]:
    """For sightings that go on from earlier ones the index of that one; the pairs that overlap most come first."""
    overlaps = [
        (overlap(first.box, second.box), i, k)
        for i, first in enumerate(before)
        for k, second in enumerate(after)
        if float(first.texture @ second.texture) > LINK_LIKENESS
    ]
    pairs: dict[int, int] = {}
    for value, i, k in sorted(overlaps, reverse=True):
        if value > LINK_OVERLAP and i not in pairs.values() and k not in pairs:
            pairs[k] = i
    return pairs


def people_of(survey: Survey) -> list[Person]:
    """Everyone whose face a recording shows; whoever is larger in more of it comes first."""
    return sorted(_people(link_sightings(survey)), key=weight_of, reverse=True)


def weight_of(person: Person) -> float:
    """How large a face is in how many looks."""
    return sum(track.weight for track in person)


def follow_face(survey: Survey, people: Sequence[Person], person: Person) -> FollowedFace:
    """Where one of the people of a recording is expected."""
    tracks, shots = [track for known in people for track in known], shot_of_frames(survey)
    others = [sighting for track in tracks if track not in person for sighting in track.sightings]
    boxes = _between_sightings(person, len(shots))
    _fill_ends(boxes, shots, person, others, survey.interval)
    boxes[list(survey.left_out)] = np.nan
    used = {track.shot for track in person}
    reasons = {track.shot: OTHER_PERSON for track in tracks if track.shot not in used}
    return FollowedFace(shots, boxes, reasons, [texture for track in person for texture in track.textures])


def _between_sightings(person: Sequence[FaceTrack], n_frames: int) -> Float[np.ndarray, "n 4"]:
    """Boxes within the tracks, and between two in the same place; NaN elsewhere."""
    boxes = np.full((n_frames, 4), np.nan)
    for track in person:
        _interpolate(boxes, track.sightings)
    for before, after in itertools.pairwise(person):
        ends = [before.sightings[-1], after.sightings[0]]
        if before.shot == after.shot and overlap(ends[0].box, ends[1].box) > LINK_OVERLAP:
            _interpolate(boxes, ends)
    return boxes


def _fill_ends(
    boxes: Float[np.ndarray, "n 4"],
    shots: Int[np.ndarray, " n"],
    person: Sequence[FaceTrack],
    others: Sequence[Sighting],
    interval: int,
) -> None:
    """Boxes for some frames beyond the tracks' ends, until another face is there."""
    for track in person:
        for end, step in ((track.sightings[0], -1), (track.sightings[-1], 1)):
            beside = [s for s in others if shots[s.frame] == track.shot]
            here = [s.frame for s in beside if overlap(s.box, end.box) > LINK_OVERLAP]
            for frame in range(end.frame + step, end.frame + step * (1 + BEYOND_LOOKS * interval), step):
                outside = not 0 <= frame < len(shots) or shots[frame] != track.shot
                if outside or np.isfinite(boxes[frame, 0]) or any(abs(frame - k) < interval for k in here):
                    break
                boxes[frame] = end.box


def _interpolate(boxes: Float[np.ndarray, "n 4"], sightings: Sequence[Sighting]) -> None:
    """Fill in the boxes from the first to the last sighting."""
    known = np.array([sighting.frame for sighting in sightings])
    frames = np.arange(known[0], known[-1] + 1)
    for column, values in enumerate(np.stack([sighting.box for sighting in sightings]).T):
        boxes[frames, column] = np.interp(frames, known, values)


def _people(tracks: Sequence[FaceTrack]) -> list[Person]:
    """The tracks of each person, in the order of time; the weightiest tracks come first to find their like."""
    people: list[Person] = []
    for track in sorted(tracks, key=lambda t: -t.weight):
        alike = [(_likeness(track, person), k) for k, person in enumerate(people)]
        alike = [(value, k) for value, k in alike if value > 0]
        if alike:
            person = people[max(alike)[1]]
            person.append(track)
            person.sort(key=lambda t: t.first)
        else:
            people.append([track])
    return people


def _likeness(track: FaceTrack, person: Sequence[FaceTrack]) -> float:
    """How far a track is more like a person's than it has to be; negative where it is not, or in view beside them."""
    if any(track.first <= other.last and other.first <= track.last for other in person):
        return -1.0
    value = likeness(track.textures, [texture for other in person for texture in other.textures])
    nearby = any(_is_nearby(*sorted((track, other), key=lambda t: t.first)) for other in person)
    return value - (SAME_PERSON_NEARBY if nearby else SAME_PERSON)


def _is_nearby(before: FaceTrack, after: FaceTrack) -> bool:
    looks = after.sightings[0].look - before.sightings[-1].look
    together = before.shot == after.shot and looks <= NEARBY_LOOKS
    return together and overlap(before.sightings[-1].box, after.sightings[0].box) > LINK_OVERLAP


def person_at(people: Sequence[Person], point: tuple[int, int]) -> Person:
    """Whose face comes near a pixel of the upright picture first; no tracks where none does."""
    near = [
        (sighting.frame, distance, k)
        for k, person in enumerate(people)
        for track in person
        for sighting in track.sightings
        if (distance := _distance(sighting.box, point)) < NEAR_POINT
    ]
    return people[min(near)[2]] if near else []


def _distance(box: Box, point: tuple[int, int]) -> float:
    """From a box's centre, in its sides."""
    return float(np.linalg.norm((box[:2] + box[2:]) / 2 - point)) / box_side(box)
