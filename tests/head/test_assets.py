"""Head model files: what is read, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from head_files import assert_same, flame_table, tiny_head, write_pickle
from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets, find_head, load_head, save_head
from oracles_ellipsoid_head import ellipsoid_head


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    return ellipsoid_head()


def test_a_saved_head_is_read_back(head, tmp_path):
    save_head(tmp_path / "head.npz", head)
    assert_same(load_head(tmp_path / "head.npz"), head)


def test_a_pickle_in_flames_layout_is_read(head, tmp_path):
    assert_same(load_head(write_pickle(tmp_path / "flame.pkl", flame_table(head))), head)


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


def test_a_head_that_is_not_there_is_told_how_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    monkeypatch.setenv("IMAVATAR_FLAME", str(tmp_path))
    with pytest.raises(AssetError, match="build_head"):
        find_head("open")
    with pytest.raises(AssetError, match=r"flame/README\.md"):
        find_head("flame2020")
    with pytest.raises(AssetError, match="known names: open, flame2020, flame2023"):
        find_head("flaem2020")


def test_the_vertices_of_the_mouth_are_its_region_and_its_parts(head):
    assert len(head.mouth_vertices()) == 0
    region = np.zeros(len(head.v_template), dtype=np.float32)
    region[[3, 5]] = 1
    part = np.zeros(len(head.faces), dtype=np.int64)
    part[0] = 1
    named = replace(head, regions={"inner_mouth": region}, face_part=part, part_names=("skin", "tongue"))
    assert set(named.mouth_vertices().tolist()) == {3, 5, *head.faces[0].tolist()}


def named_head() -> HeadAssets:
    """The head of four vertices with parts, regions and expressions, as the open head has them."""
    return replace(
        tiny_head(),
        face_part=np.array([0, 0, 1, 1]),
        part_names=("skin", "tongue"),
        regions={"lips": np.array([0, 0.5, 1, 0], np.float32)},
        named_expressions={"smile": np.linspace(0, 1, 50, dtype=np.float32)},
        face_units={"mouthPucker": np.ones(100, np.float32)},
    )


def named_table() -> dict:
    """The dictionary of a pickle with all that the open head's file has."""
    head = named_head()
    return flame_table(head) | {
        "face_part": head.face_part.astype(np.int8),
        "part_names": list(head.part_names),
        "region_lips": head.regions["lips"],
        "expression_smile": head.named_expressions["smile"],
        "unit_mouthPucker": head.face_units["mouthPucker"],
    }


@pytest.mark.parametrize("ending", ["npz", "pkl"])
def test_parts_regions_and_expressions_are_read_back(tmp_path, ending):
    head, path = named_head(), tmp_path / f"head.{ending}"
    if ending == "npz":
        save_head(path, head)
    else:
        write_pickle(path, named_table())
    read = load_head(path)
    assert read.part_names == head.part_names
    np.testing.assert_array_equal(read.face_part, head.face_part)
    np.testing.assert_array_equal(read.part_faces("tongue"), head.faces[2:])
    for name in ("regions", "named_expressions", "face_units"):
        found, given = getattr(read, name), getattr(head, name)
        assert list(found) == list(given)
        for key in given:
            np.testing.assert_array_equal(found[key], given[key])


def test_whole_numbers_may_be_stored_as_floats(tmp_path):
    head = tiny_head()
    table = flame_table(head) | {"f": head.faces.astype(np.float64)}
    table["kintree_table"] = np.array([[-1, 0, 1, 1, 1], range(5)], dtype=np.float32)
    assert_same(load_head(write_pickle(tmp_path / "head.pkl", table)), head)


def test_a_region_may_be_a_mask(tmp_path):
    mask = np.array([True, False, True, False])
    path = write_pickle(tmp_path / "head.pkl", named_table() | {"region_lips": mask})
    np.testing.assert_array_equal(load_head(path).regions["lips"], [1, 0, 1, 0])


