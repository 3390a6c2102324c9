"""Configuration -> head model, avatar, searches, renderers."""

from pathlib import Path

import torch

from imavatar.baselines.deformations import ConditionedFlame, condition_size
from imavatar.baselines.methods import METHODS
from imavatar.baselines.names import IMAVATAR, TEXTURED_HEAD
from imavatar.baselines.textured_head import TexturedHead, TexturedHeadRenderer
from imavatar.config import Config
from imavatar.fields.geometry import Geometry
from imavatar.fields.hash_grid import HashGrid
from imavatar.fields.texture import Texture
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, embedding_path, load_embedding
from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.preview import PreviewRenderer
from imavatar.rendering.proxy_search import ProxySearch
from imavatar.rendering.surface_search import PaperSearch


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
            grid=HashGrid(texture.hash_grid) if texture.hash_grid.levels > 0 else None,
        ),
        build_search(config, config.model.ray_tracer.search),
    )


def build_search(config: Config, name: str, *, resolution: int | None = None) -> Search:
    """A surface search, `paper` or `proxy`; `resolution` of its mesh instead of `model.ray_tracer.proxy_resolution`."""
    tracer = config.model.ray_tracer
    correspondence = CorrespondenceSettings(**vars(config.model.broyden), keep_best=not config.compat)
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

    What is given takes the place of the setting of that name in `plot`.
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
