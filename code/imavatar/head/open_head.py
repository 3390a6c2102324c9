"""Builds the open head: a head model in FLAME's layout from MakeHuman's CC0 assets, seeded."""

import logging
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.anatomy import N_SHAPE_COLUMNS
from imavatar.errors import AssetError
from imavatar.head.assets import N_BLENDSHAPES, HeadAssets
from imavatar.head.makehuman import METRES_PER_DECIMETRE, MakeHuman
from imavatar.head.open_head_faces import (
    MAKEHUMAN_UNIT,
    load_expression_units,
    load_face_space,
    random_expression,
    random_face,
)
from imavatar.head.open_head_mesh import HeadMesh, cut_head
from imavatar.head.open_head_rig import gaze_correctives, jaw_correctives, jaw_hinge, regress_joints, rigid_fit

logger = logging.getLogger(__name__)

N_FACES, N_EXPRESSIONS = 1500, 2000
N_EXPRESSION_COLUMNS = N_BLENDSHAPES - N_SHAPE_COLUMNS
BELOW_EYES, BEHIND_SKULL_JOINT = 0.03, 0.02
"""The origin, metres: as in FLAME inside the head, a little below the eyes."""

NAMED_EXPRESSIONS = {
    "smile": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    "frown": {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0, "browDownLeft": 0.8, "browDownRight": 0.8},
    "pucker": {"mouthPucker": 1.0},
    "brows_up": {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "sneer": {"noseSneerLeft": 1.0, "noseSneerRight": 1.0, "mouthUpperUpLeft": 0.6, "mouthUpperUpRight": 0.6},
}
REGION_TEXTURES = {"lips": "lips", "eyelids": "eyelids", "ears": "ears", "inner_mouth": "inside-mouth"}


def build_open_head(makehuman_dir: Path, seed: int = 0) -> HeadAssets:
    """The open head; the same for the same seed. Takes about half a minute."""
    makehuman = MakeHuman(makehuman_dir)
    random = np.random.default_rng(seed)
    mesh = cut_head(makehuman)
    logger.info("open head: %d vertices, %d faces", mesh.n_vertices, len(mesh.faces))
    space = load_face_space(makehuman, mesh)
    samples = np.stack([random_face(mesh, space, random) for _ in range(N_FACES)])
    samples = _align(mesh, samples) * METRES_PER_DECIMETRE
    samples -= _origin(mesh, samples.mean(axis=0))
    faces = samples[:, : mesh.n_vertices]
    template = faces.mean(axis=0)
    shape_columns = _shape_basis(faces - template)

    units = load_expression_units(makehuman, mesh)
    offsets = np.stack([offset[: mesh.n_vertices] for offset in units.values()]) * METRES_PER_DECIMETRE
    amounts = np.stack([random_expression(list(units), random) for _ in range(N_EXPRESSIONS)])
    expression_columns = _expression_basis(amounts, offsets)

    files = makehuman.face_units()
    jaw_open = mesh.offsets(files["jawOpen"]) * METRES_PER_DECIMETRE
    hinge, angle = jaw_hinge(mesh, samples.mean(axis=0), jaw_open)
    regressor = regress_joints(mesh, samples, hinge)
    joints = regressor @ template
    posedirs = jaw_correctives(mesh, template, joints, jaw_open[: mesh.n_vertices], angle)
    for side, part in (("Left", "eye_l"), ("Right", "eye_r")):
        looks = {
            way: mesh.offsets(files[f"eyeLook{way}{side}"])[: mesh.n_vertices] * METRES_PER_DECIMETRE
            for way in ("Up", "Down", "In", "Out")
        }
        posedirs += gaze_correctives(mesh, template, joints, part, looks)
    shapedirs = np.zeros((mesh.n_vertices, 3, N_BLENDSHAPES))
    for start, columns in ((0, shape_columns), (N_SHAPE_COLUMNS, expression_columns)):
        shapedirs[..., start : start + columns.shape[-1]] = columns
    by_name = dict(zip(units, offsets, strict=True))
    single = {name: {name: 1.0} for name in units if not name.startswith(MAKEHUMAN_UNIT)}
    return HeadAssets(
        v_template=template.astype(np.float32),
        faces=mesh.faces.astype(np.int64),
        shapedirs=shapedirs.astype(np.float32),
        posedirs=posedirs.astype(np.float32),
        joint_regressor=regressor.astype(np.float32),
        weights=mesh.weights.astype(np.float32),
        name="open_head",
        face_part=mesh.face_part,
        part_names=mesh.part_names,
        regions=_regions(makehuman, mesh),
        named_expressions=_coefficients(NAMED_EXPRESSIONS, by_name, expression_columns),
        face_units=_coefficients(single, by_name, expression_columns),
    )


def _align(mesh: HeadMesh, samples: Float[np.ndarray, "n s 3"]) -> Float[np.ndarray, "n s 3"]:
    """All faces rigidly aligned to their mean by the head above the neck."""
    weight = np.zeros(samples.shape[1])
    weight[: mesh.n_vertices] = mesh.above_neck()
    aligned, mean = samples, samples.mean(axis=0)
    for _ in range(2):
        fits = [rigid_fit(sample, mean, weight) for sample in samples]
        aligned = np.stack([s @ rotation.T + shift for s, (rotation, shift) in zip(samples, fits, strict=True)])
        mean = aligned.mean(axis=0)
    return aligned


def _origin(mesh: HeadMesh, mean: Float[np.ndarray, "s 3"]) -> Float[np.ndarray, " 3"]:
    joints = mesh.joints(mean)
    eyes = joints[3:].mean(axis=0)
    return np.array([0.0, eyes[1] - BELOW_EYES, joints[1, 2] + BEHIND_SKULL_JOINT])


def _shape_basis(deviations: Float[np.ndarray, "n v 3"]) -> Float[np.ndarray, "v 3 k"]:
    """Principal components, each scaled to one standard deviation."""
    n, n_vertices, _ = deviations.shape
    flat = deviations.reshape(n, -1).astype(np.float32)
    variance, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64) / n)
    order = np.argsort(variance)[::-1][:N_SHAPE_COLUMNS]
    share = variance[order].cumsum() / variance.sum()
    logger.info("shape: 100 components hold %.2f %% of the variance", 100 * share[99])
    columns = flat.T @ vectors[:, order].astype(np.float32) / np.sqrt(n)
    return columns.reshape(n_vertices, 3, -1)


