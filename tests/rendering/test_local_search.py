"""The search along short pieces of rays, on a sphere under an affine map, where all is known in closed form."""

import torch

from imavatar.rendering.local_search import HALF_WIDTH, N_SAMPLES, search_near
from oracles_fields import AffineDeformer, SphereField, points, rays_from, rotation

RADIUS = 0.6
SPACING = 2 * HALF_WIDTH / (N_SAMPLES - 1)
MAP = AffineDeformer(1.1 * rotation(0.3, -0.2, 0.1), torch.tensor([0.05, 0.1, -0.1], dtype=torch.float64))


def canonical(x_d: torch.Tensor) -> torch.Tensor:
    return (x_d - MAP.transforms[0, :3, 3]) @ torch.linalg.inv(MAP.matrix).T


def meeting(n: int, reach: float):
    """Rays at a deformed sphere, a ball of radius 1.1 RADIUS: where they enter it, come closest, how far beside."""
    centre = MAP.transforms[0, :3, 3]
    eye = centre + torch.tensor([0.2, 0.1, 3.0], dtype=torch.float64)
    rays = rays_from(eye, centre + points(n, seed=1, scale=reach))
    offset = rays.origins - centre
    along = -(offset * rays.directions).sum(dim=-1)
    beside = (offset.square().sum(dim=-1) - along.square()).sqrt()
    half = ((1.1 * RADIUS) ** 2 - beside.square()).sqrt()
    return rays, along - half, along, beside


def near(rays, depth, seed=2):
    """Canonical points whose images are beside the rays at some depths."""
    return canonical(rays.at(depth) + 0.005 * points(len(rays), seed=seed))


def test_the_surface_is_found_where_the_ray_enters_it():
    rays, entry, _, _ = meeting(60, 0.1)
    off = 0.7 * HALF_WIDTH * torch.linspace(-1, 1, 60, dtype=torch.float64)
    found = search_near(MAP, SphereField(RADIUS), rays, near(rays, entry + off), entry + off)
    assert found.hit.all() and found.converged.all()
    assert (found.depth - entry).abs().max() < 2e-4
    assert (found.x_c.norm(dim=-1) - RADIUS).abs().max() < 5e-5
    torch.testing.assert_close(MAP(found.x_c), rays.at(found.depth), rtol=0, atol=5e-5)


def test_rays_that_pass_take_the_sample_nearest_to_the_surface():
    rays, _, closest, beside = meeting(200, 0.9)
    passing = (beside > 1.1 * RADIUS + 0.01).nonzero()[:, 0]
    assert len(passing) > 20
    rays, closest = rays[passing], closest[passing]
    depth = closest + 0.5 * HALF_WIDTH * torch.linspace(-1, 1, len(passing), dtype=torch.float64)
    found = search_near(MAP, SphereField(RADIUS), rays, near(rays, depth), depth)
    assert not found.hit.any() and found.converged.all()
    assert (found.depth - closest).abs().max() < 0.51 * SPACING
    torch.testing.assert_close(found.sdf, (beside[passing] / 1.1 - RADIUS), rtol=0, atol=2e-3)


def test_what_is_inside_from_the_start_is_no_hit():
    rays, entry, _, _ = meeting(20, 0.1)
    depth = entry + HALF_WIDTH + 0.05
    found = search_near(MAP, SphereField(RADIUS), rays, near(rays, depth), depth)
    assert (found.sdf < 0).all()
    assert not found.hit.any() and not found.converged.any()


def test_a_jump_of_the_sign_is_no_surface():
    class Jump(SphereField):
        def __call__(self, x_c):
            return torch.where(super().__call__(x_c) < 0, -0.05, 0.05)

    rays, entry, _, _ = meeting(20, 0.1)
    found = search_near(MAP, Jump(RADIUS), rays, near(rays, entry), entry)
    assert not found.hit.any() and not found.converged.any()


def test_samples_without_a_canonical_point_count_as_outside():
    class Partial(AffineDeformer):
        """No image near the eye's side of the ball: there the map is undefined."""

        def __call__(self, x_c):
            image = super().__call__(x_c)
            return torch.where((x_c.norm(dim=-1) > RADIUS + 0.02)[:, None], torch.nan, image)

    rays, entry, _, _ = meeting(20, 0.1)
    deform = Partial(MAP.matrix, MAP.transforms[0, :3, 3])
    found = search_near(deform, SphereField(RADIUS), rays, near(rays, entry), entry)
    assert found.hit.all()
    assert (found.depth - entry).abs().max() < 2e-4


def test_where_no_sample_has_a_canonical_point_nothing_is_known():
    class Nowhere(AffineDeformer):
        """The inside of the ball has no image."""

        def __call__(self, x_c):
            image = super().__call__(x_c)
            return torch.where((x_c.norm(dim=-1) < RADIUS)[:, None], torch.nan, image)

    rays, entry, _, _ = meeting(20, 0.1)
    depth = entry + HALF_WIDTH + 0.05
    found = search_near(
        Nowhere(MAP.matrix, MAP.transforms[0, :3, 3]), SphereField(RADIUS), rays, near(rays, depth), depth
    )
    assert (found.sdf == 1).all()
    assert not found.hit.any() and not found.converged.any()


def test_no_rays_are_no_hits():
    rays, entry, _, _ = meeting(3, 0.1)
    found = search_near(MAP, SphereField(RADIUS), rays[:0], near(rays, entry)[:0], entry[:0])
    assert len(found) == 0
