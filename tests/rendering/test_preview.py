"""A mesh that is shown directly, against the exact surface."""

import torch

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.preview import PreviewRenderer
from imavatar.rendering.surface_search import PaperSearch
from imavatar.types import Camera
from oracles_fields import posed_head, tiny_deformer, tiny_geometry, tiny_texture

SIZE = 24
POSED = posed_head(3, amplitude=0.1).to(dtype=torch.float32)


def camera():
    pose = torch.eye(4)
    pose[2, 3] = 3.0
    return Camera(torch.tensor([[-36.0, 36.0, 12.0, 12.0]]), pose[None])


def avatar(**geometry) -> Avatar:
    options = {"noise": 0.01, "widths": (32, 32, 32), "n_octaves": 1, **geometry}
    parts = (tiny_geometry(1, **options), tiny_deformer(1, noise=0.02), tiny_texture(1, noise=0.1))
    search = PaperSearch(n_samples=60, correspondence=CorrespondenceSettings())
    return Avatar(*(part.float() for part in parts), search)


def test_a_preview_is_near_the_exact_image():
    exact, quick = (
        renderer.render(camera(), POSED, SIZE, SIZE)
        for renderer in (ImageRenderer(avatar()), PreviewRenderer(avatar(), resolution=64, bound=1.2))
    )
    assert ((exact.alpha > 0) != (quick.alpha > 0)).sum() <= 4
    both = (exact.alpha > 0) & (quick.alpha > 0)
    assert both.sum() > 50
    assert (exact.depth - quick.depth)[both].abs().median() < 1e-3
    assert (exact.rgb - quick.rgb)[both].abs().median() < 5e-3
    cosine = (exact.normal * quick.normal).sum(dim=-1)[both]
    assert cosine.median() > 0.999


def test_a_preview_follows_the_pose():
    renderer = PreviewRenderer(avatar(), resolution=32, bound=1.2)
    first = renderer.render(camera(), POSED, SIZE, SIZE)
    other = posed_head(5, amplitude=0.3).to(dtype=torch.float32)
    second = renderer.render(camera(), other, SIZE, SIZE)
    anew = PreviewRenderer(avatar(), resolution=32, bound=1.2).render(camera(), other, SIZE, SIZE)
    assert (first.depth - second.depth).abs().max() > 0.01
    torch.testing.assert_close(second.rgb, anew.rgb)


def test_without_a_surface_a_preview_is_white():
    empty = avatar(sphere_radius=-5.0, noise=0.0)
    image = PreviewRenderer(empty, resolution=32, bound=1.2).render(camera(), POSED, 4, 5)
    assert (image.rgb == 1).all() and (image.alpha == 0).all()
