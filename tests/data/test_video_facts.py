"""What a file says of the camera, and how pictures are told from repetitions."""

import numpy as np
import pytest

from imavatar.data.still_pictures import Repeats
from imavatar.data.video_facts import Camera, looks_like_phone
from imavatar.data.video_file import open_video
from made_videos import greys, write

IPHONE = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15 Pro",
    "com.apple.quicktime.camera.focal_length.35mm_equivalent": "24",
}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (IPHONE, Camera("Apple", "iPhone 15 Pro", 24.0, True)),
        ({"com.android.version": "14"}, Camera(is_phone=True)),
        (
            {"com.android.manufacturer": "Google", "com.android.model": "Pixel 8"},
            Camera("Google", "Pixel 8", None, True),
        ),
        ({"make": "samsung", "model": "SM-G991B"}, Camera("samsung", "SM-G991B", None, True)),
        ({"make": "Canon", "model": "Canon EOS R5", "encoder": "x"}, Camera("Canon", "Canon EOS R5")),
        ({"make": " ", "focal_length_35mm": "0"}, Camera()),
        ({}, Camera()),
    ],
)
def test_the_tags_of_phones_and_cameras(tags, expected):
    assert Camera.of(tags) == expected


def test_the_tags_of_a_file_are_read(tmp_path):
    path = write(tmp_path / "a.mp4", greys(5), tags=IPHONE, container_options={"movflags": "use_metadata_tags"})
    facts = open_video(path).facts
    assert facts.camera == Camera("Apple", "iPhone 15 Pro", 24.0, True) and facts.phone


def test_a_phone_is_known_by_its_name_its_turned_pictures_or_their_shape():
    assert looks_like_phone(Camera(is_phone=True), 1920, 1080, 0)
    assert looks_like_phone(Camera(), 1080, 1350, 1)
    assert looks_like_phone(Camera(), 1080, 1920, 0)
    assert not looks_like_phone(Camera(), 1920, 1080, 0)
    assert not looks_like_phone(Camera(), 1080, 1350, 2)


def test_what_encoders_change_is_no_new_picture_and_what_moves_is():
    generator = np.random.default_rng(0)
    picture = generator.integers(40, 216, (30, 40, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    picture += generator.integers(0, 30, picture.shape, dtype=np.uint8)
    noise = generator.integers(-1, 2, picture.shape)
    moved = np.roll(picture, 2, axis=1)
    repeats = Repeats()
    noisy = (picture + noise).astype(np.uint8)
    assert [repeats.is_new(image) for image in (picture, picture, noisy, moved, moved)] == [
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("shape", [(64, 64), (63, 201), (300, 257), (1031, 520)])
def test_pictures_of_any_size_are_compared(shape):
    repeats = Repeats()
    images = [np.full((*shape, 3), grey, np.uint8) for grey in (50, 50, 52)]
    assert [repeats.is_new(image) for image in images] == [True, False, True]
