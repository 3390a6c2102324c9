"""What a video file is, in plain values for a report."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PHONES = re.compile(
    r"iphone|ipad|pixel \d|galaxy|^sm-|samsung|xiaomi|redmi|huawei|honor|oneplus|oppo|vivo|motorola|nokia|realme"
    r"|fairphone|nothing|zte|lenovo|htc",
    re.IGNORECASE,
)
"""Makers and models of cameras that are phones."""
TALL = 1.6
"""Height over width from which a picture is one of an upright phone."""

MAKE_KEYS = ("com.apple.quicktime.make", "com.android.manufacturer", "make", "manufacturer")
MODEL_KEYS = ("com.apple.quicktime.model", "com.android.model", "model")
FOCAL_KEYS = ("com.apple.quicktime.camera.focal_length.35mm_equivalent", "focal_length_35mm")
ANDROID_KEY = "com.android.version"


@dataclass(frozen=True)
class Camera:
    """What a file says about the camera; None where it says nothing.

    Attributes:
        make, model: as the maker writes them.
        focal_35mm: millimetres that give the same picture on film of 36 x 24 mm.
        is_phone: it is a phone by its name.
    """

    make: str | None = None
    model: str | None = None
    focal_35mm: float | None = None
    is_phone: bool = False

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Camera":
        """Of a container's tags; those of its streams may be among them."""
        tags = {key.lower(): value.strip() for key, value in tags.items()}
        make, model = (next((tags[key] for key in keys if tags.get(key)), None) for keys in (MAKE_KEYS, MODEL_KEYS))
        focal = next((tags[key] for key in FOCAL_KEYS if tags.get(key)), "")
        number = re.match(r"\d+(\.\d+)?", focal)
        is_phone = ANDROID_KEY in tags or any(PHONES.search(name) for name in (make, model) if name)
        return cls(make, model, float(number.group()) if number and float(number.group()) else None, is_phone)


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a video. The last two are counted while it is read.

    Attributes:
        name: of the file or folder.
        width, height: of the frames as shown, pixels.
        seconds: how long it is shown.
        frames: that the file shows.
        fps: their mean rate.
        variable_rate: whether some last longer than others.
        rotation: degrees clockwise by which stored pictures were turned.
        mirrored: whether they were mirrored, left to right, before that.
        pixel_aspect: width over height of a stored pixel.
        transfer: the dynamic range of what is stored: `SDR`, `HLG` or `PQ`.
        bit_depth: of a sample.
        interlaced: whether frames hold lines of two instants.
        alpha: whether pixels are transparent.
        camera: what the file says of it.
        phone: whether it looks like the recording of a phone.
        notes: what is unusual, and what was done about it, in sentences.
        frames_given: how many were handed out.
        frames_different: how many of them showed something new.
    """

    name: str
    width: int
    height: int
    seconds: float
    frames: int
    fps: float
    variable_rate: bool = False
    rotation: int = 0
    mirrored: bool = False
    pixel_aspect: float = 1.0
    transfer: str = "SDR"
    bit_depth: int = 8
    interlaced: bool = False
    alpha: bool = False
    camera: Camera = Camera()
    phone: bool = False
    notes: list[str] = field(default_factory=list)
    frames_given: int = 0
    frames_different: int = 0


def looks_like_phone(camera: Camera, width: int, height: int, turns: int) -> bool:
    """By its name, by pictures that are stored lying and shown upright, or by their shape."""
    return camera.is_phone or turns % 2 == 1 or height >= TALL * width
