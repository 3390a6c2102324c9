"""Places of irises in eyes that are drawn at known angles and sizes."""

import numpy as np
import pytest

from imavatar.head.iris_places import iris_places
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS


def eyes(places: np.ndarray, *, angle: float = 0.0, width: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks and irises of one face whose eyes have irises at these places [2, 2]; clockwise angle, radians."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.full((1, 468, 2), np.nan)
    irises = np.zeros((1, 2, 2))
    # The person's right eye is on the left of the picture.
    for eye, (middle, (first, last)) in enumerate(
        (((-40.0, 5.0), RIGHT_EYE_CORNERS), ((40.0, 5.0), LEFT_EYE_CORNERS[::-1]))
    ):
        across, up = places[eye]
        for vertex, side in ((first, -0.5), (last, 0.5)):
            points[0, vertex] = turn @ (np.array(middle) + [side * width, 0])
        irises[0, eye] = turn @ (np.array(middle) + [across * width, -up * width])
    return points, irises


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.0])
@pytest.mark.parametrize("width", [4.0, 30.0])
def test_places_are_shares_of_the_eye_however_the_head_is_tilted(angle, width):
    places = np.array([[0.25, 0.1], [0.2, -0.05]])
    np.testing.assert_allclose(iris_places(*eyes(places, angle=angle, width=width))[0], places, atol=1e-12)


def test_an_eye_without_a_width_has_a_place_all_the_same():
    points, irises = eyes(np.zeros((2, 2)), width=0.0)
    assert np.isfinite(iris_places(points, irises + 1)).all()
