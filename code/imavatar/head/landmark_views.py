"""Pictures of a head model on which a landmark detector works, each with the mesh point behind every pixel."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation

from imavatar.anatomy import HEAD_SCALE, Joint
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.numerics.mesh import vertex_normals
from imavatar.numerics.rasterize import Raster, rasterize
from imavatar.types import HeadParameters

VIEW_SIZE, OUTER_SIZE = 288, 512
"""Pixels along a picture's side: one for a detector, and one in which outer faces are looked for."""
SUPERSAMPLING = 2
"""Pictures are rendered this many times larger and averaged: a detector is not used to jagged edges."""

SKIN = np.array([0.78, 0.58, 0.48])
LIPS = np.array([0.62, 0.33, 0.31])
HAIR = np.array([0.20, 0.14, 0.10])
MOUTH = np.array([0.22, 0.08, 0.08])
SCLERA = np.array([0.90, 0.88, 0.86])
IRIS = np.array([0.28, 0.19, 0.13])
PUPIL = np.array([0.03, 0.03, 0.03])
WALL = np.array([0.62, 0.66, 0.70])
"""Colours of the paint, linear in [0, 1]."""

IRIS_RADIUS, PUPIL_RADIUS = 0.0059, 0.0022
"""Metres, seen from the front: those of an average adult."""


DISTANCE, FOCAL = 0.9, 3.4
"""Of the camera: metres, and picture widths; the face fills a good half of the picture."""

CAVITY_DEPTH = 0.004
"""Skin this far (metres) behind the lips' outline is inside the mouth."""


@dataclass(frozen=True)
class HeadView:
    """A picture of the head and what each of its pixels shows; both of the same size."""

    image: UInt8[np.ndarray, "h w 3"]
    raster: Raster
    facing: Float[np.ndarray, "h w"]
    """Cosine between the surface normal and the direction to the camera; 0 off the head."""


@dataclass(frozen=True)
class Paint:
    """What is painted where: polygons seen from the front, in the template's x and y (metres)."""

    lips: tuple[Float[np.ndarray, "k 2"], ...] = ()
    lips_depth: float = 0.0
    """The least z of the lips' outline: what lies well behind it is the inside of the mouth."""
    brows: tuple[Float[np.ndarray, "b 2"], ...] = ()


@dataclass(frozen=True)
class Pose:
    """How one view shows the head; angles in radians. `gaze` turns both eyes about x and y."""

    yaw: float
    pitch: float
    jaw: float
    shape: Float[np.ndarray, "100"]
    expression: Float[np.ndarray, "50"]
    light: float
    gaze: tuple[float, float] = (0.0, 0.0)


