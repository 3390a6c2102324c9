"""What is known of a head besides its pixels: distances near the face, and the dark of the mouth."""

import pytest
import torch

from imavatar.anatomy import SemanticClass
from imavatar.fields.geometry import Geometry
from imavatar.fields.texture import Texture
from imavatar.losses import MOUTH_SHADOW, NEAR_HEAD, HeadSupervision
from imavatar.rendering.avatar import Avatar
from imavatar.training.head_samples import HeadSurface, jittered_vertices, mouth_points, sample_face_distances
from imavatar.training.objective import LossWeights, Objective
from imavatar.types import (
    Batch,
    Camera,
    DeformationFields,
    HeadParameters,
    PosedHead,
    RenderOutput,
    RootStatistics,
    SurfaceHits,
)
from oracles_ellipsoid_head import ellipsoid

RADIUS = 0.5
NO_CODE = torch.zeros(1, 0)


def sphere_head(*, mobile=None, mouth=None) -> HeadSurface:
    """A sphere, of which the vertices `mobile` follow expressions."""
    vertices, faces = ellipsoid([RADIUS] * 3, [0.0, 0.0, 0.0], 48, 64)
    vertices = torch.tensor(vertices).float()
    shapedirs = torch.zeros(len(vertices), 3, 50)
    if mobile is not None:
        shapedirs[mobile(vertices)] = 0.01
    n = len(vertices)
    fields = DeformationFields(shapedirs, torch.zeros(n, 36, 3), torch.ones(n, 6) / 6)
    inside = None if mouth is None else mouth(vertices).nonzero()[:, 0]
    return HeadSurface(HeadSupervision(vertices, fields), torch.tensor(faces), inside)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_face_samples_lie_around_what_expressions_move_with_their_distances():
    samples = sample_face_distances(sphere_head(mobile=lambda v: v[:, 1] > 0.1), generator())
    radius = samples.points.norm(dim=1)
    assert (samples.distances - (radius - RADIUS)).abs().max() < 2e-3
    near = (samples.points / radius[:, None])[(radius - RADIUS).abs() < 0.01]
    assert near[:, 1].min() * RADIUS > 0.0
    assert (samples.distances > 0).float().mean() == pytest.approx(0.5, abs=0.05)


def test_the_more_a_face_moves_the_more_samples_it_gets():
    head = sphere_head(mobile=lambda v: v[:, 1].abs() > 0.1)
    head.supervision.fields.shapedirs[head.vertices[:, 1] < 0] *= 0.5
    points = sample_face_distances(head, generator()).points
    above, below = (points[:, 1] > 0.15).sum(), (points[:, 1] < -0.15).sum()
    assert above / below == pytest.approx(2.0, rel=0.1)


def test_a_head_without_expressions_is_sampled_all_around():
    points = sample_face_distances(sphere_head(), generator()).points
    assert points.mean(dim=0).abs().max() < 0.01


def head_distance(sdf) -> float:
    surface = sphere_head(mobile=lambda v: v[:, 1] > 0.1)
    objective = Objective(surface, sample_face_distances(surface, generator()))
    return float(objective._head_distance(sdf, generator()))


def test_the_distance_term_is_the_mean_error_of_the_signed_distance():
    assert head_distance(lambda x: x.norm(dim=1) - RADIUS) < 1e-3
    assert head_distance(lambda x: x.norm(dim=1) - RADIUS + 0.07) == pytest.approx(0.07, abs=1e-3)
    assert head_distance(lambda x: x.norm(dim=1) - RADIUS - 0.07) == pytest.approx(0.07, abs=1e-3)


def test_mouth_points_lie_around_the_vertices_of_the_mouth():
    head = sphere_head(mouth=lambda v: v[:, 2] > 0.45)
    points = mouth_points(head, 200, generator())
    assert points.shape == (200, 3)
    assert torch.cdist(points, head.vertices[head.mouth]).min(dim=1).values.max() < 0.05
    assert len(mouth_points(sphere_head(), 200, generator())) == 0


def test_points_around_a_head_have_its_fields_and_say_whether_they_lie_at_its_skin():
    head = sphere_head(mobile=lambda v: v[:, 1] > 0.1).supervision
    points, fields, on_skin = jittered_vertices(head, 600, generator())
    off = (points.norm(dim=1) - RADIUS).abs()
    assert off[on_skin].max() < NEAR_HEAD**0.5
    assert off[~on_skin].min() > 0.5 * NEAR_HEAD**0.5
    assert 0.5 < on_skin.float().mean() < 0.9
    upper, lower = points[:, 1] > 0.3, points[:, 1] < -0.1
    assert (fields.shapedirs[upper] == 0.01).all()
    assert (fields.shapedirs[lower] == 0.0).all()


