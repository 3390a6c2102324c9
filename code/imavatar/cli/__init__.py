"""The commands: arguments, logging, exit codes. `imavatar COMMAND` and each script in `scripts/` call one function.

`imavatar.cli.animate_main` is that of `imavatar.cli.animate`, and so on; see `imavatar.cli.lazily`.
"""

from imavatar.cli.lazily import lazily_loaded, run_subcommand

SUBCOMMANDS = {
    "fetch-assets": ("fetch_assets", "fetch the files that the project does not ship"),
    "build-head": ("build_head", "build the open head model from them"),
    "preprocess": ("preprocess", "turn videos of a person into a data set"),
    "split": ("split", "divide a data set another way into training and test"),
    "make-synthetic": ("make_synthetic", "render data sets of synthetic people, with ground truth"),
    "check-data": ("check_data", "draw a data set's heads and cameras, and name mistaken conventions"),
    "track-images": ("track_images", "track the images of a data set anew"),
    "train": ("exp_runner", "train an avatar; with --is_eval evaluate it on its test frames"),
    "evaluate": ("evaluate", "score trained runs under published protocols"),
    "animate": ("animate", "write a video of a trained avatar in motion"),
    "export": ("export_avatar", "write a trained avatar for Blender, game engines and browsers"),
    "export-web": ("export_web", "write a page that shows a trained avatar"),
    "view": ("view", "look at a trained avatar in a browser, live"),
}
"""What users call them, their modules, and what they do."""
COMMANDS = tuple(module for module, _ in SUBCOMMANDS.values())

__getattr__ = lazily_loaded(__name__, COMMANDS)


def main() -> None:
    """`imavatar COMMAND ...`."""
    run_subcommand("imavatar", SUBCOMMANDS, __getattr__, "Implicit morphable head avatars from a monocular video.")
