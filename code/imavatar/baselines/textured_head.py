"""The fitted head as a mesh with the average colours of the training frames: the floor for learned methods."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from imavatar.data.dataset import Frame
from imavatar.errors import ImavatarError
from imavatar.head.flame import Flame
from imavatar.numerics.mesh import subdivide, vertex_normals, with_midpoints
from imavatar.numerics.mesh_bvh import MeshBVH
from imavatar.rendering.camera import project
from imavatar.rendering.image import NOTHING, RenderedImage, image_rays, resolve
from imavatar.rendering.surface_mesh import SurfaceMesh
from imavatar.types import Camera, PosedHead

SUBDIVISIONS = 2
"""Of the head's faces: colours are kept at the vertices of the finer mesh, about one a pixel of a 256 x 256 image."""
FACES_CAMERA = 0.2
"""Cosine between normal and line of sight above which a vertex takes colour."""
SAME_DEPTH = 0.02
"""Model units by which what a ray meets first may lie before a vertex that is still seen."""
FILL_STEPS = 200


class TexturedHead(nn.Module):
    """Posed vertices of the head model with a colour each."""

    def __init__(self, flame: Flame):
        super().__init__()
        # The head is the run's, not a part of this module's state.
        self._flame = [flame]
        faces, ends, n = flame.faces_tensor, [], len(flame.v_template)
        for _ in range(SUBDIVISIONS):
            faces, new = subdivide(faces, n)
            ends.append(new)
            n += len(new)
        self.faces, self._ends = faces, ends
        self.register_buffer("colours", torch.zeros(n, 3))

    def vertices(self, posed: PosedHead) -> Float[Tensor, "w 3"]:
        """Vertices of the finer mesh in a frame (one row), model units."""
        vertices = self._flame[0].posed_vertices(posed)[0]
        for ends in self._ends:
            vertices = with_midpoints(vertices, ends)
        return vertices

    @torch.no_grad()
    def paint(self, frames: Iterable[Frame]) -> None:
        """Average the colours that frames show of each vertex; what none shows takes those around it.

        Raises:
            ImavatarError: no frame shows any vertex.
        """
        device = self.colours.device
        total = torch.zeros(len(self.colours), 4, device=device)
        index = None
        for frame in frames:
            vertices = self.vertices(self._flame[0](frame.head.to(device)))
            if index is None:
                index = MeshBVH(vertices, self.faces)
            index.refit(vertices)
            total += _seen_colours(frame, vertices, self.faces, index)
        known = total[:, 3] > 0
        if not known.any():
            raise ImavatarError("no training frame shows the head where its parameters say that it is")
        colours = total[:, :3] / total[:, 3:].clamp(min=1e-6)
        self.colours.copy_(_spread(colours, known, self.faces))


def _seen_colours(
    frame: Frame, vertices: Float[Tensor, "w 3"], faces: Int[Tensor, "f 3"], index: MeshBVH
) -> Float[Tensor, "w 4"]:
    """Colours at vertices times how much each faces the camera, and that weight; zero where one is not seen."""
    camera = frame.camera.to(vertices.device)
    centre = camera.world_from_camera[0, :3, 3]
    sight = F.normalize(centre - vertices, dim=1)
    facing = (_normals(vertices, faces) * sight).sum(dim=1)
    pixels = project(camera, vertices[None])[0]
    height, width = frame.foreground.shape
    grid = 2 * (pixels + 0.5) / torch.tensor([width, height]).to(pixels) - 1
    values = torch.cat([frame.image, frame.foreground[..., None].float()], dim=-1).permute(2, 0, 1)[None].to(vertices)
    sampled = F.grid_sample(values, grid[None, None], align_corners=False)[0, :, 0].T
    met = index.cast(centre.expand(len(vertices), 3), -sight)
    first = met.depth > (vertices - centre).norm(dim=1) - SAME_DEPTH
    seen = (facing > FACES_CAMERA) & first & (met.face >= 0) & (sampled[:, 3] > 0.99)
    weight = facing * seen
    return torch.cat([weight[:, None] * sampled[:, :3], weight[:, None]], dim=1)


def _spread(colours: Float[Tensor, "w 3"], known: Tensor, faces: Int[Tensor, "f 3"]) -> Float[Tensor, "w 3"]:
    """Colours where they are known; elsewhere means of neighbours, again and again."""
    mean = colours[known].mean(dim=0)
    result = torch.where(known[:, None], colours, mean)
    edges = torch.cat([faces[:, ends] for ends in ([0, 1], [1, 2], [2, 0], [1, 0], [2, 1], [0, 2])])
    count = colours.new_zeros(len(colours)).index_add(0, edges[:, 0], colours.new_ones(len(edges))).clamp(min=1)
    for _ in range(FILL_STEPS):
        around = torch.zeros_like(result).index_add(0, edges[:, 0], result[edges[:, 1]]) / count[:, None]
        result = torch.where(known[:, None], colours, around)
    return result


def _normals(vertices: Float[Tensor, "w 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, "w 3"]:
    normals = vertex_normals(vertices.cpu().double().numpy(), faces.cpu().numpy())
    return torch.as_tensor(normals).to(vertices)


class TexturedHeadRenderer:
    """Renders the textured head as an `ImageRenderer` does an avatar."""

    def __init__(self, head: TexturedHead, *, supersample: int = 1):
        self.head = head
        self.supersample = supersample

    @torch.no_grad()
    def render(self, camera: Camera, posed: PosedHead, height: int, width: int) -> RenderedImage:
        """The image of one camera and one posed head (records of one row)."""
        vertices, faces = self.head.vertices(posed), self.head.faces
        rays = image_rays(camera, height, width, self.supersample)
        met = MeshBVH(vertices, faces).cast(rays.origins, rays.directions)
        hit = met.face >= 0
        corners, share = faces[met.face[hit]], met.barycentric[hit][..., None]
        looks = torch.cat([self.head.colours.to(vertices.device), _normals(vertices, faces)], dim=1)
        looks = (looks[corners] * share).sum(dim=1)
        samples = torch.tensor(NOTHING, device=vertices.device).repeat(len(rays), 1)
        normal = F.normalize(looks[:, 3:], dim=-1)
        samples[hit] = torch.cat([looks[:, :3], normal, torch.ones_like(share[:, 0]), met.depth[hit][:, None]], dim=1)
        return resolve(samples, height, width, self.supersample)

    @torch.no_grad()
    def mesh(self, posed: PosedHead, resolution: int) -> SurfaceMesh:
        """The posed head; its resolution is what it is."""
        vertices = self.head.vertices(posed)
        return SurfaceMesh(vertices, vertices, self.head.colours.to(vertices), self.head.faces)
