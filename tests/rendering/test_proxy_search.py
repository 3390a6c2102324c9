"""The proxy search against the paper's on a sphere-like network with a small deformation."""

import math

import pytest
import torch

from imavatar.fields.geometry import FrameSDF
from imavatar.numerics.mesh_bvh import MeshPoints
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.newton import refine_on_ray
from imavatar.rendering.proxy_mesh import ProxyMesh
from imavatar.rendering.proxy_search import ProxySearch
from imavatar.rendering.surface_search import PaperSearch
from imavatar.types import RayBundle
from oracles_fields import (
    FieldOracle,
    SphereField,
    canonical_head,
    frontal_rays,
    points,
    posed_head,
    rays_from,
    tiny_deformer,
    tiny_geometry,
)

SETTINGS = CorrespondenceSettings()
RADIUS = 1.2


@pytest.fixture(scope="module")
def scene():
    """Deformer and field of one frame in float32, as in use."""
    geometry = tiny_geometry(1, noise=0.003, widths=(64, 64, 64), n_octaves=1).float()
    posed = posed_head(3, amplitude=0.05).to(dtype=torch.float32)
    deformer = tiny_deformer(1, noise=0.005).float()
    with torch.no_grad():
        return deformer.for_frame(posed), FrameSDF(geometry, torch.zeros(1, 0))


def proxy(resolution=48):
    return ProxySearch(radius=RADIUS, resolution=resolution, correspondence=SETTINGS)


def paper():
    return PaperSearch(radius=RADIUS, correspondence=SETTINGS)


def rays(n=150, spread=0.5):
    return frontal_rays(n, spread=spread).to(dtype=torch.float32)


def test_both_searches_agree_in_hits_and_depths(scene):
    found, expected = (search(*scene, rays(), None) for search in (proxy(), paper()))
    both = found.hit & expected.hit
    assert 30 < both.sum() < 140
    assert torch.equal(found.hit, expected.hit)
    assert (found.depth - expected.depth)[both].abs().max() < 1e-3
    assert (found.x_c - expected.x_c)[both].norm(dim=-1).max() < 1e-3
    assert found.converged[both].all()


def test_hits_lie_on_the_ray_and_on_the_surface(scene):
    deform, field = scene
    found = proxy()(deform, field, rays(), None)
    hit = found.hit
    with torch.no_grad():
        assert field(found.x_c[hit]).abs().max() < 1e-3
        torch.testing.assert_close(deform(found.x_c[hit]), rays().at(found.depth)[hit], rtol=0, atol=1e-3)


def test_in_training_passing_rays_take_their_least_distance(scene):
    foreground = torch.ones(150, dtype=torch.bool)
    found, expected = (search(*scene, rays(), foreground) for search in (proxy(), paper()))
    passing = ~expected.hit & expected.converged & found.converged
    assert passing.sum() > 10
    # The proxy search looks where the ray comes closest; the network is only about a distance, so that its
    # least value may be a little way off. The paper's search stays above it too, by looking at samples only.
    excess = (found.sdf - expected.sdf)[passing]
    assert excess.max() < 0.03
    assert excess.abs().median() < 5e-3
    deform, field = scene
    with torch.no_grad():
        torch.testing.assert_close(field(found.x_c[passing]), found.sdf[passing])
        torch.testing.assert_close(deform(found.x_c[passing]), rays().at(found.depth)[passing], rtol=0, atol=2e-4)


def test_false_hits_outside_the_mask_take_a_negative_least_distance(scene):
    bundle = rays(20, spread=0.05)
    nowhere = torch.zeros(20, dtype=torch.bool)
    found, expected = (search(*scene, bundle, nowhere) for search in (proxy(), paper()))
    assert found.hit.all()
    assert found.converged.all()
    assert (found.sdf < -0.2).all()
    # Both take the least of samples, which lie apart by up to 0.05.
    assert (found.sdf - expected.sdf).abs().max() < 0.03


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_few_rays_are_searched_like_many(scene, n, training):
    mask = torch.ones(10, dtype=torch.bool) if training else None
    many = proxy()(*scene, rays(10, spread=0.2), mask)
    few = proxy()(*scene, rays(10, spread=0.2)[:n], None if mask is None else mask[:n])
    assert len(few) == n
    assert torch.equal(few.hit, many.hit[:n])
    torch.testing.assert_close(few.depth, many.depth[:n], rtol=0, atol=1e-4)


def test_permuted_rays_give_permuted_hits(scene):
    order = torch.randperm(150, generator=torch.Generator().manual_seed(0))
    search = proxy()
    hits, permuted = search(*scene, rays(), None), search(*scene, rays()[order], None)
    assert torch.equal(permuted.hit, hits.hit[order])
    torch.testing.assert_close(permuted.depth, hits.depth[order], rtol=0, atol=1e-4)


