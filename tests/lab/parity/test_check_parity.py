"""The check against recorded results: on the authors' where they are, and on recordings made here of small networks."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from imavatar.errors import DataError
from imavatar.fields.deformer import Deformer
from imavatar.fields.geometry import Geometry
from imavatar.fields.texture import Texture
from imavatar.head.assets import save_head
from imavatar.head.flame import Flame
from imavatar_lab.cli import check_parity_main
from imavatar_lab.parity import quantities
from imavatar_lab.parity.architecture import avatar_of_checkpoint, flame_of_checkpoint
from imavatar_lab.parity.check import check
from imavatar_lab.parity.fixture import Fixture, load_fixture
from imavatar_lab.parity.tolerances import tolerance_of
from oracles_ellipsoid_head import ellipsoid_head
from oracles_fields import disturb

SHARED = Path(os.environ.get("IMAVATAR_SHARED", Path(__file__).parents[3].parent / "shared"))
PARITY = SHARED / "data" / "parity"
N_RAYS, N_EXPRESSION = 24, 50

needs_recordings = pytest.mark.skipif(not PARITY.is_dir(), reason=f"the shared parity data is not at {PARITY}")


@needs_recordings
def test_all_that_the_authors_implementation_recorded_is_within_tolerance():
    comparisons, unknown = check(load_fixture(PARITY), compat=True)
    assert [c.name for c in comparisons if not c.passed] == []
    assert unknown == []
    recorded = set(load_fixture(PARITY).outputs)
    inputs = {name for name in recorded if name.startswith("in/")} | {"probe/x", "probe/normals"}
    assert {c.name for c in comparisons} == recorded - inputs


@needs_recordings
def test_without_compat_only_the_losses_that_differ_on_purpose_and_their_gradients_are_out():
    comparisons, _ = check(load_fixture(PARITY), compat=False)
    out = {c.name for c in comparisons if not c.passed}
    assert {"train/loss/lbs_loss", "train/loss/shapedirs_loss", "train/loss/loss"} <= out
    assert all(name.startswith(("train/loss/", "train/grad/deformer", "train/gradnorm/deformer")) for name in out)


def small_networks(ghost: bool, latent: int) -> tuple[Flame, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    shape = 0.3 * torch.randn(100)
    flame = Flame(ellipsoid_head(), shape, n_expression=N_EXPRESSION, ghost_bone=ghost)
    geometry = Geometry((64,) * 3, n_features=5, n_octaves=2, skip_in=(2,), latent_size=latent, sphere_radius=0.5)
    deformer = disturb(Deformer(flame.canonical_head, (16, 16), n_expression=N_EXPRESSION), 0.01, seed=1)
    texture = Texture((16, 16), n_features=5, n_octaves=3, bottleneck=4, condition_size=N_EXPRESSION + 3)
    state = {f"FLAMEServer.{name}": value for name, value in flame.named_buffers()}
    for name, network in (("geometry", geometry), ("deformer", deformer), ("rendering", texture)):
        state |= {f"{name}_network.{key}": value for key, value in network.state_dict().items()}
    return flame, state


def recorded_inputs(latent: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    pose = torch.eye(4)[None].clone()
    pose[0, 2, 3] = 3.0
    pixels = torch.randint(0, 64, (1, N_RAYS, 2), generator=generator).float()
    inputs = {
        "uv": pixels,
        "intrinsics": torch.tensor([[[-60.0, 0.0, 32.0], [0.0, 60.0, 32.0], [0.0, 0.0, 1.0]]]),
        "cam_pose": pose,
        "expression": 0.3 * torch.randn(1, N_EXPRESSION, generator=generator),
        "flame_pose": 0.05 * torch.randn(1, 15, generator=generator),
        "object_mask": torch.rand(1, N_RAYS, generator=generator) < 0.7,
        "rgb": torch.rand(1, N_RAYS, 3, generator=generator) * 2 - 1,
        "semantics": torch.nn.functional.one_hot(torch.arange(N_RAYS) % 9, 9)[None].float(),
    }
    if latent:
        inputs["latent_code"] = torch.rand(1, latent, generator=generator)
    return inputs


def write_recordings(folder: Path, *, ghost: bool = True, latent: int = 0, variants=("",)) -> dict[str, torch.Tensor]:
    """Results of this project's own functions, so that a check of them tells what the check itself does."""
    flame, state = small_networks(ghost, latent)
    folder.mkdir(exist_ok=True)
    save_head(folder / "head_model.npz", ellipsoid_head())
    torch.save({"epoch": 0, "model_state_dict": state}, folder / "reference_checkpoint.pth")
    arrays = {f"in/{name}": value for name, value in recorded_inputs(latent).items()}
    for variant in variants:
        if variant:
            arrays[f"in{variant}/object_mask"] = ~arrays["in/object_mask"]
    avatar = avatar_of_checkpoint(state, flame, compat=True)
    surface = quantities.head_surface(flame, ellipsoid_head())
    recording = Fixture(folder, ellipsoid_head(), state, arrays)
    terms = dict.fromkeys(("lbs_loss", "flame_distance_loss"))
    for variant in variants:
        frame = quantities.read_frame(recording.inputs(variant), avatar, f"in{variant}")
        found = quantities.forward(avatar, flame, frame, training=True)
        values = quantities.pass_quantities(avatar, surface.supervision, found, {})
        losses = quantities.loss_quantities(surface, avatar, found, terms, compat=True)
        values |= {f"loss/{name}": value for name, value in losses.items()}
        gradients = quantities.gradients(avatar, found, losses["loss"])
        values |= {f"grad/{name}": value for name, value in gradients.items()}
        arrays |= {f"train{variant}/{name}": value for name, value in values.items()}
    arrays |= {f"flame/{name}": value for name, value in quantities.head_quantities(flame, frame.head).items()}
    save(folder, arrays)
    return arrays


