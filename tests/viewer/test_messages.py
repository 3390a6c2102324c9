"""What of a browser's messages goes on to viser."""

import math

import pytest

pytest.importorskip("msgspec", reason="needs the extra `viewer`")

import msgspec

from imavatar.viewer.messages import VIEW, Between, OneOf, admitted

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [0.0, 1.0, 0.0, 0.0],
    "position": [0, 0, 5],
    "fov": 1.0,
    "near": 0.01,
    "far": 1000,
    "image_height": 300,
    "image_width": 400,
    "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 1.0, 0.0],
}
OFFERS = {
    "slider": Between(-0.5, 0.5),
    "frame": Between(0, 9),
    "list": OneOf(("256", "512")),
    "box": OneOf((True, False)),
    "button": OneOf((True,)),
}


def passed(message) -> dict | None:
    raw = admitted(msgspec.msgpack.encode(message), OFFERS.get)
    return None if raw is None else msgspec.msgpack.decode(raw)


def set_to(uuid: str, value) -> dict:
    return {"type": "GuiUpdateMessage", "uuid": uuid, "updates": {"value": value}}


def test_a_camera_goes_on_as_it_is():
    assert passed(CAMERA) == CAMERA


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("fov", 0.0, VIEW[0]),
        ("fov", -1.0, VIEW[0]),
        ("fov", math.pi, VIEW[1]),
        ("image_height", 0, 1),
        ("image_width", -5, 1),
        ("image_width", 10**9, 2**15),
    ],
)
def test_angles_and_windows_beyond_their_limits_are_brought_back(field, value, expected):
    assert passed(CAMERA | {field: value}) == CAMERA | {field: expected}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, "1", None, [], True, {}])
@pytest.mark.parametrize("field", ["position", "wxyz", "look_at", "up_direction", "fov", "near", "far"])
def test_cameras_that_are_not_finite_or_no_numbers_are_left_out(field, value):
    if field == "fov" and value == 1e300:
        assert passed(CAMERA | {field: value})["fov"] == VIEW[1]
        return
    broken = [value, *CAMERA[field][1:]] if isinstance(CAMERA[field], list) else value
    assert passed(CAMERA | {field: broken}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wxyz", [0.0, 0.0, 0.0, 0.0]),
        ("wxyz", [0.0, 2.0, 0.0, 0.0]),
        ("wxyz", [1.0, 0.0, 0.0]),
        ("position", [0.0, 0.0, 0.0]),
        ("position", []),
        ("up_direction", [0.0, 0.0, 0.0]),
        ("up_direction", [1e-200, 0.0, 0.0]),
        ("image_height", 1.5),
        ("image_height", math.nan),
    ],
)
def test_cameras_without_direction_or_of_another_form_are_left_out(field, value):
    assert passed(CAMERA | {field: value}) is None


def test_messages_with_more_or_less_than_their_fields_are_left_out():
    assert passed(CAMERA | {"excluded_self_client": 1}) is None
    assert passed({key: value for key, value in CAMERA.items() if key != "fov"}) is None
    assert passed(set_to("slider", 0.1) | {"more": 1}) is None


@pytest.mark.parametrize(
    ("uuid", "value", "expected"),
    [
        ("slider", 0.25, 0.25),
        ("slider", 0, 0),
        ("slider", 50.0, 0.5),
        ("slider", -1e308, -0.5),
        ("frame", 2**62, 9),
        ("frame", -1, 0),
        ("list", "512", "512"),
        ("box", True, True),
        ("box", False, False),
        ("button", True, True),
    ],
)
def test_values_that_are_offered_go_on_and_sliders_stay_within_theirs(uuid, value, expected):
    found = passed(set_to(uuid, value))["updates"]["value"]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("uuid", "value"),
    [
        ("slider", math.nan),
        ("slider", math.inf),
        ("slider", "0.1"),
        ("slider", True),
        ("slider", None),
        ("slider", [0.1]),
        ("list", "12000"),
        ("list", 512),
        ("list", ""),
        ("list", b"512"),
        ("box", 1),
        ("box", 0.0),
        ("box", "false"),
        ("button", False),
        ("nobody", 0.1),
        ("x" * 1000, 0.1),
        (None, 0.1),
    ],
)
def test_values_that_are_not_offered_are_left_out(uuid, value):
    assert passed(set_to(uuid, value)) is None


@pytest.mark.parametrize(
    "updates",
    [{}, {"options": ["12000"]}, {"value": 0.1, "props": {}}, {"props": {"max": 100}}, {"removed": True}, [], None],
)
def test_only_values_can_be_set(updates):
    assert passed({"type": "GuiUpdateMessage", "uuid": "slider", "updates": updates}) is None


@pytest.mark.parametrize(
    "kind",
    [
        "ShareUrlRequest",
        "ShareUrlDisconnect",
        "FileTransferStartUpload",
        "FileTransferPart",
        "GuiFormDirtyMessage",
        "CommandTriggerMessage",
        "ScenePointerMessage",
        "NoSuchMessage",
        7,
    ],
)
def test_other_messages_are_left_out(kind):
    assert passed({"type": kind}) is None
    assert passed(CAMERA | {"type": kind}) is None


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\xff" * 64, b"\x91" * 10000, b"text", b"\x80", b"\xdf\xff\xff\xff\xff"]
)
def test_bytes_that_are_no_message_are_left_out(raw):
    assert admitted(raw, OFFERS.get) is None
