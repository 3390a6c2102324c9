"""A folder of pictures is a video."""

import struct

import cv2
import numpy as np
import pytest

from imavatar.data.exif import FOCAL_35MM, MAKE, MODEL, ORIENTATION, exif_of
from imavatar.data.image_folder import pictures_of
from imavatar.data.video_file import open_video
from imavatar.errors import DataError

HEIGHT, WIDTH = 48, 64


def _picture(grey: int = 100) -> np.ndarray:
    """RGB, with a bright upper left quarter."""
    picture = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
    picture[: HEIGHT // 2, : WIDTH // 2] = (220, 160, 120)
    return picture


def _exif(order: str, orientation: int) -> bytes:
    """A TIFF block with a make, a model, an orientation and a focal length in a directory of its own."""
    make, model = b"Apple\0", b"iPhone 12\0"
    text = 8 + 2 + 4 * 12 + 4
    directory = struct.pack(f"{order}H", 4)
    directory += struct.pack(f"{order}HHII", MAKE, 2, len(make), text)
    directory += struct.pack(f"{order}HHII", MODEL, 2, len(model), text + len(make))
    directory += struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, orientation, 0)
    directory += struct.pack(f"{order}HHII", 0x8769, 4, 1, text + len(make) + len(model))
    inner = struct.pack(f"{order}HHHIHH", 1, FOCAL_35MM, 3, 1, 26, 0) + bytes(4)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + directory + bytes(4) + make + model + inner


def _with_exif(path, block: bytes) -> None:
    """Put EXIF into a JPEG or PNG file."""
    content = path.read_bytes()
    if path.suffix == ".jpg":
        segment = b"Exif\0\0" + block
        content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]
    else:
        chunk = struct.pack(">I", len(block)) + b"eXIf" + block + bytes(4)
        content = content[:33] + chunk + content[33:]
    path.write_bytes(content)


def test_pictures_come_in_natural_order_each_once(tmp_path):
    for number in (1, 2, 10, 9, 100):
        cv2.imwrite(str(tmp_path / f"IMG_{number}.png"), np.full((HEIGHT, WIDTH, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._IMG_1.png").write_bytes(b"what another system left")
    for fps in (None, 25, 10):
        frames = list(open_video(tmp_path).frames(fps))
        assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 9, 10, 100]
        assert [frame.time for frame in frames] == pytest.approx([k / (fps or 25) for k in range(5)])
        assert [frame.source for frame in frames] == list(range(5))
    facts = open_video(tmp_path).facts
    assert (facts.frames, facts.fps, facts.width, facts.height, facts.bit_depth) == (5, 25, WIDTH, HEIGHT, 8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp"])
def test_colours_of_every_kind_are_rgb(tmp_path, name):
    cv2.imwrite(str(tmp_path / name), _picture()[..., ::-1])
    image = next(open_video(tmp_path).frames()).image
    assert np.abs(image.astype(int) - _picture()).mean() < 2


def test_sixteen_bits_grey_and_transparent_pictures(tmp_path):
    deep = _picture().astype(np.uint16) * 257 + 100
    cv2.imwrite(str(tmp_path / "1.png"), deep[..., ::-1])
    cv2.imwrite(str(tmp_path / "2.png"), _picture()[..., 0])
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[24:] = 0
    cv2.imwrite(str(tmp_path / "3.png"), np.dstack([_picture()[..., ::-1], alpha]))
    video = open_video(tmp_path)
    first, second, third = (frame.image for frame in video.frames())
    np.testing.assert_array_equal(first, _picture())
    np.testing.assert_array_equal(second, _picture()[..., :1].repeat(3, axis=2))
    np.testing.assert_array_equal(third[:24], _picture()[:24])
    assert (third[24:] == 255).all()
    assert video.facts.alpha and video.facts.bit_depth == 16


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_pictures_and_names_the_camera(tmp_path, suffix, order, orientation):
    upright = _picture()
    # How a camera stores what it sees; the numbers are those of EXIF 2.3, table 6.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.ascontiguousarray(stored[..., ::-1]))
    _with_exif(path, _exif(order, orientation))
    video = open_video(tmp_path)
    image = next(video.frames()).image
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 3
    camera = video.facts.camera
    assert (camera.make, camera.model, camera.focal_35mm, camera.is_phone) == ("Apple", "iPhone 12", 26, True)
    assert video.facts.phone


def test_damaged_exif_is_ignored():
    block = _exif("<", 6)
    assert exif_of(b"\xff\xd8\xff\xe1\0\x20Exif\0\0" + block[:20]) == {}
    assert exif_of(b"\xff\xd8\xff") == exif_of(b"") == exif_of(b"II*\0\xff\xff\xff\x7f") == {}


@pytest.mark.parametrize(("size", "kept"), [((96, 128), True), ((64, 48), False)])
def test_sizes_that_differ_are_scaled_or_left_out(tmp_path, size, kept):
    cv2.imwrite(str(tmp_path / "1.png"), _picture())
    cv2.imwrite(str(tmp_path / "2.png"), np.full((*size, 3), 90, np.uint8))
    first, second = open_video(tmp_path).frames()
    assert first.image.shape == (HEIGHT, WIDTH, 3)
    assert (second.image is not None) == kept and bool(second.left_out) != kept


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="is a folder without pictures"):
        open_video(tmp_path)
    cv2.imwrite(str(tmp_path / "1.png"), _picture())
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"2\.png: the picture is not a complete image"):
        list(open_video(tmp_path).frames())
    cv2.imwrite(str(tmp_path / "2.tiff"), np.zeros((8, 8), np.float32))
    (tmp_path / "2.png").unlink()
    with pytest.raises(DataError, match=r"2\.tiff: its samples are float32, expected 8 or 16 bits"):
        list(open_video(tmp_path).frames())
    (tmp_path / "3.HEIC").write_bytes(b"x")
    with pytest.raises(DataError, match=r"3\.HEIC: pictures of this kind cannot be read; convert them to JPEG or PNG"):
        pictures_of(tmp_path)
