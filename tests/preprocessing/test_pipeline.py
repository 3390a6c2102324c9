"""From a video file to a subject folder, with a detector that follows a known head."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from drawn_faces import boxes_of, moved, picture, points_of, search, texture
from imavatar.anatomy import ParsingLabel
from imavatar.assets import assets_dir
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import write_png
from imavatar.data.subject import load_recording
from imavatar.data.video_file import read_frames, write_video
from imavatar.errors import BusyError, DataError
from imavatar.files.locks import locked
from imavatar.head.assets import load_head, save_head
from imavatar.head.detector_bias import DetectorBias, bias_path, save_bias
from imavatar.head.flame import Flame
from imavatar.head.landmarks import embedding_path, flame_keypoints, load_embedding, save_embedding
from imavatar.preprocessing import detectors, focal_fit, frame_cache, pipeline, tracking
from imavatar.preprocessing import track_images as image_tracking
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.pipeline import preprocess
from imavatar.preprocessing.resplit import add_split
from imavatar.preprocessing.segmentation import Segments
from imavatar.preprocessing.track_images import track_images
from imavatar.preprocessing.tracking import fit_head
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

SIZE, N = 96, 30


class FollowingDetector:
    """Sees the ellipsoid head turn; sees nothing in frames that are black, and far too much where `noise` is set."""

    def __init__(self, assets, embedding, noise=0.0):
        pose = torch.zeros(N, 15)
        pose[:, 4] = torch.linspace(-0.3, 0.3, N)
        vertices = Flame(assets, torch.zeros(100)).vertices(HeadParameters(torch.zeros(N, 50), pose))
        landmarks = embedding.points(vertices, torch.as_tensor(assets.faces))
        pupils = flame_keypoints(vertices, assets, embedding)[:, -2:]
        points = torch.cat([landmarks, pupils], dim=1).numpy() + [0, 0, -3.5]
        self.points = SIZE / 2 - 0.5 + 2 * SIZE * points[..., :2] * [1, -1] / -points[..., 2:]
        self.points += np.random.default_rng(0).normal(size=self.points.shape) * noise
        self.next = 0

    def reset(self):
        """Start a recording."""
        self.next = 0

    def detect(self, rgb, near=None):
        """The landmarks of the next frame."""
        index, self.next = self.next, self.next + 1
        if rgb.mean() < 20:
            return None
        points = self.points[index % N]
        return FaceLandmarks(points[:-2], points[-2:, None].repeat(5, axis=1), 1.0)


class Everything:
    """In place of the networks: every pixel is the person's skin. Counts the frames since it was last reset."""

    def __init__(self):
        self.counts = []

    def reset(self):
        """Begin to count anew."""
        self.counts.append(0)

    def __call__(self, rgb, face):
        """Segments of a frame."""
        self.counts[-1] += 1
        shape = rgb.shape[:2]
        return Segments(np.ones(shape), np.full(shape, ParsingLabel.SKIN, np.uint8))