def test_a_ray_that_starts_outside_the_bounding_sphere_and_looks_away_never_hits(scene):
    away = rays_from(torch.tensor([0.0, 0.0, 3.0]), points(4).float() + torch.tensor([0.0, 0.0, 9.0]))
    assert not proxy()(*scene, away, None).hit.any()


def test_a_surface_that_has_changed_is_found_after_a_reset(scene):
    deform, field = scene
    search = proxy()
    search(deform, field, rays(), None)

    class Grown(FieldOracle):
        """The same field, its surface a little further out."""

        latent = field.latent

        def __call__(self, x):
            return field(x) - 0.1

        def with_gradient(self, x):
            value, gradient = field.with_gradient(x)
            return value - 0.1, gradient

    search.reset()
    found, expected = (s(deform, Grown(), rays(), None) for s in (search, paper()))
    assert (found.hit != expected.hit).sum() == 0
    assert (found.depth - expected.depth)[found.hit].abs().max() < 1e-3


def test_a_sheet_of_the_mesh_that_is_no_surface_does_not_hide_what_is_behind_it(scene):
    bundle = rays()
    expected, search = proxy()(*scene, bundle, None), proxy()
    search(*scene, rays(1), None)
    mesh = search.proxy._mesh
    curtain = torch.tensor([[-2.0, -2.0, 0.95], [2.0, -2.0, 0.95], [0.0, 4.0, 0.95]])
    mesh.faces = torch.cat([mesh.faces, torch.arange(3)[None] + len(mesh.vertices)])
    mesh.vertices = torch.cat([mesh.vertices, curtain])
    mesh.gradients = torch.cat([mesh.gradients, torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3)])
    mesh._index, mesh._features, mesh._posed = None, None, None
    found = search(*scene, bundle, None)
    assert expected.hit.sum() > 30
    assert torch.equal(found.hit, expected.hit)
    torch.testing.assert_close(found.depth[found.hit], expected.depth[found.hit], rtol=0, atol=1e-4)


def test_a_mesh_follows_every_frame_it_is_posed_in(scene):
    deform, field = scene
    mesh = ProxyMesh(field, resolution=24, bound=RADIUS, device=torch.device("cpu"))
    with torch.no_grad():
        other = deform.deformer.for_frame(posed_head(4, amplitude=0.1).to(dtype=torch.float32))
        for frame in (deform, other, other, deform):
            posed = mesh.pose(frame)
            torch.testing.assert_close(posed.vertices, frame(mesh.inflated), rtol=0, atol=1e-6)
        mesh.vertices = mesh.vertices * 1.01
        mesh.project(field)
        torch.testing.assert_close(mesh.pose(deform).vertices, deform(mesh.inflated), rtol=0, atol=1e-6)