def default_poses(n: int, seed: int) -> list[Pose]:
    """Heads of differing shape, seen from different sides, mouths closed and open; each also mirrored in yaw."""
    generator = np.random.default_rng(seed)
    poses = []
    for index in range(n // 2):
        yaw, jaw = 0.45 * (index % 4) / 3, (0.03, 0.16)[index % 2]
        shape, expression = generator.normal(size=100) * 0.6, generator.normal(size=50) * 0.25
        pitch = generator.uniform(-0.12, 0.12)
        poses += [Pose(side * yaw, pitch, jaw, shape, expression, side * 0.4) for side in (-1, 1)]
    return poses


def painted_views(assets: HeadAssets, poses: list[Pose], paint: Paint) -> Iterator[HeadView]:
    """Render each pose with the built-in rasteriser: Lambert shading, painted eyes, lips and brows."""
    for pose in poses:
        yield _render_view(assets, paint, pose)


def vertices_in_view(assets: HeadAssets, pose: Pose, size: int = VIEW_SIZE) -> Float[np.ndarray, "v 2"]:
    """Where a picture of `size` pixels shows the vertices, continuous pixels."""
    return _to_pixels(_in_camera(assets, pose), size)


def _in_camera(assets: HeadAssets, pose: Pose) -> Float[np.ndarray, "v 3"]:
    """Posed vertices before a camera that looks at the face from 0.9 m, along -z with y up; metres."""
    turn = Rotation.from_euler("xy", [pose.pitch, pose.yaw]).as_matrix()
    return (_posed(assets, pose) - _face_centre(assets)) @ turn.T - [0, 0, DISTANCE]


def _to_pixels(camera: Float[np.ndarray, "v 3"], size: int) -> Float[np.ndarray, "v 2"]:
    return size / 2 + FOCAL * size * camera[:, :2] * [1, -1] / -camera[:, 2:]


def _render_view(assets: HeadAssets, paint: Paint, pose: Pose) -> HeadView:
    """One picture of a posed head."""
    camera = _in_camera(assets, pose)
    fine = VIEW_SIZE * SUPERSAMPLING
    pixels = _to_pixels(camera, fine)
    raster = rasterize(pixels, -camera[:, 2], assets.faces, (fine, fine), cull=True)
    normal = raster.interpolate(vertex_normals(camera, assets.faces), assets.faces)
    position = raster.interpolate(assets.v_template, assets.faces)
    colour = _colours(assets, raster, position, paint) * _shading(normal, pose.light)[..., None]
    colour[~raster.covered] = WALL
    coarse = colour.reshape(VIEW_SIZE, SUPERSAMPLING, VIEW_SIZE, SUPERSAMPLING, 3).mean(axis=(1, 3))
    image = np.clip(255 * coarse ** (1 / 1.6), 0, 255).astype(np.uint8)
    direction = raster.interpolate(-camera / np.linalg.norm(camera, axis=1, keepdims=True), assets.faces)
    facing = np.clip((normal * direction).sum(axis=-1), 0, 1)
    pick = (slice(SUPERSAMPLING // 2, None, SUPERSAMPLING),) * 2
    small = Raster(raster.face[pick], raster.barycentric[pick], raster.depth[pick])
    return HeadView(image, small, facing[pick])


def eyeball_faces(assets: HeadAssets) -> Bool[np.ndarray, " f"]:
    """Faces that follow an eye joint."""
    follows = assets.weights[:, [Joint.LEFT_EYE, Joint.RIGHT_EYE]].sum(axis=1) > 0.9
    return follows[assets.faces].all(axis=1)


def skin_faces(assets: HeadAssets) -> Bool[np.ndarray, " f"]:
    """Faces of the skin: by the head's own parts where it names them, otherwise all but the eyeballs."""
    if assets.face_part is not None and "skin" in assets.part_names:
        return np.asarray(assets.face_part) == list(assets.part_names).index("skin")
    return ~eyeball_faces(assets)


def outer_faces(assets: HeadAssets) -> Bool[np.ndarray, " f"]:
    """Faces of the skin that can be seen with the mouth closed: not those inside the mouth or behind the eyelids."""
    size, seen = OUTER_SIZE, np.zeros(len(assets.faces), dtype=bool)
    vertices = assets.v_template - _face_centre(assets)
    for pitch, yaw in ((0, 0), (0, 0.8), (0, -0.8)):
        turned = vertices @ Rotation.from_euler("xy", [pitch, yaw]).as_matrix().T
        pixels = size / 2 + 3 * size * turned[:, :2] * [1, -1]  # a third of a metre fills the picture
        raster = rasterize(pixels, 1 - turned[:, 2], assets.faces, (size, size), perspective=False)
        seen |= np.bincount(raster.face[raster.covered], minlength=len(seen)) >= 2
    return skin_faces(assets) & seen


def points_in_polygon(points: Float[np.ndarray, "n 2"], polygon: Float[np.ndarray, "k 2"]) -> Bool[np.ndarray, " n"]:
    """Whether a ray to the right of each point crosses the outline an odd number of times."""
    inside = np.zeros(len(points), dtype=bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


def _face_centre(assets: HeadAssets) -> np.ndarray:
    """A point 2 cm below the middle of the eyes: about the middle of the face."""
    return _eye_centres(assets).mean(axis=0) - [0, 0.02, 0]


def _eye_centres(assets: HeadAssets) -> Float[np.ndarray, "2 3"]:
    return (assets.joint_regressor @ assets.v_template)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]]


def _posed(assets: HeadAssets, pose: Pose) -> np.ndarray:
    """Vertices in metres."""
    parameters = torch.zeros(1, 15)
    parameters[0, 3 * Joint.JAW] = pose.jaw
    for eye in (Joint.LEFT_EYE, Joint.RIGHT_EYE):
        parameters[0, 3 * eye : 3 * eye + 2] = torch.tensor(pose.gaze)
    flame = Flame(assets, torch.as_tensor(pose.shape, dtype=torch.float32))
    head = HeadParameters(torch.as_tensor(pose.expression, dtype=torch.float32)[None], parameters)
    with torch.no_grad():
        return flame.vertices(head)[0].double().numpy() / HEAD_SCALE


def _shading(normal: np.ndarray, light: float) -> np.ndarray:
    """Ambient light, a key light from above and one side, and a weak one from the front."""
    key = np.array([np.sin(light), 0.45, np.cos(light)])
    key /= np.linalg.norm(key)
    return 0.35 + 0.55 * np.clip(normal @ key, 0, 1) + 0.2 * np.clip(normal[..., 2], 0, 1)


def _colours(assets: HeadAssets, raster: Raster, position: np.ndarray, paint: Paint) -> Float[np.ndarray, "h w 3"]:
    """Paint per pixel from the template position [h, w, 3] that it shows."""
    colour = np.broadcast_to(SKIN, position.shape).copy()
    skin = raster.covered & skin_faces(assets)[raster.face]
    eyes = raster.covered & eyeball_faces(assets)[raster.face]
    colour[raster.covered & ~skin & ~eyes] = SCLERA * 0.9  # teeth
    front = skin & (position[..., 2] > _face_centre(assets)[2])
    row, column = np.nonzero(front)
    for polygons, tint in ((paint.lips, LIPS), (paint.brows, HAIR)):
        for polygon in polygons:
            inside = points_in_polygon(position[row, column, :2], polygon)
            colour[row[inside], column[inside]] = tint
    if paint.lips:
        _paint_cavity(colour, position, front, paint)
    radius = np.linalg.norm((position[eyes][:, None] - _eye_centres(assets))[..., :2], axis=-1).min(axis=1)
    eye_colour = np.where((radius < IRIS_RADIUS)[:, None], IRIS, SCLERA)
    colour[eyes] = np.where((radius < PUPIL_RADIUS)[:, None], PUPIL, eye_colour)
    return colour


def _paint_cavity(colour: np.ndarray, position: np.ndarray, front: np.ndarray, paint: Paint) -> None:
    """Darken the skin behind the lips, in place."""
    outline = np.concatenate(paint.lips)
    middle = outline.mean(axis=0)
    reach = 0.8 * np.abs(outline - middle).max(axis=0)  # the corners of the mouth lie further back
    behind = front & (position[..., 2] < paint.lips_depth - CAVITY_DEPTH)
    behind &= (np.abs(position[..., :2] - middle) < reach).all(axis=-1)
    colour[behind] = MOUTH
