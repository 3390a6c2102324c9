"""The benchmark's command on tiny networks, and its arithmetic."""

import json
import math
from pathlib import Path

import pytest
import torch

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.surface_search import PaperSearch
from imavatar_lab.benchmark import flop_bound
from imavatar_lab.benchmark.agreement import psnr
from imavatar_lab.benchmark.call_counters import counted
from imavatar_lab.benchmark.report import Settings, run_benchmark
from imavatar_lab.benchmark.scene import build_scene
from imavatar_lab.benchmark.timing import Seconds
from imavatar_lab.cli import benchmark_main
from oracles_fields import frontal_rays, posed_head, tiny_deformer, tiny_geometry, tiny_texture
from tiny_runs import write_config


def test_both_sides_are_measured_and_agree(root, capsys):
    out = root / "numbers" / "b.json"
    arguments = ["--conf", write_config(root), "--rays", "48", "--size", "24", "--repeats", "1", "--json", str(out)]
    benchmark_main(arguments)
    table, values = capsys.readouterr().out, json.loads(out.read_text())
    for key in ("ratio/search", "ratio/iteration", "ratio/image", "iteration_over_floor"):
        assert values[key] > 1
    for label in ("search, paper / fast", "whole iteration, paper / fast", "floor", "agreement", "peak memory"):
        assert label in table
    assert values["paper/evaluations"]["deformer"] > 5 * values["fast/evaluations"]["deformer"]
    agreement = values["agreement"]
    assert agreement["rays"] == 4 * 48 and agreement["hits"] > 40
    assert agreement["other_hits"] + agreement["other_depths"] <= 6
    judged = agreement["fast_right"] + agreement["paper_right"] + agreement["undecided"]
    assert judged == agreement["other_hits"] + agreement["other_depths"]

    image = values["agreement/image_1"]
    assert image["pixels"] == 36 and image["paper_wrong"] <= image["disputed"]
    assert all(image["right"][name] >= image["everywhere"][name] for name in ("colours", "normals", "depths"))
    assert image["right"]["depths"] > 40


def test_what_training_steps_moved_is_put_back(root):
    scene = build_scene(Path(write_config(root)), None, torch.device("cpu"))
    modules = (scene.avatar, scene.run.frames)
    before = [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]
    run_benchmark(scene, Settings(n_rays=48, size=24, repeats=1, paper=False), lambda line: None)
    for module, known in zip(modules, before, strict=True):
        assert all(torch.equal(value, known[name]) for name, value in module.state_dict().items())


def test_decibels_of_a_constant_error():
    reference = torch.rand(50, 3)
    assert psnr(reference + 0.02, reference, 2.0) == pytest.approx(40, abs=1e-3)
    assert psnr(reference, reference, 2.0) == math.inf


def test_the_papers_search_evaluates_what_its_equations_say():
    n_samples, n_rays = 10, 4
    search = PaperSearch(n_samples=n_samples, n_secant_steps=3, correspondence=CorrespondenceSettings(max_steps=6))
    geometry, deformer = tiny_geometry(1, noise=0.01), tiny_deformer(1, noise=0.02)
    avatar = Avatar(geometry, deformer, tiny_texture(1), search)
    posed, rays = posed_head(3, amplitude=0.1), frontal_rays(n_rays, spread=0.1)
    with torch.no_grad():
        hits, counts = counted(search, deformer.for_frame(posed), avatar.field(posed), rays, None)
    assert hits.hit.all()
    # Three guesses a point: the samples, three secant steps and the last point of each ray.
    points = 3 * n_rays * (n_samples + 3 + 1)
    assert counts.geometry <= points
    assert counts.geometry_gradient == counts.deformer_jacobian == 0
    # Each guess takes its rotation, its first residual and up to six steps.
    assert 2 * points < counts.deformer <= 8 * points


def test_multiply_adds_of_a_network_are_its_weights():
    geometry, deformer, texture = (
        tiny_geometry(widths=(8, 8), skip_in=(), n_octaves=0),
        tiny_deformer(widths=(6, 6)),
        tiny_texture(),
    )
    cost = flop_bound.NetworkCosts.of(Avatar(geometry, deformer, texture, lambda *_: None))
    assert cost.geometry == 3 * 8 + 8 * 8 + 8
    assert cost.features == 8 * (1 + 5)
    assert cost.deformer == 3 * 6 + 6 * 6 + 6 * 6 + 6 * 5 + 3 * 6
    assert cost.fields == 6 * (36 * 3 + 3 * 4)
    rays = flop_bound.RayCounts(surface=2, missed=0, masked=0)
    assert flop_bound.search_multiply_adds(cost, rays) == 2 * (5 * cost.deformer + 2 * cost.geometry)


def test_the_floor_is_timed_by_a_matrix_product():
    least = flop_bound.seconds(4096**3 // 2, Seconds(cpu=2.0, wall=1.0))
    assert (least.cpu, least.wall) == pytest.approx((1.0, 0.5))


def test_bad_numbers_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark_main(["--rays", "0"])
    assert "--rays: expected a whole number from 1 to" in capsys.readouterr().err
