"""A baked avatar as a binary glTF 2.0 file: skinned mesh, morph targets, clips, an unlit material."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pygltflib as gl
from jaxtyping import Float

from imavatar.anatomy import Joint
from imavatar.baking.baked import BakedAvatar, Skeleton, strongest_weights
from imavatar.export.clips import Clip, rest_translations
from imavatar.export.gltf_content import BinaryContent
from imavatar.files.atomic import replacing

GENERATOR = "imavatar"
STILL = 1e-6
"""Quaternion components or metres by which a joint moves less in a whole clip than a track is worth."""
STRAIGHT = (0.0, 0.0, 0.0, 1.0)
"""A quaternion that turns nothing."""
LEAST_WEIGHT = 1e-5
"""Smaller skinning weights are none."""
Pose = tuple[Float[np.ndarray, "j 4"], Float[np.ndarray, "j 3"]]
"""Turns and places of joints."""
UNLIT, QUANTISED = "KHR_materials_unlit", "KHR_mesh_quantization"


def write_glb(
    path: Path,
    avatar: BakedAvatar,
    clips: Sequence[Clip] = (),
    shapes: Mapping[str, Float[np.ndarray, "v 3"]] | None = None,
    rest: Clip | None = None,
    *,
    quantise: bool = False,
) -> None:
    """Write the file; what it shows where no clip is played is the first frame of `rest`, or the mesh as it is.

    Morph targets are, in this order: `expression_00`..., the pose correctives `neck_00`... `right_eye_22` (row and
    column of the joint's rotation matrix less the identity), and `shapes`: offsets in metres under names of their
    own, as ARKit's.

    Args:
        quantise: store the targets in 16 bits, to 0.03 mm, by an extension that not every program reads.
    """
    shapes = dict(shapes or {})
    names = target_names(avatar, list(shapes))
    content = BinaryContent()
    offsets = (*avatar.expression, *avatar.correctives, *shapes.values())
    targets = [content.target(own.astype(np.float32), quantise) for own in offsets]
    attributes = _attributes(content, avatar)
    file = gl.GLTF2(asset=gl.Asset(version="2.0", generator=GENERATOR), extensionsUsed=[UNLIT])
    if quantise:
        file.extensionsUsed, file.extensionsRequired = [UNLIT, QUANTISED], [QUANTISED]
    _add_appearance(file, content, avatar, attributes)
    primitive = gl.Primitive(
        attributes=attributes, indices=content.indices(avatar.faces), material=0, targets=targets, mode=gl.TRIANGLES
    )
    weights = [0.0] * len(names) if rest is None else _weights(rest, len(names))[0].tolist()
    file.meshes = [gl.Mesh(name="head", primitives=[primitive], weights=weights, extras={"targetNames": names})]
    pose = _at_rest(avatar.skeleton, rest)
    _add_skeleton(file, content, avatar.skeleton, pose)
    file.animations = [_animation(content, clip, pose, len(names)) for clip in clips]
    file.bufferViews, file.accessors = content.views, content.accessors
    file.buffers = [gl.Buffer(byteLength=content.length)]
    file.set_binary_blob(content.bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        file.save_binary(str(temporary))


def _attributes(content: BinaryContent, avatar: BakedAvatar) -> gl.Attributes:
    """Vertices, normals, and what moves them."""
    joints, weights, _ = strongest_weights(avatar.weights)
    weights = np.where(weights < LEAST_WEIGHT, 0, weights).astype(np.float32)
    joints = np.where(weights > 0, joints, 0)
    # They sum to one as exactly as single precision can.
    weights = weights / weights.sum(axis=1, keepdims=True, dtype=np.float32)
    return gl.Attributes(
        POSITION=content.add(avatar.vertices.astype(np.float32), gl.VEC3, gl.ARRAY_BUFFER, bounds=True),
        NORMAL=content.add(_unit(avatar.normals), gl.VEC3, gl.ARRAY_BUFFER),
        JOINTS_0=content.add(joints.astype(np.uint8), gl.VEC4, gl.ARRAY_BUFFER),
        WEIGHTS_0=content.add(weights, gl.VEC4, gl.ARRAY_BUFFER),
    )


def _add_appearance(file: gl.GLTF2, content: BinaryContent, avatar: BakedAvatar, attributes: gl.Attributes) -> None:
    """The unlit material with the texture, or with colours of the vertices."""
    material = gl.Material(
        name="baked",
        doubleSided=True,
        pbrMetallicRoughness=gl.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=0.9),
        extensions={UNLIT: {}},
    )
    if avatar.texture is not None:
        uv = np.stack([avatar.uv[:, 0], 1 - avatar.uv[:, 1]], axis=1).astype(np.float32)
        attributes.TEXCOORD_0 = content.add(uv, gl.VEC2, gl.ARRAY_BUFFER)
        material.pbrMetallicRoughness.baseColorTexture = gl.TextureInfo(index=0)
        file.images = [gl.Image(name="colours", mimeType="image/jpeg", bufferView=content.image(avatar.texture))]
        file.samplers = [gl.Sampler(magFilter=gl.LINEAR, minFilter=gl.LINEAR_MIPMAP_LINEAR)]
        file.textures = [gl.Texture(source=0, sampler=0)]
    else:
        attributes.COLOR_0 = content.add(_linear(avatar.colours).astype(np.float32), gl.VEC3, gl.ARRAY_BUFFER)
    file.materials = [material]


def target_names(avatar: BakedAvatar, shapes: Sequence[str] = ()) -> list[str]:
    """Names of the morph targets in the order of the file."""
    expression = [f"expression_{k:02d}" for k in range(len(avatar.expression))]
    joints = [joint.name.lower() for joint in Joint if joint != Joint.GLOBAL]
    correctives = [f"{joint}_{row}{column}" for joint in joints for row in range(3) for column in range(3)]
    return [*expression, *correctives[: len(avatar.correctives)], *shapes]


# Nodes: the mesh, what holds the joints, the joints.
MESH_NODE, SKELETON_NODE, FIRST_JOINT = 0, 1, 2


def _at_rest(skeleton: Skeleton, rest: Clip | None) -> Pose:
    """Where no clip is played."""
    if rest is None:
        return np.tile(STRAIGHT, (len(skeleton.names), 1)), rest_translations(skeleton)
    return rest.rotations[0], rest.translations[0]


def _add_skeleton(file: gl.GLTF2, content: BinaryContent, skeleton: Skeleton, pose: Pose) -> None:
    (turns, places), count = pose, len(skeleton.names)
    inverse_bind = np.tile(np.eye(4), (count, 1, 1))
    inverse_bind[:, :3, 3] = -skeleton.rest
    columns = inverse_bind.transpose(0, 2, 1).reshape(count, 16).astype(np.float32)
    joints = [FIRST_JOINT + j for j in range(count)]
    matrices = content.add(columns, gl.MAT4)
    file.skins = [gl.Skin(name="skeleton", joints=joints, skeleton=SKELETON_NODE, inverseBindMatrices=matrices)]
    roots = [FIRST_JOINT + j for j, parent in enumerate(skeleton.parents) if parent < 0]
    nodes = [gl.Node(name="head", mesh=0, skin=0), gl.Node(name="skeleton", children=roots)]
    for j, name in enumerate(skeleton.names):
        children = [FIRST_JOINT + k for k, parent in enumerate(skeleton.parents) if parent == j]
        turn = None if np.abs(turns[j] - STRAIGHT).max() <= STILL else turns[j].tolist()
        nodes.append(gl.Node(name=name, translation=places[j].tolist(), rotation=turn, children=children))
    file.nodes = nodes
    file.scenes, file.scene = [gl.Scene(name="avatar", nodes=[MESH_NODE, SKELETON_NODE])], 0


def _weights(clip: Clip, n_targets: int) -> Float[np.ndarray, "t n"]:
    """Weights of all targets in a clip's frames; it does not drive those of other shapes."""
    weights = np.zeros((len(clip.seconds), n_targets))
    driven = np.concatenate([clip.expression, clip.correctives], axis=1)
    weights[:, : driven.shape[1]] = driven
    return weights


def _animation(content: BinaryContent, clip: Clip, pose: Pose, n_targets: int) -> gl.Animation:
    """Tracks for the morph targets' weights and for the joints that leave their turns and places at rest."""
    turns, places = pose
    animation = gl.Animation(name=clip.name)
    times = content.add(clip.seconds.astype(np.float32), gl.SCALAR, bounds=True)

    def track(values: np.ndarray, kind: str, node: int, path: str) -> None:
        sampler = gl.AnimationSampler(
            input=times, output=content.add(values.astype(np.float32), kind), interpolation=gl.ANIM_LINEAR
        )
        target = gl.AnimationChannelTarget(node=node, path=path)
        animation.samplers.append(sampler)
        animation.channels.append(gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))

    track(_weights(clip, n_targets).reshape(-1), gl.SCALAR, MESH_NODE, "weights")
    for j in range(len(turns)):
        if np.abs(clip.rotations[:, j] - turns[j]).max() > STILL:
            track(clip.rotations[:, j], gl.VEC4, FIRST_JOINT + j, "rotation")
        if np.abs(clip.translations[:, j] - places[j]).max() > STILL:
            track(clip.translations[:, j], gl.VEC3, FIRST_JOINT + j, "translation")
    return animation


def _unit(normals: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Single precision, of unit length; up where a vertex has none."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-12), [0.0, 1.0, 0.0]).astype(np.float32)


def _linear(srgb: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Linear light, which glTF's vertex colours are."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