class Fields(Avatar):
    """An avatar that is never deformed."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.geometry_network = Geometry((16, 16), n_features=4, skip_in=())
        self.rendering_network = Texture((32, 32), n_features=4)


@pytest.fixture
def avatar() -> Fields:
    torch.manual_seed(0)
    return Fields()


def expression() -> torch.Tensor:
    return torch.randn(1, 50, generator=generator())


def test_the_mouth_term_darkens_the_mouth_however_far_it_opens_and_trains_the_texture_only(avatar):
    surface = sphere_head(mouth=lambda v: v[:, 2] > 0.45)
    objective, noise = Objective(surface), generator()
    optimiser = torch.optim.Adam(avatar.texture.parameters(), lr=1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        loss = objective._mouth_interior(avatar, expression(), NO_CODE, noise)
        loss.backward()
        optimiser.step()
    assert all(p.grad is None for p in avatar.geometry.parameters())
    points = surface.vertices[surface.mouth]
    _, features, gradient = avatar.geometry.with_gradient(points, points.new_zeros(1, 0))
    normal = torch.nn.functional.normalize(gradient, dim=1)
    for opening in (0.0, 0.2, 0.45):
        jaw = torch.tensor([[opening, 0.0, 0.0]])
        rgb = avatar.texture(points, normal, torch.cat([expression(), jaw], dim=1), features)
        assert (rgb - torch.tensor(MOUTH_SHADOW)).abs().max() < 0.2


def test_the_mouth_term_of_a_head_that_names_no_mouth_is_nothing(avatar):
    loss = Objective(sphere_head())._mouth_interior(avatar, expression(), NO_CODE, generator())
    loss.backward()
    assert float(loss.detach()) == 0.0


def step(*, compat: bool = False, mouth: float = 0.0, optimised: torch.Tensor | None = None):
    """The loss terms of six rays: 0 to 2 have surface points at 0.1, 0.2 and 0.3 from the head, 3 and 4 hit outside of
    the mask, 5 misses; all but 4 lie on skin alone. Returns them and the avatar.
    """
    torch.manual_seed(0)
    surface = sphere_head(mouth=lambda v: v[:, 2] > 0.45)
    avatar = Fields()
    vertex, index = surface.vertices[[5, 300, 900]], torch.arange(3)
    hit = torch.tensor([True] * 5 + [False])
    hits = SurfaceHits(torch.ones(6), hit, torch.zeros(6, 3), torch.zeros(6), torch.ones(6, dtype=torch.bool))
    fields = DeformationFields(torch.zeros(3, 3, 50), torch.zeros(3, 36, 3), torch.ones(3, 6) / 6)
    x_c = vertex * (1 + torch.tensor([[0.1], [0.2], [0.3]]) / RADIUS)
    quality = RootStatistics(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    render = RenderOutput(torch.ones(6, 3), torch.zeros(6, 3), torch.ones(6), hits, index, x_c, x_c, fields, quality)
    semantics = torch.zeros(6, 9)
    semantics[:, SemanticClass.SKIN] = 1
    semantics[4] = torch.eye(9)[SemanticClass.HAIR]
    head = HeadParameters(expression(), torch.zeros(1, 15))
    camera = Camera(torch.tensor([[-30.0, 30.0, 8.0, 8.0]]), torch.eye(4)[None])
    rows, foreground = torch.zeros(6, dtype=torch.long), torch.tensor([True, True, True, False, False, False])
    batch = Batch(rows[:1], camera, head, torch.zeros(6, 2), rows, torch.ones(6, 3), foreground, semantics)
    posed = PosedHead(
        head.expression if optimised is None else optimised,
        torch.zeros(1, 53), torch.zeros(1, 36), torch.eye(4).repeat(1, 6, 1, 1), NO_CODE,
    )  # fmt: skip
    weights = LossWeights(lbs_weight=0.0, flame_distance_weight=1.0, mouth_interior_weight=mouth)
    objective = Objective(surface, compat=compat)
    return objective.terms(avatar, render, batch, {}, weights, generator(), posed).values, avatar


@pytest.mark.parametrize(("compat", "counted"), [(False, 3), (True, 4)])
def test_the_authors_mean_distance_counts_skin_that_is_hit_outside_of_the_mask_as_zero(compat, counted):
    found = float(step(compat=compat)[0]["flame_distance"])
    assert found == pytest.approx((0.1**4 + 0.2**4 + 0.3**4) / counted, rel=1e-4)


def test_the_mouth_is_darkened_under_the_expression_that_the_step_uses():
    tracked, other = step(mouth=1.0)[0], step(mouth=1.0, optimised=expression() + 1.0)[0]
    assert float(tracked["mouth_interior"].detach()) != float(other["mouth_interior"].detach())
    terms, avatar = step(mouth=1.0, optimised=expression() + 1.0)
    surface = sphere_head(mouth=lambda v: v[:, 2] > 0.45)
    expected = Objective(surface)._mouth_interior(avatar, expression() + 1.0, NO_CODE, generator())
    torch.testing.assert_close(terms["mouth_interior"], expected)
