"""flame_params.json: what is read, and one clear message for everything that can be wrong with it."""

import json
import os

import numpy as np
import pytest

from imavatar.data.subject import load_recording, read_json
from imavatar.errors import DataError
from oracles_subject import camera_centre, write_subject


@pytest.fixture
def folder(tmp_path):
    return write_subject(tmp_path, size=16, n_frames=3, sub_dirs=("train",)) / "sphere/sphere/train"


def change(folder, edit):
    """Apply `edit` to the JSON tree of a folder."""
    path = folder / "flame_params.json"
    tree = json.loads(path.read_text())
    edit(tree)
    path.write_text(json.dumps(tree))


def test_values_are_read_as_written(folder):
    recording = load_recording(folder)
    frame = recording.frames[1]
    assert (frame.name, frame.sub_dir) == ("2", "train")
    np.testing.assert_allclose(-frame.world_mat[:, 3], camera_centre(2))
    assert frame.pose[6] == 0.2
    assert frame.keypoints.shape == (70, 2)
    assert recording.intrinsics.tolist() == [-2.2, 2.2, 0.5, 0.5]
    assert recording.shape_params.shape == (100,)


def test_which_frame_of_a_video_it_is_may_be_said(folder):
    change(folder, lambda tree: tree["frames"][1].update({"video_frame": 17}))
    assert [frame.video_frame for frame in load_recording(folder).frames] == [None, 17, None]


def test_image_paths_survive_folders_named_image_and_mask(tmp_path):
    data = write_subject(tmp_path / "image" / "mask", size=16, sub_dirs=("image",), subject="mask")
    frame = load_recording(data / "mask/mask/image").frames[0]
    for path in (frame.image_path, frame.mask_path, frame.semantic_path):
        assert path.is_file(), path
    kinds = [path.parent.name for path in (frame.image_path, frame.mask_path, frame.semantic_path)]
    assert kinds == ["image", "mask", "semantic"]


def test_intrinsics_in_pixels_are_of_an_image_of_512(folder):
    change(folder, lambda tree: tree.update(intrinsics=[-1500, 1500, 256, 250]))
    expected = [-1500 / 512, 1500 / 512, 0.5, 250 / 512]
    np.testing.assert_allclose(load_recording(folder).intrinsics, expected)


def test_a_hundred_expression_values_are_accepted(folder):
    change(folder, lambda tree: tree["frames"][0].update(expression=list(range(100))))
    assert load_recording(folder).frames[0].expression[50] == 50


def test_a_json_cut_in_half_is_named_with_the_place(folder):
    path = folder / "flame_params.json"
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"flame_params\.json: is not valid JSON: .* line 1"):
        load_recording(folder)


def test_bytes_that_are_not_text_are_an_error(folder):
    (folder / "flame_params.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not text"):
        load_recording(folder)


def test_a_missing_json_says_what_to_check(tmp_path):
    with pytest.raises(DataError, match=r"flame_params\.json: no such file; check data_folder"):
        load_recording(tmp_path)


def test_a_byte_order_mark_is_left_out(folder):
    path = folder / "flame_params.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_recording(folder).frames) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ('{"frames": ' + "1" * 5000 + "}", "has a whole number of more than 4300 digits"),
    ],
)
def test_what_python_will_not_decode_is_one_message(folder, content, message):
    (folder / "flame_params.json").write_text(content)
    with pytest.raises(DataError, match=rf"flame_params\.json: .*{message}") as caught:
        load_recording(folder)
    assert "\n" not in str(caught.value)


def test_a_deep_value_that_is_decoded_is_described_in_few_words(folder):
    change(folder, lambda tree: tree["frames"][1].update(bbox=json.loads("[" * 900 + "]" * 900)))
    with pytest.raises(DataError, match=r"frame 1 .*bbox has 1 values, expected 4"):
        load_recording(folder)


def test_a_pipe_and_a_folder_are_no_json_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(DataError, match="is not a file"):
            read_json(tmp_path / name)


@pytest.mark.parametrize("key", ["frames", "shape_params", "intrinsics"])
def test_a_missing_key_is_named(folder, key):
    change(folder, lambda tree: tree.pop(key))
    with pytest.raises(DataError, match=f"the key {key} is missing"):
        load_recording(folder)


