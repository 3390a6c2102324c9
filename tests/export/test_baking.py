"""A baked avatar moves as the avatar does, and what is written is what was baked."""

import dataclasses
import json
import logging
import math

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

pytest.importorskip("pygltflib", reason="needs the extra `export`")
pytest.importorskip("fast_simplification", reason="needs the extra `export`")
pytest.importorskip("xatlas", reason="needs the extra `export`")

import pygltflib as gl

from gltf_reader import accessor
from imavatar import build
from imavatar.anatomy import HEAD_SCALE, Joint, pose_slice
from imavatar.baking.bake import bake_avatar, bake_mesh, mean_colours
from imavatar.baking.baked import BakedAvatar, skeleton_of, strongest_weights, with_strongest
from imavatar.baking.clean_mesh import decimate, relevant_parts, report, without_degenerate
from imavatar.baking.drawing import draw
from imavatar.baking.shown import shown_in_pictures
from imavatar.baking.texture import Unwrapped, texel_points, unwrap, with_texture
from imavatar.cli import exp_runner_main, export_avatar_main
from imavatar.config import load_config
from imavatar.export.approximation import approximations
from imavatar.export.arkit import arkit_shapes, expression_shapes
from imavatar.export.clips import global_transforms, make_clip
from imavatar.export.fidelity import surface_fidelity
from imavatar.export.gltf import target_names, write_glb
from imavatar.head.assets import save_head
from imavatar.motion.coefficients import JAW_SIDE
from imavatar.motion.sweep import GAZE_PITCH, GAZE_YAW, JAW_ANGLE, sweep_motion
from imavatar.rendering.character import Character
from imavatar.types import Camera, HeadParameters, View
from oracles_ellipsoid_head import ellipsoid, ellipsoid_head
from oracles_fields import disturb
from oracles_subject import write_subject
from tiny_runs import write_config

BOUND = 1.2


class Made:
    """An untrained avatar whose fields all vary, and what is baked of it."""

    def __init__(self, conf: str):
        self.config = load_config(conf)
        torch.manual_seed(0)
        head = build.build_head_assets(self.config)
        self.flame = build.build_flame(self.config, head, torch.zeros(100))
        self.avatar = build.build_avatar(self.config, self.flame)
        disturb(self.avatar.deformer, 0.02, 1)
        self.latent = torch.zeros(1, 0)
        self.neutral = self.posed(torch.zeros(1, 50), torch.zeros(1, 15))
        self.mesh = bake_mesh(self.avatar, self.neutral, resolution=32, n_faces=1500, bound=BOUND)
        self.character = Character(self.avatar, self.flame, self.latent)
        self.baked = bake_avatar(self.character, self.mesh.vertices, self.mesh.faces, [self.neutral])

    def posed(self, expression, pose):
        with torch.no_grad():
            return self.flame(HeadParameters(expression, pose), self.latent)

    def motion(self, n=6) -> HeadParameters:
        generator = torch.Generator().manual_seed(2)
        return HeadParameters(
            0.5 * torch.randn(n, 50, generator=generator), 0.3 * torch.randn(n, 15, generator=generator)
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("baking")
    save_head(root / "head.npz", ellipsoid_head())
    return Made(write_config(root))


def test_the_mesh_is_light_clean_and_on_the_surface(made):
    vertices, faces, found, error = (getattr(made.mesh, name) for name in ("vertices", "faces", "report", "error"))
    assert 1000 < len(faces) <= 1500 and found.faces == len(faces)
    assert found.open_edges == found.shared_edges == found.degenerate == 0
    sdf = made.avatar.field(made.neutral)(torch.as_tensor(vertices).float())
    assert sdf.detach().abs().max() < 1e-3
    assert 0 < error.mean <= error.quantile_99 <= error.largest < 10


def test_what_no_picture_shows_is_cut_off_below_a_height_alone(made):
    # A camera before the ellipsoid whose picture ends below at y = -0.27 and at the sides at x = -+1.41.
    world = torch.eye(4).repeat(5, 1, 1)
    world[:, 2, 3] = 100.0
    intrinsics = torch.tensor([[-10000.0, 10000.0, 149.5, 69.5]]).repeat(5, 1)
    frames = [made.neutral] * 5

    def shown_by(cameras):
        return shown_in_pictures(made.avatar, frames, View(Camera(intrinsics, cameras), 97, 282), below=0.0)

    points = torch.tensor([[0.0, -0.15, 0], [0, -0.45, 0], [1.6, -0.2, 0], [1.6, 0.2, 0], [-1.4, -0.2, 0], [0, 2.0, 0]])
    shown = shown_by(world)
    posed = made.avatar.for_frame(made.neutral)(points).detach()
    assert (posed - points).norm(dim=1).max() < 0.1
    assert shown(points).tolist() == [True, False, False, True, True, True]
    # Three of five cameras look elsewhere, then four.
    away = world.clone()
    away[:3, 0, 3] = 50.0
    assert shown_by(away)(points)[0]
    away[3, 0, 3] = 50.0
    assert not shown_by(away)(points)[0]

    mesh = bake_mesh(made.avatar, made.neutral, resolution=32, n_faces=1500, bound=BOUND, shown=shown)
    whole, found = made.mesh.vertices, mesh.report
    assert whole[:, 1].min() < -0.6 < -0.4 < mesh.vertices[:, 1].min()
    assert mesh.vertices[:, 1].max() == pytest.approx(whole[:, 1].max(), abs=0.02)
    assert found.shared_edges == 0 and found.open_edges > 10 and found.parts == 1 and mesh.error.largest < 10
    trimmed = bake_avatar(made.character, mesh.vertices, mesh.faces, [made.neutral])
    heads = HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))
    arguments = (trimmed, made.character, heads, BOUND, 64)
    assert surface_fidelity(*arguments, shown=shown).largest < 15 < surface_fidelity(*arguments).largest


