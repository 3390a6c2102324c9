"""Sparse joint regressors of pickles: every layout is read, and none with places outside the matrix."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse

from head_files import assert_same, flame_table, read_elsewhere, tiny_head, write_pickle
from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets, load_head

LAYOUTS = ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"]
COMPRESSED = LAYOUTS[:2]


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    return tiny_head()


def sparse(head: HeadAssets, layout: str, **state):
    """The head's joint regressor with parts of its state replaced, or left out where they are None."""
    matrix = getattr(scipy.sparse, layout)(head.joint_regressor)
    for name, value in state.items():
        if value is None:
            del matrix.__dict__[name]
        else:
            matrix.__dict__[name] = value
    return matrix


def write_regressor(path, head: HeadAssets, matrix, protocol: int = 2):
    return write_pickle(path, flame_table(head) | {"J_regressor": matrix}, protocol)


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(head, tmp_path, layout, protocol):
    dense = np.random.default_rng(0).normal(size=(5, 4)) * (np.arange(4) != 2)
    path = write_regressor(tmp_path / "flame.pkl", head, getattr(scipy.sparse, layout)(dense), protocol)
    np.testing.assert_allclose(load_head(path).joint_regressor, dense.astype(np.float32))


def test_the_rows_and_columns_of_older_versions_are_read(head, tmp_path):
    row, column = np.nonzero(head.joint_regressor)
    matrix = sparse(head, "coo_matrix", coords=None, row=row.astype(np.int32), col=column.astype(np.int32))
    assert_same(load_head(write_regressor(tmp_path / "flame.pkl", head, matrix)), head)


def test_values_at_the_same_place_are_added(head, tmp_path):
    matrix = scipy.sparse.csc_matrix((np.ones(3), [1, 1, 0], [0, 2, 3, 3, 3]), shape=(5, 4))
    read = load_head(write_regressor(tmp_path / "flame.pkl", head, matrix)).joint_regressor
    assert read[1, 0] == 2 and read[0, 1] == 1 and read.sum() == 3


@pytest.mark.parametrize("layout", COMPRESSED)
def test_no_index_reaches_outside_the_matrix(head, tmp_path, layout):
    """In a process of its own: scipy would write where they say."""
    good = getattr(scipy.sparse, layout)(head.joint_regressor)
    states, paths = [], []
    for value in (2**31 - 2, -(2**30), 5000, 5, -1):
        states.append({"indices": np.full_like(good.indices, value)})
    for value in (2**31 - 1, -1, 5000):
        states.append({"indptr": np.append(good.indptr[:-1], np.int32(value))})
    states.append({"indptr": np.append(np.int32(-(2**30)), good.indptr[1:])})
    states.append({"indptr": np.append(np.int32(2**30), good.indptr[1:])})
    states.append({"indptr": good.indptr[[0, 3, 1, 2, -1] + [-1] * (len(good.indptr) - 5)]})
    states.append({"data": good.data[:1]})
    states.append({"indptr": good.indptr[:2]})
    states.append({"indices": np.full(len(good.data), 2**64 - 1, np.uint64)})
    for number, state in enumerate(states):
        path = tmp_path / f"{number}.pkl"
        paths.append(write_regressor(path, head, sparse(head, layout, **state)))
    said = dict(zip(map(str, states), read_elsewhere(paths), strict=True))
    good_message = re.compile(r"AssetError: .*\.pkl: J_regressor is a sparse matrix (whose ind|with 1 |with 4 )")
    assert {state: message for state, message in said.items() if not good_message.match(message)} == {}


@pytest.mark.parametrize("value", [2**31 - 2, -(2**30), 5])
def test_no_coordinate_is_outside_the_matrix(head, tmp_path, value):
    places = np.arange(4, dtype=np.int32)
    for coords, name in (
        ((np.full_like(places, value), places), "row"),
        ((places, np.full_like(places, value)), "col"),
    ):
        matrix = sparse(head, "coo_matrix", coords=coords)
        with pytest.raises(AssetError, match=f"J_regressor is a sparse matrix whose {name} has {value}, expected 0 to"):
            load_head(write_regressor(tmp_path / "flame.pkl", head, matrix))


@pytest.mark.parametrize(
    ("layout", "state", "message"),
    [
        ("csc_matrix", {"indices": None}, "is a sparse matrix without indices"),
        ("csc_matrix", {"indptr": None}, "is a sparse matrix without indptr"),
        ("csr_matrix", {"data": None}, "is a sparse matrix without data"),
        ("csr_matrix", {"indices": "text"}, "whose indices is a value of type str, expected an array"),
        ("csr_matrix", {"indices": np.array(["a"] * 4)}, "whose indices has the shape 4 and holds <U1"),
        ("csc_matrix", {"indices": np.arange(4.0)}, "expected a row of whole numbers"),
        ("csc_matrix", {"indices": np.zeros((2, 2), np.int32)}, "whose indices has the shape 2x2"),
        ("csc_matrix", {"indices": np.array([None] * 4)}, "whose indices holds objects"),
        ("csc_matrix", {"data": np.array(["1"] * 4)}, "whose data has the shape 4 and holds <U1"),
        ("csc_matrix", {"_shape": None}, "no tuple of whole numbers"),
        ("csc_matrix", {"_shape": (5, 10**9)}, "has the shape 5x1000000000, expected 5x4"),
        ("csr_matrix", {"_shape": (10**9, 4)}, "has the shape 1000000000x4, expected 5x4"),
        ("coo_matrix", {"_shape": (5, 10**30)}, "a size that is negative or too large"),
        ("coo_matrix", {"_shape": (5, -4)}, "a size that is negative or too large"),
        ("coo_matrix", {"_shape": (5,)}, "has the shape 5, expected 5x4"),
        ("coo_matrix", {"coords": None}, "is a sparse matrix without row"),
        ("coo_matrix", {"coords": 5}, "whose coords are no pair of arrays"),
        ("coo_matrix", {"coords": (np.arange(4),)}, "whose coords are no pair of arrays"),
        ("coo_matrix", {"coords": (np.arange(3), np.arange(4))}, "with 3 row for 4 values"),
        ("csc_matrix", {"data": np.full(4, np.nan)}, "holds numbers that are not finite"),
    ],
)
def test_a_wrong_part_is_named(head, tmp_path, layout, state, message):
    path = write_regressor(tmp_path / "flame.pkl", head, sparse(head, layout, **state))
    with pytest.raises(AssetError, match=rf"flame\.pkl: J_regressor .*{re.escape(message)}"):
        load_head(path)


def test_a_sparse_matrix_without_content_is_refused(head, tmp_path):
    path = tmp_path / "flame.pkl"
    written = pickle.dumps(flame_table(head) | {"J_regressor": "here"}, protocol=0)
    path.write_bytes(written.replace(b"Vhere\n", b"cscipy.sparse\ncsc_matrix\n)\x81"))
    with pytest.raises(AssetError, match="J_regressor is a sparse matrix without content"):
        load_head(path)


def test_only_a_matrix_of_known_size_may_be_sparse(head, tmp_path):
    table = flame_table(head) | {"v_template": scipy.sparse.csc_matrix(head.v_template)}
    with pytest.raises(AssetError, match="v_template is a sparse matrix, expected an array"):
        load_head(write_pickle(tmp_path / "flame.pkl", table))
