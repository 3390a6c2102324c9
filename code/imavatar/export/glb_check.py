"""Whether a file is a whole binary glTF 2.0 file of an avatar, which needs no other file."""

from typing import Any

from imavatar.errors import DataError
from imavatar.export.glb_container import VERSION, GltfDocument, WrongGlb, objects, read_glb, shown, values_of

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COLUMNS_AND_ROWS = {"SCALAR": (1, 1), "VEC2": (1, 2), "VEC3": (1, 3), "VEC4": (1, 4)}
COLUMNS_AND_ROWS |= {"MAT2": (2, 2), "MAT3": (3, 3), "MAT4": (4, 4)}
SKINNED = ("JOINTS_0", "WEIGHTS_0")
"""Attributes by which a skin moves a mesh."""
WITHOUT_DECODER = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu")
"""Extensions for which three.js wants a decoder, which a page does not hold."""


def check_glb(content: bytes, name: str) -> None:
    """See that a file's content is one that a page can show.

    Args:
        name: the file's, for messages.

    Raises:
        DataError: it is another kind of file, cut, damaged, refers to other files, or has no skinned mesh.
    """
    try:
        description, binary = read_glb(content)
        _check(GltfDocument(description), len(binary))
    except WrongGlb as wrong:
        raise DataError(
            f"{name}: {wrong}; expected a binary glTF file of version {VERSION}, whole and with all it needs in it, as "
            "scripts/export_avatar.py writes it"
        ) from wrong


def _check(document: GltfDocument, n_bytes: int) -> None:
    asset = document.description.get("asset")
    version = asset.get("version") if isinstance(asset, dict) else None
    if not isinstance(version, str) or not version.startswith(f"{VERSION}."):
        raise WrongGlb(f"is glTF {shown(version)}")
    required = document.description.get("extensionsRequired", [])
    for extension in WITHOUT_DECODER:
        if isinstance(required, list) and extension in required:
            raise WrongGlb(f"needs {extension}, which a page cannot decode")
    _check_storage(document, n_bytes)
    for k, accessor in enumerate(document.all("accessors")):
        _check_accessor(document, f"accessors[{k}]", accessor)
    for k, image in enumerate(document.all("images")):
        document.referred(f"images[{k}]", image, "bufferView", "bufferViews")
    _check_meshes(document)
    _check_nodes(document)
    _check_clips(document)


def _check_storage(document: GltfDocument, n_bytes: int) -> None:
    """All numbers and pictures are in the file itself."""
    for kind in ("buffers", "images"):
        for k, owner in enumerate(document.all(kind)):
            for uri in values_of("uri", owner):
                raise WrongGlb(f"{kind}[{k}] refers to {shown(uri)}, outside of the file's binary part")
    buffers = document.all("buffers")
    if len(buffers) > 1:
        raise WrongGlb(f"has {len(buffers)} buffers, where a file can hold one")
    for buffer in buffers:
        size = document.number("buffers[0]", buffer, "byteLength", 1)
        if size > n_bytes:
            raise WrongGlb(f"buffers[0] has {size} bytes, the file's binary part {n_bytes}")
    for k, view in enumerate(document.all("bufferViews")):
        where = f"bufferViews[{k}]"
        buffer = document.referred(where, view, "buffer", "buffers")
        end = document.number(where, view, "byteOffset", default=0) + document.number(where, view, "byteLength", 1)
        if end > buffer["byteLength"]:
            raise WrongGlb(f"{where} ends at byte {end} of a buffer of {buffer['byteLength']}")


