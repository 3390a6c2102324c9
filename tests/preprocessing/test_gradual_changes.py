"""Cross-fades and fades are found where they are, and nothing else is one."""

import cv2
import numpy as np
import pytest

from drawn_faces import moved, picture, tellers
from imavatar.data.video_file import write_video
from imavatar.preprocessing import gradual_changes
from imavatar.preprocessing.gradual_changes import CROSS_FADE, FADE, GradualChange, find_gradual_changes, thumb
from imavatar.preprocessing.shot_changes import signature
from imavatar.preprocessing.survey import shot_of_frames, survey_video

SIZE, BEFORE = 96, 30
Frames = np.ndarray
"""Grey values from 0 to 255 [n, SIZE, SIZE, 3], not rounded."""


def place(seed: int, size: int = 3 * SIZE, cells: int = 24) -> np.ndarray:
    """A large picture with details of all sizes."""
    rng, grey = np.random.default_rng(seed), np.zeros((size, size), np.float32)
    for scale in (1, 2, 4):
        coarse = rng.normal(size=(cells * scale, cells * scale)).astype(np.float32)
        grey += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) / scale
    return np.clip(127 + 50 * grey, 0, 255)[..., None].repeat(3, axis=-1)


def shot(seed: int, count: int, speed: float = 0.3) -> Frames:
    """A place before which a head sways, in another one of its own; pixels a frame."""
    far, head = place(seed), place(seed + 100)[:40, :40]
    frames = []
    for k in range(count):
        shift = np.float32([[1, 0, -50 - speed * k], [0, 1, -60 - 0.5 * speed * k]])
        frame = cv2.warpAffine(far, shift, (SIZE, SIZE))
        left = round(28 + 5 * np.sin(0.2 * k))
        frame[30:70, left : left + 40] = head
        frames.append(frame)
    return np.stack(frames)


def shares(count: int, smooth: bool = False) -> np.ndarray:
    """Of the picture after a change, in so many frames of it."""
    even = np.arange(1, count + 1) / (count + 1)
    return even**2 * (3 - 2 * even) if smooth else even


def dissolved(before: Frames, after: Frames, share: np.ndarray) -> Frames:
    """One goes on while it passes into the other."""
    count = len(share)
    mixed = (1 - share)[:, None, None, None] * before[-count:] + share[:, None, None, None] * after[:count]
    return np.concatenate([before[:-count], mixed, after[count:]])


def changes(frames: Frames, rate: float = 25.0) -> list[GradualChange]:
    rounded = np.round(np.clip(frames, 0, 255)).astype(np.uint8)
    return find_gradual_changes([thumb(signature(frame).grey) for frame in rounded], rate)


def check_range(found: GradualChange, first: int, last: int) -> None:
    """All frames are in it in which both pictures can be seen, and few others."""
    length = last - first + 1
    slack = 2 + 0.1 * length
    assert first - slack <= found.first <= first + 0.1 * length
    assert last - 0.1 * length <= found.last <= last + slack


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("length", [7, 12, 25, 50])
def test_a_cross_fade_is_found_with_all_its_frames(length, smooth):
    speed = 3 / length
    frames = dissolved(shot(1, BEFORE + length, speed), shot(2, BEFORE + length, speed), shares(length, smooth))
    (found,) = changes(frames)
    assert found.reason == CROSS_FADE
    check_range(found, BEFORE, BEFORE + length - 1)


@pytest.mark.parametrize("level", [0, 255, 90])
@pytest.mark.parametrize("length", [8, 30])
def test_a_fade_takes_the_plain_frames_with_it(length, level):
    plain = np.full((6, SIZE, SIZE, 3), float(level))
    going = dissolved(shot(1, BEFORE + length, 6 / length), np.repeat(plain[:1], length, axis=0), shares(length))
    frames = np.concatenate([going, plain])
    (found,) = changes(frames)
    assert found.reason == FADE and found.last == len(frames) - 1
    check_range(found, BEFORE, len(frames) - 1)
    (coming,) = changes(frames[::-1])
    assert coming == GradualChange(0, len(frames) - 1 - found.first, FADE)
    (both,) = changes(np.concatenate([frames, frames[::-1]]))
    assert both == GradualChange(found.first, 2 * len(frames) - 1 - found.first, FADE)


def test_changes_that_follow_each_other_are_told_apart():
    parts = [shot(seed, 64) for seed in (1, 2, 3)]
    frames = dissolved(dissolved(parts[0], parts[1], shares(14)), parts[2], shares(14))
    first, second = changes(frames)
    check_range(first, 50, 63)
    check_range(second, 100, 113)


