"""The analytic gradient of points found by a search, against closed forms and finite differences.

docs/method.md, section 7.
"""

from dataclasses import replace

import pytest
import torch

from imavatar.numerics.implicit import implicit_root
from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.numerics.linalg import orthonormal_complement, pointwise_jacobian
from oracles_fields import frontal_rays, normal, points, posed_head, rays_from, tiny_deformer, tiny_geometry

F64 = torch.float64


def attached_root(residual, root, jacobian=None):
    """The points of `implicit_root` alone."""
    return implicit_root(residual, root, jacobian).x


def derivative(value, parameter):
    """d value / d scalar parameter, component by component."""
    grads = [torch.autograd.grad(component, parameter, retain_graph=True)[0] for component in value.flatten()]
    return torch.stack(grads).view_as(value)


def on_ray_by_basis(rays, offset):
    first, second = orthonormal_complement(rays.directions)
    return [(first * offset).sum(-1), (second * offset).sum(-1)]


def on_ray_by_cross_product(rays, offset):
    cross = torch.linalg.cross(rays.directions, offset, dim=-1)
    return [cross[:, 0], cross[:, 1]]


FORMS = pytest.mark.parametrize("on_ray", [on_ray_by_basis, on_ray_by_cross_product])


@FORMS
@pytest.mark.parametrize("radius", [0.3, 0.6, 0.9])
def test_a_growing_sphere_moves_the_hit_against_the_ray(radius, on_ray):
    rays = frontal_rays(8, spread=0.1)
    r = torch.tensor(radius, dtype=F64, requires_grad=True)
    near, _, meets = ray_sphere_interval(rays.origins, rays.directions, radius)
    assert meets.all()
    x = rays.at(near)

    def residual(x):
        return torch.stack([*on_ray(rays, x - rays.origins), x.norm(dim=-1) - r], dim=-1)

    attached = attached_root(residual, x)
    assert torch.equal(attached, x)
    slope = radius / (x * rays.directions).sum(-1)  # dt/dr, from |o + t d| = r
    torch.testing.assert_close(derivative(attached, r), slope[:, None] * rays.directions)


@FORMS
def test_a_moving_camera_moves_the_hit_along_the_surface(on_ray):
    shift = torch.zeros(3, dtype=F64, requires_grad=True)
    still = frontal_rays(4, spread=0.1)
    near, _, _ = ray_sphere_interval(still.origins, still.directions, 0.6)
    rays = replace(still, origins=still.origins + shift)

    def residual(x):
        return torch.stack([*on_ray(rays, x - rays.origins), x.norm(dim=-1) - 0.6], dim=-1)

    attached = attached_root(residual, still.at(near))
    n, d = still.at(near) / 0.6, still.directions
    # Shifted origins move the hit by s - d (n s) / (n d): along the surface, up to a way along the ray.
    expected = torch.eye(3, dtype=F64) - d[:, :, None] * n[:, None] / (n * d).sum(-1)[:, None, None]
    actual = torch.stack([derivative_rows(attached[i], shift) for i in range(4)])
    torch.testing.assert_close(actual, expected)


def derivative_rows(vector, parameter):
    return torch.stack([torch.autograd.grad(v, parameter, retain_graph=True)[0] for v in vector])


@pytest.mark.parametrize("given", [True, False])
def test_an_affine_deformer_moves_the_canonical_point_by_minus_its_inverse(given):
    matrix, shift = torch.eye(3, dtype=F64) + 0.3 * normal(3, 3, seed=0), torch.zeros(3, dtype=F64, requires_grad=True)
    target = points(5)
    root = torch.linalg.solve(matrix, target.T).T
    jacobian = matrix.expand(5, 3, 3) if given else None
    attached = attached_root(lambda x: x @ matrix.T + shift - target, root, jacobian)
    for row in attached:
        torch.testing.assert_close(derivative_rows(row, shift), -torch.linalg.inv(matrix))


def test_the_value_is_unchanged_bit_for_bit():
    root = points(6)
    parameter = torch.tensor(0.3, dtype=F64, requires_grad=True)
    # The residual does not vanish there, as with a search that stopped early.
    attached = attached_root(lambda x: x * parameter + 0.1, root)
    assert torch.equal(attached, root)
    assert attached.requires_grad


