"""Config -> objects: the only place where settings meet constructors."""

import logging
from dataclasses import replace
from pathlib import Path

import torch

from imavatar.baselines.conditioning import ConditionedFlame, condition_size
from imavatar.baselines.methods import METHODS
from imavatar.baselines.names import IMAVATAR, TEXTURED_HEAD
from imavatar.baselines.textured_head import TexturedHead, TexturedHeadRenderer
from imavatar.config import Config, resolve_path
from imavatar.config.schema import HashGridConfig
from imavatar.data.dataset import FaceDataset
from imavatar.data.subject_table import SubjectTable
from imavatar.errors import ConfigError
from imavatar.fields.geometry import Geometry
from imavatar.fields.hash_grid import HashGrid
from imavatar.fields.texture import Texture
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, embedding_path, load_embedding
from imavatar.losses import HeadSupervision
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.paper_search import PaperSearch
from imavatar.rendering.preview import PreviewRenderer
from imavatar.rendering.proxy_search import ProxySearch
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.frame_parameters import FrameParameters, OptimisedInputs
from imavatar.training.hair_offset import offset_head_by_masks
from imavatar.training.head_samples import HeadSurface, sample_face_distances
from imavatar.training.learning_rates import parameter_groups
from imavatar.training.loop import LoopSettings, Schedule
from imavatar.training.objective import LossWeights, Objective
from imavatar.training.run_folder import RunFolder
from imavatar.training.step import Run

logger = logging.getLogger(__name__)

MODEL_CLASSES = ("model.implicit_morphable_model.IMavatar",)
DATASET_CLASSES = ("datasets.real_dataset.FaceDataset",)
LOSS_CLASSES = ("model.loss.Loss",)
DEFORMER_CLASSES = ("model.deformer_network.ForwardDeformer",)


def check_class_names(config: Config) -> None:
    """Class paths are names of what this project has; they are never imported."""
    for key, found, known in (
        ("train.model_class", config.train.model_class, MODEL_CLASSES),
        ("train.dataset_class", config.train.dataset_class, DATASET_CLASSES),
        ("train.loss_class", config.train.loss_class, LOSS_CLASSES),
        ("model.deformer_class", config.model.deformer_class, DEFORMER_CLASSES),
    ):
        if found not in known:
            raise ConfigError(f"{key}: unknown class {found!r}; known: {', '.join(known)}")


def check_method(config: Config) -> None:
    """A method without fields of a deformer cannot be taught any."""
    name, loss = config.model.method, config.loss
    if name == TEXTURED_HEAD or METHODS[name].has_fields:
        return
    for key in ("lbs_weight", "head_fields_weight"):
        if getattr(loss, key) > 0:
            raise ConfigError(
                f"loss.{key} is {getattr(loss, key)}, expected 0 with model.method = {name}: it has no blendshapes and "
                "weights to supervise; confs/baselines has a configuration of it"
            )


def build_run_folder(config: Config) -> RunFolder:
    """Where a run of this configuration lies."""
    return RunFolder.of(
        resolve_path(config.train.exps_folder),
        config.dataset.subject_name,
        config.train.methodname,
        config.dataset.train.sub_dir,
    )


def build_dataset(
    config: Config, split: str, *, only_json: bool = False, use_semantics: bool | None = None
) -> FaceDataset | SubjectTable:
    """The frames of one split, `train` or `test`.

    Args:
        only_json: without their images, as a `SubjectTable`.
        use_semantics: whether frames carry semantics; else those of training do that is supervised by them.
    """
    if use_semantics is None:
        use_semantics = config.loss.gt_w_seg and split == "train"
    part = getattr(config.dataset, split)
    folder, subject = resolve_path(config.dataset.data_folder), config.dataset.subject_name
    options = {
        "subsample": part.subsample,
        "json_name": config.dataset.json_name,
        "n_expression": config.model.deformer_network.num_exp,
    }
    if only_json:
        return SubjectTable(folder, subject, part.sub_dir, part.img_res, **options)
    return FaceDataset(folder, subject, part.sub_dir, part.img_res, use_semantics=use_semantics, **options)


def build_head_assets(config: Config) -> HeadAssets:
    """The head model that the configuration names."""
    return load_head(find_head_file(config))


def find_head_file(config: Config) -> Path:
    """The file of the head model that the configuration names."""
    return find_head(config.model.head_model)


def find_embedding(config: Config, head: HeadAssets) -> LandmarkEmbedding | None:
    """Where the landmarks lie on the head model that the configuration names; None where nothing says so."""
    path = embedding_path(find_head_file(config))
    return load_embedding(path, head) if path.is_file() else None


def build_flame(config: Config, head: HeadAssets, shape_params: torch.Tensor) -> Flame:
    """The head model with the subject's shape."""
    network = config.model.deformer_network
    flame = Flame if config.model.method in (IMAVATAR, TEXTURED_HEAD) else ConditionedFlame
    return flame(head, shape_params, n_expression=network.num_exp, ghost_bone=network.ghostbone)