def _expression_basis(
    amounts: Float[np.ndarray, "n u"], offsets: Float[np.ndarray, "u v 3"]
) -> Float[np.ndarray, "v 3 k"]:
    """Uncentred principal components of random expressions, so that zero is the neutral face."""
    second_moment = amounts.T @ amounts / len(amounts)
    factor = np.linalg.cholesky(second_moment + 1e-9 * np.eye(len(second_moment)))
    flat = factor.T @ offsets.reshape(len(offsets), -1)
    _, scale, components = np.linalg.svd(flat, full_matrices=False)
    share = (scale**2).cumsum() / (scale**2).sum()
    logger.info("expression: 50 components hold %.2f %%", 100 * share[49])
    columns = (scale[:, None] * components)[:N_EXPRESSION_COLUMNS]
    return np.moveaxis(columns.reshape(-1, *offsets.shape[1:]), 0, -1)


def _coefficients(
    mixes: Mapping[str, Mapping[str, float]],
    offsets: Mapping[str, Float[np.ndarray, "v 3"]],
    columns: Float[np.ndarray, "v 3 k"],
) -> dict[str, Float[np.ndarray, " 50"]]:
    """Coefficients of the first 50 components that come closest to combinations of units, by the mixes' names."""
    inverse = np.linalg.pinv(columns[..., :50].reshape(-1, 50))
    named = {}
    for name, mix in mixes.items():
        offset = sum((amount * offsets[unit] for unit, amount in mix.items()), np.zeros(columns.shape[:2]))
        named[name] = (inverse @ offset.ravel()).astype(np.float32)
    return named


def _regions(makehuman: MakeHuman, mesh: HeadMesh) -> dict[str, np.ndarray]:
    """Soft vertex masks, 0...1, looked up in MakeHuman's masks in texture space."""
    regions = {}
    skin = np.isin(np.arange(mesh.n_vertices), mesh.part_vertices("skin"))
    for region, texture in REGION_TEXTURES.items():
        path = makehuman.texture(texture)
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise AssetError(f"{path}: no image can be read from it; fetch it again with `imavatar fetch-assets`")
        height, width = image.shape
        column = np.clip((mesh.vertex_uv[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1 - mesh.vertex_uv[:, 1]) * height).astype(int), 0, height - 1)
        regions[region] = np.where(skin, image[row, column] / 255, 0).astype(np.float32)
    return regions
