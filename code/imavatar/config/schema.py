"""The sections of a configuration. Names of fields are the keys; defaults are the paper's.

A setting is named once, with its type, default and rule: in the dataclass of the module that acts on it, which is a
section here or a part of one, or in this module if it is only passed on. A field without a default must be given by the
file.
"""

from dataclasses import dataclass, field

from imavatar import settings as rules
from imavatar.fields.hash_grid import HashGridSettings
from imavatar.rendering.correspondence import BroydenSettings
from imavatar.settings import above, at_least, between, key, one_of, required
from imavatar.training.frame_parameters import OptimisedInputs
from imavatar.training.learning_rates import LearningRates
from imavatar.training.loop import TrainSettings
from imavatar.training.objective import LossWeights
from imavatar.types import LATENT_SIZE

IGNORED_KEYS = {
    "train.plot_freq": "previews are drawn every train.preview_every epochs",
    "plot.plot_nimgs": "a preview shows one frame",
    "plot.max_depth": "no depth images are drawn",
    "plot.min_depth": "no depth images are drawn",
    "plot.res_init": "plot.mesh_resolution sets the mesh's resolution",
    "plot.res_up": "plot.mesh_resolution sets the mesh's resolution",
    "model.ray_tracer.sdf_threshold": "the search does not trace spheres",
    "model.ray_tracer.line_search_step": "the search does not trace spheres",
    "model.ray_tracer.line_step_iters": "the search does not trace spheres",
    "model.ray_tracer.sphere_tracing_iters": "the search does not trace spheres",
    "model.ray_tracer.use_sphere_tracing": "the search does not trace spheres",
}
"""Keys of the authors' files that change nothing here, and why. Accepted, and logged when the file is read."""


@dataclass(frozen=True)
class TrainConfig(TrainSettings, OptimisedInputs):
    """Optimisation: what the loop and the frames' parameters take, and what is asked before these begin.

    Class names are those of the authors' files; `check_class_names` knows what they stand for.
    """

    exps_folder: str = key("../data/experiments/", rules.TEXT)
    methodname: str = key("IMavatar", rules.NAME)
    dataset_class: str = key("datasets.real_dataset.FaceDataset", rules.TEXT)
    model_class: str = key("model.implicit_morphable_model.IMavatar", rules.TEXT)
    loss_class: str = key("model.loss.Loss", rules.TEXT)
    learning_rate: float = key(1.0e-4, rules.RATE)
    learning_rate_cam: float = key(1.0e-4, rules.RATE)
    # Below: not in the authors' files.
    learning_rates: LearningRates = field(default_factory=LearningRates)
    warm_start_steps: int = key(0, at_least(0, 1_000_000))  # 0: start from the sphere
    warm_start_frames: int = key(0, at_least(0, rules.MAX_FRAME))
    warm_start_fields: bool = True  # the deformer too, not the signed distance alone
    save_every: int = key(5, above(0, rules.MAX_EPOCHS))
    preview_every: int = key(0, at_least(0, rules.MAX_EPOCHS))  # 0: no previews


@dataclass(frozen=True)
class PlotConfig:
    """Images, videos and meshes that are written."""

    supersample: int = key(1, between(1, 8))
    silhouette_blur: float = key(0.0, at_least(0, 100))
    fps: int = key(25, above(0, 1000))
    mesh_resolution: int = key(128, rules.CELLS)
    chunk: int = key(16384, rules.RAYS)


@dataclass(frozen=True)
class SplitConfig:
    """The recordings of one split; the last one's shape and intrinsics hold for all."""

    sub_dir: tuple[str, ...] = required(rules.NAMES)
    img_res: tuple[int, int] = key((256, 256), rules.SIZE)
    subsample: int | tuple[int, ...] = key(1, rules.SUBSAMPLE)


@dataclass(frozen=True)
class DatasetConfig:
    """Where a subject's recordings are."""

    subject_name: str = required(rules.NAME)
    train: SplitConfig
    test: SplitConfig
    data_folder: str = key("../data/datasets", rules.TEXT)
    json_name: str = key("flame_params.json", rules.NAME)


@dataclass(frozen=True)
class GeometryConfig:
    """Network of the signed distance."""

    d_in: int = key(3, one_of(3))
    condition_in: int = key(0, one_of(0, LATENT_SIZE))
    d_out: int = key(1, one_of(1))
    dims: tuple[int, ...] = key((512,) * 8, rules.WIDTHS)
    geometric_init: bool = True
    bias: float = key(0.6, rules.LENGTH)
    skip_in: tuple[int, ...] = key((4,), rules.LAYERS)
    weight_norm: bool = True
    multires: int = key(6, rules.OCTAVES)
    use_freq_band: bool = False


@dataclass(frozen=True)
class RenderingConfig:
    """Network of the colour; `condition_in` is the expression and the jaw's rotation."""

    d_in: int = key(6, one_of(6))
    bottleneck: int = key(8, rules.FEATURES)
    condition_in: int = key(53, rules.FEATURES)
    d_out: int = key(3, one_of(3))
    dims: tuple[int, ...] = key((512,) * 4, rules.WIDTHS)
    weight_norm: bool = True
    multires_view: int = key(0, one_of(0))
    multires_pnts: int = key(4, rules.OCTAVES)
    hash_grid: HashGridSettings = field(default_factory=HashGridSettings)


@dataclass(frozen=True)
class RayTracerConfig:
    """Surface search; `proxy` starts it from a posed mesh instead of from samples on the ray."""

    object_bounding_sphere: float = key(1.2, rules.LENGTH)
    n_steps: int = key(100, between(2, rules.MAX_SAMPLES))
    n_secant_steps: int = key(8, between(1, rules.MAX_ITERATIONS))
    search: str = key("proxy", one_of("paper", "proxy"))
    proxy_resolution: int = key(64, rules.CELLS)


@dataclass(frozen=True)
class DeformerConfig:
    """Network of blendshapes, pose correctives and skinning weights."""

    d_in: int = key(3, one_of(3))
    dims: tuple[int, ...] = key((128,) * 4, rules.WIDTHS)
    weight_norm: bool = True
    multires: int = key(0, rules.OCTAVES)
    num_exp: int = key(50, between(1, 100))
    ghostbone: bool = True


@dataclass(frozen=True)
class ModelConfig:
    """The avatar. `head_model` is "open", or the path of a head model's file; `method` see docs/baselines.md."""

    method: str = key("IMavatar", one_of("IMavatar", "C-Net", "D-Net", "B-Morph", "Fwd-Skin", "FLAME-mesh"))
    feature_vector_size: int = key(256, rules.FEATURES)
    deformer_class: str = key("model.deformer_network.ForwardDeformer", rules.TEXT)
    head_model: str = key("open", rules.TEXT)
    geometry_network: GeometryConfig = field(default_factory=GeometryConfig)
    rendering_network: RenderingConfig = field(default_factory=RenderingConfig)
    ray_tracer: RayTracerConfig = field(default_factory=RayTracerConfig)
    deformer_network: DeformerConfig = field(default_factory=DeformerConfig)
    broyden: BroydenSettings = field(default_factory=BroydenSettings)


@dataclass(frozen=True)
class Config:
    """A whole configuration file."""

    dataset: DatasetConfig
    train: TrainConfig = field(default_factory=TrainConfig)
    plot: PlotConfig = field(default_factory=PlotConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    model: ModelConfig = field(default_factory=ModelConfig)
    compat: bool = False  # the authors' behaviour where this project differs on purpose