def test_distances_on_a_mesh_are_estimated_from_how_its_gradients_turn():
    class Sphere(FieldOracle):
        def __call__(self, x):
            return x.norm(dim=-1) - 0.6

        def with_gradient(self, x):
            return self(x), x / x.norm(dim=-1, keepdim=True)

    mesh = ProxyMesh(Sphere(), resolution=16, bound=RADIUS, device=torch.device("cpu"))
    n = len(mesh.faces)
    share = torch.softmax(torch.randn(n, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    on_mesh = MeshPoints(torch.arange(n), share, torch.zeros(n))
    start = mesh.interpolate(mesh.vertices, on_mesh)
    true, found = Sphere()(start), mesh.estimate_sdf(start, on_mesh)
    assert true.min() < -3e-4
    assert (found - true).abs().max() < 0.1 * true.abs().max()


def test_an_estimated_distance_starts_newton_but_confirms_nothing(scene):
    deform, field = scene
    bundle = rays()
    expected = proxy()(deform, field, bundle, None)
    hit = expected.hit
    x_c, nothing = expected.x_c[hit], torch.zeros(int(hit.sum()))
    gradient = field.with_gradient(x_c)[1]
    # On its ray, and said to be on the surface, which is 0.01 away.
    off = x_c + 0.01 * torch.nn.functional.normalize(gradient, dim=-1)
    along = torch.nn.functional.normalize(deform(off) - bundle.origins[hit], dim=-1)
    aimed = RayBundle(bundle.origins[hit], along, bundle.frame[hit])
    with torch.no_grad():
        found = refine_on_ray(deform, field, aimed, off, gradient, estimate=nothing)
    torch.testing.assert_close(found.sdf, field(found.x_c), rtol=0, atol=1e-6)
    assert found.hit.float().mean() > 0.9 and found.sdf[found.hit].abs().max() < 5e-5


def test_a_good_estimate_spares_evaluations_except_where_rays_graze(scene):
    deform, field = scene
    bundle = rays(spread=0.6)
    expected = proxy()(deform, field, bundle, None)
    bundle, x_c = bundle[expected.hit], expected.x_c[expected.hit]
    gradient = field.with_gradient(x_c)[1]
    start = x_c + 1e-3 * torch.nn.functional.normalize(gradient, dim=-1)
    evaluated = []

    class Counted(SphereField):
        def __call__(self, x):
            evaluated.append(len(x))
            return field(x)

    counted = Counted()

    with torch.no_grad():
        without = refine_on_ray(deform, counted, bundle, start, gradient)
        n_without = sum(evaluated)
        evaluated.clear()
        found = refine_on_ray(deform, counted, bundle, start, gradient, estimate=field(start))
    assert 0 < evaluated[0] < 0.6 * len(bundle)
    assert sum(evaluated) < 0.75 * n_without
    assert torch.equal(found.hit, without.hit)
    torch.testing.assert_close(found.depth, without.depth, rtol=0, atol=2e-4)


def test_a_wrong_estimate_does_not_spoil_the_steps_after_the_first(scene):
    deform, field = scene
    bundle = rays()
    expected = proxy()(deform, field, bundle, None)
    bundle, x_c = bundle[expected.hit], expected.x_c[expected.hit]
    gradient = field.with_gradient(x_c)[1]
    start = x_c + 0.01 * torch.nn.functional.normalize(gradient, dim=-1)
    with torch.no_grad():
        found = refine_on_ray(deform, field, bundle, start, gradient, estimate=-field(start), max_steps=3)
    steep = (torch.nn.functional.normalize(gradient, dim=-1) * bundle.directions).sum(dim=-1) < -0.7
    assert steep.sum() > 10 and found.hit[steep].float().mean() > 0.9


def test_a_moved_mesh_follows_a_surface_that_moves_smoothly(scene):
    _, field = scene
    mesh = ProxyMesh(field, resolution=48, bound=RADIUS, device=torch.device("cpu"))
    evaluated = []

    class Shifted(FieldOracle):
        """The surface a part of a cell further out, more on one side than on the other."""

        def __call__(self, x):
            evaluated.append(len(x))
            return field(x) - mesh.cell * (0.5 + 0.3 * torch.tanh(3 * x[:, 0]))

    shifted = Shifted()
    before = shifted(mesh.vertices).abs().median()
    evaluated.clear()
    mesh.update(shifted)
    assert sum(evaluated) < len(mesh.vertices) / 4
    assert before > 0.2 * mesh.cell
    assert shifted(mesh.vertices).abs().quantile(0.95) < 0.15 * mesh.cell


def test_frames_whose_latent_codes_move_the_surface_are_each_found_on_their_own(scene):
    deform, field = scene

    class Coded(FieldOracle):
        """The same field, its surface further out by a tenth of the code."""

        def __init__(self, code: float):
            self.latent = torch.tensor([[code]])

        def __call__(self, x):
            return field(x) - 0.1 * self.latent[0, 0]

        def with_gradient(self, x):
            value, gradient = field.with_gradient(x)
            return value - 0.1 * self.latent[0, 0], gradient

    search = proxy()
    for code in (0.0, 1.0, 0.05, -1.0, 0.0):
        found, expected = (s(deform, Coded(code), rays(), None) for s in (search, paper()))
        assert (found.hit != expected.hit).sum() <= 1
        both = found.hit & expected.hit
        assert (found.depth - expected.depth)[both].abs().max() < 1e-3
    assert search.statistics()["proxy_rebuilt"] >= 2


def test_a_field_without_a_surface_has_no_hits(scene):
    class Nothing(FieldOracle):
        latent = torch.zeros(1, 0)

        def __call__(self, x):
            return torch.ones_like(x[:, 0])

        def with_gradient(self, x):
            return self(x), torch.ones_like(x)

    assert not proxy()(scene[0], Nothing(), rays(5), None).hit.any()


class Balls(FieldOracle):
    """The union of balls, in float32, as a bound geometry gives it; without balls the signed distance is one."""

    latent = torch.zeros(1, 0)

    def __init__(self, *balls: tuple[tuple[float, float, float], float]):
        self.balls = balls

    def __call__(self, x):
        return self.with_gradient(x)[0]

    def with_gradient(self, x):
        """Distances and unit gradients of the nearest ball."""
        if not self.balls:
            return torch.ones(len(x)), torch.zeros_like(x)
        offsets = torch.stack([x - torch.tensor(centre) for centre, _ in self.balls])
        length = offsets.norm(dim=-1)
        distance = length - torch.tensor([radius for _, radius in self.balls])[:, None]
        nearest = distance.argmin(dim=0)
        rows = torch.arange(len(x))
        return distance[nearest, rows], offsets[nearest, rows] / length[nearest, rows].clamp(min=1e-6)[:, None]


@pytest.fixture(scope="module")
def still():
    """A deformer that leaves every point where it is."""
    deformer = tiny_deformer(1, noise=0.0).float()
    canonical = canonical_head().to(dtype=torch.float32)
    with torch.no_grad():
        return deformer.for_frame(canonical)


def bundle(origins, directions) -> RayBundle:
    origins, directions = torch.tensor(origins), torch.tensor(directions)
    return RayBundle(origins, directions, torch.zeros(len(origins), dtype=torch.long))


def test_rays_along_the_axes_hit_a_ball_at_its_radius(still):
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    rays_in = RayBundle(-2 * axes, axes, torch.zeros(6, dtype=torch.long))
    found = proxy()(still, Balls(((0.0, 0.0, 0.0), 0.5)), rays_in, None)
    assert found.hit.all()
    torch.testing.assert_close(found.depth, torch.full((6,), 1.5), rtol=0, atol=2e-4)


def test_all_parts_of_a_surface_are_seen_and_the_first_one_hides_the_others(still):
    field = Balls(((0.0, 0.0, 0.5), 0.2), ((0.0, 0.0, -0.5), 0.3), ((0.6, 0.0, 0.0), 0.25))
    ahead = bundle([[0.0, 0, 3], [0.25, 0.0, 3], [0.6, 0, 3], [0.0, 0.9, 3]], [[0.0, 0, -1]] * 4)
    found = proxy()(still, field, ahead, None)
    assert found.hit.tolist() == [True, True, True, False]
    expected = torch.tensor([2.3, 3.5 - (0.3**2 - 0.25**2) ** 0.5, 2.75])
    torch.testing.assert_close(found.depth[:3], expected, rtol=0, atol=1e-3)


def test_rays_that_graze_a_surface_before_another_one_see_the_one_that_they_meet(still):
    ball, wall = ((0.0, 0.0, 0.4), 0.35), ((0.0, 0.0, -0.4), 0.6)
    generator = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(200, generator=generator)
    # By how much a ray passes inside the ball (positive) or outside: a small part of the mesh's arc heights.
    inside = torch.where(torch.arange(200) % 2 == 0, 1.0, -1.0) * (1e-4 + 1e-3 * torch.rand(200, generator=generator))
    away = ball[1] - inside
    origins = torch.stack([away * angle.cos(), away * angle.sin(), torch.full((200,), 2.0)], dim=1)
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(200, 3)
    rays_in = RayBundle(origins, directions, torch.zeros(200, dtype=torch.long))
    found = proxy(resolution=24)(still, Balls(ball, wall), rays_in, None)
    before = 2 - 0.4 - (ball[1] ** 2 - away**2).clamp(min=0).sqrt()
    behind = 2 + 0.4 - (wall[1] ** 2 - away**2).sqrt()
    assert found.hit.all()
    assert (found.depth - torch.where(inside > 0, before, behind)).abs().max() < 1e-3


def test_a_camera_inside_the_bounding_sphere_sees_the_surface_before_it(still):
    inside = bundle([[0.0, 0, 0.9], [0.0, 0, 0.9]], [[0.0, 0, -1], [0.0, 0, 1]])
    found = proxy()(still, Balls(((0.0, 0.0, 0.0), 0.5)), inside, None)
    assert found.hit.tolist() == [True, False]
    assert found.depth[0].item() == pytest.approx(0.4, abs=2e-4)


def test_a_surface_that_jumps_between_calls_is_found_in_the_same_call(still):
    search = proxy()
    for radius in (0.3, 0.302, 0.35, 0.6, 0.2):
        found = search(still, Balls(((0.0, 0.0, 0.0), radius)), bundle([[0.0, 0, 2]], [[0.0, 0, -1]]), None)
        assert found.hit.all()
        assert found.depth.item() == pytest.approx(2 - radius, abs=2e-4)
    ages = search.statistics()
    assert ages["proxy_rebuilt"] >= 3 and ages["proxy_seconds"] > 0


def test_a_surface_that_comes_and_goes(still):
    search, ball = proxy(), Balls(((0.0, 0.0, 0.0), 0.4))
    ahead = bundle([[0.0, 0, 2]], [[0.0, 0, -1]])
    for field, hits in ((Balls(), False), (ball, True), (ball, True)):
        assert search(still, field, ahead, None).hit.item() == hits
    assert not search(still, Balls(), ahead, None).hit.item()
