"""A synthetic subject: painted skin, eyes, hair, a sweater and what else it wears, posed by a head model."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from imavatar.anatomy import HEAD_SCALE, Joint, ParsingLabel
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.head.makehuman import MakeHuman
from imavatar.numerics.mesh import vertex_normals
from imavatar.synthetic.appearance import Appearance, Hair
from imavatar.synthetic.clothing import Shell, cloth_shell, hair_shell
from imavatar.synthetic.eyes import eye_colour, eyeball_mesh, glasses_mesh
from imavatar.synthetic.makehuman_uv import corner_uv, face_textures, torso_below
from imavatar.synthetic.mesh_tools import subdivide_with_uv, unit
from imavatar.synthetic.skin_material import EYES_IN_PAINT_SPACE, SkinPaint
from imavatar.synthetic.strands import RADIUS, TONES, Strands, grow_beard, grow_strands
from imavatar.synthetic.surfaces import Curves, Surface
from imavatar.synthetic.teeth_collision import outer_skin, push_inside
from imavatar.types import HeadParameters

SKIN_PARTS, SHELL_PARTS = 3, 3
"""Into how many parts the edges of the head's faces are divided, for paint and hair, and for the sweater."""

SKIN_GLOSS, HAIR_GLOSS, CLOTH_GLOSS = (0.48, 0.40, 0.2), (0.42, 0.45, 0.3), (0.9, 0.1, 0.3)
"""Roughness, specular and sheen."""

UNDER_STRANDS = 0.6
"""Thickness of the hair's surface, relative to what it has where it is seen itself."""

UNDER_BEARD, N_BEARD = 0.55, 5000
"""How much of the hair's colour the skin under a beard has, and how many strands a beard."""

AT_TEMPLES, NEAR_TEMPLES = -0.03, 0.015
"""Metres behind the eyes where a head is measured for glasses, and how far around."""
GLASSES_COLOUR = (0.015, 0.012, 0.012)

MOUTH_PARTS = {"teeth_up": (0.62, 0.58, 0.49), "teeth_lo": (0.58, 0.54, 0.45), "tongue": (0.42, 0.15, 0.14)}
"""Parts of the head model inside the mouth and their colours."""