def test_the_formula_of_the_file_poses_it_as_the_deformer_does(made):
    motion, x_c = made.motion(), torch.as_tensor(made.baked.canonical).float()
    for k in range(len(motion)):
        posed = made.posed(motion.expression[k : k + 1], motion.pose[k : k + 1])
        expected = made.avatar.for_frame(posed)(x_c).detach().numpy() / HEAD_SCALE
        np.testing.assert_allclose(made.baked.vertices_in(posed), expected, atol=1e-6)
    moved = np.linalg.norm(expected - made.baked.vertices, axis=1)
    assert moved.max() > 0.01


def test_a_clips_joints_and_weights_are_the_frames(made):
    motion, skeleton = made.motion(), made.baked.skeleton
    clip = make_clip("random", made.flame, skeleton, motion, 25.0)
    assert skeleton.names == ("ghost", "global", "neck", "jaw", "left_eye", "right_eye")
    x_c = torch.as_tensor(made.baked.canonical).float()
    for k in range(len(motion)):
        posed = made.posed(motion.expression[k : k + 1], motion.pose[k : k + 1])
        transforms = global_transforms(skeleton, clip, k)
        found = made.baked.posed(clip.expression[k], clip.correctives[k], transforms)
        expected = made.avatar.for_frame(posed)(x_c).detach().numpy() / HEAD_SCALE
        np.testing.assert_allclose(found, expected, atol=2e-6)
    assert (np.abs((clip.rotations[1:] * clip.rotations[:-1]).sum(axis=-1)) <= 1 + 1e-9).all()
    assert ((clip.rotations[1:] * clip.rotations[:-1]).sum(axis=-1) >= 0).all()
    np.testing.assert_allclose(clip.seconds, np.arange(6) / 25)


def test_four_weights_are_the_strongest_and_sum_to_one():
    weights = np.array([[0.4, 0.1, 0.2, 0.05, 0.15, 0.1], [0, 0, 1.0, 0, 0, 0]])
    joints, kept, lost = strongest_weights(weights)
    assert joints[0].tolist() == [0, 2, 4, 1] and kept.shape == (2, 4)
    np.testing.assert_allclose(kept.sum(axis=1), 1)
    np.testing.assert_allclose(kept[0], np.array([0.4, 0.2, 0.15, 0.1]) / 0.85)
    assert lost == pytest.approx(0.15)
    np.testing.assert_allclose(with_strongest(weights)[0], [0.4 / 0.85, 0.1 / 0.85, 0.2 / 0.85, 0, 0.15 / 0.85, 0])


