"""One person in several recordings, by identities that are as alike as the test wants them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import moved, picture, tellers
from imavatar.data.video_file import write_video
from imavatar.errors import DataError
from imavatar.preprocessing.face_tracks import OTHER_PERSON, FaceTrack, Person
from imavatar.preprocessing.footage import choose_footage
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.same_person import ALIKE, UNLIKE, Cast, Choice, choose_people
from imavatar.preprocessing.survey import Sighting

VALUES = np.random.default_rng(0).normal(size=(40, 10))
AXES = np.linalg.qr(VALUES - VALUES.mean(axis=0))[0].T
"""Vectors without mean, orthogonal and of length one: people who are not alike at all."""
BETWEEN = 0.62
"""Neither ALIKE nor UNLIKE."""


def like(person: int, value: float, other: int) -> np.ndarray:
    """Somebody who is so much like a person, and otherwise like another one."""
    return value * AXES[person] + np.sqrt(1 - value**2) * AXES[other]


def person(identity: np.ndarray, looks: int = 10, side: float = 100.0, left: float = 0.0) -> Person:
    box = np.array([left, 0, left + side, side])
    return [FaceTrack(0, [Sighting(5 * k, k, box, identity, identity[None]) for k in range(looks)])]


def cast(name: str, *people: Person, side: int = 1000) -> Cast:
    return Cast(Path(f"/videos/{name}.mp4"), side, people)


def chosen(*casts: Cast, point: tuple[int, int] | None = None) -> list[Choice]:
    return choose_people(casts, point)


def test_of_one_recording_the_largest_person_is_chosen():
    first, second = person(AXES[0], 12), person(AXES[1], 11)
    assert chosen(cast("a", first, second)) == [Choice(first)]
    assert chosen(cast("a")) == [Choice([])]


@pytest.mark.parametrize(("value", "doubtful"), [(1.0, False), (ALIKE + 0.02, False), (BETWEEN, True)])
def test_who_is_alike_is_followed_and_who_may_be_is_with_a_doubt(value, doubtful):
    one, other = person(AXES[0], 12), person(like(0, value, 1))
    first, second = chosen(cast("a", one), cast("b", other))
    assert first == Choice(one) and second.person is other
    assert (second.doubt is not None) == doubtful
    assert not doubtful or f"another person than a.mp4 (likeness of the faces {value:.2f}" in second.doubt


@pytest.mark.parametrize("swapped", [False, True])
def test_a_recording_of_somebody_else_is_refused(swapped):
    casts = [cast("a", person(AXES[0], 12)), cast("b", person(like(0, UNLIKE - 0.03, 1)))]
    with pytest.raises(DataError, match=r"^/videos/b\.mp4: shows another person than .*/a\.mp4.*0\.52.*--face x,y"):
        choose_people(casts[::-1] if swapped else casts)


def test_the_person_of_all_recordings_is_followed_where_another_is_larger():
    mine, guest, again = person(AXES[0], 21), person(AXES[1], 30), person(like(0, 0.9, 2), 10)
    assert chosen(cast("a", mine), cast("b", guest, again)) == [Choice(mine), Choice(again)]


def test_shares_are_of_the_pictures_not_of_their_pixels():
    small, large = person(AXES[0], 12, side=100), person(AXES[1], 10, side=400)
    with pytest.raises(DataError, match=r"^/videos/large\.mp4"):
        choose_people([cast("small", small, side=1000), cast("large", large, side=4000)])


def test_two_people_of_one_recording_are_not_joined_by_another():
    """Both are alike the third, who is one of them."""
    one, other = person(AXES[0], 10), person(like(0, 0.75, 1), 9)
    third = person(like(0, 0.97, 1), 8)
    first, second = chosen(cast("a", one, other), cast("b", third))
    assert first == Choice(one) and second == Choice(third)


def test_the_largest_of_those_who_may_be_the_person_is_followed():
    strangers = [person(like(0, value, k), 9 - k) for k, value in ((1, 0.2), (2, BETWEEN), (3, BETWEEN + 0.03))]
    _, second = chosen(cast("a", person(AXES[0], 30)), cast("b", *strangers))
    assert second.person is strangers[1] and second.doubt is not None


def test_who_is_pointed_at_is_never_refused():
    left, right = person(AXES[0], 12), person(AXES[1], 10, left=300)
    stranger = person(AXES[2], 5, left=310)
    first, second = chosen(cast("a", left, right), cast("b", stranger), point=(360, 60))
    assert first == Choice(right) and second.person is stranger and "likeness of the faces 0.00" in second.doubt
    assert chosen(cast("a", left), cast("b", stranger), point=(360, 60))[0] == Choice([])


def test_a_video_without_faces_has_nobody():
    mine = person(AXES[0])
    assert chosen(cast("a", mine), cast("b")) == [Choice(mine), Choice([])]


def drawn(path: Path, *shots: tuple[int, int, int]) -> Path:
    """A video; each shot has a person, a shade and so many frames."""
    frames = [
        picture(96, 96, (who, 20 + moved(k), 24, 58), shade=shade) for who, shade, count in shots for k in range(count)
    ]
    write_video(path, frames, 25)
    return path


def test_footage_of_several_videos_is_of_one_person(tmp_path):
    mine, both = drawn(tmp_path / "mine.mp4", (1, 90, 30)), drawn(tmp_path / "both.mp4", (2, 220, 35), (1, 40, 20))
    options = PreprocessOptions("me", (mine, both), tmp_path)
    _, second = choose_footage(options, tellers())
    assert second.face.reasons == {0: OTHER_PERSON}
    assert second.face.shot[np.isfinite(second.face.boxes[:, 0])].min() == 1
    other = drawn(tmp_path / "other.mp4", (2, 90, 26))
    with pytest.raises(DataError, match=r"other\.mp4: shows another person than .*mine\.mp4"):
        choose_footage(replace(options, videos=(mine, other)), tellers())


def test_a_doubt_is_said_at_once_and_noted(tmp_path, caplog):
    videos = (drawn(tmp_path / "mine.mp4", (1, 90, 30)), drawn(tmp_path / "other.mp4", (2, 90, 26)))
    pointed = PreprocessOptions("me", videos, tmp_path, face=(48, 52))
    first, second = choose_footage(pointed, tellers())
    (note,) = second.survey.facts.notes
    assert note.startswith("May show another person than mine.mp4") and not first.survey.facts.notes
    assert f"{videos[1]}: {note}" in caplog.text