class SyntheticSubject:
    """Everything about a subject that does not depend on the frame, and its surfaces in a given frame.

    Args:
        head: the open head, on whose template paint and clothes lie.
        flame: the subject's own shape and how it moves; of the same vertices.
        makehuman: the assets that the head was built from.
        vertex_ids: vertex of MakeHuman's base mesh of each vertex of the head.
        seed: of the paint's irregularities and of strands.
    """

    def __init__(
        self,
        head: HeadAssets,
        flame: Flame,
        makehuman: MakeHuman,
        vertex_ids: Int[np.ndarray, " v"],
        *,
        seed: int,
        appearance: Appearance,
    ):
        self.appearance = appearance
        self.flame, self.head = flame, head
        self.rest = flame.v_template.double().numpy() / HEAD_SCALE
        base = makehuman.base_mesh()
        self.place, eye_distance = _paint_space(head)
        bald, stubble = appearance.hair is Hair.NONE, UNDER_BEARD if appearance.beard else 0.0
        self.paint = SkinPaint(appearance.palette, face_textures(makehuman), eye_distance, seed, stubble, bald)
        self.skin_faces = head.part_faces("skin")
        self.skin_uv = corner_uv(base, vertex_ids, self.skin_faces)
        self.skin = subdivide_with_uv(self.skin_faces, self.skin_uv, SKIN_PARTS)
        self.skin_place = self.skin.interpolate(self.place)
        self.outer_skin = outer_skin(head, self.skin_faces, self._coarse_labels())
        self.skin_colour = self.paint.colour(self.skin_place, self.skin.uv)
        self.hair: Shell | None = None
        self.strands: list[tuple[str, ParsingLabel, Strands]] = []
        if appearance.hair is not Hair.NONE:
            self.hair = self._grow_hair(seed)
        if appearance.beard:
            beard = grow_beard(self.skin, self.rest, self.skin_place, self.paint, N_BEARD)
            self.strands.append(("beard", ParsingLabel.SKIN, beard))
        self.torso = torso_below(base, vertex_ids, self.rest)
        self.body_faces = np.concatenate([self.skin_faces, self.torso.faces])
        self.cloth = self._make_cloth()
        self.eyeball = eyeball_mesh()
        self.eyeball_colour = eye_colour(*self.eyeball[2:], self.paint.palette.iris)
        self.glasses = self._make_glasses() if appearance.glasses else None

    @torch.no_grad()
    def surfaces(self, head: HeadParameters) -> list[Surface]:
        """The subject in one frame (parameters of one row)."""
        vertices = self.flame.vertices(head)[0].double().numpy()
        bones = self.flame(head).bone_transforms[0, -len(Joint) :].double().numpy()
        body = np.concatenate([vertices, _with_bone(self.torso.vertices, bones[Joint.GLOBAL])])
        normals = vertex_normals(body, self.body_faces)
        fine, smooth = self.skin.interpolate(vertices), unit(self.skin.interpolate(normals))
        skin = Surface("skin", fine, smooth, self.skin.faces, self.skin_colour, *SKIN_GLOSS)
        worn = [_shell_surface("cloth", self.cloth, body, normals, CLOTH_GLOSS, ParsingLabel.CLOTH)]
        if self.hair is not None:
            worn.insert(0, _shell_surface("hair", self.hair, body, normals, HAIR_GLOSS, ParsingLabel.HAIR))
        if self.glasses is not None:
            worn.append(self._posed_glasses(bones[Joint.NECK]))
        eyes = [self._eye(joint, vertices, bones) for joint in (Joint.LEFT_EYE, Joint.RIGHT_EYE)]
        return [skin, *worn, *eyes, *(self._mouth_part(name, vertices) for name in MOUTH_PARTS)]

    @torch.no_grad()
    def curves(self, head: HeadParameters) -> list[Curves]:
        """The strands in one frame (parameters of one row); none where the hair has none."""
        if not self.strands:
            return []
        vertices, hair = self.flame.vertices(head)[0].double().numpy(), np.array(self.paint.palette.hair)
        curves = []
        for name, label, strands in self.strands:
            points = strands.posed(vertices, HEAD_SCALE)
            for k, tone in enumerate(TONES):
                colour = tuple(tone * hair)
                curves.append(Curves(f"{name}_{k}", points[strands.tone == k], HEAD_SCALE * RADIUS, colour, label))
        return curves

    def skin_labels(self, corners: Int[np.ndarray, "n 3"], weights: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
        """Labels of places on the skin's surface: corners of its faces and barycentric coordinates."""
        place = np.einsum("nk,nkc->nc", weights, self.skin_place[corners])
        return self.paint.label(place, np.einsum("nk,nkc->nc", weights, self.skin.uv[corners]))

    def _coarse_labels(self) -> Int[np.ndarray, " v"]:
        """Labels of the head's own vertices; background where there is no skin."""
        labels = np.full(len(self.place), ParsingLabel.BACKGROUND)
        corners, uv = self.skin_faces.reshape(-1), self.skin_uv.reshape(-1, 2)
        labels[corners] = self.paint.label(self.place[corners], uv)
        return labels

    def _grow_hair(self, seed: int) -> Shell:
        """The hair's surface; where it has strands, the darkness between them is left of it."""
        shell, place = hair_shell(self.skin, self.skin_place, self.paint)
        if self.appearance.n_strands == 0:
            return shell
        long = self.appearance.hair is Hair.LONG
        strands = grow_strands(shell, self.rest, place, self.appearance.n_strands, seed, long=long)
        self.strands.append(("strands", ParsingLabel.HAIR, strands))
        return replace(shell, offset=np.minimum(shell.offset, UNDER_STRANDS * shell.offset))

    def _make_glasses(self) -> tuple[Float[np.ndarray, "g 3"], Int[np.ndarray, "f 3"]]:
        """Vertices at rest (metres) and faces."""
        eyes = (self.head.joint_regressor @ self.rest)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]]
        beside = np.abs(self.rest[:, 1:] - eyes[:, 1:].mean(axis=0) - [0, AT_TEMPLES]).max(axis=1) < NEAR_TEMPLES
        return glasses_mesh(eyes, float(np.abs(self.rest[beside, 0]).max()))

    def _posed_glasses(self, bone: Float[np.ndarray, "4 4"]) -> Surface:
        """They move with the skull."""
        vertices, faces = self.glasses
        colours = np.tile(GLASSES_COLOUR, (len(vertices), 1))
        return _surface("glasses", _with_bone(vertices, bone), faces, colours, (0.2, 0.6, 0.0), ParsingLabel.GLASSES)

    def _make_cloth(self) -> Shell:
        rim = np.unique(self.torso.faces[self.torso.faces < len(self.rest)])
        torso_place = self.torso.vertices + (self.place - self.rest)[rim].mean(axis=0)
        # the sweater is not textured, so its texture coordinates are of no account
        uv = np.zeros((len(self.body_faces), 3, 2))
        body = subdivide_with_uv(self.body_faces, uv, SHELL_PARTS)
        place = body.interpolate(np.concatenate([self.place, torso_place]))
        return cloth_shell(body, place, self.paint)

    def _eye(self, joint: Joint, vertices: np.ndarray, bones: np.ndarray) -> Surface:
        """A dense sphere in the place of one of the head's own eyeballs."""
        part = "eye_l" if joint == Joint.LEFT_EYE else "eye_r"
        own = np.unique(self.head.part_faces(part))
        template = self.flame.v_template.double().numpy()
        centre = (self.flame.J_regressor[joint] @ self.flame.v_template).double().numpy()
        radius = np.percentile(np.linalg.norm(template[own] - centre, axis=1), 60)
        rotation = bones[joint, :3, :3]
        middle = vertices[own].mean(axis=0) - rotation @ (template[own].mean(axis=0) - centre)
        ball, faces = self.eyeball[:2]
        return Surface(
            part,
            radius * ball @ rotation.T + middle,
            vertex_normals(ball, faces) @ rotation.T,
            faces,
            self.eyeball_colour,
            roughness=0.08,
            specular=0.5,
            label=ParsingLabel.LEFT_EYE if joint == Joint.LEFT_EYE else ParsingLabel.RIGHT_EYE,
        )

    def _mouth_part(self, part: str, vertices: np.ndarray) -> Surface:
        own, faces = np.unique(self.head.part_faces(part), return_inverse=True)
        faces = faces.reshape(-1, 3)
        points = push_inside(vertices[own], vertices, self.outer_skin, HEAD_SCALE)
        colours = np.tile(MOUTH_PARTS[part], (len(own), 1))
        return _surface(part, points, faces, colours, (0.3, 0.5, 0.0), ParsingLabel.MOUTH_INTERIOR)


