"""Meshes of a sphere, in canonical and in deformed space and on disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from imavatar.data.mesh_file import write_ply
from imavatar.errors import DataError, ImavatarError
from imavatar.fields.deformer import Deformer
from imavatar.fields.geometry import Geometry
from imavatar.fields.texture import Texture
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.image_export import colour_bytes
from imavatar.rendering.surface_mesh import avatar_mesh, extract_mesh
from imavatar.types import HeadParameters
from oracles_sphere import RADIUS, RecordingFlame, SphereAvatar


@pytest.fixture
def posed():
    """A head whose only bone shifts by 0.3 in x."""
    expression = torch.zeros(1, 50)
    expression[0, 0] = 0.3
    return RecordingFlame()(HeadParameters(expression, torch.zeros(1, 15)))


def test_the_vertices_differ_by_the_deformation(posed):
    mesh = avatar_mesh(SphereAvatar(), posed, resolution=24)
    torch.testing.assert_close(
        mesh.deformed - mesh.canonical, torch.tensor([0.3, 0, 0]).expand_as(mesh.canonical), atol=1e-6, rtol=0
    )
    assert (mesh.canonical.norm(dim=1) - RADIUS).abs().max() < 0.01


def test_a_written_mesh_is_closed_with_normals_outwards_and_colours(posed, tmp_path):
    surface = avatar_mesh(SphereAvatar(), posed, resolution=24)
    write_ply(tmp_path / "mesh.ply", surface.canonical.numpy(), surface.faces.numpy(), colour_bytes(surface.colours))
    mesh = trimesh.load(tmp_path / "mesh.ply", process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)
    expected = (2 / 3 * mesh.vertices / RADIUS + 1) / 2 * 255
    assert np.abs(mesh.visual.vertex_colors[:, :3] - expected).max() < 2


def test_an_untrained_avatar_is_meshed_where_its_networks_vanish(posed):
    torch.manual_seed(0)
    avatar = Avatar(
        Geometry((32,) * 3, n_features=8, n_octaves=0, skip_in=()),
        Deformer(posed, (16,) * 2),
        Texture((16,) * 2, n_features=8),
        search=lambda *_: None,
    )
    shifted = replace(posed, bone_transforms=posed.bone_transforms.clone())
    shifted.bone_transforms[:, 0, 1, 3] = 0.2
    mesh = avatar_mesh(avatar, shifted, resolution=24)
    assert avatar.geometry.sdf(mesh.canonical, posed.latent).abs().max() < 0.1**2  # the squared spacing
    torch.testing.assert_close(mesh.deformed - mesh.canonical, torch.tensor([0.0, 0.2, 0.0]).expand_as(mesh.canonical))
    assert mesh.colours.shape == mesh.canonical.shape
    assert mesh.colours.isfinite().all()
    assert not mesh.colours.requires_grad


def specks(x):
    """A sphere with a small one beside it."""
    return torch.minimum(x.norm(dim=-1) - 0.5, (x - torch.tensor([0.9, 0.0, 0.0])).norm(dim=-1) - 0.1)


def test_specks_are_left_out_only_on_request():
    largest, _ = extract_mesh(specks, resolution=48)
    everything, _ = extract_mesh(specks, resolution=48, keep_largest=False)
    assert largest[:, 0].max() < 0.51
    assert everything[:, 0].max() == pytest.approx(1, abs=0.01)


def test_a_field_without_a_surface_is_explained():
    with pytest.raises(ImavatarError, match=r"no surface to make a mesh of.*does not change its sign"):
        extract_mesh(lambda x: torch.ones(len(x)), resolution=24)


def test_a_mesh_that_cannot_be_written_names_its_path(tmp_path):
    with pytest.raises(DataError, match=r"absent/mesh\.ply: cannot be written \(No such file"):
        write_ply(tmp_path / "absent" / "mesh.ply", np.eye(3), np.array([[0, 1, 2]]))
    assert not list(tmp_path.iterdir())