def test_specks_and_degenerate_faces_go_and_closed_parts_stay_closed():
    big, faces = ellipsoid([0.5, 0.5, 0.5], [0.0, 0.0, 0.0], 24, 32)
    eye, eye_faces = ellipsoid([0.2, 0.2, 0.2], [1.0, 0.0, 0.0], 12, 16)
    speck, speck_faces = ellipsoid([0.01, 0.01, 0.01], [0.0, 1.0, 0.0], 6, 8)
    vertices = np.concatenate([big, eye, speck])
    whole = np.concatenate([faces, eye_faces + len(big), speck_faces + len(big) + len(eye)])
    kept, kept_faces = relevant_parts(vertices, whole)
    assert len(kept) == len(big) + len(eye) and report(kept, kept_faces).parts == 2
    light, light_faces = decimate(kept, kept_faces, 600)
    found = report(light, light_faces)
    assert len(light_faces) <= 600 and found.parts == 2 and found.shared_edges == found.open_edges == 0
    broken = np.concatenate([faces, [[0, 1, 1]]])
    assert report(big, broken).degenerate == 1
    assert report(*without_degenerate(big, broken)).degenerate == 0


def test_a_file_holds_what_poses_the_mesh(made, tmp_path):
    baked, motion = made.baked, made.motion()
    clip = make_clip("random", made.flame, baked.skeleton, motion, 25.0)
    shapes = expression_shapes(baked, {"smile": np.eye(50)[3] - np.eye(50)[7]})
    write_glb(tmp_path / "a.glb", baked, [clip], shapes)
    file = gl.GLTF2().load(str(tmp_path / "a.glb"))
    (primitive,) = file.meshes[0].primitives
    names = file.meshes[0].extras["targetNames"]
    assert names == target_names(baked, ["smile"]) and len(names) == len(primitive.targets) == 50 + 36 + 1
    assert names[:2] == ["expression_00", "expression_01"] and names[50] == "neck_00" and names[-1] == "smile"
    attributes = primitive.attributes
    position, joints, weights = (
        accessor(file, k) for k in (attributes.POSITION, attributes.JOINTS_0, attributes.WEIGHTS_0)
    )
    targets = np.stack([accessor(file, target["POSITION"]) for target in primitive.targets])
    np.testing.assert_allclose(targets[-1], baked.expression[3] - baked.expression[7], atol=2e-5)
    np.testing.assert_array_equal(accessor(file, primitive.indices)[:, 0].reshape(-1, 3), baked.faces)
    assert (joints[weights == 0] == 0).all()

    # As a viewer does it: weights and joints of one key frame, from the file alone.
    channels = {
        (c.target.node, c.target.path): file.animations[0].samplers[c.sampler].output
        for c in file.animations[0].channels
    }
    frame = 4
    amounts = accessor(file, channels[0, "weights"]).reshape(6, len(names))[frame]
    moved = position + np.tensordot(amounts, targets, 1)
    inverse = accessor(file, file.skins[0].inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    world = {}

    def visit(node, above):
        own = file.nodes[node]
        local = np.eye(4)
        rotation, translation = channels.get((node, "rotation")), channels.get((node, "translation"))
        x, y, z, w = accessor(file, rotation)[frame] if rotation is not None else (0, 0, 0, 1)
        local[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        place = accessor(file, translation)[frame] if translation is not None else own.translation
        local[:3, 3] = place if place is not None else 0
        world[node] = above @ local
        for child in own.children or []:
            visit(child, world[node])

    visit(file.skins[0].skeleton, np.eye(4))
    skinning = np.stack([world[j] @ inverse[k] for k, j in enumerate(file.skins[0].joints)])
    blended = np.einsum("vk,vkmn->vmn", weights, skinning[joints])
    found = np.einsum("vmn,vn->vm", blended, np.pad(moved, ((0, 0), (0, 1)), constant_values=1))[:, :3]
    posed = made.posed(motion.expression[frame : frame + 1], motion.pose[frame : frame + 1])
    expected = baked.vertices_in(posed, weights=with_strongest(baked.weights))
    assert np.abs(found - expected).max() < 1e-4
    assert np.linalg.norm(found - position, axis=1).max() > 0.01


def test_targets_in_sixteen_bits_are_the_same_to_a_thirtieth_of_a_millimetre(made, tmp_path):
    baked = made.baked
    some = np.zeros_like(baked.expression[0])
    some[5:9] = 0.01
    write_glb(tmp_path / "a.glb", baked, (), {"some": some}, quantise=True)
    write_glb(tmp_path / "b.glb", baked, (), {"some": some})
    assert (tmp_path / "a.glb").stat().st_size < 0.75 * (tmp_path / "b.glb").stat().st_size
    file = gl.GLTF2().load(str(tmp_path / "a.glb"))
    assert file.extensionsRequired == ["KHR_mesh_quantization"]
    targets = [target["POSITION"] for target in file.meshes[0].primitives[0].targets]
    expected = np.concatenate([baked.expression, baked.correctives, some[None]])
    for index, offsets in zip(targets, expected, strict=True):
        own = file.accessors[index]
        assert own.componentType == gl.SHORT and own.normalized
        found = np.maximum(accessor(file, index) / 32767, -1)
        assert np.abs(found - offsets).max() <= 0.5 / 32767 + 1e-5
        assert own.max == accessor(file, index).max(axis=0).tolist()
    assert file.accessors[targets[-1]].sparse.count == 4


def test_a_file_shows_the_person_at_rest_and_every_clip_leaves_that(made, tmp_path):
    baked, jaw = made.baked, 2 + 1 + Joint.JAW
    pose = torch.zeros(2, 15)
    pose[0, pose_slice(Joint.JAW)] = torch.tensor([0.1, 0.0, 0.0])
    motion = HeadParameters(torch.linspace(-1, 1, 50) * torch.tensor([[1.0], [0.0]]), pose)
    rest, still = (make_clip(n, made.flame, baked.skeleton, motion[k : k + 1], 25.0) for k, n in enumerate("ab"))
    write_glb(tmp_path / "a.glb", baked, [still], {"smile": baked.expression[0]}, rest)
    file = gl.GLTF2().load(str(tmp_path / "a.glb"))
    weights = np.array(file.meshes[0].weights)
    np.testing.assert_allclose(weights[:50], motion.expression[0], atol=1e-6)
    np.testing.assert_allclose(weights[50:86], rest.correctives[0], atol=1e-6)
    assert weights[86] == 0 and file.nodes[jaw].name == "jaw"
    np.testing.assert_allclose(file.nodes[jaw].rotation, [math.sin(0.05), 0, 0, math.cos(0.05)], atol=1e-6)
    moved = {(c.target.node, c.target.path) for c in file.animations[0].channels}
    assert (jaw, "rotation") in moved and (jaw - 1, "rotation") not in moved


def test_arkits_units_are_the_expressions_and_the_joints_turns(made):
    smile = np.linspace(-1, 1, 50)
    shapes = arkit_shapes(made.baked, made.flame, {"mouthSmileLeft": smile})
    assert {"mouthSmileLeft", "jawOpen", "eyeLookOutRight"} <= shapes.keys() and len(shapes) == 12
    x_c = torch.as_tensor(made.baked.canonical).float()

    def moved(expression, **pose) -> np.ndarray:
        vector = torch.zeros(1, 15)
        for joint, turn in pose.items():
            vector[0, pose_slice(Joint[joint])] = torch.tensor(turn)
        posed = made.posed(torch.as_tensor(expression, dtype=torch.float32)[None], vector)
        return made.avatar.for_frame(posed)(x_c).detach().numpy() / HEAD_SCALE - made.baked.vertices

    still = np.zeros(50)
    np.testing.assert_allclose(shapes["mouthSmileLeft"], moved(smile), atol=1e-6)
    np.testing.assert_allclose(shapes["jawOpen"], moved(still, JAW=(JAW_ANGLE, 0.0, 0.0)), atol=1e-6)
    np.testing.assert_allclose(shapes["jawLeft"], moved(still, JAW=(0.0, JAW_SIDE, 0.0)), atol=1e-6)
    np.testing.assert_allclose(shapes["eyeLookUpLeft"], moved(still, LEFT_EYE=(-GAZE_PITCH, 0.0, 0.0)), atol=1e-6)
    np.testing.assert_allclose(shapes["eyeLookInRight"], moved(still, RIGHT_EYE=(0.0, GAZE_YAW, 0.0)), atol=1e-6)
    # The chin goes down and the subject's left is where x is positive.
    front = np.argmax(made.baked.vertices[:, 2] * made.baked.weights[:, 3])
    assert shapes["jawOpen"][front, 1] < 0 < shapes["jawLeft"][front, 0]


def test_expressions_are_cut_to_the_targets_there_are(made):
    short = dataclasses.replace(made.baked, expression=made.baked.expression[:4])
    shape = expression_shapes(short, {"smile": np.ones(50)})["smile"]
    np.testing.assert_allclose(shape, made.baked.expression[:4].sum(axis=0))


def test_a_texture_has_at_every_pixel_the_colour_of_its_place(made):
    unwrapped = unwrap(made.baked.canonical, made.baked.faces, 128)
    points, covered = texel_points(made.baked.canonical[unwrapped.source], unwrapped, 128)
    assert 0.3 < covered.mean() < 1
    textured = with_texture(made.baked, unwrapped, lambda x: np.clip(0.5 + 0.5 * x, 0, 1), 128)
    np.testing.assert_allclose(
        textured.texture[covered] / 255, np.clip(0.5 + 0.5 * points, 0, 1), atol=0.5 / 255 + 1e-9
    )
    np.testing.assert_array_equal(textured.vertices[textured.faces], made.baked.vertices[made.baked.faces])
    # Seen by a camera, the colour tells the place.
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 4.0
    camera = Camera(torch.tensor([[-96.0, 96.0, 31.5, 31.5]]), world)
    image = draw(textured, textured.canonical / HEAD_SCALE, camera, 64, 64)
    seen = (image < 0.999).any(axis=-1)
    v, u = np.nonzero(seen)
    place = 2 * image[seen] - 1
    depth = 4 - place[:, 2]
    inner = np.hypot(u - 31.5, v - 31.5) < 8
    np.testing.assert_allclose(place[inner, 0], ((u - 31.5) * depth / 96)[inner], atol=0.03)
    np.testing.assert_allclose(place[inner, 1], (-(v - 31.5) * depth / 96)[inner], atol=0.03)


def square() -> BakedAvatar:
    """A square of 20 cm before the camera, which follows one joint and has a texture of four colours."""
    vertices = np.array([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]])
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :32], texture[:32, 32:], texture[32:, :32], texture[32:, 32:] = (
        [[200, 40, 40]],
        [[40, 200, 40]],
        [[40, 40, 200]],
        [[200, 200, 40]],
    )
    return BakedAvatar(
        canonical=HEAD_SCALE * vertices,
        vertices=vertices,
        normals=np.tile([0.0, 0.0, 1.0], (4, 1)),
        faces=np.array([[0, 1, 2], [0, 2, 3]]),
        expression=np.zeros((2, 4, 3)),
        correctives=np.zeros((36, 4, 3)),
        weights=np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (4, 1)),
        skeleton=skeleton_of(np.zeros((5, 3)), True),
        colours=np.array([[0.5, 0.02, 1.0]] * 4),
        uv=np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
        texture=texture,
    )


