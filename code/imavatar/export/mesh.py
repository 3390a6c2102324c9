"""The avatar's surface as PLY files."""

from pathlib import Path

from imavatar.data.mesh_file import write_ply
from imavatar.rendering.strips import colour_bytes
from imavatar.rendering.surface_mesh import avatar_mesh
from imavatar.types import PosedHead


def export_meshes(avatar, posed: PosedHead, folder: Path, *, resolution: int, bound: float = 1.2) -> tuple[Path, Path]:
    """Write `mesh_canonical.ply` and `mesh_deformed.ply` (one frame's pose, model units); returns their paths.

    Both have the same vertices, faces and colours, so that a viewer can blend between them.
    """
    mesh = avatar_mesh(avatar, posed, resolution=resolution, bound=bound)
    faces = mesh.faces.cpu().numpy()
    colours = colour_bytes(mesh.colours)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "mesh_canonical.ply", folder / "mesh_deformed.ply"
    for path, vertices in zip(paths, (mesh.canonical, mesh.deformed), strict=True):
        write_ply(path, vertices.cpu().numpy(), faces, colours)
    return paths
