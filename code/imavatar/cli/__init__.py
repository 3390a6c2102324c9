"""The commands: arguments, logging, exit codes. Each script in `scripts/` calls one function.

`imavatar.cli.animate_main` is that of `imavatar.cli.animate`, and so on; see `imavatar.cli.lazily`.
"""

from imavatar.cli.lazily import lazily_loaded

COMMANDS = (
    "animate",
    "build_head",
    "check_data",
    "evaluate",
    "exp_runner",
    "export_avatar",
    "export_web",
    "fetch_assets",
    "make_synthetic",
    "preprocess",
    "track_images",
    "view",
)

__getattr__ = lazily_loaded(__name__, COMMANDS)
