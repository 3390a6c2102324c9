"""Config -> objects: the only place where settings meet constructors.

Sections that a layer below has defined (`LossWeights`, `TrainSettings`, `LearningRates` ...) are passed on as they are.
"""

# ruff: noqa: F401 (all of them are for others)

from imavatar.builders.model import (
    build_avatar,
    build_flame,
    build_head_assets,
    build_image_search,
    build_preview_renderer,
    build_renderer,
    build_search,
    find_embedding,
    find_head_file,
)
from imavatar.builders.training import (
    build_dataset,
    build_frame_parameters,
    build_head_agreement,
    build_head_surface,
    build_objective,
    build_run,
    build_run_folder,
    build_warm_start_surface,
    with_split,
    with_subject,
    with_test_dir,
)
