"""Bounds of the settings: no value takes a machine's memory, fits no C integer or overflows single precision."""

import dataclasses
import typing

import numpy as np
import pytest
import torch

from imavatar import build
from imavatar.config import load_config
from imavatar.config.schema import Config
from imavatar.config.together import _count_parameters
from imavatar.data.sampling import generator_for
from imavatar.errors import ConfigError
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head

SMALLEST = "dataset { subject_name = ada, train { sub_dir = [a] }, test { sub_dir = [b] } }\n"


@pytest.fixture
def load(tmp_path):
    """Load a configuration from what it has besides names."""

    def load_text(text: str) -> Config:
        path = tmp_path / "some.conf"
        path.write_text(SMALLEST + text, encoding="utf-8")
        return load_config(path)

    return load_text


def numeric_keys(schema: type, prefix: str = "") -> dict[str, set]:
    """Types of the settings that are numbers or lists of them, by their full path."""
    found = {}
    for name, wanted in typing.get_type_hints(schema).items():
        if dataclasses.is_dataclass(wanted):
            found |= numeric_keys(wanted, f"{prefix}{name}.")
            continue
        options = {wanted, *typing.get_args(wanted)}
        options |= {inner for option in options for inner in typing.get_args(option)}
        if options & {int, float}:
            found[prefix + name] = options
    return found


NUMERIC = numeric_keys(Config)


def test_all_kinds_of_numeric_settings_are_found():
    assert {"train.seed", "train.learning_rates.texture", "dataset.train.subsample", "plot.fps"} <= NUMERIC.keys()
    assert "train.methodname" not in NUMERIC and "compat" not in NUMERIC


@pytest.mark.parametrize("key", NUMERIC)
@pytest.mark.parametrize("number", ["9223372036854775808", "1e31", "1" + "0" * 400, "-1"])
def test_no_setting_takes_a_number_that_is_too_large_or_negative(load, key, number):
    if number == "9223372036854775808" and float in NUMERIC[key]:
        return  # a weight or a rate, of which single precision has larger ones
    is_list = any(typing.get_origin(option) is tuple for option in NUMERIC[key])
    n = 2 if key.endswith("img_res") else 3
    value = f"[{', '.join([number] * n)}]" if is_list else number
    with pytest.raises(ConfigError, match=rf"some\.conf: {key}.* is .*expected") as caught:
        load(f"{key} = {value}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


ACCEPTED = [
    "train.learning_rate = 1.0e6",
    "train.learning_rate = 1.0e12",
    "train.learning_rate = 1.0e30",
    "train.learning_rate_cam = 1.0e30",
    "train.learning_rates.texture = 1.0e30",
    "train.seed = 9223372036854775807",
    "loss.mask_weight = 1.0e30",
    "train.batch_size = 128",
    "train.num_pixels = 262144",
    "plot.mesh_resolution = 1024",
    "model.ray_tracer.proxy_resolution = 1024",
    "model.geometry_network { dims = [4096, 4096, 4096, 4096], skip_in = [] }",
    "dataset.test.img_res = [8192, 8192]",
    "dataset.train.subsample = [0, 10000000]",
    f"dataset.train.subsample = {list(range(10_000))}",
    "train { alpha_factor = 2, alpha_milestones = [3, 5, 8, 10, 12] }",
    "model.rendering_network.hash_grid { levels = 16, log2_rows = 19, features = 2, finest = 2048 }",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_values_of_use_are_within_the_bounds(load, text):
    load(text)


REFUSED = {
    "no end of a proxy mesh": (
        "model.ray_tracer.proxy_resolution = 100000",
        "proxy_resolution is 100000, expected a number from 8 to 1024",
    ),
    "too long a row of milestones": (
        f"train.alpha_milestones = {list(range(1001))}",
        "expected a list of ascending epochs",
    ),
    "too many layers": (f"model.deformer_network.dims = {[8] * 65}", "at most 64, each at most 8192"),
    "too large networks": (
        "model.geometry_network.dims = [8192, 8192, 8192, 8192]",
        r"model describes networks of 2\d{8} parameters, expected at most 200000000",
    ),
    "too large tables": (
        "model.rendering_network.hash_grid { levels = 32, log2_rows = 24, features = 2 }",
        r"model describes networks of 1\d{9} parameters",
    ),
    "too many rays of a step": (
        "train { num_pixels = 4096, batch_size = 65 }",
        "train.num_pixels and train.batch_size make 266240 rays a step, expected at most 262144",
    ),
    "too many samples at once": (
        "model.ray_tracer { search = paper, n_steps = 1000 }\nplot.chunk = 100000",
        "make 100000000 at once, expected at most 67108864",
    ),
    "too many rays of an image": (
        "dataset.test.img_res = [8192, 8192]\nplot.supersample = 3",
        "dataset.test.img_res and plot.supersample make 603979776 rays an image",
    ),
    "a sharpness that grows without end": (
        f"train {{ alpha_factor = 1.0e3, alpha_milestones = {list(range(10))} }}",
        r"train.alpha_factor is 1000.0, which the 10 train.alpha_milestones make loss.alpha above 1e\+30 with",
    ),
    "rates that grow without end": (
        "train { learning_rates.texture = 1.0e29, sched_factor = 11, sched_milestones = [1] }",
        r"train.sched_factor is 11.0, which the 1 train.sched_milestones make rates above 1e\+30",
    ),
    "a supervision that grows without end": (
        f"train {{ GT_lbs_factor = 1.0e30, GT_lbs_milestones = {list(range(1000))} }}",
        "train.GT_lbs_factor",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_beyond_use_are_named_with_their_bound(load, case):
    text, message = REFUSED[case]
    with pytest.raises(ConfigError, match=rf"some\.conf: .*{message}"):
        load(text)


def test_schedules_at_the_bounds_are_finite_in_single_precision(load):
    growth = (
        "train { alpha_factor = 9, alpha_milestones = [1, 2, 3], sched_factor = 1.0e16, sched_milestones = [1, 2] }"
    )
    config = load(f"{growth}\nloss.alpha = 1.0e27\ntrain.learning_rate = 1.0e-3")
    assert np.isfinite(np.float32(config.train.weights_at(10**6, config.loss).alpha))
    assert np.isfinite(np.float32(config.train.rate_at(10**6, 10**6, 10**8)))


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_every_seed_that_is_accepted_starts_the_generators(load, seed):
    seed = load(f"train.seed = {seed}").train.seed
    torch.manual_seed(seed + 7)  # as the eighth process of a training does
    torch.Generator().manual_seed(seed)
    assert generator_for(seed, 10**6, -1).initial_seed() >= 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model { geometry_network { dims = [64, 96], skip_in = [], condition_in = 32, multires = 3 } }",
        "model { rendering_network { dims = [40], bottleneck = 5, hash_grid { levels = 3, log2_rows = 10 } } }",
        "model { deformer_network { dims = [48, 32], num_exp = 20 }, rendering_network.condition_in = 23 }",
    ],
)
def test_parameters_are_counted_about_right(tmp_path, load, text):
    save_head(tmp_path / "head.npz", ellipsoid_head())
    config = load(f'{text}\nmodel.head_model = "{tmp_path}/head.npz"')
    flame = build.build_flame(config, build.build_head_assets(config), torch.zeros(100))
    actual = sum(p.numel() for p in build.build_avatar(config, flame).parameters())
    assert 0.9 * actual < _count_parameters(config) < 1.1 * actual
