"""Sound stays in step with the frames, whatever the file's times do."""

from fractions import Fraction

import av
import numpy as np
import pytest

from imavatar.data.video_file import read_frames, write_video
from imavatar.data.video_sound import Sound
from made_videos import greys, hide_frames, number_of

RATE, FPS = 44100, 25
CLAP = 0.05
"""Seconds."""
NEAR = 0.045
"""Seconds by which a codec may move a clap: one of its frames, which not every container takes off again, and JUMP."""


def _clapped(path, claps, *, n_frames=50, picture_from=0.0, sound_from=0.0, first=0):
    """A video whose sound is silent but for claps, seconds of its own; picture and sound begin at times of the file."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        audio = container.add_stream("aac", rate=RATE)
        for number, pixels in enumerate(greys(first + n_frames)[first:]):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number + round(picture_from * FPS), Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        time = np.arange(round(n_frames / FPS * RATE)) / RATE
        loud = sum((time >= clap) & (time < clap + CLAP) for clap in claps)
        sound = (0.5 * loud * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
        for begin in range(0, len(sound), 1024):
            part = av.AudioFrame.from_ndarray(sound[None, begin : begin + 1024], format="fltp", layout="mono")
            part.sample_rate, part.time_base = RATE, Fraction(1, RATE)
            part.pts = begin + round(sound_from * RATE)
            container.mux(audio.encode(part))
        container.mux(audio.encode())
    return path


def _claps(samples) -> list[float]:
    """When it claps, seconds."""
    loud = np.flatnonzero(np.abs(samples).max(axis=0) > 0.2)
    begins = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > CLAP * RATE)]
    return [float(begin) / RATE for begin in begins]


def _whole(path, n_frames=50) -> list[float]:
    return _claps(Sound(path).at_frames([k / FPS for k in range(n_frames)], FPS))


@pytest.mark.parametrize(("picture", "sound"), [(0.0, 0.0), (0.0, 0.4), (0.6, 0.0)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_begins_earlier_or_later_than_the_picture_is_in_step(tmp_path, suffix, picture, sound):
    path = _clapped(tmp_path / f"a.{suffix}", [0.8, 1.2], picture_from=picture, sound_from=sound)
    shift = sound - picture
    assert _whole(path) == pytest.approx([0.8 + shift, 1.2 + shift], abs=NEAR)


def test_the_sound_of_hidden_frames_is_not_heard(tmp_path):
    path = tmp_path / "a.mp4"
    _clapped(path, [0.4, 1.4])
    hide_frames(path, first=25, count=20)
    assert [number_of(image) for image in read_frames(path)] == list(range(25, 45))
    assert _whole(path, 20) == pytest.approx([0.4], abs=NEAR)


def test_the_sound_of_joined_files_starts_again_with_their_pictures(tmp_path):
    parts = [_clapped(tmp_path / f"{k}.ts", [0.5 + 0.3 * k], n_frames=30) for k in range(3)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert _whole(path, 90) == pytest.approx([0.5, 1.2 + 0.8, 2.4 + 1.1], abs=NEAR)


def test_frames_that_are_left_out_take_their_sound_with_them(tmp_path):
    path = _clapped(tmp_path / "a.mp4", [0.2, 0.9, 1.6])
    times = [k / FPS for k in [*range(15), *range(30, 50)]]
    samples = Sound(path).at_frames(times, FPS)
    assert samples.shape[1] == round(35 / FPS * RATE)
    assert _claps(samples) == pytest.approx([0.2, 1.6 - 0.6], abs=NEAR)


def test_silence_follows_where_the_sound_is_shorter(tmp_path):
    path = _clapped(tmp_path / "a.mp4", [0.5], n_frames=25)
    samples = Sound(path).at_frames([k / FPS for k in range(50)], FPS)
    assert samples.shape[1] == 2 * RATE and _claps(samples) == pytest.approx([0.5], abs=NEAR)
    assert not samples[:, round(1.2 * RATE) :].any()


def test_the_written_file_has_the_sound_of_its_frames(tmp_path):
    source = _clapped(tmp_path / "a.mkv", [0.4, 1.4], sound_from=0.2)
    out = tmp_path / "b.mp4"
    times = [k / FPS for k in range(10, 45)]
    write_video(out, greys(35), FPS, audio_of=source, audio_at=times)
    assert _whole(out, 35) == pytest.approx([0.2, 1.2], abs=NEAR)
