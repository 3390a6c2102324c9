"""How far recorded and computed values may be apart: a little above what single precision leaves undecided.

A camera moved by 1e-6, about the rounding of a ray, changes points by up to 1.8e-5, normals by 3.7e-4, signed distances
by 2.6e-6, losses by 3e-7 and gradients by up to 3e-3 of their size in the authors' own implementation.
"""

import re
from dataclasses import dataclass

EXACT, FIELDS, DISTANCES, POINTS, AT_POINTS, NORMALS = 0.0, 1e-5, 1e-5, 1e-4, 1e-4, 1e-3
LOSSES, FOURTH_POWERS, GRADIENTS = 1e-5, 1e-4, 5e-3


@dataclass(frozen=True)
class Tolerance:
    """What `limit` is of, by `kind`: `absolute` and `relative` of the largest difference, `norm` of the relative norm
    of the difference, `equal` of the number of unequal entries."""

    kind: str
    limit: float


RULES = (
    (r"flame/.*", Tolerance("absolute", FIELDS)),
    (r"probe/root_init", Tolerance("absolute", FIELDS)),
    (r"probe/(root_xc|query_pnts_c)", Tolerance("absolute", POINTS)),
    (r"probe/(root_diff|query_sdf)", Tolerance("absolute", DISTANCES)),
    (r"probe/(root_valid|query_mask)", Tolerance("equal", EXACT)),
    (r"probe/.*", Tolerance("absolute", FIELDS)),
    (r".*/(valid_mask|network_object_mask|object_mask|index_batch|all_valid)", Tolerance("equal", EXACT)),
    (r".*/(expression|cam_pose|ray_dirs)", Tolerance("absolute", 1e-6)),
    (r".*/(sdf_output|sdf_query|all_diff|flame_distance)", Tolerance("absolute", DISTANCES)),
    (r".*/normal_values", Tolerance("absolute", NORMALS)),
    (r".*/out/(rgb_values|lbs_weight|posedirs|shapedirs)|.*/cap/feature", Tolerance("absolute", AT_POINTS)),
    (r".*/(out|cap)/.*", Tolerance("absolute", POINTS)),
    # The mean fourth power of distances of some hundredths: their rounding counts four times.
    (r".*/loss/flame_distance_loss", Tolerance("relative", FOURTH_POWERS)),
    (r".*/loss/.*", Tolerance("relative", LOSSES)),
    (r".*/gradnorm/.*", Tolerance("relative", GRADIENTS)),
    (r".*/grad/.*", Tolerance("norm", GRADIENTS)),
)


def tolerance_of(name: str) -> Tolerance:
    """The tolerance of a recorded quantity, by its full name."""
    return next(tolerance for pattern, tolerance in RULES if re.fullmatch(pattern, name))