@pytest.mark.parametrize("chunk", [16, 64])
def test_they_are_found_at_any_rate_and_wherever_the_frames_looked_at_together_end(chunk, monkeypatch):
    monkeypatch.setattr(gradual_changes, "CHUNK", chunk)
    frames = dissolved(shot(1, 70), shot(2, 40), shares(24))
    (found,) = changes(frames)
    check_range(found, 46, 69)
    (faster,) = changes(np.repeat(frames, 4, axis=0), 100.0)
    check_range(faster, 4 * 46, 4 * 70 - 1)


def lit(frames: Frames, light: np.ndarray, kind: str) -> Frames:
    """Frames under a light that changes from 0 to 1."""
    across = np.linspace(0, 1, SIZE)[None, None, :, None]
    strength = light[:, None, None, None]
    if kind == "exposure":
        return frames * (0.3 + strength)
    if kind == "another side":
        return frames * ((1 - strength) * (1.4 - 1.2 * across) + strength * (0.2 + 1.2 * across))
    return 255 * (frames / 255) ** (2 - 1.5 * strength)


@pytest.mark.parametrize("kind", ["exposure", "another side", "gamma"])
@pytest.mark.parametrize("length", [5, 15, 40])
def test_a_light_that_changes_is_none(kind, length):
    light = np.concatenate([np.zeros(15), shares(length), np.ones(15)])
    assert changes(lit(shot(1, len(light), 0.1), light, kind)) == []


@pytest.mark.parametrize("value", [0.0, 255.0])
def test_a_flash_is_none(value):
    frames = shot(1, 50)
    frames[20:22] = value
    assert changes(frames) == []


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.5, 4.0])
def test_what_moves_is_none_however_fast(speed):
    assert changes(shot(1, 60, min(speed, 2.5))) == []
    turning = [cv2.warpAffine(place(3), turn(speed * k), (SIZE, SIZE)) for k in range(60)]
    assert changes(np.stack(turning)) == []
    nearer = [cv2.warpAffine(place(4), turn(0, 1 + 0.02 * speed * k), (SIZE, SIZE)) for k in range(40)]
    assert changes(np.stack(nearer)) == []


def turn(degrees: float, scale: float = 1.0) -> np.ndarray:
    """Turned and scaled about the middle, of which is shown what fits."""
    middle = 1.5 * SIZE
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, scale)
    matrix[:, 2] -= middle - SIZE / 2
    return matrix


def test_a_head_that_turns_fast_before_a_still_wall_is_none():
    frames = np.repeat(shot(1, 1), 50, axis=0)
    face = place(7)
    for k in range(50):
        shown = round(60 + 60 * np.tanh((k - 25) / 4))
        frames[k, 20:80, 20:80] = face[100:160, shown : shown + 60]
    assert changes(frames) == []


def test_cuts_and_still_pictures_are_none():
    parts = [shot(seed, count) for seed, count in ((1, 20), (2, 3), (3, 20))]
    assert changes(np.concatenate(parts)) == []
    assert changes(np.repeat(np.concatenate([part[:1] for part in parts]), 12, axis=0)) == []
    assert changes(shot(1, 3)) == [] and changes(np.empty((0, SIZE, SIZE, 3))) == []


def test_a_survey_parts_the_shots_and_forgets_the_faces_of_mixed_frames(tmp_path):
    shots = [
        np.stack([picture(96, 128, (person, x + moved(k), 30, 40), shade=shade) for k in range(35)]).astype(float)
        for person, x, shade in ((1, 30, 220), (2, 60, 40))
    ]
    still = place(9)[: shots[0].shape[1], : shots[0].shape[2]]
    shots[0][:, :20] = still[:20, :128]
    shots[1][:, 76:] = still[76:96, :128]
    frames = np.round(dissolved(*shots, shares(13))).astype(np.uint8)
    write_video(tmp_path / "a.mp4", frames, 25)
    survey = survey_video(tmp_path / "a.mp4", tellers(), 25.0)
    left_out = sorted(survey.left_out)
    check_range(GradualChange(left_out[0], left_out[-1], CROSS_FADE), 22, 34)
    assert set(survey.left_out.values()) == {CROSS_FADE} and left_out == list(range(left_out[0], left_out[-1] + 1))
    assert survey.cuts == [left_out[0], left_out[-1] + 1]
    assert np.bincount(shot_of_frames(survey)).tolist() == [left_out[0], len(left_out), 57 - left_out[-1] - 1]
    seen = [look for look, sightings in zip(survey.looks, survey.sightings, strict=True) if sightings]
    assert seen and not set(seen) & set(left_out)