def save(folder: Path, arrays: dict[str, torch.Tensor]) -> None:
    plain = {name: value.detach().numpy() for name, value in arrays.items()}
    np.savez(folder / "reference_outputs.npz", **plain)


@pytest.mark.parametrize(("ghost", "latent"), [(True, 0), (False, 0), (True, 32)])
def test_networks_of_any_size_are_recognised_and_agree_with_their_own_recording(tmp_path, ghost, latent):
    write_recordings(tmp_path, ghost=ghost, latent=latent)
    comparisons, unknown = check(load_fixture(tmp_path), compat=True)
    assert [c.name for c in comparisons if not c.passed] == []
    assert unknown == []
    assert {"train/loss/loss", "train/grad/in.flame_pose", "flame/verts"} <= {c.name for c in comparisons}


def test_the_template_in_the_checkpoint_stands_for_missing_shape_parameters(tmp_path):
    flame, state = small_networks(True, 0)
    assert torch.equal(flame_of_checkpoint(ellipsoid_head(), state, None).v_template, flame.v_template)


def test_each_variant_has_its_own_inputs(tmp_path):
    arrays = write_recordings(tmp_path, variants=("", "_other"))
    assert not torch.equal(arrays["train/loss/loss"], arrays["train_other/loss/loss"])
    comparisons, _ = check(load_fixture(tmp_path), compat=True)
    assert all(c.passed for c in comparisons)
    assert {"train/loss/loss", "train_other/loss/loss"} <= {c.name for c in comparisons}


def test_any_value_that_differs_is_found(tmp_path, capsys):
    arrays = write_recordings(tmp_path)
    for name in arrays:
        if name.split("/")[0] == "in" or arrays[name].numel() == 0:
            continue
        changed = arrays[name].detach().clone(memory_format=torch.contiguous_format)
        flat = changed.view(-1)
        flat[0] = ~flat[0] if changed.dtype == torch.bool else 1.01 * flat[0] + 1
        if name == "train/cap/all_canonical" and not bool(arrays["train/cap/all_valid"].flatten()[0]):
            continue
        save(tmp_path, {**arrays, name: changed})
        comparisons, _ = check(load_fixture(tmp_path), compat=True)
        assert name in {c.name for c in comparisons if not c.passed}, name
        if name == "train/out/rgb_values":
            with pytest.raises(SystemExit) as stop:
                check_parity_main([str(tmp_path), "--json"])
            assert stop.value.code == 1
            tree = json.loads(capsys.readouterr().out)
            assert not tree["passed"]
            assert name in {q["name"] for q in tree["quantities"] if not q["passed"]}


def test_missing_groups_are_no_error_and_unknown_arrays_are_named(tmp_path, capsys):
    arrays = write_recordings(tmp_path)
    some = {k: v for k, v in arrays.items() if not k.startswith(("train/grad", "train/cap", "flame/"))}
    save(tmp_path, {**some, "train/out/opacity": torch.zeros(3)})
    check_parity_main([str(tmp_path)])
    out = capsys.readouterr().out
    assert "train/out/opacity" in out and "0 out" in out


@pytest.mark.parametrize("name", ["head_model.npz", "reference_checkpoint.pth", "reference_outputs.npz"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_missing_or_damaged_file_is_named(tmp_path, capsys, name, damage):
    write_recordings(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SystemExit) as stop:
        check_parity_main([str(tmp_path)])
    assert stop.value.code == 2
    assert name.split(".")[0] in capsys.readouterr().err


def test_inputs_that_are_missing_are_named(tmp_path):
    arrays = write_recordings(tmp_path)
    save(tmp_path, {k: v for k, v in arrays.items() if k != "in/uv"})
    with pytest.raises(DataError, match="in/uv"):
        check(load_fixture(tmp_path), compat=True)


def test_every_kind_of_quantity_has_the_tolerance_that_its_noise_asks_for():
    assert tolerance_of("probe/lbs").limit == 1e-5
    assert tolerance_of("train_X/out/normal_values").limit == 1e-3
    assert tolerance_of("eval/cap/rt_dists").limit == 1e-4
    assert tolerance_of("train/loss/rgb_loss") != tolerance_of("train/loss/flame_distance_loss")
    assert tolerance_of("train/grad/in.expression").kind == "norm"
