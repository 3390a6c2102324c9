"""The texture of the skin in the fit, on pictures of a head whose texture and pose are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import HEAD_SCALE, ParsingLabel
from imavatar.head.face_skin import away_from_eyes, face_skin
from imavatar.head.flame import Flame
from imavatar.head.mesh_points import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from imavatar.numerics.rasterize import rasterize
from imavatar.preprocessing.appearance import AppearanceTerm, Pictures, local_contrast
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import EYES, ellipsoid_head, random_embedding

SIZE, FOCAL, N = 256, 900.0, 6
EYE_RADIUS = 0.012


@pytest.fixture(scope="module")
def head():
    """The ellipsoid head; landmarks of the outline and of the eyes are loops around them."""
    assets = ellipsoid_head()
    embedding = random_embedding(assets)
    faces = embedding.faces.copy()
    centres = assets.v_template[assets.faces].mean(axis=1)
    centres[centres[:, 2] < 0.02] = np.inf
    for loop, middle, radii in (
        (FACE_OVAL, (0, 0), (0.05, 0.075)),
        (LEFT_EYE, EYES[0, :2], (EYE_RADIUS, EYE_RADIUS)),
        (RIGHT_EYE, EYES[1, :2], (EYE_RADIUS, EYE_RADIUS)),
    ):
        angle = np.arange(len(loop)) * 2 * np.pi / len(loop)
        around = np.array(middle) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii
        faces[list(loop)] = [np.linalg.norm(centres[:, :2] - point, axis=1).argmin() for point in around]
    return assets, replace(embedding, faces=faces)


@pytest.fixture(scope="module")
def poses():
    """Small turns of the head, and where it is (metres)."""
    generator = np.random.default_rng(0)
    return [
        (Rotation.from_rotvec(generator.uniform(-0.2, 0.2, 3)).as_matrix(), np.array([0.01 * k, 0.0, -0.9]))
        for k in range(N)
    ]


def picture(assets, rotation, position):
    """RGB and labels of the resting head: spots of random colours on the skin, brighter where it faces the light."""
    vertices = assets.v_template.astype(np.float64) @ rotation.T + position
    pixels = SIZE / 2 + FOCAL * vertices[:, :2] * [1, -1] / -vertices[:, 2:] - 0.5
    raster = rasterize(pixels, -vertices[:, 2], assets.faces, (SIZE, SIZE), cull=True)
    place = raster.interpolate(assets.v_template.astype(np.float64), assets.faces)
    spots = np.random.default_rng(1).normal(size=(12, 3)) * 250
    waves = np.sin(place @ spots.T + np.arange(12)).reshape(*place.shape[:2], 3, 4).mean(axis=-1)
    light = 0.6 + 0.4 * place[..., :1] / 0.08 * (rotation[0, 2])
    colour = np.clip((0.55 + 0.3 * waves) * light * 255, 0, 255)
    labels = np.where(raster.covered, ParsingLabel.SKIN, ParsingLabel.BACKGROUND)
    return np.where(raster.covered[..., None], colour, 90).astype(np.uint8), labels.astype(np.uint8)


@pytest.fixture(scope="module")
def term(head, poses):
    """The term, which has looked at the pictures from the true poses."""
    frames = [picture(head[0], *pose) for pose in poses]
    pictures = Pictures(lambda k: frames[k][0], lambda k: frames[k][1])
    made = AppearanceTerm(*head, pictures, N, (SIZE, SIZE), torch.Generator().manual_seed(0))
    points, pixels = project(made, poses, torch.zeros(N, 3))
    for k, (rotation, _) in enumerate(poses):
        made.look(k, pixels[k], points[k], torch.as_tensor(rotation, dtype=torch.float32))
    return made


def project(term, poses, turn):
    """Points in the camera's axes (model units) and in pixels, of heads that are turned besides (radians)."""
    at_rest = term.points(torch.zeros(100), torch.zeros(N, 50), torch.zeros(N, 15))
    x, y, z = turn.unbind(dim=1)
    none = torch.zeros_like(x)
    cross = torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=1).view(N, 3, 3)
    rotation = torch.stack([torch.as_tensor(r, dtype=torch.float32) for r, _ in poses]) @ torch.matrix_exp(cross)
    position = HEAD_SCALE * torch.stack([torch.as_tensor(p, dtype=torch.float32) for _, p in poses])
    points = at_rest @ rotation.transpose(1, 2) + position[:, None]
    return points, SIZE / 2 + FOCAL * points[..., :2] * torch.tensor([1.0, -1.0]) / -points[..., 2:]


