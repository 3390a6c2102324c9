"""The one switch that restores the authors' behaviour reaches everything that differs."""

import numpy as np
import pytest
import torch

from imavatar import build
from imavatar.config import load_config
from imavatar.head.flame import Flame
from imavatar.losses import HeadSupervision
from imavatar.training.head_samples import HeadSurface
from oracles_ellipsoid_head import ellipsoid_head


@pytest.mark.parametrize("compat", [True, False])
def test_compat_reaches_the_root_finder_the_search_and_the_losses(tmp_path, compat):
    path = tmp_path / "a.conf"
    path.write_text(
        'dataset { subject_name = "a", train.sub_dir = ["a"], test.sub_dir = ["b"] }\n'
        f"compat = {compat}\nloss.head_distance_weight = 0\n"
    )
    config = load_config(path)
    search = build.build_search(config, "paper")
    assert search.correspondence.keep_best is not compat
    assert search.wrap is compat
    flame = Flame(ellipsoid_head(), torch.zeros(100))
    supervision = HeadSupervision(flame.canonical_vertices, flame.vertex_fields())
    surface = HeadSurface(supervision, torch.as_tensor(np.zeros((1, 3), np.int64)))
    assert build.build_objective(config, surface).compat is compat
