"""The paper's search on spheres and ellipsoids, whose intersections have a closed form."""

import pytest
import torch

from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.surface_search import PaperSearch
from oracles_fields import AffineDeformer, IdentityDeformer, SphereField, frontal_rays, normal, points, rays_from

RADIUS = 0.6
EXACT = CorrespondenceSettings(max_steps=10, tolerance=1e-12)
SEARCH = PaperSearch(n_secant_steps=12, correspondence=EXACT)
EYE = torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)


def search(rays, foreground=None, deform=None, field=None):
    deform = IdentityDeformer() if deform is None else deform
    return SEARCH(deform, SphereField(RADIUS) if field is None else field, rays, foreground)


def test_hits_of_a_sphere_are_the_closed_forms():
    rays = frontal_rays(60, spread=0.5)
    near, _, meets = ray_sphere_interval(rays.origins, rays.directions, RADIUS)
    hits = search(rays)
    assert 10 < meets.sum() < 50
    assert torch.equal(hits.hit, meets)
    torch.testing.assert_close(hits.depth[meets], near[meets], rtol=0, atol=1e-9)
    torch.testing.assert_close(hits.x_c[meets], rays.at(near)[meets], rtol=0, atol=1e-9)
    assert hits.sdf[meets].abs().max() < 1e-9
    assert hits.converged[meets].all()


def test_hits_of_an_ellipsoid_are_the_closed_forms():
    matrix = torch.diag(torch.tensor([1.2, 0.8, 1.0])).double() + 0.1 * normal(3, 3, seed=0)
    shift = torch.tensor([0.05, -0.1, 0.02], dtype=torch.float64)
    rays = frontal_rays(40, spread=0.2)
    back = torch.linalg.inv(matrix)
    origins, directions = (rays.origins - shift) @ back.T, rays.directions @ back.T
    length = directions.norm(dim=-1)
    near, _, meets = ray_sphere_interval(origins, directions / length[:, None], RADIUS)
    hits = search(rays, deform=AffineDeformer(matrix, shift))
    assert torch.equal(hits.hit, meets)
    torch.testing.assert_close(hits.depth[meets], (near / length)[meets], rtol=0, atol=1e-9)


def test_a_ray_that_passes_the_surface_takes_a_sample_beside_its_closest_approach():
    rays = rays_from(EYE, torch.tensor([[0.8, 0.0, 0.0], [0.0, -0.9, 0.0], [0.7, 0.3, 0.1]], dtype=torch.float64))
    near, far, meets = ray_sphere_interval(rays.origins, rays.directions, 1.2)
    closest = -(rays.origins * rays.directions).sum(dim=-1)
    hits = search(rays)
    assert meets.all()
    assert not hits.hit.any()
    assert ((hits.depth - closest).abs() <= (far - near) / 99).all()
    torch.testing.assert_close(hits.sdf, rays.at(hits.depth).norm(dim=-1) - RADIUS)


@pytest.mark.parametrize("training", [True, False])
def test_a_ray_that_misses_the_bounding_sphere_never_hits(training):
    rays = rays_from(EYE, torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]], dtype=torch.float64))
    hits = search(rays, torch.ones(2, dtype=torch.bool) if training else None)
    closest = -(rays.origins * rays.directions).sum(dim=-1)
    assert not hits.hit.any()
    torch.testing.assert_close(hits.depth, closest if training else torch.zeros_like(closest))
    assert hits.converged.all()
    torch.testing.assert_close(hits.sdf, rays.at(hits.depth).norm(dim=-1) - RADIUS)


def test_a_ray_that_starts_inside_the_surface_takes_its_first_sample():
    rays = rays_from(points(4, scale=0.1), EYE)
    hits = search(rays)
    assert hits.hit.all()
    torch.testing.assert_close(hits.depth, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(hits.x_c, rays.origins, rtol=0, atol=1e-9)


def test_a_ray_that_starts_inside_is_searched_between_its_last_sample_and_its_first_where_asked_for():
    rays = rays_from(points(4, scale=0.1), EYE)
    wrapping = PaperSearch(n_secant_steps=40, correspondence=EXACT, wrap=True)
    hits = wrapping(IdentityDeformer(), SphereField(RADIUS), rays, None)
    leaves = ray_sphere_interval(rays.origins, rays.directions, RADIUS)[1]
    torch.testing.assert_close(hits.depth, leaves, rtol=0, atol=1e-6)


def test_a_ray_that_starts_inside_the_bounding_sphere_still_finds_the_surface():
    rays = rays_from(torch.tensor([0.0, 0.1, 0.9], dtype=torch.float64), points(4, scale=0.1))
    near, _, _ = ray_sphere_interval(rays.origins, rays.directions, RADIUS)
    torch.testing.assert_close(search(rays).depth, near, rtol=0, atol=1e-9)


def test_a_surface_between_the_first_two_samples_is_found():
    rays = rays_from(torch.tensor([0.0, 0.0, RADIUS + 1e-3], dtype=torch.float64), points(4, scale=0.05))
    near, _, _ = ray_sphere_interval(rays.origins, rays.directions, RADIUS)
    hits = search(rays)
    assert hits.hit.all()
    torch.testing.assert_close(hits.depth, near, rtol=0, atol=1e-9)


def test_in_training_rays_outside_the_mask_take_their_least_distance_but_are_still_called_hits():
    rays = frontal_rays(8, spread=0.05)
    foreground = torch.arange(8) % 2 == 0
    hits, everywhere = search(rays, foreground), search(rays)
    assert hits.hit.all()
    torch.testing.assert_close(hits.depth[foreground], everywhere.depth[foreground])
    outside = ~foreground
    # Through the sphere the least distance is at the closest approach to the centre, up to half a sample.
    closest = -(rays.origins * rays.directions).sum(dim=-1)
    assert ((hits.depth - closest).abs()[outside] < 2.4 / 99).all()
    assert (hits.sdf[outside] < -0.5).all()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_rays_are_searched_like_many(n):
    rays, many = frontal_rays(8, spread=0.3)[:n], search(frontal_rays(8, spread=0.3))
    hits = search(rays)
    assert len(hits) == n
    assert hits.x_c.shape == (n, 3)
    for name in ("depth", "hit", "x_c", "sdf", "converged"):
        torch.testing.assert_close(getattr(hits, name), getattr(many, name)[:n], rtol=1e-12, atol=1e-12)


def test_permuted_rays_give_permuted_hits():
    rays = frontal_rays(20, spread=0.5)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    hits, permuted = search(rays), search(rays[order])
    for name in ("depth", "hit", "x_c", "sdf", "converged"):
        torch.testing.assert_close(getattr(permuted, name), getattr(hits, name)[order], rtol=1e-12, atol=1e-12)
