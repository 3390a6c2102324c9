"""Path-traced images of surfaces by Mitsuba 3.

Mitsuba is an optional dependency, so it is imported where it is used only.
"""

import functools
import importlib.util
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from imavatar.anatomy import HEAD_SCALE
from imavatar.errors import ImavatarError
from imavatar.synthetic.appearance import Light
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Curves, Surface

logger = logging.getLogger(__name__)

MAX_DEPTH = 4
STANDARD_LIGHT = Light()
KEY_TURNS = 0.5
"""How much of the room's turn the key light makes: it stays in front."""
VECTORISED, SCALAR = "llvm_ad_rgb", "scalar_rgb"
PROBE_SECONDS = 60
PROBE = """
import mitsuba as mi
mi.set_variant("llvm_ad_rgb")
scene = mi.load_dict({"type": "scene", "i": {"type": "direct"}, "l": {"type": "constant"},
    "s": {"type": "sphere"}, "c": {"type": "perspective", "f": {"type": "hdrfilm", "width": 4, "height": 4}}})
print(float(mi.render(scene, spp=1).numpy().mean()))
"""


@functools.cache
def fastest_variant() -> str:
    """Mitsuba's fastest variant that works here.

    A missing or unfit LLVM ends the process without an exception, so the vectorised variant is tried in another one.

    Raises:
        ImavatarError: Mitsuba is not installed.
    """
    if importlib.util.find_spec("mitsuba") is None:
        raise ImavatarError("rendering a synthetic subject needs Mitsuba; install it with: pip install -e .[synthetic]")
    try:
        subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=PROBE_SECONDS, check=True)
        variant = VECTORISED
    except (OSError, subprocess.SubprocessError):
        variant = SCALAR
    logger.info("Mitsuba renders with %s", variant)
    return variant


def render(
    surfaces: list[Surface],
    camera: StudioCamera,
    *,
    samples: int,
    seed: int,
    curves: Sequence[Curves] = (),
    light: Light = STANDARD_LIGHT,
    variant: str | None = None,
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """An sRGB image over white and its coverage 0...255.

    Args:
        samples: light paths a pixel.
        variant: of Mitsuba; the fastest one without it. SCALAR is slow and works everywhere.
    """
    variant = variant or fastest_variant()
    import mitsuba as mi

    if mi.variant() != variant:
        mi.set_variant(variant)
    scene = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": MAX_DEPTH, "hide_emitters": True},
        "sensor": _sensor(mi, camera),
        **_lights(mi, light),
        **{surface.name: _mesh(mi, surface) for surface in surfaces},
        **{strands.name: _strands(mi, strands) for strands in curves},
    }
    pixels = np.array(mi.render(mi.load_dict(scene), spp=samples, seed=seed), dtype=np.float32)
    return _over_white(pixels)


def _over_white(pixels: Float[np.ndarray, "h w 4"]) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """Linear colours, multiplied by their alpha, as an sRGB image over white; and the alpha."""
    alpha = np.clip(pixels[..., 3:], 0, 1)
    linear = np.clip(pixels[..., :3] + (1 - alpha), 0, 1)
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    colour = np.where(linear <= 0.0031308, 12.92 * linear, high)
    return np.rint(255 * colour).astype(np.uint8), np.rint(255 * alpha[..., 0]).astype(np.uint8)


def _sensor(mi: ModuleType, camera: StudioCamera) -> dict:
    centre, eye = ([HEAD_SCALE * float(value) for value in point] for point in (camera.centre, camera.position))
    size = {"width": camera.size, "height": camera.size}
    return {
        "type": "perspective",
        "fov": camera.field_of_view,
        "to_world": mi.ScalarTransform4f().look_at(eye, centre, [0, 1, 0]),
        "sampler": {"type": "multijitter"},
        "film": {"type": "hdrfilm", **size, "pixel_format": "rgba", "rfilter": {"type": "gaussian"}},
    }


def _lights(mi: ModuleType, light: Light) -> dict:
    """A bright room with a soft light from the front left and a weaker, cooler one from the right."""
    warmth = np.array([light.warmth, 1, 1 / light.warmth])
    row, column = np.mgrid[0:32, 0:64]

    def glow(centre: tuple[int, int], extent: tuple[int, int], colour: list[float]) -> np.ndarray:
        squared = ((column - centre[0]) / extent[0]) ** 2 + ((row - centre[1]) / extent[1]) ** 2
        return np.exp(-squared)[..., None] * np.array(colour)

    room = 0.55 + glow((40, 10), (7, 5), [5.0, 4.7, 4.3]) + glow((20, 12), (6, 6), [1.4, 1.6, 1.9])
    room[20:] *= 0.55
    transform = mi.ScalarTransform4f()
    turn = Rotation.from_euler("Y", KEY_TURNS * light.turn)
    place = (HEAD_SCALE * turn.apply([-0.7, 0.7, 1.1])).tolist()
    radiance = (light.key * warmth * [5.5, 5.2, 4.8]).tolist()
    return {
        "room": {
            "type": "envmap",
            "bitmap": mi.Bitmap((room * warmth).astype(np.float32)),
            "scale": 0.62,
            "to_world": transform.rotate([0, 1, 0], float(np.degrees(light.turn))),
        },
        "key": {
            "type": "rectangle",
            "to_world": transform.look_at(place, [0, 0, 0], [0, 1, 0]) @ transform.scale(HEAD_SCALE * 0.25),
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": radiance}},
        },
    }


def _mesh(mi: ModuleType, surface: Surface) -> Any:
    material = {
        "type": "principled",
        "base_color": {"type": "mesh_attribute", "name": "vertex_color"},
        "roughness": surface.roughness,
        "specular": surface.specular,
        "sheen": surface.sheen,
    }
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict({"type": "twosided", "material": material})
    counts = len(surface.vertices), len(surface.faces)
    mesh = mi.Mesh(surface.name, *counts, has_vertex_normals=True, has_vertex_texcoords=False, props=properties)
    mesh.add_attribute("vertex_color", 3, _flat(surface.colours))
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = _flat(surface.vertices)
    parameters["vertex_normals"] = _flat(surface.normals)
    parameters["faces"] = np.ascontiguousarray(surface.faces, np.uint32).ravel()
    parameters.update()
    return mesh


def _strands(mi: ModuleType, curves: Curves) -> Any:
    """Mitsuba takes curves from a file: control points with a radius, strands apart by an empty line."""
    n, k, _ = curves.points.shape
    taper = curves.radius * np.linspace(1, 0.4, k)
    rows = np.concatenate([curves.points, np.broadcast_to(taper[None, :, None], (n, k, 1))], axis=-1)
    strand = "\n".join(["%.5f %.5f %.5f %.6f"] * k) + "\n\n"
    colour = {"type": "rgb", "value": [float(value) for value in curves.colour]}
    material = {"type": "principled", "base_color": colour, "roughness": 0.38, "specular": 0.6}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strands.txt"
        path.write_text((strand * n) % tuple(rows.ravel()))
        return mi.load_dict({"type": "bsplinecurve", "filename": str(path), "material": material})


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32).ravel()
