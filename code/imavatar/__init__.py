"""Implicit morphable head avatars from a monocular video: learn one, load it, pose, render, score and export it.

    import imavatar

    avatar = imavatar.load("data/experiments/synthetic/fast/train")
    image = avatar.render(avatar.head_parameters(jaw_x=0.2))
    imavatar.export_avatar(avatar, "avatar.glb")

All names below are loaded when they are first used, so that `import imavatar` costs nothing.
"""

# ruff: noqa: F401 (type checkers read the imports, the table below serves them at run time)

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imavatar.baking.baked import BakedAvatar
    from imavatar.errors import AssetError, CheckpointError, ConfigError, DataError, ImavatarError
    from imavatar.preprocessing.options import PreprocessOptions
    from imavatar.preprocessing.pipeline import preprocess
    from imavatar.preprocessing.report import PreprocessReport
    from imavatar.rendering.character import Character
    from imavatar.rendering.image import RenderedImage
    from imavatar.types import Camera, HeadParameters, PosedHead, View
    from imavatar.workflows.animating import AnimationOptions, animate
    from imavatar.workflows.baking import bake
    from imavatar.workflows.driving import read_driving
    from imavatar.workflows.evaluating import ScoreOptions, evaluate_run, score_run
    from imavatar.workflows.exporting import ExportOptions, export_avatar, export_web
    from imavatar.workflows.trained import TrainedAvatar, load, load_trained
    from imavatar.workflows.training import TrainOptions, train
    from imavatar.workflows.viewing import ViewerOptions, view

__version__ = "0.2.0"

_HOMES = {
    "baking.baked": ("BakedAvatar",),
    "errors": ("AssetError", "CheckpointError", "ConfigError", "DataError", "ImavatarError"),
    "preprocessing.options": ("PreprocessOptions",),
    "preprocessing.pipeline": ("preprocess",),
    "preprocessing.report": ("PreprocessReport",),
    "rendering.character": ("Character",),
    "rendering.image": ("RenderedImage",),
    "types": ("Camera", "HeadParameters", "PosedHead", "View"),
    "workflows.animating": ("AnimationOptions", "animate"),
    "workflows.baking": ("bake",),
    "workflows.driving": ("read_driving",),
    "workflows.evaluating": ("ScoreOptions", "evaluate_run", "score_run"),
    "workflows.exporting": ("ExportOptions", "export_avatar", "export_web"),
    "workflows.trained": ("TrainedAvatar", "load", "load_trained"),
    "workflows.training": ("TrainOptions", "train"),
    "workflows.viewing": ("ViewerOptions", "view"),
}
"""Modules of the package, and what of them is part of the public interface."""
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """A public name, from the module that it is at home in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
