"""Video files: what is written is read again, and bad files are refused by name."""

import struct

import av
import numpy as np
import pytest

from imavatar.data.video_file import read_frames, write_video
from imavatar.errors import DataError


def _frames(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    return [np.full((height, width, 3), 20 + 5 * i, dtype=np.uint8) for i in range(count)]


def test_written_frames_are_read_again(tmp_path):
    path = tmp_path / "a.mp4"
    frames = _frames(20)
    write_video(path, frames, 25)
    read = list(read_frames(path))
    assert len(read) == 20
    assert np.abs(np.stack(read).astype(int) - np.stack(frames)).max() < 6
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (64, 48, 20)
        assert stream.average_rate == 25
    assert list(tmp_path.iterdir()) == [path]


def test_odd_sizes_are_padded_to_even_ones(tmp_path):
    write_video(tmp_path / "a.mp4", _frames(3, 47, 63), 25)
    assert next(read_frames(tmp_path / "a.mp4")).shape == (48, 64, 3)


@pytest.mark.parametrize(("fps", "step"), [(15, 2), (10, 3)])
def test_a_lower_rate_takes_every_nth_frame(tmp_path, fps, step):
    frames = _frames(30)
    write_video(tmp_path / "a.mp4", frames, 30)
    read = np.stack(list(read_frames(tmp_path / "a.mp4", fps=fps))).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(read, [f.mean() for f in frames[::step]], atol=3)


def test_a_file_cut_in_half_names_how_many_frames_were_read(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    write_video(path, noise, 25)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"of 30 frames .* truncated"):
        list(read_frames(path))


def test_what_is_not_a_video_is_refused(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    for path, message in [
        (tmp_path / "none.mp4", "does not exist"),
        (tmp_path, "is a folder"),
        (text, "cannot be read as a video"),
    ]:
        with pytest.raises(DataError, match=message):
            list(read_frames(path))


def test_writing_no_frames_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="no frames"):
        write_video(tmp_path / "a.mp4", [], 25)
    assert not list(tmp_path.iterdir())


def test_a_rotation_in_the_metadata_is_undone(tmp_path):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32] = 255  # the upper left quarter
    path = tmp_path / "portrait.mp4"
    write_video(path, [picture] * 3, 25)
    content = path.read_bytes()
    one = 1 << 16
    identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    clockwise = struct.pack(">9i", 0, one, 0, -one, 0, 0, 32 * one, 0, 1 << 30)
    start = content.index(identity, content.index(b"tkhd"))
    path.write_bytes(content[:start] + clockwise + content[start + len(identity) :])

    frame = next(read_frames(path))

    assert frame.shape == (64, 32, 3)
    assert frame[:16, 20:].mean() > 240  # turned to the upper right
    assert frame[:16, :12].mean() < 15


RATE, PITCH = 44100, 440.0


def _with_tone(path, seconds: float, fps: int = 10):
    """A video with a tone that starts half a second in."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=RATE)
        for frame in _frames(round(seconds * fps)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        time = np.arange(round(seconds * RATE)) / RATE
        tone = (0.5 * np.sin(2 * np.pi * PITCH * time) * (time >= 0.5)).astype(np.float32)
        for start in range(0, len(tone), 1024):
            part = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts = RATE, start
            container.mux(audio.encode(part))
        container.mux(audio.encode())


def _sound(path) -> np.ndarray:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.rate == RATE
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)])


def test_the_sound_of_another_video_is_kept_in_time_and_cut_to_the_frames(tmp_path):
    _with_tone(tmp_path / "source.mp4", 3.0)
    write_video(tmp_path / "a.mp4", _frames(20), 10, audio_of=tmp_path / "source.mp4")
    sound = _sound(tmp_path / "a.mp4")
    assert len(sound) == pytest.approx(2 * RATE, abs=3 * 1024)
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    assert loud[0] == pytest.approx(0.5 * RATE, abs=2 * 1024)
    tone = sound[RATE : RATE + 8192] * np.hanning(8192)
    assert np.abs(np.fft.rfft(tone)).argmax() * RATE / 8192 == pytest.approx(PITCH, abs=8)
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 20


def test_sound_may_begin_later(tmp_path):
    _with_tone(tmp_path / "source.mp4", 3.0)
    write_video(
        tmp_path / "a.mp4", _frames(10), 10, audio_of=tmp_path / "source.mp4", audio_at=[k / 10 for k in range(3, 13)]
    )
    loud = np.flatnonzero(np.abs(_sound(tmp_path / "a.mp4")) > 0.1)
    assert loud[0] == pytest.approx(0.2 * RATE, abs=2 * 1024)


def test_a_video_without_sound_gives_none(tmp_path):
    write_video(tmp_path / "silent.mp4", _frames(5), 10)
    write_video(tmp_path / "a.mp4", _frames(5), 10, audio_of=tmp_path / "silent.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert not container.streams.audio


def test_sound_of_a_missing_video_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(DataError, match=r"none\.mp4 does not exist"):
        write_video(tmp_path / "a.mp4", _frames(5), 10, audio_of=tmp_path / "none.mp4")
    assert not list(tmp_path.iterdir())


def test_what_killed_processes_have_left_of_a_video_is_removed_and_what_is_being_written_stays(tmp_path):
    path = tmp_path / "a [1].mp4"
    left = [tmp_path / ".a [1].mp4.77-0a1b2c3d.tmp.mp4", tmp_path / ".a [1].tmp.mp4"]
    others = [tmp_path / ".a 1.mp4.77-0a1b2c3d.tmp.mp4", tmp_path / ".b.mp4.77-0a1b2c3d.tmp.mp4"]
    for file in left + others:
        file.write_text("half")

    def frames():
        """While the video is written, another one of the same name is begun and finished."""
        yield from _frames(10)
        (unfinished,) = tmp_path.glob(".a [[]1].mp4.*")
        write_video(path, _frames(3), 25)
        assert unfinished.exists() and path.exists()
        yield from _frames(10)

    write_video(path, frames(), 25)
    assert len(list(read_frames(path))) == 20
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_a_video_that_breaks_off_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, _frames(3), 25)

    def frames():
        yield from _frames(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(path, frames(), 25)
    assert len(list(read_frames(path))) == 3 and list(tmp_path.iterdir()) == [path]
