"""Every setting with its type, default and rule. Names are the keys; defaults are the paper's.

A field without a default must be given by the file.
"""

from dataclasses import dataclass, field

from imavatar.config.rules import (
    CELLS,
    EPOCHS,
    FEATURES,
    FRACTION,
    LAYERS,
    LENGTH,
    MAX_EPOCHS,
    MAX_FRAME,
    MAX_ITERATIONS,
    MAX_SAMPLES,
    MAX_SEED,
    NAME,
    NAMES,
    OCTAVES,
    RATE,
    RAYS,
    SIZE,
    STEPS,
    SUBSAMPLE,
    TEXT,
    WEIGHT,
    WIDTHS,
    above,
    at_least,
    between,
    key,
    one_of,
    required,
)
from imavatar.types import LATENT_SIZE

DEPRECATED_KEYS = {
    "train.centred_frames": "train.recentre_frame_params",
    "train.texture_first_steps": "train.texture_only_steps",
}
"""Keys of version 0.1.0 and what they are called now; both are read in this version."""

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
class LearningRates:
    """Learning rates of single networks; null leaves a network at `train.learning_rate`."""

    geometry: float | None = key(None, RATE)
    deformer: float | None = key(None, RATE)
    blendshapes: float | None = key(None, RATE)  # the deformer's linear layer; else as the deformer
    texture: float | None = key(None, RATE)
    hash_grid: float | None = key(None, RATE)  # the texture's tables; else as the texture


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation. Class names are those of the authors' files; `build` knows what they stand for."""

    exps_folder: str = key("../data/experiments/", TEXT)
    methodname: str = key("IMavatar", NAME)
    dataset_class: str = key("datasets.real_dataset.FaceDataset", TEXT)
    model_class: str = key("model.implicit_morphable_model.IMavatar", TEXT)
    loss_class: str = key("model.loss.Loss", TEXT)
    learning_rate: float = key(1.0e-4, RATE)
    learning_rate_cam: float = key(1.0e-4, RATE)
    num_pixels: int = key(2048, RAYS)
    batch_size: int = key(1, above(0, 1024))
    alpha_milestones: tuple[int, ...] = key((), EPOCHS)
    alpha_factor: float = key(2.0, RATE)
    sched_milestones: tuple[int, ...] = key((400, 800), EPOCHS)
    sched_factor: float = key(0.5, RATE)
    GT_lbs_milestones: tuple[int, ...] = key((), EPOCHS)
    GT_lbs_factor: float = key(0.5, WEIGHT)
    optimize_latent_code: bool = False
    optimize_expression: bool = False
    optimize_camera: bool = True
    # Below: not in the authors' files.
    seed: int = key(0, between(0, MAX_SEED))
    nepoch: int = key(1000, above(0, MAX_EPOCHS))
    learning_rates: LearningRates = field(default_factory=LearningRates)
    lr_decay: float = key(1.0, FRACTION)  # factor that the rates fall to over nepoch; 1: none
    warmup_steps: int = key(0, STEPS)
    texture_only_steps: int = key(0, STEPS)
    gradient_limit: float = key(0.0, WEIGHT)  # 0: none
    recentre_frame_params: bool = False
    condition_noise: float = key(0.0, WEIGHT)  # 0: none
    warm_start_steps: int = key(0, at_least(0, 1_000_000))  # 0: start from the sphere
    warm_start_frames: int = key(0, at_least(0, MAX_FRAME))
    warm_start_fields: bool = True  # the deformer too, not the signed distance alone
    save_every: int = key(5, above(0, MAX_EPOCHS))
    preview_every: int = key(0, at_least(0, MAX_EPOCHS))  # 0: no previews


@dataclass(frozen=True)
class PlotConfig:
    """Images, videos and meshes that are written."""

    supersample: int = key(1, between(1, 8))
    silhouette_blur: float = key(0.0, at_least(0, 100))
    fps: int = key(25, above(0, 1000))
    mesh_resolution: int = key(128, CELLS)
    chunk: int = key(16384, RAYS)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms (docs/method.md, section 9)."""

    mask_weight: float = key(100.0, WEIGHT)
    lbs_weight: float = key(1.0, WEIGHT)
    flame_distance_weight: float = key(10000.0, WEIGHT)
    alpha: float = key(50.0, RATE)
    gt_w_seg: bool = True
    expression_reg_weight: float = key(0.0, WEIGHT)
    pose_reg_weight: float = key(0.0, WEIGHT)
    cam_reg_weight: float = key(0.0, WEIGHT)
    # Below: not in the authors' files.
    eikonal_weight: float = key(0.0, WEIGHT)
    head_fields_weight: float = key(0.0, WEIGHT)
    head_distance_weight: float = key(0.0, WEIGHT)
    mouth_interior_weight: float = key(0.0, WEIGHT)


@dataclass(frozen=True)
class SplitConfig:
    """The recordings of one split; the last one's shape and intrinsics hold for all."""

    sub_dir: tuple[str, ...] = required(NAMES)
    img_res: tuple[int, int] = key((256, 256), SIZE)
    subsample: int | tuple[int, ...] = key(1, SUBSAMPLE)