def test_a_picture_is_where_the_mesh_is_and_upright():
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 4.0
    # The square's sides, 0.4 model units from the middle at depth 4, are at 31.5 -+ 20: between two pixels' middles.
    camera = Camera(torch.tensor([[-200.0, 200.0, 31.5, 31.5]]), world)
    for supersample in (1, 2, 3):
        avatar = square()
        image = draw(avatar, avatar.vertices, camera, 64, 64, supersample)
        covered = (image < 0.999).any(axis=-1)
        expected = np.zeros((64, 64), bool)
        expected[12:52, 12:52] = True
        np.testing.assert_array_equal(covered, expected)
        corners = {(20, 20): (200, 40, 40), (20, 44): (40, 200, 40), (44, 20): (40, 40, 200), (44, 44): (200, 200, 40)}
        for (row, column), colour in corners.items():
            np.testing.assert_allclose(255 * image[row, column], colour, atol=1)


def test_the_middles_of_a_textures_pixels_are_evenly_on_the_mesh():
    avatar = square()
    points, covered = texel_points(avatar.vertices, Unwrapped(np.arange(4), avatar.faces, avatar.uv), 10)
    assert covered.all()
    middles = (np.arange(10) + 0.5) / 50 - 0.1
    np.testing.assert_allclose(points.reshape(10, 10, 3)[..., 0], np.tile(middles, (10, 1)), atol=1e-6)
    np.testing.assert_allclose(points.reshape(10, 10, 3)[..., 1], np.tile(middles[::-1, None], (1, 10)), atol=1e-6)


