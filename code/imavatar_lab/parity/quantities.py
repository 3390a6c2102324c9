"""This project's values of what a fixture records, computed by the functions that training uses."""

from dataclasses import dataclass

import torch
from torch import Tensor

from imavatar.anatomy import Joint
from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.losses import HeadSupervision
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import cast_rays
from imavatar.rendering.correspondence import canonical_candidates, find_canonical, rigid_guesses
from imavatar.training.head_samples import HeadSurface
from imavatar.training.objective import LossWeights, Objective
from imavatar.types import Batch, Camera, HeadParameters, PosedHead, RayBundle, RenderOutput, SurfaceHits
from imavatar_lab.parity.fixture import Arrays

OFF_SURFACE = 1.0
"""What is recorded of colours, normals, fields and nearest vertices at rays without a surface point."""
SUPERVISED = {"lbs_loss": 1.0, "flame_distance_loss": 10000.0}
"""Weights of the losses that only the supervised configuration has (CONFIG)."""


@dataclass(frozen=True)
class Frame:
    """The recorded inputs of one step as this project's records; leaves of the graph where gradients are recorded."""

    head: HeadParameters
    centre: Tensor
    camera: Camera
    batch: Batch
    latent: Tensor


def read_frame(inputs: Arrays, avatar: Avatar, group: str) -> Frame:
    """Recorded inputs; raises DataError naming an array that is missing."""

    def need(name: str) -> Tensor:
        if name not in inputs:
            raise DataError(f"{group}/{name}: is not recorded, and nothing can be computed without it")
        return inputs[name]

    pose_matrix, matrix, uv = need("cam_pose"), need("intrinsics"), need("uv")
    b, n = uv.shape[:2]
    head = HeadParameters(
        need("expression")[:, : avatar.deformer.n_expression].clone().requires_grad_(True),
        need("flame_pose").clone().requires_grad_(True),
    )
    centre = pose_matrix[:, :3, 3].clone().requires_grad_(True)
    moved = torch.cat([pose_matrix[:, :3, :3], centre[..., None]], dim=2)
    camera = Camera(
        torch.stack([matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 0, 2], matrix[:, 1, 2]], dim=1),
        torch.cat([moved, pose_matrix[:, 3:]], dim=1),
    )
    size = avatar.geometry.latent_size
    latent = inputs.get("latent_code", torch.zeros(b, 0)).reshape(b, -1)
    if latent.shape[1] != size:
        raise DataError(f"{group}/latent_code: has {latent.shape[1]} numbers, the checkpoint's geometry expects {size}")
    semantics = inputs.get("semantics")
    batch = Batch(
        frame=torch.arange(b),
        camera=camera,
        head=head,
        pixels=uv.flatten(0, 1),
        rays_frame=torch.arange(b).repeat_interleave(n),
        rgb=inputs.get("rgb", torch.ones(b, n, 3)).flatten(0, 1),
        foreground=need("object_mask").flatten().bool(),
        semantics=None if semantics is None else semantics.flatten(0, 1),
    )
    return Frame(head, centre, camera, batch, latent)


@torch.no_grad()
def head_quantities(flame: Flame, head: HeadParameters) -> Arrays:
    """Group `flame`: the head model's forward pass, without the ghost bone, and its canonical pose."""
    posed, canonical = flame(head), flame.canonical_head
    joints = slice(-len(Joint), None)
    return {
        "verts": flame.vertices(head),
        "pose_feature": posed.pose_feature,
        "transformations": posed.bone_transforms[:, joints],
        "canonical_verts": flame.canonical_vertices,
        "canonical_pose_feature": canonical.pose_feature,
        "canonical_transformations": canonical.bone_transforms[:, joints],
        "canonical_transformations_with_ghost": canonical.bone_transforms,
        "canonical_pose": flame.canonical_parameters.pose,
    }


@torch.no_grad()
def probe_quantities(avatar: Avatar, posed: PosedHead, probe: Arrays) -> Arrays:
    """Group `probe`: fields at `x` as canonical points; correspondences of `x` as deformed points.

    The colours are those under the recorded `normals`, which are an input here.
    """
    x = probe["x"]
    fields, bound, field = avatar.deformer(x), avatar.deformer.for_frame(posed), avatar.field(posed)
    sdf, features = avatar.geometry(x, posed.latent)
    settings = avatar.search.correspondence
    candidates, selected = canonical_candidates(bound, x, settings), find_canonical(bound, field, x, settings)
    found = {
        "shapedirs": fields.shapedirs,
        "posedirs": fields.posedirs,
        "lbs": fields.weights,
        "forward_lbs": bound(x),
        "geometry": torch.cat([sdf[:, None], features], dim=1),
        "root_init": rigid_guesses(bound, x).transpose(0, 1),
        "root_xc": _by_point(candidates.x, len(x)),
        "root_diff": _by_point(candidates.residual, len(x)),
        "root_valid": _by_point(candidates.converged, len(x)),
        "query_sdf": selected.sdf,
        "query_pnts_c": selected.x_c,
        "query_mask": selected.converged,
    }
    if "normals" in probe:
        found["rgb"] = avatar.texture(x, probe["normals"], posed.texture_condition, features)
    return found


