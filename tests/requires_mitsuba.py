"""Skips tests that render a synthetic subject where something for it is not there."""

import importlib.util

import pytest

from imavatar import assets


def missing() -> str | None:
    """What a rendering lacks here."""
    if importlib.util.find_spec("mitsuba") is None:
        return "Mitsuba is not installed (extra: synthetic)"
    for name in ("open_head.npz", "makehuman"):
        if not (assets.assets_dir() / name).exists():
            return f"{assets.assets_dir() / name} is not there (scripts/fetch_assets.py, scripts/build_head.py)"
    return None


requires_mitsuba = pytest.mark.skipif(missing() is not None, reason=str(missing()))