WRONG_ENTRIES = [
    ("f", np.full((4, 3), "a"), "f holds <U1, expected whole numbers"),
    ("f", np.full((4, 3), 0.5), "f has vertex 0.5, expected whole numbers"),
    ("f", np.full((4, 3), np.nan), "f has vertex nan, expected 0 to 3"),
    ("f", np.full((4, 3), 1e300), "f has vertex 1e+300, expected 0 to 3"),
    ("f", np.full((4, 3), 2**64 - 1, np.uint64), "f has vertex 18446744073709551615, expected 0 to 3"),
    ("f", np.full((4, 3), -1, np.int8), "f has vertex -1, expected 0 to 3"),
    ("f", np.full((4, 3), True), "f holds bool, expected whole numbers"),
    ("kintree_table", np.full((2, 5), "a"), "kintree_table holds <U1, expected whole numbers"),
    ("kintree_table", np.full((2, 5), 0.5), "kintree_table has joint 0.5, expected whole numbers"),
    ("kintree_table", np.full((2, 5), np.inf), "kintree_table has joint inf, expected -1 to 4294967295"),
    ("kintree_table", np.zeros((2, 4), int), "kintree_table has the shape 2x4, expected 2x5"),
    ("v_template", np.full((4, 3), 1e300), "v_template holds numbers that are not finite"),
    ("v_template", np.zeros((4, 2)), "v_template has the shape 4x2, expected anyx3"),
    ("v_template", np.zeros((0, 3)), "v_template has no vertices"),
    ("weights", np.full((4, 5), True), "weights holds bool, expected numbers"),
    ("part_names", np.array(5), "part_names has the shape one number, expected any"),
    ("part_names", np.array([1, 2]), "part_names holds int64, expected names"),
    ("part_names", np.array([["skin", "tongue"]]), "part_names has the shape 1x2, expected any"),
    ("part_names", np.array([], str), "face_part is given, but not part_names; expected both or neither"),
    ("face_part", np.array("abc"), "face_part has the shape one number, expected 4"),
    ("face_part", np.array(["a"] * 4), "face_part holds <U1, expected whole numbers"),
    ("face_part", np.zeros(3, int), "face_part has the shape 3, expected 4"),
    ("face_part", np.array([0, 1, 2, 0]), "face_part has part 2, expected 0 to 1"),
    ("face_part", np.array([0, 1, -1, 0]), "face_part has part -1, expected 0 to 1"),
    ("region_lips", np.zeros(3), "region_lips has the shape 3, expected 4"),
    ("region_lips", np.array(["a"] * 4), "region_lips holds <U1, expected numbers"),
    ("region_lips", np.full(4, np.nan), "region_lips holds numbers that are not finite"),
    ("expression_smile", np.zeros(101), "expression_smile has 101 coefficients, expected 1 to 100"),
    ("expression_smile", np.zeros(0), "expression_smile has 0 coefficients, expected 1 to 100"),
    ("expression_smile", np.full(50, np.inf), "expression_smile holds numbers that are not finite"),
    ("unit_mouthPucker", np.zeros((50, 1)), "unit_mouthPucker has the shape 50x1, expected any"),
    ("unit_mouthPucker", np.array(["a"]), "unit_mouthPucker holds <U1, expected numbers"),
    ("unit_\x1b[2J", np.zeros(0), "'unit_\\x1b[2J' has 0 coefficients"),
]


@pytest.mark.parametrize("ending", ["npz", "pkl"])
@pytest.mark.parametrize(("key", "value", "message"), WRONG_ENTRIES)
def test_a_wrong_entry_is_named_in_both_kinds_of_file(tmp_path, key, value, message, ending):
    table, path = named_table() | {key: value}, tmp_path / f"head.{ending}"
    if ending == "npz":
        table["J_regressor"] = table["J_regressor"].toarray()
        np.savez(path, **table)
    else:
        write_pickle(path, table)
    with pytest.raises(AssetError, match=re.escape(f"{path}: {message}")):
        load_head(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("part_names", 5, "part_names is a value of type int, expected an array"),
        ("part_names", "skin", "part_names is a value of type str, expected an array"),
        ("part_names", ["skin", 5], "part_names holds something other than text, expected names"),
        ("part_names", None, "face_part is given, but not part_names; expected both or neither"),
        ("face_part", "abc", "face_part is a value of type str, expected an array"),
        ("face_part", None, "part_names is given, but not face_part; expected both or neither"),
        ("v_template", [[0, 0, 0], [1]], "v_template is a value of type list, expected an array"),
        ("v_template", None, "v_template is a value of type NoneType, expected an array"),
        ("kintree_table", "abc", "kintree_table is a value of type str, expected an array"),
        ("region_lips", {"a": 1}, "region_lips is a value of type dict, expected an array"),
        ("f", np.array([[0, None, "a"]], object), "f holds objects, expected numbers"),
    ],
)
def test_a_pickles_entry_that_is_no_array_is_named(tmp_path, key, value, message):
    path = write_pickle(tmp_path / "head.pkl", named_table() | {key: value})
    with pytest.raises(AssetError, match=re.escape(f"{path}: {message}")):
        load_head(path)


IN_A_ROW = np.outer(np.arange(4), [1.0, 2.0, 3.0])
NEGATIVE = np.eye(4, 5) + np.outer(np.arange(4) == 2, [-1.0, 0, 0, 1.0, 0])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", np.zeros((4, 5)), "weights of vertex 0 sum to 0, expected 1"),
        ("weights", np.eye(4, 5) * [1, 1, 0.5, 1, 1], "weights of vertex 2 sum to 0.5, expected 1"),
        ("weights", np.eye(4, 5) + np.eye(4, 5, 1) * (np.arange(4) == 3)[:, None], "weights of vertex 3 sum to 2"),
        ("weights", NEGATIVE, "weights of vertex 2 has -1, expected 0 to 1"),
        ("v_template", np.ones((4, 3)), "v_template has all 4 vertices at one place"),
        ("v_template", IN_A_ROW, "f has 4 faces and none with an area"),
        ("f", np.zeros((4, 3), int), "f has 4 faces and none with an area"),
        ("f", np.array([[0, 1, 1], [2, 2, 3]]), "f has 2 faces and none with an area"),
    ],
)
def test_a_head_that_no_face_can_have_is_refused(tmp_path, key, value, message):
    path = write_pickle(tmp_path / "head.pkl", flame_table(tiny_head()) | {key: value})
    with pytest.raises(AssetError, match=re.escape(f"{path}: {message}")):
        load_head(path)


def test_single_degenerate_faces_and_rounded_weights_are_accepted(tmp_path):
    head = tiny_head()
    table = flame_table(head) | {"f": np.concatenate([head.faces, [[0, 0, 1]]]), "weights": head.weights * 0.999}
    assert len(load_head(write_pickle(tmp_path / "head.pkl", table)).faces) == 5


def test_a_head_without_parts_is_saved_with_no_names(tmp_path):
    save_head(tmp_path / "head.npz", tiny_head())
    with np.load(tmp_path / "head.npz") as stored:
        assert stored["part_names"].dtype.kind == "U" and stored["part_names"].shape == (0,)
