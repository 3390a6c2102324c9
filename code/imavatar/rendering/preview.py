"""Quick images: the posed mesh of the canonical surface is seen directly, without a search for the exact surface."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.image import NOTHING, RenderedImage, image_rays, resolve
from imavatar.rendering.proxy_mesh import ProxyMesh
from imavatar.types import Camera, PosedHead

CHUNK = 8192


class PreviewRenderer:
    """Renders frames of an avatar whose weights do not change; the surface's mesh is made at the first, and anew at
    frames whose latent code, and with it the surface, is another one.

    Colours and normals are those of the vertices, interpolated. Only what an image shows is shaded.

    Args:
        resolution: of the mesh, in cells along its longest side.
        bound: half the side of the cube that the surface lies in, model units.
        supersample: rays along each side of a pixel.
    """

    def __init__(self, avatar: Avatar, *, resolution: int, bound: float, supersample: int = 1):
        self.avatar, self.resolution, self.bound, self.supersample = avatar, resolution, bound, supersample
        self._mesh: ProxyMesh | None = None
        self._latent: Tensor | None = None

    @torch.no_grad()
    def render(self, camera: Camera, posed: PosedHead, height: int, width: int) -> RenderedImage:
        """The image of one camera and one posed head (records of one row)."""
        mesh, rays = self._mesh_of(posed), image_rays(camera, height, width, self.supersample)
        samples = torch.tensor(NOTHING, device=rays.origins.device).repeat(len(rays), 1)
        if len(mesh.faces) > 0:
            met = mesh.pose(self.avatar.for_frame(posed)).cast(rays.origins, rays.directions)
            hit = (met.face >= 0).nonzero()[:, 0]
            looks = mesh.interpolate(self._vertex_looks(mesh, posed, met.face[hit]), met[hit])
            normal = F.normalize(looks[:, 3:], dim=-1)
            ones, depth = torch.ones_like(looks[:, :1]), met.depth[hit][:, None]
            samples[hit] = torch.cat([looks[:, :3], normal, ones, depth], dim=-1)
        return resolve(samples, height, width, self.supersample)

    def _mesh_of(self, posed: PosedHead) -> ProxyMesh:
        """The surface's mesh, made anew if the latent code is another one than before."""
        if self._mesh is None or self._latent is None or not torch.equal(posed.latent, self._latent):
            field, self._latent = self.avatar.field(posed), posed.latent
            device = posed.bone_transforms.device
            self._mesh = ProxyMesh(field, resolution=self.resolution, bound=self.bound, device=device)
        return self._mesh

    def _vertex_looks(self, mesh: ProxyMesh, posed: PosedHead, faces: Int[Tensor, " f"]) -> Float[Tensor, "v 6"]:
        """Colours and normals of the vertices of some faces; zero elsewhere."""
        looks = mesh.vertices.new_zeros(len(mesh.vertices), 6)
        for rows in torch.unique(mesh.faces[faces]).split(CHUNK):
            seen = self.avatar.appearance(mesh.vertices[rows], posed)
            looks[rows] = torch.cat([seen.rgb, seen.normal], dim=-1)
        return looks
