"""Each thing that a made-up recording lacks is said with the number measured, and nothing else is."""

import re
from dataclasses import replace

import numpy as np
import pytest

from imavatar.preprocessing.capture_advice import Capture, capture_advice, capture_checks
from imavatar.preprocessing.face_looks import FaceLooks
from imavatar.preprocessing.left_out import LeftOut
from made_track import N, complete_track

BRIGHT, SHARP = np.full(50, 120.0), np.full(50, 0.02)
CAPTURE = Capture(face_pixels=420.0, frames_read=N + 3, looks=FaceLooks(BRIGHT, SHARP))


def lacks(curves=None, capture=CAPTURE) -> dict[str, str]:
    return {advice.topic: str(advice) for advice in capture_advice(curves or complete_track(), capture)}


def test_a_recording_of_everything_lacks_nothing():
    assert lacks() == {}
    checks = capture_checks(complete_track(), CAPTURE)
    assert len({check.topic for check in checks}) == len(checks) == 19


def scaled(column: int, factor: float, name: str):
    def change(curves):
        values = getattr(curves, name).copy()
        values[..., column] *= factor
        return replace(curves, **{name: values})

    return change


def clipped(name: str, column: int, low: float, high: float):
    def change(curves):
        values = getattr(curves, name).copy()
        values[..., column] = values[..., column].clip(low, high)
        return replace(curves, **{name: values})

    return change


def narrowed(low: float, high: float):
    return lambda curves: replace(curves, mouth_width=curves.mouth_width.clip(0.55 * low, 0.55 * high))


CHANGES = {
    "turn left": (
        clipped("rotation", 0, -30, 12),
        r"at most 12° to the person's left: turn it slowly by 20° or more\.",
    ),
    "turn right": (clipped("rotation", 0, -9, 30), "at most 9° to the person's right"),
    "turn up": (clipped("rotation", 1, -12, 7), "at most 4° up: .* 10°"),
    "turn down": (clipped("rotation", 1, -2, 18), "at most 5° down"),
    "distance": (
        clipped("position", 2, 58, 64),
        "farthest distance is 1.10 times its nearest: lean towards the camera",
    ),
    "open mouth": (scaled(2, 0.5, "detected"), "apart by at most 7 % of the face's height: open the mouth wide"),
    "closed lips": (clipped("detected", 2, 0.02, 1.0), "closed in 0 % of the frames"),
    "smile": (narrowed(0.5, 1.05), "gets 5 % wider than usual: smile broadly"),
    "pucker": (narrowed(0.96, 2.0), "gets 4 % narrower than usual: pucker the lips"),
    "brows": (
        lambda curves: replace(curves, brow_height=curves.brow_height.clip(0, 0.312)),
        "get 4 % higher above the eyes than usual: raise the brows, and frown: 15 % or more",
    ),
    "gaze sideways": (scaled(0, 0.3, "gaze"), "move over 12° sideways: .* 25°"),
    "gaze up and down": (scaled(1, 0.2, "gaze"), "move over 4° up and down: .* 12°"),
}


@pytest.mark.parametrize("topic", CHANGES)
def test_what_is_missing_is_said_alone(topic):
    change, expected = CHANGES[topic]
    found = lacks(change(complete_track()))
    assert list(found) == [topic]
    assert re.search(expected, found[topic]), found[topic]


@pytest.mark.parametrize(("count", "said"), [(0, "never"), (1, "once"), (2, "2 times")])
def test_blinks_are_counted_in_every_recording(count, said):
    curves = complete_track()
    lids = np.full(N, 0.06)
    for start in (40, 150)[:count]:
        lids[start : start + 3] = 0.01
    detected = np.stack([lids, lids, curves.detected[:, 2]], axis=1)
    found = lacks(replace(curves, detected=detected))
    assert list(found) == ["blinks"]
    assert found["blinks"].startswith(f"The eyes close {said}: blink naturally, at least 3 times")
    # Twice the same recording has twice as many.
    half = N // 2
    video, time = np.repeat([0, 1], half), np.tile(np.arange(half), 2)
    twice = np.concatenate([detected[:half], detected[:half]])
    lips = curves.detected[:, 2:]
    twice = np.concatenate([twice[:, :2], lips], axis=1)
    found = lacks(replace(curves, detected=twice, video=video, time=time))
    assert ("blinks" in found) == (2 * count < 3)


def test_frames_that_are_missing_in_a_blink_do_not_make_two_of_it():
    curves = complete_track()
    lids = np.full(N, 0.06)
    lids[40:44] = lids[150:153] = 0.01
    detected = np.stack([lids, lids, curves.detected[:, 2]], axis=1)
    found = lacks(replace(curves, detected=detected, time=3 * curves.time))
    assert "close 2 times" in found["blinks"]


def test_a_head_that_is_held_still_is_told_to_turn():
    curves = complete_track()
    found = lacks(replace(curves, rotation=0.05 * curves.rotation))
    assert list(found) == ["turns"]
    assert found["turns"].startswith("The head stays within 3° nearly all the time: turn it slowly to both sides")


def test_pictures_are_judged_where_they_are_at_hand():
    light = np.linspace(80, 160, 50)
    blurred = SHARP * np.where(np.arange(50) < 10, 0.1, 1.0)
    for topic, looks, expected in (
        ("light", FaceLooks(light, SHARP), "brightness changes by 60 %: lock the exposure"),
        ("darkness", FaceLooks(BRIGHT * 0.3, SHARP), "brightness is 36 of 255: use more light"),
        ("blur", FaceLooks(BRIGHT, blurred), "20 % of the frames are blurred: move more slowly"),
    ):
        found = lacks(capture=replace(CAPTURE, looks=looks))
        assert list(found) == [topic] and expected in found[topic]
    assert lacks(capture=replace(CAPTURE, looks=None)) == {}


def test_small_faces_and_frames_that_were_left_out_are_named():
    found = lacks(capture=replace(CAPTURE, face_pixels=90.0))
    assert list(found) == ["face size"]
    assert re.fullmatch("The face is 90 pixels high in the video: come nearer .* at least 200.", found["face size"])
    gone = [LeftOut("a.mp4", k, "no face found") for k in range(80)]
    found = lacks(capture=replace(CAPTURE, frames_read=N, left_out=gone))
    assert list(found) == ["left-out frames"] and found["left-out frames"].startswith("20 % of the frames")
    gone = [replace(frame, reason="blurred: sharpness 0.1") for frame in gone]
    assert list(lacks(capture=replace(CAPTURE, frames_read=N, left_out=gone))) == ["left-out frames", "blur"]


def test_frames_that_are_not_used_count_for_nothing():
    curves = complete_track()
    valid = np.arange(N) < 150
    assert "150 frames could be used: record 30 to 60 seconds" in lacks(replace(curves, valid=valid))["frames"]
    wild = replace(curves, rotation=np.where(valid[:, None], 0.05 * curves.rotation, curves.rotation), valid=valid)
    assert "turns" in lacks(wild)


def test_a_recording_of_a_single_frame_is_judged_too():
    curves = complete_track()
    assert "frames" in lacks(curves.rows(np.arange(N) == 7))