@dataclass(frozen=True)
class Pass:
    """A forward pass: rays, what the search found, what was rendered."""

    frame: Frame
    posed: PosedHead
    rays: RayBundle
    hits: SurfaceHits
    render: RenderOutput


def forward(avatar: Avatar, flame: Flame, frame: Frame, *, training: bool) -> Pass:
    """As a training step renders, or as an evaluation does: without the mask."""
    posed = flame(frame.head, frame.latent)
    rays = cast_rays(frame.camera, frame.batch.pixels, frame.batch.rays_frame)
    mask = frame.batch.foreground if training else None
    hits = avatar.find_surface(rays.detach(), posed.detach(), mask)
    where = hits.hit & mask if training else hits.hit
    return Pass(frame, posed, rays, hits, avatar.shade(rays, posed, hits, where))


@torch.no_grad()
def pass_quantities(avatar: Avatar, supervision: HeadSupervision, found: Pass, recorded: Arrays) -> Arrays:
    """Groups `eval` and `train`, parts `out` and `cap`: results per ray.

    Candidates are those of the recorded points where there are any: residuals depend on every digit of a point.
    """
    render, hits, index, n = found.render, found.hits, found.render.surface_index, len(found.rays)
    points = found.rays.at(hits.depth)
    distance, vertex = supervision.nearest(render.x_c)

    def scattered(values: Tensor, elsewhere: float) -> Tensor:
        full = torch.full((n, *values.shape[1:]), elsewhere, dtype=values.dtype)
        full[index] = values
        return full

    result = {
        "out/points": points,
        "out/rgb_values": render.rgb,
        "out/normal_values": scattered(render.normal[index], OFF_SURFACE),
        "out/sdf_output": render.sdf[:, None],
        "out/valid_mask": hits.converged,
        "out/network_object_mask": hits.hit,
        "out/object_mask": found.frame.batch.foreground,
        "out/expression": found.frame.head.expression,
        "out/cam_pose": found.frame.camera.world_from_camera,
        "out/index_batch": scattered(vertex, 1),
        "out/flame_distance": scattered(distance, 0.0),
        "out/lbs_weight": scattered(render.fields.weights, OFF_SURFACE),
        "out/posedirs": scattered(render.fields.posedirs, OFF_SURFACE),
        "out/shapedirs": scattered(render.fields.shapedirs, OFF_SURFACE),
        "cap/canonical_points": hits.x_c,
        "cap/sdf_query": hits.sdf,
        "cap/rt_dists": hits.depth,
        "cap/ray_dirs": found.rays.directions,
        "cap/diff_surface_points": render.x_c,
        "cap/diff_nonsurface_points": hits.x_c,
    }
    if len(found.posed) == 1:
        bound = avatar.deformer.for_frame(found.posed)
        candidates = canonical_candidates(bound, recorded.get("out/points", points), avatar.search.correspondence)
        result["cap/all_canonical"] = _by_point(candidates.x, n)
        result["cap/all_valid"] = _by_point(candidates.converged, n)
        result["cap/all_diff"] = _by_point(candidates.residual, n)
        result["cap/feature"] = avatar.geometry(hits.x_c, found.posed.latent)[1]
    return result


def loss_quantities(surface: HeadSurface, avatar: Avatar, found: Pass, recorded: Arrays, *, compat: bool) -> Arrays:
    """Part `loss`: every term as the authors scale it, and their sum; with a graph.

    The configuration is told by the terms that are recorded: the unsupervised one has no head supervision.
    """
    weights = LossWeights(
        lbs_weight=SUPERVISED["lbs_loss"] if "lbs_loss" in recorded else 0.0,
        flame_distance_weight=SUPERVISED["flame_distance_loss"] if "flame_distance_loss" in recorded else 0.0,
    )
    objective = Objective(surface, compat=compat)
    terms = objective.terms(avatar, found.render, found.frame.batch, {}, weights, torch.Generator())
    values = terms.values
    result = {"loss": terms.total, "rgb_loss": values["rgb"], "mask_loss": values["mask"]}
    if weights.lbs_weight:
        result["lbs_loss"] = values["skinning"]
        result["posedirs_loss"] = 100.0 * values["posedirs"]
        result["shapedirs_loss"] = 100.0 * values["shapedirs"]
    if "flame_distance" in values:
        result["flame_distance_loss"] = values["flame_distance"]
    return result


def gradients(avatar: Avatar, found: Pass, loss: Tensor) -> Arrays:
    """Part `grad`: of all parameters and of the inputs; zero where the loss does not depend on one."""
    leaves = dict(avatar.named_parameters())
    leaves["in.expression"], leaves["in.flame_pose"] = found.frame.head.expression, found.frame.head.pose
    leaves["in.cam_translation"] = found.frame.centre
    values = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {
        name: torch.zeros_like(leaf) if value is None else value
        for (name, leaf), value in zip(leaves.items(), values, strict=True)
    }


def head_surface(flame: Flame, head: HeadAssets) -> HeadSurface:
    """The canonical head as pseudo ground truth; its mouth is not asked for here."""
    supervision = HeadSupervision(flame.canonical_vertices, flame.vertex_fields())
    return HeadSurface(supervision, flame.faces_tensor)


def _by_point(values: Tensor, n: int) -> Tensor:
    """Rows of candidates, guess by guess, as [point, guess, ...]."""
    return values.view(-1, n, *values.shape[1:]).transpose(0, 1)
