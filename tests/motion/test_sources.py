"""Tables of coefficients, ways between frames, neutral heads, and cameras on a ring."""

import json
import math

import numpy as np
import pytest
import torch

from imavatar.anatomy import Joint, pose_slice
from imavatar.cli import animate_main, exp_runner_main
from imavatar.config import load_config
from imavatar.data.video_file import read_frames, write_video
from imavatar.errors import DataError
from imavatar.head.assets import save_head
from imavatar.motion.camera_ring import WIDEST_YAW, ring_of_views
from imavatar.motion.recorded import motion_from_frames, motion_from_json, neutral_aligned, neutral_of
from imavatar.motion.sweep import GAZE_PITCH, GAZE_YAW, JAW_ANGLE
from imavatar.motion.tables import motion_from_table
from imavatar.rendering.camera import project
from imavatar.types import Camera, HeadParameters
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config

NAMED = {"mouthSmileLeft": np.linspace(0, 1, 50), "jawForward": np.ones(50)}
JAW, NECK = pose_slice(Joint.JAW).start, pose_slice(Joint.NECK).start


def table(tmp_path, text: str):
    path = tmp_path / "motion.csv"
    path.write_text(text)
    return path


def test_columns_become_coefficients_and_rotations(tmp_path):
    names = "Timecode,expression_03,MouthSmileLeft,jawOpen,jaw_y,HeadYaw,tongueOut"
    text = f"{names}\n00:01,2.0,0.5,1.0,0.1,-0.2,0.7\n00:02,0,0,0,0,0,0\n"
    motion = motion_from_table(table(tmp_path, text), 50, NAMED)
    expected = 0.5 * torch.linspace(0, 1, 50)
    expected[3] += 2.0
    torch.testing.assert_close(motion.expression[0], expected)
    pose = torch.zeros(15)
    pose[JAW], pose[JAW + 1], pose[NECK + 1] = JAW_ANGLE, 0.1, -0.2
    torch.testing.assert_close(motion.pose[0], pose)
    assert len(motion) == 2 and not motion.expression[1].any() and not motion.pose[1].any()


def test_units_that_turn_the_eyes_do_so_apart_and_add_up(tmp_path):
    text = "eyeLookOutLeft,EyeLookUpLeft,eyeLookInRight,eyeLookDownRight,jawRight\n1,0.5,0.5,1,1\n"
    pose = motion_from_table(table(tmp_path, text), 50, NAMED).pose[0]
    left, right = pose[pose_slice(Joint.LEFT_EYE)], pose[pose_slice(Joint.RIGHT_EYE)]
    torch.testing.assert_close(left, torch.tensor([-0.5 * GAZE_PITCH, GAZE_YAW, 0.0]))
    torch.testing.assert_close(right, torch.tensor([GAZE_PITCH, 0.5 * GAZE_YAW, 0.0]))
    assert pose[JAW + 1] < 0