@pytest.mark.parametrize("key", ["file_path", "world_mat", "expression", "pose", "bbox", "flame_keypoints"])
def test_a_missing_key_of_a_frame_is_named_with_the_frame(folder, key):
    change(folder, lambda tree: tree["frames"][2].pop(key))
    with pytest.raises(DataError, match=f"frame 2.*the key {key} is missing"):
        load_recording(folder)


BAD_FRAMES = {
    "49 expression values": (
        {"expression": [0.0] * 49},
        "expression has 49 values, expected 50 or",
    ),
    "14 pose values": ({"pose": [0.0] * 14}, "pose has 14 values, expected 15"),
    "text in a pose": ({"pose": ["a"] + [0.0] * 14}, r'pose\[0\] is "a", expected a number'),
    "a boolean": ({"pose": [True] + [0.0] * 14}, r"pose\[0\] is true, expected a number"),
    "null": ({"bbox": None}, "bbox is null, expected 4 numbers"),
    "NaN": ({"pose": [0.0] * 14 + [float("nan")]}, r"pose\[14\] is nan, expected a finite"),
    "infinity": ({"expression": [float("inf")] * 50}, r"expression\[0\] is inf"),
    "a huge integer": ({"pose": [10**400] + [0.0] * 14}, r"pose\[0\] is too large"),
    "a 4 x 4 matrix": ({"world_mat": np.eye(4).tolist()}, "world_mat has 4 values, expected 3"),
    "a 3 x 3 matrix": (
        {"world_mat": np.eye(3).tolist()},
        r"world_mat\[0\] has 3 values, expected 4",
    ),
    "no rotation": ({"world_mat": [[0.0] * 4] * 3}, "rotation in world_mat is singular"),
    "an empty box": ({"bbox": [0.2, 0, 0.2, 1]}, "expected x_min, y_min, x_max, y_max"),
    "67 keypoints": ({"flame_keypoints": [[0, 0]] * 67}, "67 points, expected at least 68"),
    "keypoints in 3D": ({"flame_keypoints": [[0, 0, 0]] * 68}, r"keypoints\[0\] has 3 values"),
    "half a video frame": ({"video_frame": 2.5}, "video_frame is 2.5, expected a number of a frame"),
    "a frame before the video": ({"video_frame": -1}, "video_frame is -1, expected a number of a frame"),
    "a path that is a number": ({"file_path": 3}, "file_path is 3, expected text"),
    "a path that is a list": ({"file_path": [[[1]]] * 99}, "file_path is a list of 99, expected text"),
    "a pose beyond single precision": ({"pose": [1e39] + [0.0] * 14}, r"pose\[0\] is 1e\+39, expected a number from"),
    "a pose of many turns": ({"pose": [-101] + [0.0] * 14}, r"pose\[0\] is -101.0, expected a number from -100.0 to"),
    "an expression of no face": ({"expression": [0] * 49 + [1001]}, r"expression\[49\] is 1001.0, expected"),
    "a box beyond single precision": ({"bbox": [0, 0, 1, 1e300]}, r"bbox\[3\] is 1e\+300, expected"),
    "a keypoint far away": ({"flame_keypoints": [[0, 0]] * 68 + [[0, 2e3]]}, r"flame_keypoints\[68\]\[1\] is 2000.0"),
    "a camera far away": ({"world_mat": [*np.eye(3, 4).tolist()[:2], [0, 0, 1, 1e7]]}, r"world_mat\[2\]\[3\] is 1"),
    "an integer of 200 digits": ({"pose": [10**200] + [0.0] * 14}, r"pose\[0\] is 1e\+200, expected a number from"),
    "a video frame beyond all videos": ({"video_frame": 2**31}, "video_frame is 2147483648, expected a number of a"),
}


def test_the_split_is_the_name_of_one_where_the_file_says_it(folder):
    assert load_recording(folder).split is None
    change(folder, lambda tree: tree.update(split="blocks"))
    assert load_recording(folder).split == "blocks"
    for wrong in (3, "", "a\nb", ["last"]):
        change(folder, lambda tree, wrong=wrong: tree.update(split=wrong))
        with pytest.raises(DataError, match=r"split is .*, expected the name of a split such as last"):
            load_recording(folder)