def test_a_files_texture_and_colours_are_as_viewers_read_them(tmp_path):
    write_glb(tmp_path / "a.glb", square())
    file = gl.GLTF2().load(str(tmp_path / "a.glb"))
    attributes = file.meshes[0].primitives[0].attributes
    uv, position = accessor(file, attributes.TEXCOORD_0), accessor(file, attributes.POSITION)
    view = file.bufferViews[file.images[0].bufferView]
    data = file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    # A viewer's v goes down from the image's first row.
    for corner, colour in (((-0.1, 0.1), (200, 40, 40)), ((0.1, -0.1), (200, 200, 40))):
        (row,) = np.flatnonzero((np.abs(position[:, :2] - corner) < 1e-6).all(axis=1))
        u, v = np.clip(uv[row] * 64, 3, 60).astype(int)
        assert np.abs(image[v, u] - colour).max() < 25
    # One joint: the others are given as the first, with no weight.
    assert sorted(accessor(file, attributes.JOINTS_0)[0].tolist()) == [0, 0, 0, 2]

    bare = dataclasses.replace(square(), texture=None, uv=None)
    write_glb(tmp_path / "b.glb", bare)
    file = gl.GLTF2().load(str(tmp_path / "b.glb"))
    colours = accessor(file, file.meshes[0].primitives[0].attributes.COLOR_0)
    np.testing.assert_allclose(colours[0], [((0.5 + 0.055) / 1.055) ** 2.4, 0.02 / 12.92, 1.0], rtol=1e-5)


