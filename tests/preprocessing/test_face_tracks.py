"""Which face is followed, by surveys made by hand: one look every 5 frames."""

from pathlib import Path

import numpy as np

from imavatar.preprocessing.face_tracks import (
    NO_FACE,
    OTHER_PERSON,
    FollowedFace,
    follow_face,
    link_sightings,
    people_of,
    person_at,
)
from imavatar.preprocessing.survey import Sighting, Survey

INTERVAL = 5


def texture_of(person: int) -> np.ndarray:
    values = np.random.default_rng(person).normal(size=300)
    return values / np.linalg.norm(values)


def survey(*looks: list[tuple[int, float, float, float]], cuts: tuple[int, ...] = ()) -> Survey:
    """Each look lists faces: person, left, top and side."""
    sightings = [
        [
            Sighting(k * INTERVAL, k, np.array([x, y, x + s, y + s]), texture_of(person), texture_of(person)[None])
            for person, x, y, s in look
        ]
        for k, look in enumerate(looks)
    ]
    frames = [k * INTERVAL for k in range(len(looks))]
    return Survey(Path("a.mp4"), 0, INTERVAL, 1000, 1000, len(looks) * INTERVAL, list(cuts), frames, sightings)


def still(person: int, x: float, side: float, count: int) -> list[list]:
    return [[(person, x, 100.0, side)] for _ in range(count)]


def followed(survey: Survey, point: tuple[int, int] | None = None) -> FollowedFace:
    """The largest face, or the one at a point."""
    people = people_of(survey)
    person = person_at(people, point) if point else next(iter(people), [])
    return follow_face(survey, people, person)


def lefts(found) -> list[float]:
    """Left edges of the expected boxes, rounded; -1 where the face is not expected."""
    return [-1 if np.isnan(x) else round(float(x)) for x in found.boxes[:, 0]]


def test_between_looks_the_face_is_expected_on_the_way():
    looks = [[(1, 100.0 + 10 * k, 100.0, 80.0)] for k in range(6)]
    found = followed(survey(*looks))
    assert lefts(found)[:26] == [100 + 2 * k for k in range(26)]
    assert lefts(found)[26:] == [150] * 4


def test_a_larger_face_that_passes_is_not_followed():
    looks = still(1, 300.0, 100.0, 20)
    for k in range(6):
        looks[7 + k] = [(2, 20.0 + 100 * k, 60.0, 180.0), *looks[7 + k]]
    assert set(lefts(followed(survey(*looks)))) == {300}


def test_nor_is_another_face_that_comes_while_the_person_is_away():
    looks = [*still(1, 300.0, 100.0, 10), *([[]] * 2), *still(2, 320.0, 90.0, 16), *still(1, 500.0, 100.0, 10)]
    found = followed(survey(*looks))
    assert lefts(found) == [300] * 56 + [-1] * (115 - 56) + [500] * 75
    assert found.reason(90) == NO_FACE and found.reason(20) is None


def test_a_person_who_looks_away_for_a_while_is_expected_in_the_same_place():
    looks = [*still(1, 300.0, 100.0, 10), *([[]] * 6), *still(1, 310.0, 100.0, 10)]
    found = lefts(followed(survey(*looks)))
    assert -1 not in found and sorted(found) == found


def test_tracks_do_not_cross_a_cut():
    tracks = link_sightings(survey(*still(1, 300.0, 100.0, 8), cuts=(20,)))
    assert [(t.shot, t.first, t.last) for t in tracks] == [(0, 0, 15), (1, 20, 35)]


def test_of_two_people_one_after_the_other_the_one_with_more_frames_is_followed():
    looks = [*still(1, 300.0, 100.0, 8), *still(2, 300.0, 100.0, 12), *still(1, 300.0, 100.0, 8)]
    found = followed(survey(*looks, cuts=(40, 100)))
    assert [found.reason(frame) for frame in (0, 39, 40, 99, 100)] == [None, None, OTHER_PERSON, OTHER_PERSON, None]
    chosen = followed(survey(*looks[8:], cuts=(60,)))
    assert chosen.reasons == {1: OTHER_PERSON}


def test_a_point_chooses_the_face_that_comes_near_it_first():
    looks = [[(1, 100.0, 100.0, 90.0), (2, 600.0, 100.0, 60.0)] for _ in range(10)]
    assert set(lefts(followed(survey(*looks)))) == {100}
    assert set(lefts(followed(survey(*looks), (650, 160)))) == {600}
    assert not len(followed(survey(*looks), (650, 700)).seen)


def test_a_video_without_faces_has_none_to_follow():
    found = followed(survey([], [], []))
    assert not len(found.seen) and found.reason(3) == NO_FACE


def test_a_face_that_becomes_another_in_one_place_is_not_followed_on():
    looks = [*still(1, 300.0, 100.0, 12), *still(2, 300.0, 100.0, 8)]
    found = followed(survey(*looks))
    assert lefts(found)[:56] == [300] * 56 and set(lefts(found)[60:]) == {-1}


def test_in_frames_that_are_of_no_use_no_face_is_expected():
    looks = survey(*still(1, 300.0, 100.0, 8))
    looks.left_out = {12: "damaged", 13: "damaged"}
    assert lefts(followed(looks)) == [300] * 12 + [-1] * 2 + [300] * 26
