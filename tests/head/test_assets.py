"""Head model files: what is read, and what is refused."""

import pickle
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets, find_head, load_head, save_head
from oracles_ellipsoid_head import ellipsoid_head


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    return ellipsoid_head()


def flame_table(head: HeadAssets) -> dict:
    """The dictionary of a FLAME pickle."""
    return {
        "v_template": head.v_template,
        "f": head.faces.astype(np.uint32),
        "shapedirs": head.shapedirs,
        "posedirs": head.posedirs,
        "J_regressor": scipy.sparse.csc_matrix(head.joint_regressor),
        "weights": head.weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.uint32),
    }


def write_pickle(path: Path, content) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def assert_same(read: HeadAssets, head: HeadAssets):
    for name in ("v_template", "faces", "shapedirs", "posedirs", "weights"):
        np.testing.assert_array_equal(getattr(read, name), getattr(head, name))
    np.testing.assert_allclose(read.joint_regressor, head.joint_regressor)


def test_a_saved_head_is_read_back(head, tmp_path):
    save_head(tmp_path / "head.npz", head)
    assert_same(load_head(tmp_path / "head.npz"), head)


def test_a_pickle_in_flames_layout_is_read(head, tmp_path):
    assert_same(load_head(write_pickle(tmp_path / "flame.pkl", flame_table(head))), head)


def test_a_chumpy_array_is_read_without_chumpy(head, tmp_path, monkeypatch):
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x, self._dirty_vars = x, set()

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch
    package = types.ModuleType("chumpy")
    package.ch = module
    table = flame_table(head)
    table["shapedirs"] = Ch(table["shapedirs"])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", package)
        patch.setitem(sys.modules, "chumpy.ch", module)
        path = write_pickle(tmp_path / "flame.pkl", table)
    assert_same(load_head(path), head)


class Payload:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_that_would_run_code_is_refused_by_name_and_runs_nothing(head, tmp_path):
    trace = tmp_path / "trace"
    path = write_pickle(tmp_path / "evil.pkl", {**flame_table(head), "v_template": Payload(trace)})
    with pytest.raises(AssetError, match=r"evil\.pkl asks for .*refused"):
        load_head(path)
    assert not trace.exists()


def test_eval_is_refused_though_it_is_a_builtin(tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"c__builtin__\neval\n(V1+1\ntR.")
    with pytest.raises(AssetError, match="eval"):
        load_head(path)


def test_a_truncated_pickle_is_named(head, tmp_path):
    path = write_pickle(tmp_path / "flame.pkl", flame_table(head))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(AssetError, match=r"flame\.pkl is not a readable pickle"):
        load_head(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", None, "no weights"),
        ("posedirs", np.zeros((3, 3, 36)), "posedirs has the shape 3x3x36, expected"),
        ("v_template", np.full((902, 3), "a"), "expected numbers"),
        ("f", np.zeros((0, 3), int), "f has no faces"),
        ("f", np.full((1, 3), 10**6), "f has vertex 1000000"),
        ("kintree_table", np.zeros((2, 5), int), "kintree_table has parents"),
    ],
)
def test_a_missing_or_wrong_entry_is_named(head, tmp_path, key, value, message):
    table = flame_table(head)
    if key == "v_template":
        value = np.full(head.v_template.shape, "a")
    table[key] = value
    if value is None:
        del table[key]
    with pytest.raises(AssetError, match=message):
        load_head(write_pickle(tmp_path / "flame.pkl", table))


def test_numbers_that_are_not_finite_are_refused(head, tmp_path):
    table = flame_table(head)
    table["v_template"] = np.where(np.arange(3) == 1, np.nan, head.v_template)
    with pytest.raises(AssetError, match="v_template holds numbers that are not finite"):
        load_head(write_pickle(tmp_path / "flame.pkl", table))


def test_a_head_that_is_not_there_is_told_how_to_get(tmp_path):
    with pytest.raises(AssetError, match="build_head"):
        find_head("open", tmp_path, tmp_path)
    with pytest.raises(AssetError, match=r"flame/README\.md"):
        find_head("flame2020", tmp_path, tmp_path)
    with pytest.raises(AssetError, match="known names: open, flame2020, flame2023"):
        find_head("flaem2020", tmp_path, tmp_path)


def test_the_vertices_of_the_mouth_are_its_region_and_its_parts(head):
    assert len(head.mouth_vertices()) == 0
    region = np.zeros(len(head.v_template), dtype=np.float32)
    region[[3, 5]] = 1
    part = np.zeros(len(head.faces), dtype=np.int64)
    part[0] = 1
    named = replace(head, regions={"inner_mouth": region}, face_part=part, part_names=("skin", "tongue"))
    assert set(named.mouth_vertices().tolist()) == {3, 5, *head.faces[0].tolist()}
