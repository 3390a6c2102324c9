"""A synthetic subject: a seeded shape, painted skin, eyes, hair and a sweater, posed by the head model itself."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, Joint
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.head.makehuman import MakeHuman
from imavatar.synthetic.eyes import eye_colour, eyeball_mesh
from imavatar.synthetic.layout import corner_uv, face_textures, torso_below
from imavatar.synthetic.mesh_tools import subdivide, unit, vertex_normals
from imavatar.synthetic.paint import EYES_IN_PAINT_SPACE, Label, Palette, SkinPaint
from imavatar.synthetic.strands import RADIUS, TONES, Strands, grow_strands
from imavatar.synthetic.wear import Shell, cloth_shell, hair_shell
from imavatar.types import HeadParameters

N_SHAPE, N_EXPRESSION = 100, 50
SHAPE_DEVIATION = 0.45
"""Standard deviation of the shape coefficients; 1 would be the spread of the head model's own population."""

SKIN_PARTS, SHELL_PARTS = 3, 3
"""Into how many parts the edges of the head's faces are divided, for paint and hair, and for the sweater."""

UNDER_STRANDS = 0.6
"""Thickness of the hair's surface, relative to what it has where it is seen itself."""

MOUTH_PARTS = {
    "teeth_up": (0.62, 0.58, 0.49),
    "teeth_lo": (0.58, 0.54, 0.45),
    "tongue": (0.42, 0.15, 0.14),
}
"""Parts of the head model inside the mouth and their colours."""


