"""The notebook runs from its first cell to its last with a run of a few seconds."""

import os
from pathlib import Path

import pytest

from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import run_folder, write_config

nbclient = pytest.importorskip("nbclient", reason="the notebook needs nbclient and ipykernel (extra `notebook`)")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
pytest.importorskip("pygltflib")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "animate.ipynb"
MOST_LINES = 20


def code_of(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_runs(tmp_path, monkeypatch):
    from imavatar.cli.exp_runner import exp_runner_main
    from imavatar.head.assets import save_head

    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    exp_runner_main(["--conf", write_config(tmp_path, extra="train.warm_start_steps = 60\n"), "--nepoch", "1"])
    monkeypatch.setenv("IMAVATAR_RUN", str(run_folder(tmp_path)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "code"), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    out = tmp_path / "out"
    out.mkdir()
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(out)}})
    client.execute()
    assert (out / "avatar.glb").read_bytes()[:4] == b"glTF" and (out / "sweep.mp4").stat().st_size > 0
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1


def test_the_notebook_is_short_and_was_saved_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    lines = [line for source in code_of(notebook) for line in source.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
