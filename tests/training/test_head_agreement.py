"""How far a deformer is off the head, of deformers that are off by a known length."""

import csv
import re

import numpy as np
import pytest
import torch

from imavatar import build
from imavatar.anatomy import MM_PER_UNIT
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.config import load_config
from imavatar.fields.deformer import Deformer
from imavatar.head.assets import load_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import embedding_path, save_embedding
from imavatar.training.head_agreement import (
    HeadAgreement,
    agreement_line,
    deformer_errors,
    expression_motion,
    some_rows,
    some_vertices,
)
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head, random_embedding
from tiny_runs import run_folder, write_config

REGIONS = {"lips": np.array([5, 9, 70]), "lids": np.array([100, 200]), "brows_nose": np.array([], int)}


def flame() -> Flame:
    return Flame(ellipsoid_head(), torch.zeros(10, dtype=torch.float64))


def some_heads(n: int = 3) -> HeadParameters:
    return HeadParameters(torch.randn(n, 50, dtype=torch.float64), 0.2 * torch.randn(n, 15, dtype=torch.float64))


def of_the_head(flame: Flame, offset=(0.0, 0.0, 0.0)):
    """The head's own deformation at its canonical vertices, by the equations of `Flame`, and a constant besides."""

    def for_frame(posed):
        truth, canonical = flame.posed_vertices(posed)[0], flame.canonical_vertices
        return lambda x_c: truth[torch.cdist(x_c, canonical).argmin(dim=1)] + torch.tensor(offset)

    return for_frame


class FieldsOfTheHead(Deformer):
    """A deformer whose hidden values at the head's vertices are the head's own fields."""

    def __init__(self, flame: Flame):
        super().__init__(flame.canonical_head, (8, 8))
        self.double()
        fields = flame.vertex_fields()
        self.vertices, self.weights = flame.canonical_vertices, fields.weights
        self.hidden = torch.cat([fields.posedirs.flatten(1), fields.shapedirs.flatten(1)], dim=1)
        width = self.hidden.shape[1]
        self.blendshapes = torch.nn.Linear(width, width).double()
        self.blendshapes.weight.data = torch.eye(width, dtype=torch.float64)
        self.blendshapes.bias.data.zero_()

    def features(self, x_c):
        vertex = torch.cdist(x_c, self.vertices).argmin(dim=1)
        return self.hidden[vertex], self.weights[vertex]


def test_the_papers_deformation_with_the_heads_own_fields_is_the_heads():
    head = flame()
    errors = deformer_errors(FieldsOfTheHead(head).for_frame, head, REGIONS, some_heads())
    assert errors.keys() == {"lips", "lips_90", "lids", "lids_90"}
    assert max(errors.values()) < 1e-9


def test_a_known_offset_is_given_in_millimetres():
    head = flame()
    errors = deformer_errors(of_the_head(head, (2 / MM_PER_UNIT, 0.0, 0.0)), head, REGIONS, some_heads())
    assert errors == pytest.approx(dict.fromkeys(errors, 2.0), abs=1e-5)


def test_the_quantile_is_of_all_vertices_and_frames():
    head = flame()
    exact, calls = of_the_head(head), iter(range(10))

    def in_two_frames(posed):
        shift = float(next(calls) in (4, 7)) / MM_PER_UNIT
        return lambda x_c: exact(posed)(x_c) + shift * torch.tensor([0.0, 3.0, 4.0])

    errors = deformer_errors(in_two_frames, head, {"lids": np.arange(20)}, some_heads(10))
    assert errors == pytest.approx({"lids": 1.0, "lids_90": 5.0}, rel=1e-5)


def test_motion_is_that_of_the_expression_alone():
    head = flame()
    still = HeadParameters(torch.zeros(3, 50, dtype=torch.float64), torch.randn(3, 15, dtype=torch.float64))
    assert max(expression_motion(head, REGIONS, still).values()) == 0
    speaking = HeadParameters(still.expression + 0.5, 0 * still.pose)
    moved = MM_PER_UNIT * 0.5 * head.expression_dirs.sum(dim=-1)[REGIONS["lids"]].norm(dim=-1).mean()
    assert expression_motion(head, REGIONS, speaking)["lids"] == pytest.approx(float(moved))


def test_the_line_names_regions_and_both_sets_of_frames():
    head = flame()
    deform = of_the_head(head, (0.0, 1 / MM_PER_UNIT, 0.0))
    agreement = HeadAgreement(deform, head, REGIONS, some_heads, some_heads(1))
    scalars = agreement.scalars()
    assert scalars["off_head_lids_90_held_out"] == pytest.approx(1, abs=1e-5)
    assert agreement_line({"loss": 1.0, **scalars}) == (
        "deformer off the head, mm (90 %): lips 1.00 (1.00); lids 1.00 (1.00); "
        "held out, mm (90 %): lips 1.00 (1.00); lids 1.00 (1.00)"
    )
    assert agreement_line({"loss": 1.0}) == ""


def test_some_vertices_are_spread_over_a_large_region():
    found = some_vertices({"lids": np.arange(7, 400), "face": np.arange(0, 5000, 5), "lips": np.zeros(0, int)})
    assert len(found["lids"]) == 393 and len(found["lips"]) == 0
    assert found["face"].tolist() == list(range(0, 5000, 15))


def test_some_rows_are_spread_over_all_frames():
    assert some_rows(3) == [0, 1, 2]
    rows = some_rows(1000)
    assert rows[0] == 0 and rows[-1] == 999 and len(rows) == 12


@pytest.fixture
def with_landmarks(root):
    """A folder with a subject, and a head model on which the landmarks are known."""
    assets = load_head(root / "head.npz")
    save_embedding(embedding_path(root / "head.npz"), random_embedding(assets), assets)
    return root


def test_the_log_has_both_sets_of_frames(with_landmarks, caplog):
    caplog.set_level("INFO")
    exp_runner_main(["--conf", write_config(with_landmarks, extra="train.warm_start_steps = 10\n"), "--nepoch", "1"])
    with (run_folder(with_landmarks) / "train" / "train.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert float(row["off_head_face"]) > 0 and float(row["off_head_face_90_held_out"]) > 0
    assert re.search(r"at the start: deformer off the head, mm \(90 %\): .*face \d", caplog.text)


def agreement_of(conf: str) -> HeadAgreement | None:
    config = load_config(conf)
    dataset = build.build_dataset(config, "train")
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, dataset.shape_params)
    run = build.build_run(config, build.build_avatar(config, flame), flame, dataset, torch.device("cpu"))
    return build.build_head_agreement(config, run, head)


def test_a_training_does_without_the_test_sequences(with_landmarks, caplog):
    caplog.set_level("INFO")
    found = agreement_of(write_config(with_landmarks, extra="dataset.test.sub_dir = [nowhere]\n"))
    assert found.held_out is None and not any(name.endswith("_held_out") for name in found.scalars())
    assert "training frames alone" in caplog.text


def test_without_landmarks_and_for_baselines_nothing_is_measured(root, with_landmarks):
    assert agreement_of(write_config(with_landmarks)) is not None
    assert agreement_of(write_config(with_landmarks, extra='model.method = "Fwd-Skin"\n')) is None
    embedding_path(root / "head.npz").unlink()
    assert agreement_of(write_config(root)) is None