@dataclass(frozen=True)
class Surface:
    """A posed piece of the subject, model units, with linear RGB per vertex.

    `labels` is one label for all faces; None for the skin, whose labels depend on the place.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    colours: Float[np.ndarray, "v 3"]
    roughness: float
    specular: float
    sheen: float = 0.0
    label: Label | None = None


@dataclass(frozen=True)
class Curves:
    """Posed strands of one colour (linear RGB): control points of B-splines, model units."""

    name: str
    points: Float[np.ndarray, "n k 3"]
    radius: float
    colour: tuple[float, float, float]


class Subject:
    """Everything about a subject that does not depend on the frame, and its surfaces in a given frame.

    Args:
        head: the open head.
        makehuman: the assets that the head was built from.
        vertex_ids: vertex of MakeHuman's base mesh of each vertex of the head.
        seed: of the shape and of the paint's irregularities.
        n_strands: of hair; without any the hair is a surface alone.
    """

    def __init__(
        self,
        head: HeadAssets,
        makehuman: MakeHuman,
        vertex_ids: Int[np.ndarray, " v"],
        *,
        seed: int,
        palette: Palette | None = None,
        n_strands: int = 0,
    ):
        generator = np.random.default_rng([seed, 0])
        shape = generator.normal(0, SHAPE_DEVIATION, N_SHAPE).clip(-1.2, 1.2)
        self.shape_params = shape.astype(np.float32)
        self.flame = Flame(head, torch.tensor(self.shape_params), n_expression=N_EXPRESSION)
        self.head = head
        base = makehuman.base_mesh()
        self.place, eye_distance = _paint_space(head)
        self.paint = SkinPaint(palette or Palette(), face_textures(makehuman), eye_distance, seed)
        self.skin_faces = head.part_faces("skin")
        self.skin_uv = corner_uv(base, vertex_ids, self.skin_faces)
        self.skin = subdivide(self.skin_faces, self.skin_uv, SKIN_PARTS)
        self.skin_place = self.skin.interpolate(self.place)
        self.skin_colour = self.paint.colour(self.skin_place, self.skin.uv)
        self.hair, hair_place = hair_shell(self.skin, self.skin_place, self.paint)
        self.strands: Strands | None = None
        if n_strands > 0:
            rest = self.flame.v_template.double().numpy() / HEAD_SCALE
            self.strands = grow_strands(self.hair, rest, hair_place, n_strands, seed)
            # What is left of the surface is the darkness between strands.
            under = np.minimum(self.hair.offset, UNDER_STRANDS * self.hair.offset)
            self.hair = replace(self.hair, offset=under)
        self.torso = torso_below(base, vertex_ids, self.flame.v_template.numpy() / HEAD_SCALE)
        self.body_faces = np.concatenate([self.skin_faces, self.torso.faces])
        self.cloth = self._make_cloth()
        self.eyeball = eyeball_mesh()
        self.eyeball_colour = eye_colour(*self.eyeball[2:], self.paint.palette.iris)

    @torch.no_grad()
    def surfaces(self, head: HeadParameters) -> list[Surface]:
        """The subject in one frame (parameters of one row)."""
        vertices = self.flame.vertices(head)[0].double().numpy()
        bones = self.flame(head).bone_transforms[0, -len(Joint) :].double().numpy()
        body = np.concatenate([vertices, self._posed_torso(bones[Joint.GLOBAL])])
        normals = vertex_normals(body, self.body_faces)
        skin = Surface(
            "skin",
            self.skin.interpolate(vertices),
            unit(self.skin.interpolate(normals)),
            self.skin.faces,
            self.skin_colour,
            roughness=0.48,
            specular=0.40,
            sheen=0.2,
        )
        worn = [
            _shell_surface("hair", self.hair, body, normals, (0.42, 0.45), Label.HAIR),
            _shell_surface("cloth", self.cloth, body, normals, (0.9, 0.1), Label.CLOTH),
        ]
        eyes = [self._eye(joint, vertices, bones) for joint in (Joint.LEFT_EYE, Joint.RIGHT_EYE)]
        return [skin, *worn, *eyes, *(self._mouth_part(name, vertices) for name in MOUTH_PARTS)]

    @torch.no_grad()
    def curves(self, head: HeadParameters) -> list[Curves]:
        """The strands in one frame (parameters of one row); none where the hair has none."""
        if self.strands is None:
            return []
        points = self.strands.posed(self.flame.vertices(head)[0].double().numpy(), HEAD_SCALE)
        hair = np.array(self.paint.palette.hair)
        return [
            Curves(f"strands_{k}", points[self.strands.tone == k], HEAD_SCALE * RADIUS, tuple(tone * hair))
            for k, tone in enumerate(TONES)
        ]

    def skin_labels(self, corners: Int[np.ndarray, "n 3"], weights: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
        """Labels of places on the skin's surface: corners of its faces and barycentric coordinates."""
        place = np.einsum("nk,nkc->nc", weights, self.skin_place[corners])
        return self.paint.label(place, np.einsum("nk,nkc->nc", weights, self.skin.uv[corners]))

    def _make_cloth(self) -> Shell:
        template = self.flame.v_template.numpy() / HEAD_SCALE
        rim = np.unique(self.torso.faces[self.torso.faces < len(template)])
        torso_place = self.torso.vertices + (self.place - template)[rim].mean(axis=0)
        # the sweater is not textured, so its texture coordinates are of no account
        uv = np.zeros((len(self.body_faces), 3, 2))
        body = subdivide(self.body_faces, uv, SHELL_PARTS)
        place = body.interpolate(np.concatenate([self.place, torso_place]))
        return cloth_shell(body, place, self.paint)

    def _posed_torso(self, transform: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "t 3"]:
        return HEAD_SCALE * self.torso.vertices @ transform[:3, :3].T + transform[:3, 3]

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
            label=Label.LEFT_EYE if joint == Joint.LEFT_EYE else Label.RIGHT_EYE,
        )

    def _mouth_part(self, part: str, vertices: np.ndarray) -> Surface:
        own, faces = np.unique(self.head.part_faces(part), return_inverse=True)
        faces = faces.reshape(-1, 3)
        return Surface(
            part,
            vertices[own],
            vertex_normals(vertices[own], faces),
            faces,
            np.tile(MOUTH_PARTS[part], (len(own), 1)),
            roughness=0.3,
            specular=0.5,
            label=Label.MOUTH_INTERIOR,
        )


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
    gloss: tuple[float, float],
    label: Label,
) -> Surface:
    """A shell over a posed skin; `gloss` is roughness and specular."""
    direction = unit(shell.mesh.interpolate(normals))
    moved = shell.mesh.interpolate(vertices) + HEAD_SCALE * shell.offset[:, None] * direction
    faces = shell.mesh.faces
    shading = vertex_normals(moved, faces)
    return Surface(name, moved, shading, faces, shell.colour, *gloss, sheen=0.3, label=label)


def head_parameters(expression: Float[np.ndarray, " e"], pose: Float[np.ndarray, " 15"]) -> HeadParameters:
    """The parameters of one frame as the head model takes them."""

    def row(values: np.ndarray) -> Float[Tensor, "1 k"]:
        return torch.tensor(np.asarray(values, dtype=np.float32))[None]

    return HeadParameters(row(expression), row(pose))
