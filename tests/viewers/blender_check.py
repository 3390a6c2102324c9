"""Run by Blender: imports a glTF file, says what it found, poses it by its first clip, renders two frames.

Arguments after `--`: the file, the folder for `blender.json`, `rest.png` and `clip.png`.
"""

import json
import sys
from pathlib import Path

import bpy
from mathutils import Vector

SIZE, SAMPLES, STRIDE = 384, 4, 6


def main(source: Path, out: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # Debian's importer uses a name for shading by normals that its numpy no longer has.
    bpy.ops.import_scene.gltf(filepath=str(source), import_shading="SMOOTH")
    (mesh,) = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    (armature,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    keys = mesh.data.shape_keys
    weights = [sum(group.weight for group in vertex.groups) for vertex in mesh.data.vertices]
    found = {
        "vertices": len(mesh.data.vertices),
        "faces": len(mesh.data.polygons),
        "shape_keys": [key.name for key in keys.key_blocks[1:]],
        "bones": [bone.name for bone in armature.data.bones],
        "groups": [group.name for group in mesh.vertex_groups],
        "actions": [action.name for action in bpy.data.actions],
        "least_weight": min(weights),
        "largest_weight": max(weights),
    }
    scene = bpy.context.scene
    look(scene, mesh)
    rest = posed(mesh)
    render(scene, out / "rest.png")
    last = max(int(action.frame_range[1]) for action in bpy.data.actions)
    moves = {frame: farthest(rest, at_frame(scene, mesh, frame)) for frame in range(0, last, STRIDE)}
    strongest = max(moves, key=moves.get)
    scene.frame_set(strongest)
    found["moved_m"] = moves[strongest]
    found["height_m"] = max(v.z for v in rest) - min(v.z for v in rest)
    render(scene, out / "clip.png")
    (out / "blender.json").write_text(json.dumps(found))


def at_frame(scene, mesh, frame: int) -> list:
    """Vertices in a frame of the clip."""
    scene.frame_set(frame)
    return posed(mesh)


def farthest(a: list, b: list) -> float:
    """The largest distance of corresponding points."""
    return max((p - q).length for p, q in zip(a, b, strict=True))


def posed(mesh) -> list:
    """Vertices as they are in the scene's frame."""
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = evaluated.to_mesh()
    points = [evaluated.matrix_world @ vertex.co for vertex in data.vertices]
    evaluated.to_mesh_clear()
    return points


def look(scene, mesh) -> None:
    """A camera before the face, over white, colours as they are."""
    corners = [mesh.matrix_world @ Vector(corner) for corner in mesh.bound_box]
    middle = sum(corners, Vector()) / 8
    height = max(c.z for c in corners) - min(c.z for c in corners)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = middle + Vector((0, -4 * height, 0))
    camera.rotation_euler = (1.5707963, 0, 0)
    camera.data.lens = 105
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (1, 1, 1, 1)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = SIZE


def render(scene, path: Path) -> None:
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


arguments = sys.argv[sys.argv.index("--") + 1 :]
main(Path(arguments[0]), Path(arguments[1]))