def test_points_are_skin_of_the_face_and_away_from_the_eyes(head):
    assets, embedding = head
    vertices = away_from_eyes(assets, embedding, face_skin(assets, embedding), 0.002)
    places = assets.v_template[vertices]
    assert len(vertices) > 50
    assert ((places[:, 0] / 0.056) ** 2 + (places[:, 1] / 0.083) ** 2).max() < 1
    assert min(np.linalg.norm(places[:, :2] - eye[:2], axis=1).min() for eye in EYES) > 0.7 * EYE_RADIUS


def test_points_move_as_the_head_model_does(head, term):
    generator = torch.Generator().manual_seed(1)
    shape, expression, pose = (torch.randn(size, generator=generator) for size in ((100,), (2, 50), (2, 15)))
    vertices = away_from_eyes(*head, face_skin(*head), 0.002)
    expected = Flame(head[0], shape).vertices(HeadParameters(expression, 0.2 * pose))[:, vertices]
    assert torch.allclose(term.points(shape, expression, 0.2 * pose), expected, atol=1e-5)


def test_true_poses_explain_the_pictures_best(term, poses):
    frames = torch.arange(N)
    truth = term(frames, project(term, poses, torch.zeros(N, 3))[1])
    generator = torch.Generator().manual_seed(2)
    for _ in range(4):
        away = 0.03 * torch.nn.functional.normalize(torch.randn(N, 3, generator=generator), dim=1)
        assert term(frames, project(term, poses, away)[1]) > 1.5 * truth


def test_turned_heads_are_turned_back(term, poses):
    """Relative to each other: the texture is the frames' own, and has no place of its own on the head."""
    start = 0.02 * torch.randn(N, 3, generator=torch.Generator().manual_seed(3))
    turn = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([turn], lr=0.002)
    for _ in range(150):
        optimiser.zero_grad()
        term(torch.arange(N), project(term, poses, turn)[1]).backward()
        optimiser.step()
    left = (turn.detach() - turn.detach().mean(dim=0)).norm(dim=1).mean()
    assert left < 0.25 * (start - start.mean(dim=0)).norm(dim=1).mean()


def test_hidden_points_do_not_count(head, poses):
    """Half of every face is behind a hand, which is labelled as something else: its look does not matter."""
    frames = [picture(head[0], *pose) for pose in poses]

    def with_hand(value):
        pictures = []
        for rgb, labels in frames:
            rgb, labels = rgb.copy(), labels.copy()
            rgb[:, : SIZE // 2] = value
            labels[:, : SIZE // 2] = ParsingLabel.BACKGROUND
            pictures.append((rgb, labels))
        made = AppearanceTerm(
            *head,
            Pictures(lambda k: pictures[k][0], lambda k: pictures[k][1]),
            N,
            (SIZE, SIZE),
            torch.Generator().manual_seed(0),
        )
        points, pixels = project(made, poses, torch.zeros(N, 3))
        for k, (rotation, _) in enumerate(poses):
            made.look(k, pixels[k], points[k], torch.as_tensor(rotation, dtype=torch.float32))
        return made, pixels

    term, pixels = with_hand(0)
    gradient_at = pixels.clone().requires_grad_(True)
    term(torch.arange(N), gradient_at).backward()
    hidden = pixels[..., 0] < SIZE // 2 - 1
    assert hidden.any()
    assert not gradient_at.grad[hidden].any()
    assert gradient_at.grad[~hidden].any()


def test_the_contrast_does_not_change_with_the_light(poses, head):
    rgb, _ = picture(head[0], *poses[0])
    inside = (slice(90, 160), slice(90, 160))
    bright, dark = (local_contrast(np.clip(rgb * f, 0, 255).astype(np.uint8)) for f in (1.0, 0.6))
    change = np.abs(bright[0] - dark[0])[inside].mean()
    assert change < 0.25 * np.abs(bright[0])[inside].mean()