def test_a_turn_of_three_quarters_of_a_circle_has_no_jump(made):
    pose = torch.zeros(9, 15)
    pose[:, 1] = torch.linspace(4.3, 5.1, 9)
    clip = make_clip("turn", made.flame, made.baked.skeleton, HeadParameters(torch.zeros(9, 50), pose), 25.0)
    turn = clip.rotations[:, 1]
    assert (np.linalg.norm(np.diff(turn, axis=0), axis=1) < 0.1).all()


def test_distances_of_a_mesh_that_is_displaced_are_its_displacement(made):
    motion = made.motion(2)
    heads = HeadParameters(0.02 * motion.expression, 0.3 * motion.pose)
    arguments = (made.character, heads, BOUND, 64)
    near = surface_fidelity(made.baked, *arguments)
    assert near.frames == 2 and near.mean < 1
    vertices = made.baked.vertices + np.array([0.0, 0.0, 0.02])
    off = surface_fidelity(type(made.baked)(**{**vars(made.baked), "vertices": vertices}), *arguments)
    assert 5 < off.mean < 25 and off.largest < 40


def test_between_frames_a_clip_is_off_by_what_chords_are_off_from_arcs(made):
    pose = torch.zeros(3, 15)
    pose[:, 1] = torch.tensor([0.0, 0.4, 0.4])
    motion = HeadParameters(torch.zeros(3, 50), pose)
    clip = make_clip("turn", made.flame, made.baked.skeleton, motion, 25.0)
    found = approximations(made.baked, made.flame, motion, clip)
    # The whole head turns about one joint: rotations are interpolated exactly, and nothing else moves.
    assert found.between_largest < 1e-3
    pose[:, 1], pose[:, 6] = 0.0, torch.tensor([0.0, 0.4, 0.4])
    clip = make_clip("open", made.flame, made.baked.skeleton, motion, 25.0)
    found = approximations(made.baked, made.flame, motion, clip)
    # Correctives follow the rotation's matrix, of which a viewer takes the mean.
    off = np.zeros(36)
    off[9:18] = ((Rotation.from_rotvec([0.4, 0, 0]).as_matrix() + np.eye(3)) / 2).ravel()
    off[9:18] -= Rotation.from_rotvec([0.2, 0, 0]).as_matrix().ravel()
    expected = 1000 * np.linalg.norm(np.tensordot(off, made.baked.correctives, 1), axis=1).max()
    assert found.between_largest == pytest.approx(expected, rel=0.2) and found.between_mean < found.between_largest
    feature = np.zeros(36)
    feature[9:18] = (Rotation.from_rotvec([JAW_ANGLE, 0, 0]).as_matrix() - np.eye(3)).ravel()
    largest = 1000 * np.linalg.norm(np.tensordot(feature, made.baked.correctives, 1), axis=1).max()
    assert found.uncorrected_largest == pytest.approx(largest, rel=0.2)


