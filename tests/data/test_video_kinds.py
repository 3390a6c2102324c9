"""Kinds of files that cameras and programs write: what is read is what a player shows."""

from fractions import Fraction

import av
import numpy as np
import pytest

from imavatar.data.video_file import open_video, read_frames, write_video
from imavatar.errors import DataError
from made_videos import greys, hide_frames, number_of, planes, set_display_matrix, write

ONE = 1 << 16


def _numbers(path, fps=None) -> list[int]:
    return [number_of(image) for image in read_frames(path, fps=fps)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_cover_picture_before_the_video_is_not_the_video(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        if suffix == "mp4":
            cover.disposition = av.stream.Disposition.attached_pic.value
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        for stream, frames in ((cover, greys(1, 32, 32)), (video, greys(20))):
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    assert _numbers(path) == list(range(20))


def test_a_file_with_only_a_cover_picture_has_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover, sound = container.add_stream("mjpeg", rate=1), container.add_stream("aac", rate=44100)
        cover.width = cover.height = 32
        cover.pix_fmt, cover.disposition = "yuvj420p", av.stream.Disposition.attached_pic.value
        container.mux(cover.encode(av.VideoFrame.from_ndarray(greys(1, 32, 32)[0], format="rgb24")))
        container.mux(cover.encode())
        part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        part.sample_rate, part.pts = 44100, 0
        container.mux(sound.encode(part))
        container.mux(sound.encode())
    with pytest.raises(DataError, match=r"only a cover picture, no video"):
        open_video(path)


def test_frames_that_an_edit_list_hides_are_neither_shown_nor_missed(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, greys(50), 25)
    hide_frames(path, first=30, count=15)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 50
    assert _numbers(path) == list(range(30, 45))
    assert open_video(path).facts.seconds == pytest.approx(0.6, abs=0.01)


def test_a_trimmed_file_that_is_truncated_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), dtype=np.uint8)
    write_video(path, noise, 25)
    hide_frames(path, first=10, count=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(DataError, match=r"only \d+ of (39|40|41) frames .* truncated"):
        list(read_frames(path))


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_a_truncated_file_that_counts_no_frames_is_refused_by_its_duration(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), dtype=np.uint8)
    codec = "libx264" if suffix == "mkv" else "libvpx-vp9"
    path = write(tmp_path / f"a.{suffix}", noise, codec, gop_size=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"of 50 frames .* truncated"):
        list(read_frames(path))


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mpg"])
def test_files_joined_byte_by_byte_are_shown_one_after_the_other(tmp_path, suffix):
    codec = "mpeg2video" if suffix == "mpg" else "libx264"
    first, second = (write(tmp_path / f"{k}.{suffix}", greys(50)[25 * k : 25 * k + 25], codec) for k in range(2))
    path = tmp_path / f"joined.{suffix}"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    video = open_video(path)
    frames = list(video.frames(25))
    assert [number_of(frame.image) for frame in frames] == pytest.approx(list(range(50)), abs=1)
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(50)])
    assert video.facts.seconds == pytest.approx(2.0) and "2 parts" in video.facts.notes[0]


def test_a_second_file_behind_the_first_that_cannot_be_read_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), dtype=np.uint8)
    path = tmp_path / "a.mp4"
    write_video(path, noise, 25)
    assert not open_video(path).facts.notes
    path.write_bytes(2 * path.read_bytes())
    assert "50 % of it, behind the last frame" in open_video(path).facts.notes[0]


def test_a_gap_shows_the_frame_before_it(tmp_path):
    times = [40 * k for k in range(10)] + [1400 + 40 * k for k in range(10)]
    path = write(tmp_path / "a.mp4", greys(20), times=times)
    assert _numbers(path, 25) == [*range(9), *[9] * 26, *range(10, 20)]
    facts = open_video(path).facts
    assert facts.variable_rate and facts.fps == pytest.approx(20 / 1.8, abs=0.01)