def _with_bone(points: Float[np.ndarray, "n 3"], transform: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "n 3"]:
    """Points at rest (metres) moved by a bone, model units."""
    return HEAD_SCALE * points @ transform[:3, :3].T + transform[:3, 3]


def _paint_space(head: HeadAssets) -> tuple[Float[np.ndarray, "v 3"], float]:
    """The template's vertices in paint space, and the distance of an eye from the middle."""
    eyes = (head.joint_regressor @ head.v_template)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]]
    place = head.v_template - eyes.mean(axis=0) + EYES_IN_PAINT_SPACE
    return place.astype(np.float64), float(abs(eyes[0, 0] - eyes[1, 0]) / 2)


def _shell_surface(
    name: str,
    shell: Shell,
    vertices: Float[np.ndarray, "v 3"],
    normals: Float[np.ndarray, "v 3"],
    gloss: tuple[float, float, float],
    label: ParsingLabel,
) -> Surface:
    """A shell over a posed skin."""
    direction = unit(shell.mesh.interpolate(normals))
    moved = shell.mesh.interpolate(vertices) + HEAD_SCALE * shell.offset[:, None] * direction
    return _surface(name, moved, shell.mesh.faces, shell.colour, gloss, label)


def _surface(
    name: str,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours: Float[np.ndarray, "v 3"],
    gloss: tuple[float, float, float],
    label: ParsingLabel,
) -> Surface:
    """A surface with the normals of its faces; `gloss` is roughness, specular and sheen."""
    return Surface(name, vertices, vertex_normals(vertices, faces), faces, colours, *gloss, label=label)
