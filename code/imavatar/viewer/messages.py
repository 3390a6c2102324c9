"""What browsers may say to the viewer: where their camera is, and values that its controls offer.

Everything else that viser would listen to (files, forms, commands, requests to share the page, new limits of a slider)
is left out, and so is what has a wrong type or is not finite. What goes on is written anew, from checked values only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

LARGEST_MESSAGE = 2**14
"""Bytes; a camera's are less than 500."""
REACH = 1e6
"""Model units; farther away nothing is seen."""
VIEW = (0.02, 3.0)
"""Radians from the lower to the upper edge; at 0 and at pi no image has a focal length."""
WINDOW = (1, 2**15)
"""Pixels; a window that is not shown says 0."""
UNIT_TOLERANCE = 0.01
CLOSEST = 1e-4
"""Of a camera to what it looks at, model units, and the length of a direction: rounded to nothing, neither has one."""

Vector3: TypeAlias = tuple[float, float, float]
Vector4: TypeAlias = tuple[float, float, float, float]


class CameraMessage(msgspec.Struct, tag_field="type", tag="ViewerCameraMessage", forbid_unknown_fields=True):
    """viser's message of the same name; its fields are compared at start."""

    wxyz: Vector4
    position: Vector3
    fov: float
    near: float
    far: float
    image_height: int
    image_width: int
    look_at: Vector3
    up_direction: Vector3


class Updates(msgspec.Struct, forbid_unknown_fields=True):
    """A control's value, and none of its other properties."""

    value: bool | int | float | str


class GuiMessage(msgspec.Struct, tag_field="type", tag="GuiUpdateMessage", forbid_unknown_fields=True):
    """viser's message of the same name; its fields are compared at start."""

    uuid: Annotated[str, msgspec.Meta(max_length=64)]
    updates: Updates


@dataclass(frozen=True)
class Between:
    """A slider's offer."""

    low: float
    high: float


@dataclass(frozen=True)
class OneOf:
    """The offer of a list, a box (True and False) or a button (True)."""

    options: tuple[str | bool, ...]


Offer: TypeAlias = Between | OneOf
_DECODER = msgspec.msgpack.Decoder(CameraMessage | GuiMessage)


def admitted(raw: bytes, offer_of: Callable[[str], Offer | None]) -> bytes | None:
    """A message as it may go on to viser; None where it is left out.

    Args:
        raw: as it came, in MessagePack.
        offer_of: what the control of an identifier offers; None where there is no such control.
    """
    try:
        message = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    checked = _camera(message) if isinstance(message, CameraMessage) else _control(message, offer_of(message.uuid))
    return None if checked is None else msgspec.msgpack.encode(checked)


def _camera(message: CameraMessage) -> CameraMessage | None:
    """The message with angle and window within limits; None where the camera has no place or no direction."""
    numbers = (*message.position, *message.look_at, *message.up_direction, message.near, message.far)
    # Comparisons with what is not a number are false.
    if not all(-REACH <= number <= REACH for number in numbers) or not math.isfinite(message.fov):
        return None
    if not abs(math.hypot(*message.wxyz) - 1) <= UNIT_TOLERANCE:
        return None
    if min(math.hypot(*message.up_direction), math.dist(message.position, message.look_at)) < CLOSEST:
        return None
    return msgspec.structs.replace(
        message,
        fov=_clamp(message.fov, *VIEW),
        image_height=_clamp(message.image_height, *WINDOW),
        image_width=_clamp(message.image_width, *WINDOW),
    )


def _control(message: GuiMessage, offer: Offer | None) -> GuiMessage | None:
    """The message with a slider's value within its limits; None where a value is not among those that are offered."""
    value = message.updates.value
    if isinstance(offer, Between):
        if isinstance(value, bool | str) or not math.isfinite(value):
            return None
        return GuiMessage(message.uuid, Updates(_clamp(value, offer.low, offer.high)))
    # 1 equals True.
    if isinstance(offer, OneOf) and any(type(value) is type(option) and value == option for option in offer.options):
        return message
    return None


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