@dataclass(frozen=True)
class DatasetConfig:
    """Where a subject's recordings are."""

    subject_name: str = required(NAME)
    train: SplitConfig
    test: SplitConfig
    data_folder: str = key("../data/datasets", TEXT)
    json_name: str = key("flame_params.json", NAME)


@dataclass(frozen=True)
class GeometryConfig:
    """Network of the signed distance."""

    d_in: int = key(3, one_of(3))
    condition_in: int = key(0, one_of(0, LATENT_SIZE))
    d_out: int = key(1, one_of(1))
    dims: tuple[int, ...] = key((512,) * 8, WIDTHS)
    geometric_init: bool = True
    bias: float = key(0.6, LENGTH)
    skip_in: tuple[int, ...] = key((4,), LAYERS)
    weight_norm: bool = True
    multires: int = key(6, OCTAVES)
    use_freq_band: bool = False


@dataclass(frozen=True)
class HashGridConfig:
    """Features of points beside their encoding, for the colour; 0 levels: none."""

    levels: int = key(0, between(0, 32))
    log2_rows: int = key(15, between(4, 24))
    features: int = key(2, above(0, 64))
    coarsest: int = key(8, above(0, 65536))
    finest: int = key(512, above(0, 65536))
    extent: float = key(1.5, LENGTH)


@dataclass(frozen=True)
class RenderingConfig:
    """Network of the colour; `condition_in` is the expression and the jaw's rotation."""

    d_in: int = key(6, one_of(6))
    bottleneck: int = key(8, FEATURES)
    condition_in: int = key(53, FEATURES)
    d_out: int = key(3, one_of(3))
    dims: tuple[int, ...] = key((512,) * 4, WIDTHS)
    weight_norm: bool = True
    multires_view: int = key(0, one_of(0))
    multires_pnts: int = key(4, OCTAVES)
    hash_grid: HashGridConfig = field(default_factory=HashGridConfig)


@dataclass(frozen=True)
class RayTracerConfig:
    """Surface search; `proxy` starts it from a posed mesh instead of from samples on the ray."""

    object_bounding_sphere: float = key(1.2, LENGTH)
    n_steps: int = key(100, between(2, MAX_SAMPLES))
    n_secant_steps: int = key(8, between(1, MAX_ITERATIONS))
    search: str = key("proxy", one_of("paper", "proxy"))
    proxy_resolution: int = key(64, CELLS)


@dataclass(frozen=True)
class DeformerConfig:
    """Network of blendshapes, pose correctives and skinning weights."""

    d_in: int = key(3, one_of(3))
    dims: tuple[int, ...] = key((128,) * 4, WIDTHS)
    weight_norm: bool = True
    multires: int = key(0, OCTAVES)
    num_exp: int = key(50, between(1, 100))
    ghostbone: bool = True


@dataclass(frozen=True)
class BroydenConfig:
    """Correspondence search (docs/method.md, section 5)."""

    max_steps: int = key(10, above(0, MAX_ITERATIONS))
    tolerance: float = key(1.0e-5, RATE)
    divergence: float = key(1.0, RATE)


@dataclass(frozen=True)
class ModelConfig:
    """The avatar. `head_model` is "open", or the path of a head model's file; `method` see docs/baselines.md."""

    method: str = key("IMavatar", one_of("IMavatar", "C-Net", "D-Net", "B-Morph", "Fwd-Skin", "FLAME-mesh"))
    feature_vector_size: int = key(256, FEATURES)
    deformer_class: str = key("model.deformer_network.ForwardDeformer", TEXT)
    head_model: str = key("open", TEXT)
    geometry_network: GeometryConfig = field(default_factory=GeometryConfig)
    rendering_network: RenderingConfig = field(default_factory=RenderingConfig)
    ray_tracer: RayTracerConfig = field(default_factory=RayTracerConfig)
    deformer_network: DeformerConfig = field(default_factory=DeformerConfig)
    broyden: BroydenConfig = field(default_factory=BroydenConfig)


@dataclass(frozen=True)
class Config:
    """A whole configuration file."""

    dataset: DatasetConfig
    train: TrainConfig = field(default_factory=TrainConfig)
    plot: PlotConfig = field(default_factory=PlotConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    compat: bool = False  # the authors' behaviour where this project differs on purpose