def test_what_the_model_has_not_is_named_in_the_log(tmp_path, caplog):
    motion_from_table(table(tmp_path, "jawOpen,tongueOut,cheekPuff\n0.5,1e308,1\n"), 50, NAMED)
    assert "tongueOut, cheekPuff" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jawOpen\n", "a line for every frame"),
        ("jawOpen,jaw_y\n0.1\n", "line 2: 1 values, expected 2"),
        ("jawOpen\n0.1\nwide\n", "line 3: jawOpen is 'wide', expected a number"),
        ("jawOpen\nnan\n", "expected a finite number"),
        ("frame,tongueOut\n1,1\n", "no column is known; found frame, tongueOut"),
        ("expression_50\n1\n", "no column is known"),
        ("expression_²\n1\n", "no column is known; found expression_²"),
        (f"expression_{'9' * 5000}\n1\n", "no column is known"),
        ("expression_00\n1\n1e308\n", r"line 3: expression_00 is 1e\+308, expected a number from -1000 to 1000"),
        ("expression_00\n1e39\n", "line 2: expression_00 is 1e.39, expected a number from -1000"),
        ("mouthSmileLeft\n-1e30\n", "line 2: mouthSmileLeft is -1e.30, expected"),
        ("jaw_x\n0\n1e10\n", "line 3: jaw_x is 1e.10, expected"),
        ("jaw_x\n0\n101\n", r"pose\[6\] of frame 2 is 101, expected a number from -100 to 100"),
        ("headYaw,neck_y\n99,99\n", "of frame 1 is 198, expected a number from -100"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        motion_from_table(table(tmp_path, text), 50, NAMED)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        motion_from_table(tmp_path / "none.csv", 50)


@pytest.fixture
def recording(tmp_path):
    """A recording of four frames whose expressions and poses differ."""
    root = write_subject(tmp_path)
    path = root / "sphere" / "sphere" / "train" / "flame_params.json"
    tree = json.loads(path.read_text())
    for k, frame in enumerate(tree["frames"]):
        frame["expression"] = [0.1 * (k + 1)] * 50
        frame["pose"] = [0.01 * (k + 1)] * 15
    path.write_text(json.dumps(tree))
    return path


def test_interpolation_goes_from_one_frame_to_the_other_and_back(recording):
    motion = motion_from_frames(f"interpolate:{recording}:2:4", 50, 41)
    torch.testing.assert_close(motion.expression[[0, 20, 40], 0], torch.tensor([0.2, 0.4, 0.2]))
    torch.testing.assert_close(motion.pose[[0, 10, 20], 5], torch.tensor([0.02, 0.03, 0.04]))
    assert (motion.expression[:21, 0].diff() >= 0).all()


def test_extrapolation_goes_beyond_the_frame_with_its_head_held_still(recording):
    motion = motion_from_frames(f"extrapolate:{recording}:3:1.5", 50, 21)
    torch.testing.assert_close(motion.expression[[0, 10, 20], 7], torch.tensor([0.0, 0.45, 0.0]))
    torch.testing.assert_close(motion.pose[10, JAW], torch.tensor(0.045))
    assert (motion.pose[:, NECK] == motion.pose[0, NECK]).all() and motion.pose[0, NECK] == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("rest", "message"),
    [(":1", "expected interpolate:FILE:A:B"), (":0:2", "none is '0'"), (":1:9", "frames 1 to 4, none is '9'")],
)
def test_bad_ways_between_frames_are_refused(recording, rest, message):
    with pytest.raises(DataError, match=message):
        motion_from_frames(f"interpolate:{recording}{rest}", 50, 5)


@pytest.mark.parametrize("number", ["²", "9" * 5000, "-1", "1e0", ""])
def test_numbers_of_frames_are_whole(recording, number):
    with pytest.raises(DataError, match="frames 1 to 4, none is") as refused:
        motion_from_frames(f"interpolate:{recording}:{number}:1", 50, 5)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("factor", ["nan", "inf", "-inf", "1e300", "1e4", "x" * 5000, ""])
def test_factors_are_small_numbers(recording, factor):
    with pytest.raises(DataError, match="factor") as refused:
        motion_from_frames(f"extrapolate:{recording}:1:{factor}", 50, 5)
    assert len(str(refused.value)) < 500


def test_a_factor_that_goes_far_beyond_a_face_is_refused(recording):
    tree = json.loads(recording.read_text())
    tree["frames"][0]["expression"] = [3.0] * 50
    recording.write_text(json.dumps(tree))
    with pytest.raises(DataError, match=r"1000 times frame 1: expression\[0\] of frame 2 is 1500, expected .* to 1000"):
        motion_from_frames(f"extrapolate:{recording}:1:1000", 50, 5)


@pytest.mark.parametrize(("key", "value"), [("pose", 1e10), ("pose", 101.0), ("expression", 1e30)])
def test_a_recording_that_no_face_can_follow_is_refused(recording, key, value):
    tree = json.loads(recording.read_text())
    tree["frames"][2][key][6] = value
    recording.write_text(json.dumps(tree))
    with pytest.raises(DataError, match=rf"flame_params.json: .*{key}"):
        motion_from_json(recording, 50)


def person(rest: torch.Tensor, jaw: float, n: int, seed: int) -> HeadParameters:
    """A recording of somebody at rest most of the time, with strong expressions in a third of it."""
    generator = torch.Generator().manual_seed(seed)
    active = (torch.arange(n) % 3 == 0).float()[:, None]
    expression = rest + 0.02 * torch.randn(n, 50, generator=generator)
    expression = expression + active * torch.randn(n, 50, generator=generator).abs()
    pose = 0.2 * torch.randn(n, 15, generator=generator)
    pose[:, pose_slice(Joint.JAW)] = torch.tensor([jaw, 0.0, 0.0]) + 0.3 * active * torch.tensor([1.0, 0.0, 0.0])
    return HeadParameters(expression, pose)