def test_colours_are_means_over_frames(made):
    x_c = torch.as_tensor(made.baked.canonical[:20]).float()
    other = made.posed(torch.ones(1, 50), torch.zeros(1, 15))
    one, two, both = (
        mean_colours(made.avatar, x_c, frames) for frames in ([made.neutral], [other], [made.neutral, other])
    )
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-6)
    assert (one >= 0).all() and (one <= 1).all()


def test_the_command_writes_files_and_numbers(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    conf = write_config(tmp_path)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    out = tmp_path / "out" / "a.glb"
    motion = tmp_path / "sphere" / "sphere" / "test" / "flame_params.json"
    arguments = ["--conf", conf, "--out", str(out), "--resolution", "24", "--faces", "600", "--texture", "64"]
    arguments += ["--expressions", "10", "--motion", str(motion), "--check", "2", "--average", "2"]
    arguments += ["--npz", str(tmp_path / "a.npz"), "--meshes", str(tmp_path / "meshes"), "--mesh-format", "obj"]
    export_avatar_main(arguments)
    file = gl.GLTF2().load(str(out))
    assert [animation.name for animation in file.animations] == ["sweep", "test"]
    assert len(file.meshes[0].primitives[0].targets) == 10 + 36
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["expression"].shape[0] == 50 and arrays["joint_names"][0] == "ghost"
        assert arrays["texture"].shape == (64, 64, 3)
    assert len(list((tmp_path / "meshes" / "test").glob("*.obj"))) == 4
    numbers = json.loads((tmp_path / "out" / "a.json").read_text())
    assert numbers["surface_mm"]["frames"] == 2 and numbers["psnr"]["mean"] > 10
    assert "weights lost at most" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--out", "a.obj"], "expected a name that ends in .glb"),
        (["--faces", "3"], "--faces: expected a whole number from 100 to"),
        (["--texture", "-1"], "--texture: expected a whole number from 0 to"),
    ],
)
def test_bad_arguments_are_refused(changes, message, tmp_path, capsys):
    arguments = ["--conf", str(tmp_path / "c.conf"), "--out", str(tmp_path / "a.glb"), *changes]
    with pytest.raises(SystemExit):
        export_avatar_main(arguments)
    assert message in capsys.readouterr().err


def test_a_method_without_fields_cannot_be_exported(tmp_path, monkeypatch, capsys):
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    none = "model.method = C-Net\nloss.lbs_weight = 0.0\nloss.head_fields_weight = 0.0\n"
    conf = write_config(tmp_path, extra=none)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    with pytest.raises(SystemExit):
        export_avatar_main(["--conf", conf, "--out", str(tmp_path / "a.glb")])
    assert "model.method is 'C-Net', expected 'IMavatar'" in capsys.readouterr().err


def test_the_sweep_names_what_it_moves(made):
    clip = make_clip("sweep", made.flame, made.baked.skeleton, sweep_motion(50, n_frames=30), 25.0)
    assert clip.rotations.shape == (30, 6, 4) and (clip.rotations[:, 0] == [0, 0, 0, 1]).all()
