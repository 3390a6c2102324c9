"""Images and masks: known pixels after resizing, and errors for files that cannot be read."""

import errno
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from imavatar.data import images
from imavatar.errors import DataError


def test_a_shrunk_image_holds_the_means_of_its_areas():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    means = image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    assert np.abs(images.resize_colour(image, 4, 6) - means).max() <= 0.5


def test_height_comes_before_width():
    image = np.zeros((8, 12, 3), np.uint8)
    assert images.resize_colour(image, 16, 10).shape == (16, 10, 3)
    assert images.foreground_of(image[..., 0], 16, 10).shape == (16, 10)


def test_a_mask_is_foreground_above_half_its_range():
    mask = np.array([[0, 127, 128, 255]], np.uint8)
    assert images.foreground_of(mask, 1, 4).tolist() == [[False, False, True, True]]


def test_a_mask_is_thresholded_after_it_is_resized():
    mask = np.array([[200, 0]], np.uint8)
    # Centres of four pixels lie at 0 (clamped), 0.25, 0.75 and 1 (clamped) between the two values.
    assert images.foreground_of(mask, 1, 4).tolist() == [[True, True, False, False]]


def test_the_background_is_exactly_white_and_the_foreground_untouched():
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    foreground = np.random.default_rng(1).random((5, 4)) > 0.5
    composed = images.on_white(image, foreground)
    colours = images.to_signed_range(torch.from_numpy(composed)).numpy()
    assert (colours[~foreground] == 1).all()
    np.testing.assert_allclose(colours[foreground], image[foreground] / 127.5 - 1, atol=1e-6)


def test_a_written_image_is_read_back_in_rgb_order(tmp_path):
    image = np.zeros((2, 3, 3), np.uint8)
    image[..., 0] = 200
    images.write_png(tmp_path / "red.png", image)
    assert (images.read_colour(tmp_path / "red.png", "image") == image).all()
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 200]


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(DataError, match=r"7\.png: the mask is missing"):
        images.read_grey(tmp_path / "7.png", "mask")


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_truncated_image_is_an_error(tmp_path, keep):
    path = tmp_path / "1.png"
    images.write_png(path, np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="not a complete image"):
        images.read_colour(path, "image")


def with_size(content: bytes, width: int, height: int) -> bytes:
    """A PNG whose header announces another size."""
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.parametrize("size", [(65535, 65535), (16385, 1), (1, 16385), (2**31 - 1, 2**31 - 1), (2**20 + 1, 9)])
@pytest.mark.parametrize("read", [images.read_colour, images.read_grey])
def test_an_image_that_announces_too_many_pixels_is_not_decoded(tmp_path, monkeypatch, read, size):
    path = tmp_path / "1.png"
    images.write_png(path, np.zeros((9, 9, 3), np.uint8))
    path.write_bytes(with_size(path.read_bytes(), *size))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=rf"1\.png: the mask says that it has {size[0]} x {size[1]} pixels") as caught:
        read(path, "mask")
    assert "\n" not in str(caught.value)


def test_a_header_is_changed_as_the_format_wants_it(tmp_path):
    path = tmp_path / "1.png"
    images.write_png(path, np.full((9, 7, 3), 5, np.uint8))
    assert with_size(path.read_bytes(), 7, 9) == path.read_bytes()


def test_an_image_of_the_largest_size_is_read(tmp_path):
    images.write_png(tmp_path / "1.png", np.zeros((2, images.MAX_SIDE), np.uint8))
    assert images.read_grey(tmp_path / "1.png", "mask").shape == (2, images.MAX_SIDE)


def test_a_jpeg_that_announces_too_many_pixels_is_one_message(tmp_path):
    content = cv2.imencode(".jpg", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    start = content.index(b"\xff\xc0") + 5
    (tmp_path / "1.png").write_bytes(content[:start] + b"\xff\xff\xff\xff" + content[start + 4 :])
    with pytest.raises(DataError, match=r"1\.png: the image (cannot be decoded|is not a complete image)") as caught:
        images.read_colour(tmp_path / "1.png", "image")
    assert "\n" not in str(caught.value)


def test_an_image_in_a_folder_that_is_missing_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        images.write_png(tmp_path / "absent" / "1.png", np.zeros((2, 2), np.uint8))


def test_a_full_disk_leaves_the_image_that_was_there(tmp_path, monkeypatch):
    path, write = tmp_path / "1.png", Path.write_bytes
    before = np.full((4, 5, 3), 7, np.uint8)
    images.write_png(path, before)

    def full(file, content):
        write(file, content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"1\.png: cannot be written \(No space left on device\); free some space"):
        images.write_png(path, np.zeros((4, 5, 3), np.uint8))
    assert (images.read_colour(path, "image") == before).all() and list(tmp_path.iterdir()) == [path]