def test_a_motion_of_another_person_keeps_its_expressions_and_gets_the_avatars_rest():
    bias, own_bias = torch.linspace(-1, 1, 50), torch.linspace(0.5, -0.5, 50)
    source, own = person(bias, 0.08, 90, 0), person(own_bias, 0.01, 60, 1)
    neutral = neutral_of(source)
    assert (neutral.expression[0] - bias).abs().max() < 0.03
    assert abs(float(neutral.pose[0, JAW]) - 0.08) < 0.01 and not neutral.pose[0, NECK : NECK + 3].any()
    aligned = neutral_aligned(source, neutral, neutral_of(own))
    unbiased = person(torch.zeros(50), 0.0, 90, 0)
    torch.testing.assert_close(aligned.expression, unbiased.expression + own_bias, rtol=0, atol=0.06)
    torch.testing.assert_close(aligned.pose[:, JAW], unbiased.pose[:, JAW] + 0.01, rtol=0, atol=0.02)
    torch.testing.assert_close(aligned.pose[:, NECK], source.pose[:, NECK])


def test_a_ring_starts_at_the_camera_and_looks_at_the_centre_from_equal_distances():
    world = torch.eye(4)[None].clone()
    world[0, :3, 3] = torch.tensor([0.1, 0.2, 4.0])
    camera = Camera(torch.tensor([[-200.0, 200.0, 64.0, 64.0]]), world)
    centre = torch.tensor([0.1, 0.2, 0.3])
    ring = ring_of_views(camera, centre, 40)
    torch.testing.assert_close(ring.world_from_camera[0], world[0])
    seen = project(ring, centre.expand(40, 1, 3))[:, 0]
    torch.testing.assert_close(seen, torch.full((40, 2), 64.0), rtol=0, atol=1e-3)
    offset = ring.world_from_camera[:, :3, 3] - centre
    torch.testing.assert_close(offset.norm(dim=1), torch.full((40,), 3.7), rtol=0, atol=1e-4)
    yaw = torch.atan2(offset[:, 0], offset[:, 2])
    assert float(yaw.max()) == pytest.approx(WIDEST_YAW, abs=0.02) and float(yaw.min()) == pytest.approx(
        -WIDEST_YAW, abs=0.02
    )
    assert (offset[:, 1] >= -1e-6).all() and math.isclose(float(offset[0, 1]), 0, abs_tol=1e-6)


def test_the_command_takes_tables_rings_and_another_face(recording, tmp_path, monkeypatch, capsys):
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    conf = write_config(tmp_path)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    motion = table(tmp_path, "expression_00,jawOpen\n" + "\n".join(f"{k},{0.1 * k}" for k in range(5)))
    still = table(tmp_path / "sphere", "expression_00,jawOpen\n" + "0,0\n" * 5)

    def shown(name: str, *arguments: str) -> list:
        out = tmp_path / f"{name}.mp4"
        animate_main(["--conf", conf, "--out", str(out), "--frames", "5", *arguments])
        return [frame.astype(int) for frame in read_frames(out)]

    fixed = shown("fixed", "--motion", str(still))
    ring = shown("ring", "--motion", str(still), "--views", "ring")
    aligned = shown("aligned", "--motion", str(motion), "--neutral-align")
    between = shown("between", "--motion", f"interpolate:{recording}:1:3")
    assert [len(frames) for frames in (fixed, ring, aligned, between)] == [5, 5, 5, 5]
    assert np.abs(ring[0] - fixed[0]).mean() < 2 < np.abs(ring[1] - fixed[1]).mean()

    # Beside a recording's frames are those of the video that they are from.
    tree = json.loads(recording.read_text())
    tree["frames"] = tree["frames"][1:4:2]
    for frame, number in zip(tree["frames"], (1, 3), strict=True):
        frame["video_frame"] = number
    (recording.parent / "some.json").write_text(json.dumps(tree))
    greys = [np.full((60, 30, 3), 40 * k, dtype=np.uint8) for k in range(1, 6)]
    write_video(tmp_path / "source.mp4", greys, load_config(conf).plot.fps)
    source = ("--side-by-side", str(tmp_path / "source.mp4"))
    beside = shown("beside", "--motion", str(recording.parent / "some.json"), *source)
    assert beside[0].shape[1] == fixed[0].shape[1] + beside[0].shape[0] // 2
    assert [abs(frame[:, :100].mean() - grey) < 4 for frame, grey in zip(beside, (80, 160), strict=True)] == [
        True,
        True,
    ]
    for arguments, message in (
        (("--neutral-align",), "--neutral-align: sweep is no other person's motion"),
        (("--frames", "9", *source), "no picture for frame 6"),
    ):
        with pytest.raises(SystemExit):
            animate_main(["--conf", conf, "--out", str(tmp_path / "no.mp4"), *arguments])
        assert message in capsys.readouterr().err