OUTSIDE = [
    "../../../1x",
    "/etc/1",
    "..",
    "../1",
    "image/../../1",
    "./image/../../../train/image/1",
    "//etc/1",
    "../train/1",
]
NO_NAMES = {
    "a path of Windows": "image\\1",
    "a path above of Windows": "..\\..\\1",
    "a null byte": "image/1\0",
    "a line end": "image/1\n2",
    "a folder with a line end": "ima\nge/1",
    "half a surrogate pair": "image/\udc80",
    "space before": "image/ 1",
    "a name of 252 bytes and .png": f"image/{'x' * 252}",
    "no name before .png": "image/.png",
}


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_out_of_the_recording_is_refused(folder, path):
    change(folder, lambda tree: tree["frames"][1].update(file_path=path))
    with pytest.raises(DataError, match=r"flame_params\.json: frame 1: file_path is .*expected a path below"):
        load_recording(folder)


@pytest.mark.parametrize("case", NO_NAMES)
def test_a_path_that_names_no_file_is_refused(folder, case):
    change(folder, lambda tree: tree["frames"][1].update(file_path=NO_NAMES[case]))
    with pytest.raises(DataError, match=r"flame_params\.json: frame 1: file_path is .*(expected|must end)") as caught:
        load_recording(folder)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "path", ["./image/1x", "image/1x", "./image/1x.png", "image//1x", "a/b/1x", "image/../a/1x", "1x"]
)
def test_a_path_below_the_recording_is_taken(folder, path):
    change(folder, lambda tree: tree["frames"][1].update(file_path=path))
    frame = load_recording(folder).frames[1]
    assert (frame.name, frame.folder, frame.mask_path) == ("1x", folder, folder / "mask" / "1x.png")
    assert os.path.realpath(frame.image_path).startswith(os.path.realpath(folder))


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_a_bad_value_names_file_frame_field_and_expectation(folder, case):
    values, message = BAD_FRAMES[case]
    change(folder, lambda tree: tree["frames"][1].update(values))
    with pytest.raises(DataError, match=rf"flame_params\.json: frame 1.*{message}"):
        load_recording(folder)


BAD_RECORDINGS = {
    "99 shape values": ({"shape_params": [0.0] * 99}, "shape_params has 99 values, expected 100"),
    "3 intrinsics": ({"intrinsics": [-2, 2, 0.5]}, "intrinsics has 3 values, expected 4"),
    "intrinsics beyond single precision": (
        {"intrinsics": [-2, 2, 1e39, 0.5]},
        r"intrinsics\[2\] is 1e\+39, expected a number from -1000000.0 to 1000000.0",
    ),
    "a focal length that is zero in single precision": (
        {"intrinsics": [-2, 1e-60, 0.5, 0.5]},
        "expected focal lengths of at least 0.001",
    ),
    "a shape of no head": ({"shape_params": [0.0] * 99 + [-1e4]}, r"shape_params\[99\] is -10000.0, expected"),
    "a positive focal length": ({"intrinsics": [2, 2, 0.5, 0.5]}, "expected fx < 0 and fy > 0"),
    "no frames": ({"frames": []}, "expected a list of at least one frame"),
    "frames that are no list": ({"frames": {}}, "expected a list of at least one frame"),
    "a frame that is no object": ({"frames": [3]}, "frame 0: found 3, expected an object"),
}


@pytest.mark.parametrize("case", BAD_RECORDINGS)
def test_a_bad_value_of_the_recording_is_named(folder, case):
    values, message = BAD_RECORDINGS[case]
    change(folder, lambda tree: tree.update(values))
    with pytest.raises(DataError, match=rf"flame_params\.json.*{message}"):
        load_recording(folder)


def test_two_frames_of_one_image_are_an_error(folder):
    change(folder, lambda tree: tree["frames"][2].update(file_path="./image/1"))
    with pytest.raises(DataError, match="frames 0 and 2 both have file_path"):
        load_recording(folder)
