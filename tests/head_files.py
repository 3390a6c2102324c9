"""Files of head models for tests: a head of four vertices, and a reader in a process of its own that may crash."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy.sparse

import imavatar
from imavatar.head.assets import HeadAssets

READ_ALL = """
import json, resource, sys
from pathlib import Path
from imavatar.errors import AssetError
from imavatar.head.assets import load_head
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for path in sys.argv[1:]:
    try:
        load_head(Path(path))
        said = "loaded"
    except AssetError as error:
        said = f"AssetError: {error}"
    except BaseException as error:
        said = f"{type(error).__name__} is no AssetError"
    print(json.dumps(said), flush=True)
"""


def tiny_head(seed: int = 0) -> HeadAssets:
    """A tetrahedron in FLAME's layout with random blendshapes."""
    generator = np.random.default_rng(seed)
    n_vertices = 4
    return HeadAssets(
        v_template=np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], np.float32),
        faces=np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
        shapedirs=generator.normal(size=(n_vertices, 3, 400)).astype(np.float32),
        posedirs=generator.normal(size=(n_vertices, 3, 36)).astype(np.float32),
        joint_regressor=np.eye(5, n_vertices, dtype=np.float32),
        weights=np.eye(n_vertices, 5, dtype=np.float32),
        name="tiny",
    )


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


def write_pickle(path: Path, content, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def assert_same(read: HeadAssets, head: HeadAssets):
    for name in ("v_template", "faces", "shapedirs", "posedirs", "weights"):
        np.testing.assert_array_equal(getattr(read, name), getattr(head, name))
    np.testing.assert_allclose(read.joint_regressor, head.joint_regressor)


def read_elsewhere(paths: list[Path]) -> list[str]:
    """What `load_head` says of each file, in one process after the other files; "crashed" where that died.

    The process may use 4 GiB, so that a file that asks for all memory does not take this machine's.
    """
    said: list[str] = []
    environment = {**os.environ, "PYTHONPATH": str(Path(imavatar.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    while len(said) < len(paths):
        command = [sys.executable, "-c", READ_ALL, *map(str, paths[len(said) :])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        said += [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0:
            said.append("crashed")
    return said
