"""Precision inside and after the context, however it was set before; and what a search sees of it."""

import pytest
import torch

from imavatar.numerics.precision import MATMUL_BACKENDS, full_precision
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.proxy_search import ProxySearch
from imavatar.rendering.surface_search import PaperSearch
from oracles_fields import frontal_rays, posed_head, tiny_deformer, tiny_geometry, tiny_texture

CPU = torch.device("cpu")
SETTINGS = CorrespondenceSettings()
SEARCHES = {
    "paper": lambda: PaperSearch(n_samples=20, correspondence=SETTINGS),
    "proxy": lambda: ProxySearch(radius=1.2, resolution=24, correspondence=SETTINGS),
}


def current() -> list[str]:
    return [backend.fp32_precision for backend in MATMUL_BACKENDS]


@pytest.fixture(params=["medium", "high", "highest"])
def users_setting(request):
    before = current()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    for backend, precision in zip(MATMUL_BACKENDS, before, strict=True):
        backend.fp32_precision = precision


def test_products_are_exact_inside_and_as_the_user_wants_outside(users_setting):
    outside = current()
    with full_precision(CPU), full_precision(CPU):
        assert current() == ["ieee", "ieee"]
    assert current() == outside
    assert torch.get_float32_matmul_precision() == users_setting


def test_the_setting_comes_back_after_an_error(users_setting):
    outside = current()
    with pytest.raises(ZeroDivisionError), full_precision(CPU):
        raise ZeroDivisionError
    assert current() == outside


def small_avatar(search) -> tuple[Avatar, tuple]:
    avatar = Avatar(tiny_geometry(1, noise=0.01), tiny_deformer(1), tiny_texture(1), search).float()
    return avatar, (frontal_rays(12).to(dtype=torch.float32), posed_head(3, amplitude=0.1).to(dtype=torch.float32))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_sees_full_precision_whatever_the_user_has_set(name, users_setting, monkeypatch):
    avatar, (rays, posed) = small_avatar(SEARCHES[name]())
    seen = []
    own = type(avatar.deformer).features

    def features(self, x):
        seen.append(current())
        return own(self, x)

    monkeypatch.setattr(type(avatar.deformer), "features", features)
    assert avatar.find_surface(rays, posed, None).hit.any()
    assert seen and all(setting == ["ieee", "ieee"] for setting in seen)


@pytest.mark.parametrize("name", SEARCHES)
def test_autocast_changes_no_surface_point(name):
    avatar, (rays, posed) = small_avatar(SEARCHES[name]())
    expected = avatar.find_surface(rays, posed, None)
    avatar.search.reset()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = avatar.find_surface(rays, posed, None)
    assert expected.hit.any() and found.x_c.dtype == torch.float32
    assert torch.equal(found.hit, expected.hit) and torch.equal(found.x_c, expected.x_c)