@pytest.mark.parametrize("rate", [60, 120])
def test_a_fast_recording_gives_the_frame_of_each_instant(tmp_path, rate):
    path = write(tmp_path / "a.mp4", greys(50), rate=rate)
    expected = [k * rate // 25 for k in range(25 * 50 // rate + 1) if k / 25 < 50 / rate - 1e-9]
    assert _numbers(path, 25) == expected
    assert open_video(path).facts.fps == rate


def test_times_that_jump_by_hours_or_crawl_are_made_constant(tmp_path):
    jump = write(tmp_path / "jump.mp4", greys(30), times=[40 * k + 36_000_000 * (k >= 10) for k in range(30)])
    crawl = write(tmp_path / "crawl.mp4", greys(30), times=[250_000 * k for k in range(30)])
    assert _numbers(jump, 25) == _numbers(crawl, 25) == list(range(30))
    assert "A gap of 36000.0 s" in open_video(jump).facts.notes[0]
    assert "25 frames a second are assumed" in open_video(crawl).facts.notes[0]


def test_a_stream_without_any_times_has_the_rate_that_it_says(tmp_path):
    video = open_video(write(tmp_path / "a.h264", greys(20)))
    assert [number_of(frame.image) for frame in video.frames(25)] == list(range(20))


def test_every_frame_tells_its_time_and_which_frame_it_is(tmp_path):
    path = write(tmp_path / "a.mp4", greys(4), rate=10)
    frames = list(open_video(path).frames(25))
    assert [frame.source for frame in frames] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert [frame.is_new for frame in frames] == [True, False, False, True, False, True, False, False, True, False]
    assert frames[2].image is frames[0].image
    assert [frame.time for frame in open_video(path).frames()] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_slideshow_is_recognised_by_repeated_frames_and_by_equal_ones(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    slow = write(tmp_path / "slow.mp4", pictures, rate=2)
    fast = write(tmp_path / "fast.mp4", pictures.repeat(12, axis=0), options={"crf": "8"})
    for path in (slow, fast):
        video = open_video(path)
        n_given = len(list(video.frames(25)))
        assert (video.facts.frames_given, video.facts.frames_different) == (n_given, 4)
        rate = round(4 / n_given * 25, 2)
        assert f"Only 4 of {n_given} frames show something new: {rate:.3g} pictures a second" in video.facts.notes[-1]


QUARTER = np.zeros((32, 64, 3), np.uint8)
QUARTER[:16, :32] = 250
QUARTER[16:, :32] = 120


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_the_whole_display_matrix_is_followed(tmp_path, mirrored, turns):
    path = tmp_path / "a.mp4"
    write_video(path, [QUARTER] * 2, 25)
    # The columns are where the stored picture's axes, right and down, go.
    right, down = np.eye(2, dtype=int)
    right = -right if mirrored else right
    for _ in range(turns):
        right, down = (np.array([-axis[1], axis[0]]) for axis in (right, down))
    set_display_matrix(path, [*(right * ONE), 0, *(down * ONE), 0, 0, 0, 1 << 30])
    expected = QUARTER[:, ::-1] if mirrored else QUARTER
    expected = np.rot90(expected, -turns)
    video = open_video(path)
    image = next(video.frames()).image
    assert image.shape == expected.shape and np.abs(image.astype(int) - expected).mean() < 4
    assert (video.facts.rotation, video.facts.mirrored) == (90 * turns, mirrored)
    assert video.facts.phone == (turns % 2 == 1)


def test_a_tilt_is_rounded_and_said_and_nonsense_is_ignored(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, [QUARTER] * 2, 25)
    cosine, sine = round(np.cos(np.pi * 100 / 180) * ONE), round(np.sin(np.pi * 100 / 180) * ONE)
    set_display_matrix(path, [cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30])
    facts = open_video(path).facts
    assert facts.rotation == 90 and "by 100 degrees: turned by 90" in facts.notes[0]


@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(1, 2)])
def test_pixels_that_are_not_square_are_shown_square(tmp_path, aspect):
    picture = np.full((60, 80, 3), 60, np.uint8)
    picture[15:45, 20:60] = 200  # the middle half of both sides
    path = write(tmp_path / "a.mp4", [picture] * 2, sample_aspect_ratio=aspect)
    image = next(read_frames(path))
    assert image.shape == ((60, 107, 3) if aspect > 1 else (120, 80, 3))
    bright = image[..., 1] > 130
    assert bright.any(axis=0).mean() == pytest.approx(0.5, abs=0.03)
    assert bright.any(axis=1).mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("size", "kept"), [((96, 128), True), ((64, 48), False)])