def build_avatar(config: Config, flame: Flame) -> Avatar | TexturedHead:
    """The three fields and their surface search, of the method that the configuration names; or its textured head."""
    if config.model.method == TEXTURED_HEAD:
        return TexturedHead(flame)
    geometry, deformer = config.model.geometry_network, config.model.deformer_network
    texture, method = config.model.rendering_network, METHODS[config.model.method]
    condition = condition_size(deformer.num_exp) if method.conditions_geometry else 0
    return method.avatar(
        Geometry(
            geometry.dims,
            n_features=config.model.feature_vector_size,
            n_octaves=geometry.multires,
            skip_in=geometry.skip_in,
            latent_size=geometry.condition_in,
            condition_size=condition,
            weight_norm=geometry.weight_norm,
            geometric_init=geometry.geometric_init,
            sphere_radius=geometry.bias,
        ),
        method.deformer(
            flame.canonical_head,
            deformer.dims,
            n_expression=deformer.num_exp,
            n_octaves=deformer.multires,
            weight_norm=deformer.weight_norm,
        ),
        Texture(
            texture.dims,
            n_features=config.model.feature_vector_size,
            n_octaves=texture.multires_pnts,
            condition_size=texture.condition_in,
            bottleneck=texture.bottleneck,
            weight_norm=texture.weight_norm,
            grid=_build_hash_grid(texture.hash_grid),
        ),
        build_search(config, config.model.ray_tracer.search),
    )


def _build_hash_grid(settings: HashGridConfig) -> HashGrid | None:
    if settings.levels == 0:
        return None
    return HashGrid(
        n_levels=settings.levels,
        log2_rows=settings.log2_rows,
        n_features=settings.features,
        coarsest=settings.coarsest,
        finest=settings.finest,
        extent=settings.extent,
    )


def build_search(config: Config, name: str, *, resolution: int | None = None) -> Search:
    """A surface search by name: `paper` or `proxy`.

    Args:
        resolution: of the proxy's mesh, instead of `model.ray_tracer.proxy_resolution`.
    """
    tracer, broyden = config.model.ray_tracer, config.model.broyden
    correspondence = CorrespondenceSettings(
        max_steps=broyden.max_steps,
        tolerance=broyden.tolerance,
        divergence=broyden.divergence,
        keep_best=not config.compat,
    )
    if name == "paper":
        return PaperSearch(
            radius=tracer.object_bounding_sphere,
            n_samples=tracer.n_steps,
            n_secant_steps=tracer.n_secant_steps,
            correspondence=correspondence,
            wrap=config.compat,
        )
    return ProxySearch(
        radius=tracer.object_bounding_sphere,
        resolution=tracer.proxy_resolution if resolution is None else resolution,
        correspondence=correspondence,
    )


def build_image_search(config: Config) -> Search:
    """The proxy search for images.

    Its mesh is finer than in training, where a ray that meets the wrong side of a gap, as between lips, is one of many.
    """
    resolution = max(config.model.ray_tracer.proxy_resolution, config.plot.mesh_resolution)
    return build_search(config, "proxy", resolution=resolution)


def build_renderer(
    config: Config,
    avatar: Avatar | TexturedHead,
    *,
    supersample: int | None = None,
    silhouette_blur: float | None = None,
) -> ImageRenderer | TexturedHeadRenderer:
    """Renders whole images; an avatar's surface points come from the posed canonical mesh.

    Args:
        supersample: instead of `plot.supersample`.
        silhouette_blur: instead of `plot.silhouette_blur`.
    """
    supersample = config.plot.supersample if supersample is None else supersample
    silhouette_blur = config.plot.silhouette_blur if silhouette_blur is None else silhouette_blur
    if isinstance(avatar, TexturedHead):
        return TexturedHeadRenderer(avatar, supersample=supersample)
    return ImageRenderer(
        avatar,
        search=build_image_search(config),
        chunk=config.plot.chunk,
        supersample=supersample,
        silhouette_blur=silhouette_blur,
    )


def build_preview_renderer(
    config: Config, avatar: Avatar | TexturedHead, *, supersample: int
) -> PreviewRenderer | TexturedHeadRenderer:
    """Shows the mesh of the canonical surface, as finely as it is exported; the textured head is a mesh already."""
    if isinstance(avatar, TexturedHead):
        return TexturedHeadRenderer(avatar, supersample=supersample)
    return PreviewRenderer(
        avatar,
        resolution=config.plot.mesh_resolution,
        bound=config.model.ray_tracer.object_bounding_sphere,
        supersample=supersample,
    )


def build_head_surface(flame: Flame, head: HeadAssets) -> HeadSurface:
    """The canonical head as pseudo ground truth."""
    supervision = HeadSupervision(flame.canonical_vertices, flame.vertex_fields())
    mouth = torch.as_tensor(head.mouth_vertices()).to(flame.faces_tensor)
    return HeadSurface(supervision, flame.faces_tensor, mouth)


