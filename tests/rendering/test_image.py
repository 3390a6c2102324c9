"""Whole images: coverage, invariance under chunking, and supersampling."""

import pytest
import torch

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.image import ImageRenderer, RenderedImage, soften_silhouette, subpixels
from imavatar.rendering.surface_search import PaperSearch
from imavatar.types import Camera
from oracles_fields import posed_head, tiny_deformer, tiny_geometry, tiny_texture

HEIGHT, WIDTH = 9, 7
POSED = posed_head(3, amplitude=0.1)
SEARCH = PaperSearch(n_samples=30, correspondence=CorrespondenceSettings())
FIELDS = ("rgb", "normal", "alpha", "depth")


def camera():
    pose = torch.eye(4, dtype=torch.float64)
    pose[2, 3] = 3.0
    return Camera(torch.tensor([[-12.0, 12.0, 3.0, 4.0]], dtype=torch.float64), pose[None])


@pytest.fixture(scope="module")
def avatar():
    return Avatar(
        tiny_geometry(1, noise=0.01, widths=(32, 32, 32), n_octaves=1),
        tiny_deformer(1, noise=0.02),
        tiny_texture(1, noise=0.1),
        SEARCH,
    )


def render(avatar, **options):
    return ImageRenderer(avatar, **options).render(camera(), POSED, HEIGHT, WIDTH)


def test_an_image_is_what_its_pixels_rays_see(avatar):
    image = render(avatar)
    rays = cast_rays(camera(), pixel_grid(HEIGHT, WIDTH).double(), torch.zeros(HEIGHT * WIDTH, dtype=torch.long))
    with torch.no_grad():
        hits = avatar.find_surface(rays, POSED, None)
        output = avatar.shade(rays, POSED, hits, hits.hit)
    assert 0 < hits.hit.sum() < HEIGHT * WIDTH
    torch.testing.assert_close(image.rgb.reshape(-1, 3), output.rgb)
    torch.testing.assert_close(image.normal.reshape(-1, 3), output.normal)
    torch.testing.assert_close(image.alpha.flatten(), hits.hit.double())
    torch.testing.assert_close(image.depth.flatten()[hits.hit], hits.depth[hits.hit])


def test_the_background_is_white_and_has_neither_normal_nor_depth(avatar):
    image = render(avatar)
    background = image.alpha == 0
    assert (image.rgb[background] == 1).all()
    assert (image.normal[background] == 0).all()
    assert (image.depth[background] == 0).all()


@pytest.mark.parametrize("supersample", [1, 2])
@pytest.mark.parametrize("chunk", [7, 50])
def test_chunks_do_not_change_the_image(avatar, chunk, supersample):
    whole, chunked = (render(avatar, chunk=c, supersample=supersample) for c in (8192, chunk))
    for name in FIELDS:
        torch.testing.assert_close(getattr(chunked, name), getattr(whole, name), rtol=0, atol=1e-9)


def test_supersampled_colours_and_coverage_are_means_of_a_finer_image(avatar):
    twice = render(avatar, supersample=2)
    # The same rays as pixels of an image of twice the size: u' = 2 u + 1/2.
    fx, fy, cx, cy = camera().intrinsics[0]
    finer = Camera(torch.stack([2 * fx, 2 * fy, 2 * cx + 0.5, 2 * cy + 0.5])[None], camera().world_from_camera)
    image = ImageRenderer(avatar).render(finer, POSED, 2 * HEIGHT, 2 * WIDTH)
    means = image.rgb.view(HEIGHT, 2, WIDTH, 2, 3).mean(dim=(1, 3))
    torch.testing.assert_close(twice.rgb, means)
    torch.testing.assert_close(twice.alpha, image.alpha.view(HEIGHT, 2, WIDTH, 2).mean(dim=(1, 3)))
    normals = twice.normal.norm(dim=-1)
    torch.testing.assert_close(normals, (twice.alpha > 0).double())


def test_supersampled_depths_are_means_over_what_is_covered(avatar):
    once, twice = render(avatar), render(avatar, supersample=3)
    covered = (once.alpha == 1) & (twice.alpha == 1)
    assert covered.any()
    assert (once.depth - twice.depth)[covered].abs().max() < 0.1
    partly = (twice.alpha > 0) & (twice.alpha < 1)
    assert partly.any()
    assert (twice.depth[partly] > 2).all()


def image_of(alpha: torch.Tensor, colour: float) -> RenderedImage:
    """One colour where covered, on white."""
    rgb = (alpha * colour + (1 - alpha))[..., None].expand(-1, -1, 3)
    return RenderedImage(rgb, torch.zeros_like(rgb), alpha, alpha)


def test_a_softened_edge_is_a_gaussian_step_of_the_same_colour():
    alpha = (torch.arange(41) >= 20).double().expand(9, -1)
    soft = soften_silhouette(image_of(alpha, -0.5), 2.0)
    expected = 0.5 * (1 + torch.erf((torch.arange(41) - 19.5).double() / (2.0 * 2**0.5)))
    torch.testing.assert_close(soft.alpha, expected.expand(9, -1), rtol=0, atol=0.01)
    torch.testing.assert_close(soft.rgb, image_of(soft.alpha, -0.5).rgb, rtol=0, atol=1e-12)


def test_what_lies_inside_and_outside_of_an_edge_is_not_softened():
    alpha = torch.zeros(30, 30, dtype=torch.float64)
    alpha[8:, 8:] = 1
    image = image_of(alpha, 0.0)
    pattern = torch.rand(30, 30, 1, generator=torch.Generator().manual_seed(0)).double() * alpha[..., None]
    image = RenderedImage(image.rgb + pattern, image.normal, image.alpha, image.depth)
    soft = soften_silhouette(image, 1.0)
    torch.testing.assert_close(soft.rgb[12:, 12:], image.rgb[12:, 12:], rtol=0, atol=1e-12)
    torch.testing.assert_close(soft.rgb[:4], image.rgb[:4], rtol=0, atol=1e-12)
    torch.testing.assert_close(soft.alpha[12:, 12:], image.alpha[12:, 12:], rtol=0, atol=1e-12)


def test_samples_lie_evenly_inside_their_pixel():
    assert subpixels(2, 2, 1).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    samples = subpixels(1, 2, 2)
    assert samples[:4].tolist() == [[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]]
    torch.testing.assert_close(samples[4:], samples[:4] + torch.tensor([1.0, 0.0]))


def test_another_search_can_be_given(avatar):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return SEARCH(*arguments)

    render(avatar, search=counted, chunk=40)
    assert len(calls) == 2