def test_a_size_that_changes_is_scaled_or_left_out_with_the_reason(tmp_path, size, kept):
    parts = [write(tmp_path / "0.ts", greys(12)), write(tmp_path / "1.ts", greys(12, *size))]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = open_video(path)
    frames = list(video.frames())
    assert len(frames) == 24 and all(f.image.shape == (48, 64, 3) for f in frames if f.image is not None)
    assert [frame.image is not None for frame in frames] == [True] * 12 + [kept] * 12
    assert len(list(read_frames(path))) == (24 if kept else 12)
    sizes = f"{size[1]} x {size[0]} pixels, not 64 x 48 as the first"
    assert frames[-1].left_out == ("" if kept else f"picture of another shape ({size[1]} x {size[0]} pixels)")
    assert f"12 frames are {sizes}: {'scaled' if kept else 'left out'}." in video.facts.notes


SKIN = (200, 140, 110)


def _coded(colour, matrix: str, full_range: bool, bits: int = 8) -> list[np.ndarray]:
    red, green, blue = np.array(colour) / 255
    weight_red, weight_blue = {"709": (0.2126, 0.0722), "601": (0.299, 0.114), "2020": (0.2627, 0.0593)}[matrix]
    luma = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    chroma = np.array([(blue - luma) / (2 - 2 * weight_blue), (red - luma) / (2 - 2 * weight_red)])
    largest, step = 2**bits - 1, 2 ** (bits - 8)
    full = [largest * luma, *(largest * chroma + 128 * step)]
    codes = full if full_range else [step * (219 * luma + 16), *(step * (224 * chroma + 128))]
    kind = np.uint8 if bits == 8 else np.uint16
    return [np.full((64 // n, 64 // n), round(code), kind) for n, code in zip((1, 2, 2), codes, strict=True)]


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("matrix", "number"), [("709", 1), ("601", 5), ("601", 6), ("601", 2)])
def test_the_matrix_and_range_that_the_file_names_are_used(tmp_path, matrix, number, full_range):
    tags = {"colorspace": number, "color_range": 2 if full_range else 1}
    frame = planes("yuv420p", _coded(SKIN, matrix, full_range), **tags)
    path = write(tmp_path / "a.mp4", [frame] * 3, options={"crf": "1"}, **tags)
    image = next(read_frames(path))
    assert np.abs(image[8:-8, 8:-8].reshape(-1, 3).mean(axis=0) - SKIN).max() < 4


@pytest.mark.parametrize("full_range", [False, True])
def test_ten_bits_of_either_range_give_the_same_colour(tmp_path, full_range):
    tags = {"colorspace": 1, "color_range": 2 if full_range else 1}
    frame = planes("yuv420p10le", _coded(SKIN, "709", full_range, 10), **tags)
    video = open_video(write(tmp_path / "a.mkv", [frame] * 2, "ffv1", pix_fmt="yuv420p10le", **tags))
    assert np.abs(next(video.frames()).image.reshape(-1, 3).mean(axis=0) - SKIN).max() < 4
    assert (video.facts.bit_depth, video.facts.transfer) == (10, "SDR")


def test_large_pictures_without_a_named_matrix_are_of_bt709(tmp_path):
    rows = [row.repeat(10, 0).repeat(4, 1) for row in _coded(SKIN, "709", False)]
    path = write(tmp_path / "a.mkv", [planes("yuv420p", rows)] * 2, "ffv1")
    assert np.abs(next(read_frames(path)).reshape(-1, 3).mean(axis=0) - SKIN).max() < 4


@pytest.mark.parametrize(("transfer", "name"), [(18, "HLG"), (16, "PQ")])
def test_high_dynamic_range_is_mapped_and_said(tmp_path, transfer, name):
    ramp = np.tile(np.linspace(64, 940, 128).round().astype(np.uint16), (64, 1))
    grey = np.full((32, 64), 512, np.uint16)
    tags = {"colorspace": 9, "color_range": 1}
    frame = planes("yuv420p10le", [ramp, grey, grey], **tags)
    options = {"crf": "1", "x265-params": "log-level=none"}
    path = write(
        tmp_path / "a.mov", [frame] * 3, "libx265", pix_fmt="yuv420p10le", options=options, color_primaries=9,
        color_trc=transfer, **tags,
    )  # fmt: skip
    video = open_video(path)
    image = next(video.frames()).image.astype(int)
    assert (video.facts.transfer, video.facts.bit_depth) == (name, 10)
    assert f"high dynamic range ({name})" in video.facts.notes[0]
    assert np.ptp(image, axis=2).max() <= 3
    assert (np.diff(image[32, :, 1]) >= -1).all() and image[32, -1, 1] > 250
    if name == "HLG":
        signal = 0.57  # light skin: 72 cd/m2, of 203
        assert image[32, round(signal * 127), 1] == pytest.approx(255 * (72 / 203) ** (1 / 2.4), abs=3)


def _fields(count: int) -> list[np.ndarray]:
    """A bar that has moved on in the odd lines, as an interlacing camera sees it."""
    frames = [np.full((64, 96, 3), 40, np.uint8) for _ in range(count)]
    for k, frame in enumerate(frames):
        for field in (0, 1):
            at = 4 * (2 * k + field)
            frame[field::2, at : at + 12] = 220
    return frames


@pytest.mark.parametrize("suffix", ["mkv", "mpg"])
def test_interlaced_frames_lose_their_combs_and_keep_their_times(tmp_path, suffix):
    codec, options = (
        ("libx264", {"x264-params": "tff=1"}) if suffix == "mkv" else ("mpeg2video", {"flags": "+ildct+ilme"})
    )
    path = write(tmp_path / f"a.{suffix}", _fields(8), codec, options=options, bit_rate=4_000_000)
    video = open_video(path)
    frames = list(video.frames())
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(8)])
    combs = [np.abs(2.0 * f.image[1:-1] - f.image[:-2] - f.image[2:]).mean() for f in frames]
    assert np.abs(2.0 * _fields(8)[4][1:-1] - _fields(8)[4][:-2] - _fields(8)[4][2:]).mean() > 25
    assert max(combs) < 4
    assert video.facts.interlaced and "interlaced" in video.facts.notes[0]


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("webm", "libvpx-vp9", "yuva420p"),
        ("mov", "qtrle", "argb"),
        ("mov", "png", "rgba"),
        ("mov", "prores_ks", "yuva444p10le"),
    ],
)
def test_transparent_pictures_lie_on_white(tmp_path, suffix, codec, pix_fmt):
    picture = np.full((64, 96, 4), 255, np.uint8)
    picture[..., :3] = (180, 60, 60)
    picture[:, 48:, 3] = 0
    video = open_video(write(tmp_path / f"a.{suffix}", [picture] * 3, codec, pix_fmt=pix_fmt))
    image = next(video.frames()).image.astype(int)
    assert np.abs(image[:, 60:] - 255).max() < 6
    assert np.abs(image[:, :36] - (180, 60, 60)).max() < 12
    assert video.facts.alpha and any("transparent" in note for note in video.facts.notes)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("avi", "mpeg4"),
        ("avi", "libx264"),
        ("webm", "libvpx-vp9"),
        ("mov", "libx264"),
        ("ts", "libx264"),
        ("flv", "libx264"),
    ],
)
def test_every_container_gives_its_frames_at_their_times(tmp_path, suffix, codec):
    path = write(tmp_path / f"a.{suffix}", greys(20), codec)
    frames = list(open_video(path).frames(25))
    assert [frame.source for frame in frames] == list(range(20))
    assert [number_of(frame.image) for frame in frames] == pytest.approx(list(range(20)), abs=1)


def test_an_animated_gif_is_a_video(tmp_path):
    path = write(tmp_path / "a.gif", greys(10), "gif", pix_fmt="rgb8", rate=10)
    frames = list(open_video(path).frames(20))
    assert [frame.source for frame in frames] == [k // 2 for k in range(20)]
    assert [frame.image.mean() for frame in frames[::2]] == pytest.approx([20 + 4 * k for k in range(10)], abs=6)


def test_a_heic_picture_is_refused_by_name(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(DataError, match=r"a\.heic is a still picture \(HEIC or AVIF\)"):
        open_video(path)


def test_a_damaged_frame_is_left_out_and_counted(tmp_path):
    path = write(tmp_path / "a.mov", greys(30), "png", pix_fmt="rgb24")
    with av.open(str(path)) as container:
        damaged = bytes(list(container.demux(video=0))[20])
    path.write_bytes(path.read_bytes().replace(damaged, bytes(len(damaged))))
    video = open_video(path)
    frames = list(video.frames(25))
    assert [number_of(frame.image) for frame in frames] == [*range(20), 19, *range(21, 30)]
    assert "1 of its frames are damaged" in video.facts.notes[0]