def build_warm_start_surface(config: Config, flame: Flame, head: HeadSurface, dataset: FaceDataset) -> HeadSurface:
    """The head that the networks first learn: dressed in what the masks of some frames show where asked for."""
    n = min(config.train.warm_start_frames, len(dataset))
    if n == 0:
        return head
    if not config.loss.gt_w_seg:
        logger.warning(
            "without semantics (loss.gt_w_seg) hair can't be told from skin: the warm start is the bare head"
        )
        return head
    rows = torch.linspace(0, len(dataset) - 1, n).round().long().tolist()
    vertices = offset_head_by_masks(flame, (dataset.frame(row) for row in rows))
    return replace(head, supervision=HeadSupervision(vertices, head.supervision.fields))


def build_frame_parameters(config: Config, dataset: SubjectTable) -> FrameParameters:
    """Parameters of the training frames, as tracked."""
    train = config.train
    indices = list(range(len(dataset)))
    return FrameParameters(
        dataset.head(indices),
        dataset.camera(indices),
        optimised=OptimisedInputs(train.optimize_expression, train.optimize_camera, train.optimize_latent_code),
        latent_size=config.model.geometry_network.condition_in,
        generator=torch.Generator().manual_seed(train.seed),
    )


def build_run(
    config: Config,
    avatar: Avatar,
    flame: Flame,
    dataset: FaceDataset,
    device: torch.device,
    processes: Processes = SINGLE_PROCESS,
) -> Run:
    """Networks, per-frame parameters and their optimisers."""
    train = config.train
    frames = build_frame_parameters(config, dataset).to(device)
    groups = build_parameter_groups(config, avatar)
    tables = frames.trainable()
    frame_optimiser = torch.optim.SparseAdam(tables, lr=train.learning_rate_cam) if tables else None
    return Run(
        avatar=avatar,
        flame=flame,
        frames=frames,
        optimiser=torch.optim.Adam(groups),
        frame_optimiser=frame_optimiser,
        rates=[group["lr"] for group in groups],
        frame_rate=train.learning_rate_cam,
        processes=processes,
    )


def build_parameter_groups(config: Config, avatar: Avatar) -> list[dict]:
    """Parameters with their learning rates."""
    rates = config.train.learning_rates
    return parameter_groups(
        avatar,
        config.train.learning_rate,
        geometry=rates.geometry,
        deformer=rates.deformer,
        blendshapes=rates.blendshapes,
        texture=rates.texture,
        hash_grid=rates.hash_grid,
    )


def build_objective(config: Config, head: HeadSurface) -> Objective:
    """The loss terms of a step."""
    face = None
    if config.loss.head_distance_weight > 0:
        face = sample_face_distances(head, torch.Generator().manual_seed(config.train.seed))
    return Objective(head, face, compat=config.compat)


def build_schedule(config: Config) -> Schedule:
    """Everything that depends on the epoch."""
    loss, train = config.loss, config.train
    return Schedule(
        weights=LossWeights(
            mask=loss.mask_weight,
            lbs=loss.lbs_weight,
            flame_distance=loss.flame_distance_weight if loss.gt_w_seg else 0.0,
            eikonal=loss.eikonal_weight,
            head_fields=loss.head_fields_weight,
            head_distance=loss.head_distance_weight,
            mouth_interior=loss.mouth_interior_weight,
            expression_reg=loss.expression_reg_weight,
            pose_reg=loss.pose_reg_weight,
            cam_reg=loss.cam_reg_weight,
            alpha=loss.alpha,
        ),
        alpha_milestones=train.alpha_milestones,
        alpha_factor=train.alpha_factor,
        lbs_milestones=train.GT_lbs_milestones,
        lbs_factor=train.GT_lbs_factor,
        rate_milestones=train.sched_milestones,
        rate_factor=train.sched_factor,
        rate_decay=train.lr_decay,
        warmup_steps=train.warmup_steps,
        texture_only_steps=train.texture_only_steps,
        gradient_limit=train.gradient_limit,
        condition_noise=train.condition_noise,
        recentre_frame_params=train.recentre_frame_params,
        anneal_bands=config.model.geometry_network.use_freq_band,
    )


def build_loop_settings(config: Config, n_epochs: int) -> LoopSettings:
    """Sizes of a run."""
    return LoopSettings(
        n_epochs=n_epochs,
        n_pixels=config.train.num_pixels,
        batch_size=config.train.batch_size,
        seed=config.train.seed,
    )


def with_test_dir(config: Config, sub_dir: str) -> Config:
    """The configuration with one test sequence.

    Raises:
        ConfigError: it is no name; those of a configuration are checked when it is read.
    """
    _check_name(sub_dir, "--sequence")
    test = replace(config.dataset.test, sub_dir=(sub_dir,))
    return replace(config, dataset=replace(config.dataset, test=test))


def with_subject(config: Config, subject: str | None) -> Config:
    """The configuration for another subject.

    Raises:
        ConfigError: it is no name.
    """
    if subject is None:
        return config
    _check_name(subject, "--subject")
    return replace(config, dataset=replace(config.dataset, subject_name=subject))


def _check_name(text: str, option: str) -> None:
    """What a command line puts in a configuration's place is held to the same rule."""
    if not is_name(text):
        raise ConfigError(f'{option} is "{shown(text)}", expected {NAME_RULE}')