def drawn(count: int, size: int = SIZE, person: int = 1, right: int = 0, **how) -> np.ndarray:
    """Frames in which a face fills most of the picture, so that all of it is used."""
    side = round(0.6 * size)
    left = [(size - side) // 2 + right + moved(k) for k in range(count)]
    return np.stack([picture(size, size, (person, x, size // 4, side), **how) for x in left])


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An assets folder with the ellipsoid head, a video whose frame 4 is black, and options for it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "assets"))
    head_path = assets_dir() / "open_head.npz"
    save_head(head_path, ellipsoid_head())
    assets = load_head(head_path)
    save_embedding(embedding_path(head_path), random_embedding(assets), assets)
    save_bias(bias_path(head_path), DetectorBias.none())
    frames = drawn(N)
    frames[4] = 0
    write_video(tmp_path / "clip.mp4", frames, 25)
    monkeypatch.setattr(pipeline, "FaceSearch", lambda: search)
    drawn_texture = texture()
    # The detector's points are those of the ellipsoid head, wherever the face is drawn.
    monkeypatch.setattr(
        pipeline, "FaceTexture", lambda frontal: lambda rgb, points: drawn_texture(rgb, points_of(boxes_of(rgb)[0]))
    )
    monkeypatch.setattr(
        pipeline,
        "FaceIdentity",
        lambda frontal: lambda rgb, points: drawn_texture(rgb, points_of(boxes_of(rgb)[0]))[None],
    )
    for module, name, steps in (
        (tracking, "RIGID_STEPS", 20),
        (tracking, "ALL_STEPS", 40),
        (tracking, "LOOP_STEPS", 10),
        (tracking, "APPEARANCE_STEPS", 5),
        (focal_fit, "RIGID_STEPS", 20),
        (focal_fit, "SEARCH_STEPS", 20),
        (focal_fit, "NEXT_STEPS", 5),
    ):
        monkeypatch.setattr(module, name, steps)
    see(monkeypatch)
    monkeypatch.setattr(pipeline, "segmenter", lambda semantics, matting: Everything())
    yield PreprocessOptions("me", (tmp_path / "clip.mp4",), tmp_path / "out", size=SIZE)
    torch.set_num_threads(threads)


def see(monkeypatch, **how):
    """Let the pipeline use the following detector."""
    path = assets_dir() / "open_head.npz"
    assets = load_head(path)
    detector = FollowingDetector(assets, load_embedding(embedding_path(path), assets), **how)
    for module in (pipeline, detectors, image_tracking):
        monkeypatch.setattr(module, "landmarker", lambda backend: detector)


def test_a_video_becomes_a_subject_that_reads_back_with_keypoints_where_the_camera_puts_them(workplace):
    options = workplace
    report = preprocess(options)
    assert (report.frames_read, report.frames_tracked) == (N, N - 1)
    assert report.left_out == [{"video": "clip.mp4", "frame": 4, "reason": "no face found"}]
    assert report.frames_written == {"train": 23, "test": 6}
    assert report.errors["error_share"] < 0.02
    assert "tracked 29 of 30 frames" in report.summary()
    assert report.request["semantics"] == "landmarks" and "matting" not in report.request
    assert "matte and labels: hard outlines" in report.summary()
    (facts,) = report.videos
    assert (facts["name"], facts["frames_given"], facts["fps"], facts["transfer"]) == ("clip.mp4", N, 25.0, "SDR")
    numbers = [
        [frame.video_frame for frame in load_recording(options.out / "me" / "me" / name).frames]
        for name in ("train", "test")
    ]
    assert numbers == [[*range(4), *range(5, 24)], [*range(24, 30)]]
    data = FaceDataset(options.out, "me", ["test"], [SIZE, SIZE])
    assets = load_head(assets_dir() / "open_head.npz")
    embedding = load_embedding(embedding_path(assets_dir() / "open_head.npz"), assets)
    frame = data.frame(3)
    vertices = Flame(assets, torch.as_tensor(data.shape_params)).vertices(frame.head)
    in_world = flame_keypoints(vertices, assets, embedding)[0]
    world_from_camera = frame.camera.world_from_camera[0]
    in_camera = (in_world - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    fx, fy, cx, cy = frame.camera.intrinsics[0]
    x, y, z = in_camera.unbind(dim=1)
    pixels = torch.stack([cx + fx * x / z, cy + fy * y / z], dim=1)
    torch.testing.assert_close(pixels, frame.keypoints, atol=1e-2, rtol=0)
    overlay = list(read_frames(options.out / "me" / "overlay.mp4"))
    assert len(overlay) == N - 1 and overlay[0].shape == (SIZE, 2 * SIZE, 3)
    assert "frame 4: no face found" in (options.out / "me" / "report.html").read_text()
    assert sorted(path.name for path in options.out.iterdir()) == [".me.lock", "me"]


def test_a_second_call_does_nothing_and_another_request_is_refused_unless_asked_to_overwrite(workplace, monkeypatch):
    options = workplace
    first = preprocess(options)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "fit_head", lambda *args, **kwargs: pytest.fail("was fitted again"))
        assert preprocess(options) == first
        with pytest.raises(DataError, match=r"exists already.*--overwrite"):
            preprocess(replace(options, focal=200.0))
    again = preprocess(replace(options, focal=200.0, overwrite=True))
    assert again.focal == pytest.approx(200.0) and not again.focal_estimated


@pytest.mark.parametrize(("video_size", "crop"), [(2 * SIZE, None), (3 * SIZE, (SIZE, SIZE // 2, 2 * SIZE))])
def test_a_known_focal_length_is_in_pixels_of_the_video(workplace, tmp_path, video_size, crop):
    """The camera that the detector sees with has a focal length of 2 SIZE pixels in images of SIZE pixels."""
    video = tmp_path / "large.mp4"
    write_video(video, drawn(N, video_size, right=SIZE // 2 if crop else 0), 25)
    report = preprocess(replace(workplace, videos=(video,), crop=crop, focal=4.0 * SIZE))
    assert report.focal == pytest.approx(2 * SIZE) and not report.focal_estimated
    recording = load_recording(workplace.out / "me" / "me" / "train")
    np.testing.assert_allclose(recording.intrinsics[:2], [-2.0, 2.0], rtol=1e-6)
    assert report.errors["error_share"] < 0.02


def test_a_failure_leaves_nothing_behind(workplace, monkeypatch):
    options = workplace
    see(monkeypatch, noise=9.0)
    with pytest.raises(DataError, match="does not fit the face"):
        preprocess(options)
    assert [path.name for path in options.out.iterdir()] == [".me.lock"]


def test_one_process_works_on_a_subject(workplace):
    options = workplace
    options.out.mkdir()
    with (
        locked(options.out / ".me.lock", "a test"),
        pytest.raises(BusyError, match=r"out: a test \(process \d+ on .*try again"),
    ):
        preprocess(options)
    assert [path.name for path in options.out.iterdir()] == [".me.lock"]


def test_a_finished_subject_needs_no_lock_and_its_leftovers_wait(workplace):
    options = workplace
    first = preprocess(options)
    left = options.out / ".me.partial-abcdefgh"
    left.mkdir()
    with locked(options.out / ".me.lock", "a test"):
        assert preprocess(options) == first
    assert left.exists()
    preprocess(replace(options, overwrite=True))
    assert not left.exists()


def test_a_replacement_that_was_begun_is_finished(workplace, monkeypatch):
    options = workplace
    first = preprocess(options)
    # As a process leaves it that is killed while it replaces the folder, and as it was before it did.
    for old in (".me.partial-abcdefgh.old", ".me.partial-01234567.old"):
        (options.out / "me").rename(options.out / old)
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "fit_head", lambda *args, **kwargs: pytest.fail("was fitted again"))
            assert preprocess(options) == first
        assert sorted(path.name for path in options.out.iterdir()) == [".me.lock", "me"]


def test_one_process_finds_a_heads_landmarks(workplace):
    options = workplace
    embedding_path(assets_dir() / "open_head.npz").unlink()
    with (
        locked(assets_dir() / ".lock", "fetch_assets"),
        pytest.raises(BusyError, match=r"assets: fetch_assets \(process"),
    ):
        preprocess(options)


def test_recordings_are_tracked_by_one_process(workplace):
    options = workplace
    preprocess(options)
    with locked(options.out / ".me.lock", "a test"), pytest.raises(BusyError, match="a test"):
        track_images(options.out / "me" / "me", ["train"], "again.json")
    with pytest.raises(DataError, match="you: does not exist, expected a subject's folder"):
        track_images(options.out / "you" / "you", ["train"], "again.json")
    assert not (options.out / ".you.lock").exists()


def test_what_is_used_of_a_recording_is_in_the_report(workplace, tmp_path, monkeypatch):
    """Two people, one in a bright room and one in a dark one; pictures that are shown again, and too many."""
    options, video, seen = workplace, tmp_path / "party.mp4", []
    mine, other = drawn(40, shade=220), drawn(25, person=2, shade=40)
    mine[10], mine[31] = mine[9], mine[30]
    write_video(video, [*other, *mine], 25)
    monkeypatch.setattr(pipeline, "fit_head", lambda o, *args, **how: seen.append(o) or fit_head(o, *args, **how))
    report = preprocess(replace(options, videos=(video,), max_frames=30))
    assert report.left_out_counts == {"another person": 25, "repeated picture": 2}
    assert [(s["first"], s["last"], s.get("reason")) for s in report.shots] == [
        (0, 24, "another person"),
        (25, 64, None),
    ]
    assert report.frames_not_chosen == 8 and report.frames_tracked == sum(report.frames_written.values()) == 30
    assert report.crops[0] | {"x": 0, "y": 0, "side": SIZE} == report.crops[0] and report.crops[0]["turned"] == 0
    used = [frame for first, last in report.frames_used["party.mp4"] for frame in range(first, last + 1)]
    assert len(used) == 30 and not {35, 56} & set(used) and min(used) >= 25
    # Frames beside a repeated one follow each other.
    (observed,) = seen
    assert set(observed.video) == {0} and (np.diff(observed.time) == 1).sum() > 20
    numbers = [f.video_frame for n in ("train", "test") for f in load_recording(options.target / "me" / n).frames]
    assert numbers == used
    said = report.summary()
    assert "the square 0,0,96 (x, y, side) is used, around the head" in said
    assert "shot of party.mp4, frames 0 to 24: left out, another person" in said
    assert "left out 27 frames: another person 25, repeated picture 2" in said and "8 more frames" in said


def test_pictures_of_another_shape_are_listed_with_the_others(workplace, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for k, frame in enumerate(drawn(N)):
        write_png(folder / f"{k}.png", frame[:, : SIZE // 2] if 6 <= k < 10 else frame)
    report = preprocess(replace(workplace, videos=(folder,)))
    reason = f"picture of another shape ({SIZE // 2} x {SIZE} pixels)"
    assert report.left_out == [{"video": "shots", "frame": k, "reason": reason} for k in range(6, 10)]
    assert (report.frames_read, report.frames_tracked) == (N, N - 4)
    assert report.frames_used == {"shots": [[0, 5], [10, N - 1]]}
    assert f"left out 4 frames: {reason} 4" in report.summary()
    assert f"shots, frame 7: {reason}" in (workplace.target / "report.html").read_text()


def test_a_cross_fade_is_left_out_and_parts_two_clips(workplace, tmp_path, monkeypatch):
    video, seen, share = tmp_path / "faded.mp4", [], np.linspace(0, 1, 12)[1:-1, None, None, None]
    before, after = drawn(30, shade=220, right=-16), drawn(30, shade=40, right=14)
    before[:, 84:], after[:, :22] = 40, 220
    mixed = np.round((1 - share) * before[20:] + share * after[:10]).astype(np.uint8)
    write_video(video, [*before[:20], *mixed, *after[10:]], 25)
    monkeypatch.setattr(pipeline, "fit_head", lambda o, *args, **how: seen.append(o) or fit_head(o, *args, **how))
    report = preprocess(replace(workplace, videos=(video,)))
    gone = [entry["frame"] for entry in report.left_out if entry["reason"] == "cross-fade"]
    assert {*range(21, 29)} <= set(gone) <= {*range(17, 33)} and len(report.left_out) == len(gone)
    assert seen[0].video.tolist() == [0] * gone[0] + [1] * (49 - gone[-1])
    assert f"frames {gone[0]} to {gone[-1]}: left out, cross-fade" in report.summary()
    assert f"frame {gone[0]}: cross-fade" in (workplace.target / "report.html").read_text()


def test_shots_of_one_person_are_clips_of_their_own_for_matte_and_fit(workplace, tmp_path, monkeypatch):
    video, seen = tmp_path / "cut.mp4", []
    write_video(video, [*drawn(20, shade=220), *drawn(20, shade=40)], 25)
    monkeypatch.setattr(pipeline, "fit_head", lambda o, *args, **how: seen.append(o) or fit_head(o, *args, **how))
    segment = Everything()
    monkeypatch.setattr(pipeline, "segmenter", lambda semantics, matting: segment)
    report = preprocess(replace(workplace, videos=(video,)))
    assert seen[0].video.tolist() == [0] * 20 + [1] * 20 and segment.counts == [20, 20]
    assert report.frames_written == {"train": 32, "test": 8} and len(report.shots) == 2


def test_a_full_disk_is_foreseen(workplace, monkeypatch):
    monkeypatch.setattr(frame_cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    monkeypatch.setattr(pipeline, "analyse_video", lambda *args: pytest.fail("was analysed"))
    with pytest.raises(DataError, match=r"29 frames of 96 x 96 pixels need about 0\.0 GB.*--max-frames"):
        preprocess(workplace)


def test_several_videos_become_a_folder_each(workplace, tmp_path):
    options = workplace
    second = tmp_path / "other.mp4"
    write_video(second, drawn(24), 25)
    report = preprocess(replace(options, videos=(*options.videos, second)))
    assert report.frames_written == {"clip": N - 1, "other": 24}


@pytest.mark.slow
def test_blocks_are_held_out_as_dividing_anew_does_it(workplace):
    options = workplace
    with pytest.raises(DataError, match="split 'middle': expected last or blocks"):
        preprocess(replace(options, split="middle"))
    preprocess(options)
    added = add_split(options.out, "me", "blocks")
    other = replace(options, subject="you", split="blocks")
    report = preprocess(other)
    assert report.frames_written == {"train": 23, "test": 6} and list(added.values()) == [23, 6]
    for name in ("train", "test"):
        added, written = options.target / "me" / f"{name}_blocks", other.target / "you" / name
        first, second = (
            {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}
            for folder in (added, written)
        )
        assert first == second
        first, second = (load_recording(folder) for folder in (added, written))
        assert first.split == second.split == "blocks" != load_recording(options.target / "me" / name).split
        assert [f.video_frame for f in first.frames] == [f.video_frame for f in second.frames]
    assert [f.video_frame for f in second.frames] == list(range(12, 18))
    # A folder of the other split isn't what was asked for.
    with pytest.raises(DataError, match=r"exists already.*--overwrite"):
        preprocess(replace(options, split="blocks"))


@pytest.mark.slow
def test_blocks_of_all_videos_are_held_out_together(workplace, tmp_path):
    second = tmp_path / "other.mp4"
    write_video(second, drawn(25), 25)
    report = preprocess(replace(workplace, videos=(*workplace.videos, second), split="blocks"))
    assert report.frames_written == {"train": 43, "test": 11}
    held = [frame.video_frame for frame in load_recording(workplace.target / "me" / "test").frames]
    assert held == [*range(12, 18), *range(10, 15)]


def test_recordings_that_are_there_are_tracked_again_into_a_file_of_their_own(workplace):
    options = workplace
    preprocess(options)
    folder = options.out / "me" / "me"
    image, given = folder / "train" / "image" / "3.png", folder / "train" / "flame_params.json"
    write_png(image, np.zeros((SIZE, SIZE, 3), np.uint8))
    before = given.read_bytes()
    found = track_images(folder, ["train", "test"], "again.json")
    assert (found.frames_read, found.frames_written) == (29, {"train": 22, "test": 6})
    assert found.errors["error_share"] < 0.02
    assert given.read_bytes() == before
    data = FaceDataset(options.out, "me", ["train"], [SIZE, SIZE], json_name="again.json")
    assert len(data) == 22 and "3" not in [record.name for record in data.records]
    with pytest.raises(DataError, match="choose another name"):
        track_images(folder, ["train"], "flame_params.json")
    for dark in (folder / "train" / "image").iterdir():
        write_png(dark, np.zeros((SIZE, SIZE, 3), np.uint8))
    with pytest.raises(DataError, match="a face was found in 6 of 29 frames"):
        track_images(folder, ["train", "test"], "again.json")


@pytest.mark.parametrize(
    ("dark", "message"),
    [(30, "no face found in any of its 30"), (15, r"only 15 of 30 frames can be used \(no face found: 15\)")],
)
def test_a_video_with_too_few_faces_is_refused(workplace, tmp_path, dark, message):
    options = workplace
    frames = drawn(30)
    frames[:dark] = 0
    write_video(tmp_path / "dark.mp4", frames, 25)
    with pytest.raises(DataError, match=message):
        preprocess(replace(options, videos=(tmp_path / "dark.mp4",)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": "a/b"}, "subject 'a/b': expected a name"),
        ({"videos": ()}, "no video given"),
        ({"size": 33}, "even number"),
        ({"focal": -1.0}, "positive"),
        ({"crop": (50, 50, 90)}, "not inside the video of 96 x 96"),
        ({"crop": "left"}, "expected x, y and side, or 'centre'"),
        ({"crop": (60, 0, 30)}, "no face found.*in the square given by --crop"),
        ({"face": (2, 90)}, "no face comes near 2,90"),
        ({"max_frames": 5}, "expected at least 20"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused(workplace, change, message):
    options = workplace
    with pytest.raises(DataError, match=message):
        preprocess(replace(options, **change))


def test_a_missing_video_is_named(workplace, tmp_path):
    options = workplace
    with pytest.raises(DataError, match=r"none\.mp4: no such video"):
        preprocess(replace(options, videos=(tmp_path / "none.mp4",)))
