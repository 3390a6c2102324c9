"""Outlines of an ellipsoid that moves with a head, by the dual conics of its projections."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.preprocessing.head_outline import N_LINES, HeadOutlines, line_normals
from imavatar.preprocessing.outline_term import OutlineTerm

SKULL = torch.as_tensor(0.5 * Rotation.random(500, rng=1).apply([0, 1, 0]))
SKULL[:, 1] = SKULL[:, 1].abs()
"""Vertices of a round skull above the eyes."""

N, FOCAL, MIDDLE = 30, 600.0, np.array([128.0, 120.0])
FACE = np.array([0.0, -0.1, 0.45])
"""A point at the front of the head at rest, which landmarks hold where it is; model units."""
AXES, TURN, CENTRE = (
    np.array([0.42, 0.55, 0.5]),
    Rotation.from_euler("xyz", [20, 10, 5], degrees=True),
    [0.02, 0.3, -0.1],
)


def camera(motion: np.ndarray) -> np.ndarray:
    """Projection to continuous pixels of points at rest, [3, 4]; the camera looks along -z, rows run down."""
    intrinsics = np.array([[FOCAL, 0, -MIDDLE[0]], [0, -FOCAL, -MIDDLE[1]], [0, 0, -1]])
    return intrinsics @ motion


def tangents(motion: np.ndarray) -> np.ndarray:
    """How far along their normals the lines that touch the ellipsoid's projection lie from the origin, pixels."""
    rotation = TURN.as_matrix()
    dual = np.zeros((4, 4))
    dual[:3, :3] = rotation @ np.diag(AXES**2) @ rotation.T
    centre = np.append(CENTRE, 1.0)
    dual = dual - np.outer(centre, centre)
    conic = camera(motion) @ dual @ camera(motion).T
    found = []
    for normal in line_normals():
        # A line (a, b, -s) touches the conic where its product with the dual conic vanishes: a quadratic in s.
        a, b = conic[2, 2], -2 * conic[2, :2] @ normal
        c = normal @ conic[:2, :2] @ normal
        found.append(max(np.roots([a, b, c]).real))
    return np.array(found)


def motions(pitch_gain: float = 1.0, turned: Rotation | None = None, depth: float = 1.0) -> torch.Tensor:
    """From rest to the camera: heads that nod and shake. What is off leaves the point at the front where it is."""
    time = np.linspace(0, 2 * np.pi, N, endpoint=False)
    angles = np.stack([0.3 * np.sin(time), 0.2 * pitch_gain * np.cos(2 * time), 0.05 * np.sin(3 * time)], axis=1)
    rotation = Rotation.from_euler("YXZ", angles) * (turned or Rotation.identity())
    true = Rotation.from_euler("YXZ", angles / [1, pitch_gain, 1])
    place = np.stack([0.1 * np.sin(time), 0.05 * np.cos(time), -4 + 0.2 * np.sin(2 * time)], axis=1)
    front = (true.apply(FACE) + place) * depth
    moved = front - rotation.apply(FACE)
    return torch.as_tensor(np.concatenate([rotation.as_matrix(), moved[:, :, None]], axis=2))


@pytest.fixture(scope="module")
def term() -> OutlineTerm:
    """Of what the ellipsoid shows; it has seen the heads as they are."""
    distance = np.stack([tangents(motion) for motion in motions().numpy()])
    outlines = HeadOutlines(distance[..., None] * line_normals(), np.ones(distance.shape, bool))
    unit = torch.full((N,), 1.3, dtype=torch.float64)
    term = OutlineTerm(SKULL, outlines, unit, torch.Generator().manual_seed(0))
    term.look(motions(), *lens())
    return term


def lens() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(FOCAL, dtype=torch.float64), torch.as_tensor(MIDDLE)


def test_one_body_explains_its_own_outlines(term):
    # A seventh of a pixel: the form is known in 80 directions only.
    assert float(term(motions(), *lens())) < 1e-2


@pytest.mark.parametrize("gain", [0.7, 0.85, 1.15, 1.3])
def test_nods_of_another_size_do_not(term, gain):
    assert float(term(motions(gain), *lens())) > 10 * float(term(motions(), *lens()))


def test_a_turn_of_all_heads_and_another_depth_change_nothing(term):
    for other in (motions(turned=Rotation.from_euler("x", 8, degrees=True)), motions(depth=1.1)):
        assert float(term(other, *lens())) < 1e-2


def test_the_gradient_leads_back_to_the_nods_as_they_were(term):
    gain = torch.tensor(0.75, dtype=torch.float64, requires_grad=True)
    small, large = motions(0.7), motions(1.3)

    def between(gain: torch.Tensor) -> torch.Tensor:
        share = (gain - 0.7) / 0.6
        mixed = small[..., :3] + share * (large[..., :3] - small[..., :3])
        rotation = torch.linalg.qr(mixed)
        signs = torch.diagonal(rotation.R, dim1=1, dim2=2).sign()
        turned = rotation.Q * signs[:, None]
        front = small[..., :3] @ torch.as_tensor(FACE) + small[..., 3]
        return torch.cat([turned, (front - turned @ torch.as_tensor(FACE))[..., None]], dim=-1)

    optimiser = torch.optim.Adam([gain], lr=0.03)
    for _ in range(40):
        optimiser.zero_grad()
        term(between(gain), *lens()).backward()
        optimiser.step()
    assert abs(float(gain.detach()) - 1) < 0.03


def test_hair_that_flies_in_some_frames_leads_nowhere(term):
    outlines = HeadOutlines(term._points.numpy().copy(), np.ones(term._seen.shape, bool))
    outlines.points[::6] += 6.0 * line_normals()
    blown = OutlineTerm(SKULL, outlines, term._unit, torch.Generator().manual_seed(0))
    blown.look(motions(), *lens())
    loss = [float(blown(motions(gain), *lens())) for gain in (0.9, 1.0, 1.1)]
    assert loss[1] < min(loss[0], loss[2]) - 0.03


def test_lines_below_the_eyes_do_not_count(term):
    height = np.asarray(term._points[..., 1])[np.asarray(term._used)]
    assert term._used.any(dim=1).all() and not term._used.all()
    assert height.max() < MIDDLE[1] + 20


def test_a_line_that_touches_hair_that_hangs_does_not_count(term):
    """The same lines, but where they touch the head lies far below the eyes."""
    normals = line_normals()
    down = np.stack([-normals[:, 1], normals[:, 0]], axis=1) * np.sign(normals[:, :1])
    sideways = (np.abs(normals[:, 0]) > 0.9) & (normals[:, 1] < 0)
    points = term._points.numpy() + 400 * np.where(sideways[:, None], down, 0)
    hanging = OutlineTerm(SKULL, HeadOutlines(points, term._seen.numpy()), term._unit, torch.Generator().manual_seed(0))
    hanging.look(motions(), *lens())
    assert term._used[:, sideways].any() and not hanging._used[:, sideways].any()
    assert torch.equal(hanging._used[:, ~sideways], term._used[:, ~sideways])


def test_where_nothing_is_seen_there_is_no_loss():
    outlines = HeadOutlines(np.zeros((N, N_LINES, 2)), np.zeros((N, N_LINES), bool))
    term = OutlineTerm(SKULL.float(), outlines, torch.ones(N), torch.Generator().manual_seed(0))
    head, camera = motions().float(), tuple(part.float() for part in lens())
    term.look(head, *camera)
    assert float(term(head, *camera)) == 0
