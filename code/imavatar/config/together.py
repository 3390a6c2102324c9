"""What single keys cannot tell: names that must be known, sizes that depend on one another or add up."""

import itertools
import math

from imavatar.anatomy import POSE_FEATURE_SIZE
from imavatar.baselines.methods import METHODS
from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.config.schema import Config
from imavatar.errors import ConfigError
from imavatar.names import MAX_NAME_BYTES
from imavatar.settings import LARGEST, MAX_RAYS
from imavatar.types import LATENT_SIZE

MAX_PARAMETERS = 200_000_000
"""Of the networks: with gradients and Adam's two moments 3.2 GB. The paper's have 3.5 million."""
MAX_SAMPLES_AT_ONCE = 2**26
"""On all rays that the paper's search follows at once."""
MAX_SUPERSAMPLED = 2**28
"""Rays of an image: its colours alone are 3.2 GB."""

KNOWN_CLASSES = {
    "train.model_class": ("model.implicit_morphable_model.IMavatar",),
    "train.dataset_class": ("datasets.real_dataset.FaceDataset",),
    "train.loss_class": ("model.loss.Loss",),
    "model.deformer_class": ("model.deformer_network.ForwardDeformer",),
}
"""Class paths are names of what this project has; they are never imported."""


def check_class_names(config: Config) -> None:
    """Raise a ConfigError where a class is not known."""
    for path, known in KNOWN_CLASSES.items():
        section, name = path.split(".")
        found = getattr(getattr(config, section), name)
        if found not in known:
            raise ConfigError(f"{path}: unknown class {found!r}; known: {', '.join(known)}")


def check_method(config: Config) -> None:
    """Raise a ConfigError where a method without fields of a deformer shall be taught some."""
    name, loss = config.model.method, config.loss
    if name == TEXTURED_HEAD or METHODS[name].has_fields:
        return
    for key in ("lbs_weight", "head_fields_weight"):
        if getattr(loss, key) > 0:
            raise ConfigError(
                f"loss.{key} is {getattr(loss, key)}, expected 0 with model.method = {name}: it has no blendshapes and "
                "weights to supervise; confs/baselines has a configuration of it"
            )


def check_together(config: Config, file: str) -> None:
    """Raise a ConfigError where keys do not fit each other."""
    _check_networks(config, file)
    _check_sizes(config, file)
    _check_growth(config, file)
    joined = "+".join(config.dataset.train.sub_dir)
    if len(joined.encode()) > MAX_NAME_BYTES:
        raise ConfigError(
            f"{file}: dataset.train.sub_dir has names that joined by + are {len(joined.encode())} bytes long, "
            f"expected at most {MAX_NAME_BYTES}: so is the run's folder named"
        )


def _check_networks(config: Config, file: str) -> None:
    """Sizes that depend on one another."""
    geometry, model = config.model.geometry_network, config.model
    n_condition = model.deformer_network.num_exp + 3
    if model.rendering_network.condition_in != n_condition:
        raise ConfigError(
            f"{file}: model.rendering_network.condition_in is {model.rendering_network.condition_in}, "
            f"expected {n_condition}: the {model.deformer_network.num_exp} expression coefficients of "
            "model.deformer_network.num_exp and the 3 numbers of the jaw's rotation"
        )
    if config.train.optimize_latent_code and geometry.condition_in == 0:
        raise ConfigError(
            f"{file}: train.optimize_latent_code is True, but model.geometry_network.condition_in is 0; "
            f"expected {LATENT_SIZE}, the width of the latent code"
        )
    encoded = 3 + 6 * geometry.multires + geometry.condition_in
    for layer in geometry.skip_in:
        if layer > len(geometry.dims):
            raise ConfigError(
                f"{file}: model.geometry_network.skip_in names layer {layer}, "
                f"expected at most {len(geometry.dims)}, the number of dims"
            )
        if geometry.dims[layer - 1] <= encoded:
            raise ConfigError(
                f"{file}: model.geometry_network.dims[{layer - 1}] is {geometry.dims[layer - 1]}, expected a number of "
                f"at least {encoded + 1}: the skip connection puts {encoded} encoded inputs beside its outputs"
            )


def _check_sizes(config: Config, file: str) -> None:
    """Memory that several keys share in."""
    n_parameters = _count_parameters(config)
    if n_parameters > MAX_PARAMETERS:
        raise ConfigError(
            f"{file}: model describes networks of {n_parameters} parameters, expected at most {MAX_PARAMETERS}; "
            "see the keys dims, feature_vector_size and hash_grid"
        )
    train, plot, tracer = config.train, config.plot, config.model.ray_tracer
    n_rays = train.num_pixels * train.batch_size
    if n_rays > MAX_RAYS:
        raise ConfigError(
            f"{file}: train.num_pixels and train.batch_size make {n_rays} rays a step, expected at most {MAX_RAYS}"
        )
    n_samples = max(n_rays, plot.chunk) * tracer.n_steps
    if tracer.search == "paper" and n_samples > MAX_SAMPLES_AT_ONCE:
        raise ConfigError(
            f"{file}: model.ray_tracer.n_steps samples on the rays of train.num_pixels, train.batch_size or plot.chunk "
            f"make {n_samples} at once, expected at most {MAX_SAMPLES_AT_ONCE}"
        )
    height, width = config.dataset.test.img_res
    n_supersampled = height * width * plot.supersample**2
    if n_supersampled > MAX_SUPERSAMPLED:
        raise ConfigError(
            f"{file}: dataset.test.img_res and plot.supersample make {n_supersampled} rays an image, "
            f"expected at most {MAX_SUPERSAMPLED}"
        )


def _count_parameters(config: Config) -> int:
    """About as many as the networks that `build` makes of a configuration have."""
    model = config.model
    geometry, texture, deformer = model.geometry_network, model.rendering_network, model.deformer_network
    grid = texture.hash_grid
    features = model.feature_vector_size + grid.levels * grid.features
    layers = (
        [3 + 6 * geometry.multires + geometry.condition_in, *geometry.dims, 1 + model.feature_vector_size],
        [6 + 6 * texture.multires_pnts + texture.bottleneck + features, *texture.dims, 3],
        [3 + 6 * deformer.multires, *deformer.dims, deformer.dims[-1], 3 * (deformer.num_exp + POSE_FEATURE_SIZE)],
        [texture.condition_in, texture.bottleneck],
    )
    of_layers = sum(a * b for widths in layers for a, b in itertools.pairwise(widths))
    return of_layers + grid.levels * 2**grid.log2_rows * grid.features


def _check_growth(config: Config, file: str) -> None:
    """What milestones multiply must stay a number."""
    train, loss = config.train, config.loss
    own_rates = [rate for rate in vars(train.learning_rates).values() if rate is not None]
    for factor, milestones, largest, what in (
        ("alpha_factor", "alpha_milestones", loss.alpha, "loss.alpha"),
        ("sched_factor", "sched_milestones", max(train.learning_rate, train.learning_rate_cam, *own_rates), "rates"),
        ("GT_lbs_factor", "GT_lbs_milestones", max(loss.lbs_weight, loss.flame_distance_weight), "weights"),
    ):
        times, by = len(getattr(train, milestones)), getattr(train, factor)
        if largest > 0 and by > 1 and math.log10(largest) + times * math.log10(by) > math.log10(LARGEST) + 1e-9:
            raise ConfigError(
                f"{file}: train.{factor} is {by}, which the {times} train.{milestones} make {what} above {LARGEST} "
                "with; expected a smaller factor, or fewer milestones"
            )