def _check_accessor(document: GltfDocument, where: str, accessor: dict[str, Any]) -> None:
    columns, rows = COLUMNS_AND_ROWS.get(str(accessor.get("type")), (0, 0))
    component = _component(document, where, accessor)
    if columns == 0:
        raise WrongGlb(f"{where}: type is {shown(accessor.get('type'))}, not one of {', '.join(COLUMNS_AND_ROWS)}")
    # Columns of a matrix begin at multiples of four bytes.
    size = component * rows if columns == 1 else columns * -(-component * rows // 4) * 4
    count = document.number(where, accessor, "count", 1)
    if "bufferView" in accessor:
        _check_span(document, where, accessor, count, size)
    if "sparse" in accessor:
        sparse = accessor["sparse"] if isinstance(accessor["sparse"], dict) else {}
        changed = document.number(f"{where}.sparse", sparse, "count", 1)
        if changed > count:
            raise WrongGlb(f"{where}.sparse changes {changed} of {count} elements")
        for part in ("indices", "values"):
            own, below = sparse.get(part), f"{where}.sparse.{part}"
            if not isinstance(own, dict):
                raise WrongGlb(f"{below} is {shown(own)}, not an object")
            _check_span(document, below, own, changed, size if part == "values" else _component(document, below, own))


def _component(document: GltfDocument, where: str, owner: dict[str, Any]) -> int:
    """Bytes of a component."""
    kind = document.number(where, owner, "componentType")
    if kind not in COMPONENT_BYTES:
        raise WrongGlb(f"{where}: componentType is {kind}, not one of {', '.join(map(str, COMPONENT_BYTES))}")
    return COMPONENT_BYTES[kind]


def _check_span(document: GltfDocument, where: str, owner: dict[str, Any], count: int, size: int) -> None:
    """`count` elements of `size` bytes are within the view."""
    view = document.referred(where, owner, "bufferView", "bufferViews")
    stride = document.number(where, view, "byteStride", size, default=size)
    end = document.number(where, owner, "byteOffset", default=0) + stride * (count - 1) + size
    if end > view["byteLength"]:
        raise WrongGlb(f"{where} ends at byte {end} of a view of {view['byteLength']}")


def _check_meshes(document: GltfDocument) -> None:
    """There is a mesh, and all have their numbers."""
    meshes = document.all("meshes")
    if not meshes:
        raise WrongGlb("has no mesh")
    for k, mesh in enumerate(meshes):
        primitives = objects(mesh, "primitives")
        if not primitives:
            raise WrongGlb(f"meshes[{k}] has no primitives")
        for own in primitives:
            _check_primitive(document, f"meshes[{k}]", own)


def _check_nodes(document: GltfDocument) -> None:
    """One has a mesh and a skin; what they name is there."""
    skinned = 0
    for k, node in enumerate(document.all("nodes")):
        for key, kind in (("mesh", "meshes"), ("skin", "skins")):
            if key in node:
                document.referred(f"nodes[{k}]", node, key, kind)
        if "children" in node:
            document.all_referred(f"nodes[{k}]", node, "children", "nodes")
        if "mesh" in node and "skin" in node:
            skinned += 1
            for primitive in document.all("meshes")[node["mesh"]]["primitives"]:
                lacking = [name for name in SKINNED if name not in primitive["attributes"]]
                if lacking:
                    raise WrongGlb(f"nodes[{k}] has a skin, and a mesh without {', '.join(lacking)}")
    if not skinned:
        raise WrongGlb("has no node with a mesh and a skin")
    for k, skin in enumerate(document.all("skins")):
        document.all_referred(f"skins[{k}]", skin, "joints", "nodes")
        if "inverseBindMatrices" in skin:
            document.referred(f"skins[{k}]", skin, "inverseBindMatrices", "accessors")


def _check_clips(document: GltfDocument) -> None:
    for k, animation in enumerate(document.all("animations")):
        for sampler in objects(animation, "samplers"):
            for key in ("input", "output"):
                document.referred(f"animations[{k}]", sampler, key, "accessors")


def _check_primitive(document: GltfDocument, where: str, primitive: dict[str, Any]) -> None:
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        raise WrongGlb(f"{where}: attributes are {shown(attributes)}, without POSITION")
    if "indices" in primitive:
        document.referred(where, primitive, "indices", "accessors")
    counts = {
        document.referred(where, own, key, "accessors")["count"]
        for own in (attributes, *objects(primitive, "targets"))
        for key in own
    }
    if len(counts) > 1:
        raise WrongGlb(f"{where}: attributes and targets are of {', '.join(map(str, sorted(counts)))} vertices")
