"""The avatar that a checkpoint is of, read off the shapes of its weights."""

import re

import torch
from torch import Tensor

from imavatar.anatomy import N_JOINTS
from imavatar.errors import DataError
from imavatar.fields.deformer import POSEDIRS_OUTPUTS, Deformer
from imavatar.fields.encoding import encoded_size
from imavatar.fields.geometry import Geometry
from imavatar.fields.texture import Texture
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.surface_search import PaperSearch
from imavatar.training.checkpoint_head import split_head
from imavatar.types import LATENT_SIZE

OCTAVE_SIZE = encoded_size(1) - encoded_size(0)


def flame_of_checkpoint(head: HeadAssets, state: dict[str, Tensor], shape_params: Tensor | None) -> Flame:
    """The head with the subject's shape: that given, or the template in the checkpoint."""
    options = {"n_expression": _n_expression(state), "ghost_bone": _n_bones(state) == N_JOINTS + 1}
    if shape_params is not None:
        return Flame(head, shape_params, **options)
    flame = Flame(head, torch.zeros(100), **options)
    template = state.get("FLAMEServer.v_template")
    if template is not None and template.shape == flame.v_template.shape:
        flame.v_template.copy_(template)
    return flame


def avatar_of_checkpoint(state: dict[str, Tensor], flame: Flame, *, compat: bool) -> Avatar:
    """Fields of the checkpoint's sizes with its weights, and the paper's search.

    Raises:
        DataError: where the weights fit none of the fields' forms.
    """
    geometry, deformer, texture = (
        _layers(state, name) for name in ("geometry_network", "deformer_network", "rendering_network")
    )
    d_in = geometry[0].shape[1]
    latent = 0 if (d_in - encoded_size(0)) % OCTAVE_SIZE == 0 else LATENT_SIZE
    n_features = len(geometry[-1]) - 1
    bottleneck = state["rendering_network.condition_bottleneck.weight"]
    points_size = texture[0].shape[1] - 3 - len(bottleneck) - n_features
    weight_norm = "geometry_network.lin0.weight_v" in state
    correspondence = CorrespondenceSettings(keep_best=not compat)
    avatar = Avatar(
        Geometry(
            [layer.shape[1] for layer in geometry[1:]],
            n_features=n_features,
            n_octaves=_octaves(d_in - latent),
            skip_in=[
                index
                for index in range(1, len(geometry))
                if geometry[index].shape[1] == len(geometry[index - 1]) + d_in
            ],
            latent_size=latent,
            weight_norm=weight_norm,
        ),
        Deformer(
            flame.canonical_head,
            [len(layer) for layer in deformer],
            n_expression=_n_expression(state),
            n_octaves=_octaves(deformer[0].shape[1]),
            weight_norm="deformer_network.lin0.weight_v" in state,
        ),
        Texture(
            [len(layer) for layer in texture[:-1]],
            n_features=n_features,
            n_octaves=_octaves(points_size),
            condition_size=bottleneck.shape[1],
            bottleneck=len(bottleneck),
            weight_norm="rendering_network.lin0.weight_v" in state,
        ),
        PaperSearch(correspondence=correspondence, wrap=compat),
    )
    try:
        avatar.load_state_dict(split_head(state)[0])
    except RuntimeError as error:
        raise DataError(f"the checkpoint's weights fit no avatar: {error}") from error
    return avatar


def _layers(state: dict[str, Tensor], network: str) -> list[Tensor]:
    """Weights of `lin0`, `lin1`, ... of a network."""
    pattern = re.compile(rf"{network}\.lin(\d+)\.weight(_v)?")
    found = {int(match[1]): value for name, value in state.items() if (match := pattern.fullmatch(name))}
    if not found or sorted(found) != list(range(len(found))):
        raise DataError(f"the checkpoint has no {network}.lin0, lin1, ... in a row; found {sorted(found)}")
    return [found[index] for index in range(len(found))]


def _octaves(size: int) -> int:
    """Octaves of an encoding of this size."""
    octaves, rest = divmod(size - encoded_size(0), OCTAVE_SIZE)
    if octaves < 0 or rest:
        raise DataError(f"an input of {size} numbers is no encoded point: expected 3 + 6 k")
    return octaves


def _n_expression(state: dict[str, Tensor]) -> int:
    return (len(_entry(state, "deformer_network.blendshapes.weight")) - POSEDIRS_OUTPUTS) // 3


def _n_bones(state: dict[str, Tensor]) -> int:
    return len(_entry(state, "deformer_network.skinning.weight"))


def _entry(state: dict[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise DataError(f"the checkpoint has no {name}")
    return state[name]