def test_rows_with_a_singular_jacobian_keep_their_value_without_a_gradient():
    scale = torch.tensor([[1.0], [0.0], [2.0]], dtype=F64)
    parameter = torch.zeros(3, 3, dtype=F64, requires_grad=True)
    attached = attached_root(lambda x: scale * x + parameter, points(3))
    (gradient,) = torch.autograd.grad(attached.sum(), parameter)
    torch.testing.assert_close(gradient, torch.tensor([[-1.0] * 3, [0.0] * 3, [-0.5] * 3], dtype=F64))


def test_the_jacobian_is_not_differentiated_through():
    parameter = torch.tensor(2.0, dtype=F64, requires_grad=True)
    attached = attached_root(lambda x: parameter * x - 1, torch.full((1, 3), 0.5, dtype=F64))
    (first,) = torch.autograd.grad(attached.sum(), parameter, create_graph=True)
    assert first.item() == pytest.approx(3 * -0.25)  # x = 1 / p
    assert not first.requires_grad


def test_no_points_stay_no_points():
    attached = attached_root(lambda x: 2 * x, points(0))
    assert attached.shape == (0, 3)


def newton(residual, x, steps=8):
    """The root to machine precision, by a route of its own."""
    for _ in range(steps):
        x = x - torch.linalg.solve(pointwise_jacobian(residual, x), residual(x).detach())
    return x.detach()


PARAMETERS = ("expression", "pose_feature", "bone_transforms", "latent", "origins")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("surface", ["cross product", "basis", None])
def test_gradcheck_passes_with_tiny_networks(name, surface):
    """The function under test solves anew at every evaluation, so that finite differences see the whole search."""
    on_ray = on_ray_by_basis if surface == "basis" else on_ray_by_cross_product
    deformer, geometry = tiny_deformer(noise=0.02), tiny_geometry(latent_size=2, noise=0.02)
    posed, rays = posed_head(amplitude=0.1, latent_size=2), frontal_rays(2, spread=0.1)
    start = surface_guess(geometry, posed, rays)

    start_value = rays.origins if name == "origins" else getattr(posed, name)
    direction = normal(*start_value.shape, seed=9)

    def solve(step):
        value = start_value + step * direction
        frame = replace(posed, **{name: value}) if name != "origins" else posed
        bundle = replace(rays, origins=value) if name == "origins" else rays
        bound = deformer.for_frame(frame)

        def residual(x):
            if surface is None:
                return bound(x) - bundle.at(torch.full((2,), 2.5, dtype=F64))
            return torch.stack([*on_ray(bundle, bound(x) - bundle.origins), geometry.sdf(x, frame.latent)], dim=-1)

        root = newton(residual, start)
        assert residual(root).abs().max() < 1e-12
        attached = attached_root(residual, root)
        return torch.cat([attached.flatten(), geometry.sdf(attached, frame.latent)])

    zero = torch.zeros((), dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(solve, (zero,), eps=1e-6, atol=1e-6)


def surface_guess(geometry, posed, rays):
    """The nearest of many points along each ray to the zero set, the deformer taken for the identity."""
    depths = torch.linspace(2.0, 3.0, 400, dtype=F64)
    along = rays.origins[:, None] + depths[:, None] * rays.directions[:, None]
    with torch.no_grad():
        value = geometry.sdf(along.reshape(-1, 3), posed.latent).view(len(along), -1)
    first = (value < 0).to(torch.uint8).argmax(dim=-1)
    return along[torch.arange(len(along)), first]


def test_both_forms_of_the_ray_give_the_same_gradient():
    geometry = tiny_geometry(noise=0.02)
    rays = rays_from(torch.tensor([0.1, 0.0, 3.0], dtype=F64), points(4, scale=0.1))
    start = surface_guess(geometry, posed_head(), rays)
    gradients = []
    for on_ray in (on_ray_by_basis, on_ray_by_cross_product):

        def residual(x, on_ray=on_ray):
            return torch.stack([*on_ray(rays, x - rays.origins), geometry.sdf(x)], dim=-1)

        attached = attached_root(residual, newton(residual, start))
        gradients.append(torch.autograd.grad((attached * normal(4, 3, seed=1)).sum(), geometry.lin1.bias)[0])
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().max() > 1e-4
