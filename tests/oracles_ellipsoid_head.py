"""A head in FLAME's layout from nothing: an ellipsoid with a nose, two eyeballs and smooth random blendshapes."""

import numpy as np

from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import LandmarkEmbedding

EYES = np.array([[0.032, 0.02, 0.075], [-0.032, 0.02, 0.075]])
"""Centres of the left and the right eyeball, metres."""


def ellipsoid(radii, centre, n_rings: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and outward faces of a closed ellipsoid; its poles lie on the y axis."""
    polar = np.linspace(0, np.pi, n_rings + 1)[1:-1]
    around = np.arange(n_columns) * 2 * np.pi / n_columns
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.sin(around)),
            np.outer(np.cos(polar), np.ones(n_columns)),
            np.outer(np.sin(polar), np.cos(around)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    unit = np.concatenate([[[0, 1, 0]], ring, [[0, -1, 0]]])
    last = len(unit) - 1
    faces = []
    for row in range(n_rings - 2):
        for column in range(n_columns):
            a = 1 + row * n_columns + column
            b = 1 + row * n_columns + (column + 1) % n_columns
            faces += [(a, a + n_columns, b), (b, a + n_columns, b + n_columns)]
    for column in range(n_columns):
        right = (column + 1) % n_columns
        faces += [(0, 1 + column, 1 + right), (last, last - n_columns + right, last - n_columns + column)]
    return unit * radii + centre, np.array(faces)


def ellipsoid_head(seed: int = 0) -> HeadAssets:
    """About 900 vertices; the face looks along +z. Blendshapes move the surface by a millimetre each."""
    generator = np.random.default_rng(seed)
    skin, skin_faces = ellipsoid([0.075, 0.11, 0.09], [0, 0, 0], 24, 32)
    nose = np.exp(-((skin[:, 0] / 0.015) ** 2) - ((skin[:, 1] + 0.01) / 0.025) ** 2) * (skin[:, 2] > 0)
    skin[:, 2] += 0.02 * nose
    parts, faces = [skin], [skin_faces]
    for centre in EYES:
        ball, ball_faces = ellipsoid([0.012] * 3, centre, 6, 12)
        faces.append(ball_faces + sum(map(len, parts)))
        parts.append(ball)
    vertices, n_skin = np.concatenate(parts), len(skin)
    weights = np.zeros((len(vertices), 5))
    jaw = 1 / (1 + np.exp((vertices[:, 1] + 0.045) / 0.006)) * (vertices[:, 2] > 0)
    weights[:, 2], weights[:, 1] = jaw, 1 - jaw
    neck = 1 / (1 + np.exp((vertices[:, 1] + 0.09) / 0.004))
    weights[:, 0] = neck
    weights[:, 1:3] *= 1 - neck[:, None]
    for joint, start in ((3, n_skin), (4, n_skin + len(parts[1]))):
        weights[start : start + len(parts[1])] = np.eye(5)[joint]
    joints = np.array([[0, -0.1, 0], [0, -0.08, -0.01], [0, 0, 0.01], *EYES])
    return HeadAssets(
        v_template=vertices.astype(np.float32),
        faces=np.concatenate(faces).astype(np.int64),
        shapedirs=_smooth_fields(vertices, 400, generator),
        posedirs=np.zeros((len(vertices), 3, 36), np.float32),
        joint_regressor=_regressor(vertices, joints),
        weights=weights.astype(np.float32),
        name="ellipsoid",
    )


def random_embedding(assets: HeadAssets, seed: int = 0) -> LandmarkEmbedding:
    """468 places on the front of the skin."""
    generator = np.random.default_rng(seed)
    corners = assets.v_template[assets.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    eyeball = (assets.weights[:, 3:].sum(axis=1) > 0.9)[assets.faces].any(axis=1)
    front = np.flatnonzero((normal[:, 2] > 0.3) & ~eyeball)
    faces = generator.choice(front, 468)
    barycentric = generator.dirichlet(np.ones(3), 468).astype(np.float32)
    return LandmarkEmbedding(faces, barycentric, np.zeros(468, np.float32))


def _smooth_fields(vertices: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Displacements [v, 3, n] that are sines in random directions, metres; they do not move, turn or scale the head."""
    frequency = generator.normal(size=(n, 3)) * 40
    phase = generator.uniform(0, 2 * np.pi, n)
    wave = np.sin(vertices @ frequency.T + phase)
    fields = (0.001 * wave[:, None] * generator.normal(size=(3, n))).reshape(-1, n)
    moves = np.tile(np.eye(3), (len(vertices), 1))
    turns = np.cross(vertices[:, None], np.eye(3)).transpose(0, 2, 1).reshape(-1, 3)
    similar, _ = np.linalg.qr(np.concatenate([moves, turns, vertices.reshape(-1, 1)], axis=1))
    fields -= similar @ (similar.T @ fields)
    return fields.reshape(len(vertices), 3, n).astype(np.float32)


def _regressor(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """The least-norm rows that sum to 1 and give the joints at the template."""
    conditions = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
    targets = np.concatenate([joints, np.ones((len(joints), 1))], axis=1)
    return (targets @ np.linalg.pinv(conditions)).astype(np.float32)
