"""A baked avatar for other code: arrays in full precision, and meshes of single frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from imavatar.baking.baked import BakedAvatar, with_strongest
from imavatar.export.clips import Clip, global_transforms
from imavatar.files.atomic import write_arrays, write_bytes


def write_npz(path: Path, avatar: BakedAvatar) -> None:
    """Everything of the avatar, named as in `BakedAvatar`; joints' names, parents and places at rest with `joint_`."""
    arrays = {name: value for name, value in vars(avatar).items() if isinstance(value, np.ndarray)}
    arrays |= {f"joint_{name}": np.array(value) for name, value in vars(avatar.skeleton).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, **arrays)


def write_posed_meshes(folder: Path, avatar: BakedAvatar, clips: Sequence[Clip], suffix: str) -> int:
    """`<clip>/<frame>.<suffix>` for every frame of every clip, in metres, with vertex colours; returns how many."""
    weights, count = with_strongest(avatar.weights), 0
    colours = np.rint(255 * avatar.colours).astype(np.uint8)
    for clip in clips:
        (folder / clip.name).mkdir(parents=True, exist_ok=True)
        for k in range(len(clip.seconds)):
            transforms = global_transforms(avatar.skeleton, clip, k)
            vertices = avatar.posed(clip.expression[k], clip.correctives[k], transforms, weights)
            mesh = trimesh.Trimesh(vertices, avatar.faces, vertex_colors=colours, process=False)
            content = mesh.export(file_type=suffix)
            write_bytes(
                folder / clip.name / f"{k + 1}.{suffix}", content.encode() if isinstance(content, str) else content
            )
            count += 1
    return count
