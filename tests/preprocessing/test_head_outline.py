import cv2
import numpy as np

from imavatar.anatomy import ParsingLabel
from imavatar.preprocessing.head_outline import head_outlines, line_normals

SIZE, FINE = 256, 8
HAIR, CLOTH = int(ParsingLabel.HAIR), int(ParsingLabel.CLOTH)
MIDDLE, AXES = np.array([120.3, 110.6]), np.array([60.0, 80.0])


def ellipse(shift: tuple[float, float] = (0.0, 0.0), rows: int = SIZE, columns: int = SIZE) -> np.ndarray:
    """Labels of an ellipse of hair: pixels whose centres lie in it."""
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    inside = ((column - MIDDLE[0] - shift[0]) / AXES[0]) ** 2 + ((row - MIDDLE[1] - shift[1]) / AXES[1]) ** 2 < 1
    return np.where(inside, HAIR, 0).astype(np.uint8)


def distances(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far lines lie from the ellipse's middle along their normals, and which were seen."""
    found = head_outlines(lambda k: frames[k], len(frames))
    return ((found.points - MIDDLE) * line_normals()).sum(axis=-1), found.seen


def test_lines_touch_an_ellipse_where_its_formula_says():
    distance, seen = distances([ellipse(), ellipse(shift=(1.3, -0.4))])
    normals = line_normals()
    expected = np.sqrt(((AXES * normals) ** 2).sum(axis=1))
    assert seen.all()
    # Softening takes a little off what is curved, the same in all frames.
    assert np.abs(distance[0] - expected).max() < 0.5 and np.abs(distance[0] - expected).mean() < 0.25
    moved = distance[1] - distance[0]
    assert np.abs(moved - normals @ [1.3, -0.4]).mean() < 0.12


def test_what_is_hollow_does_not_matter():
    parted = ellipse()
    notch = np.array([[112, 20], [128, 20], [120, 60]])
    cv2.fillPoly(parted, [notch], 0)
    distance, seen = distances([ellipse(), parted])
    beside = np.abs(line_normals()[:, 0]) > 0.3
    assert seen.all() and np.abs(distance[1] - distance[0])[beside].max() < 0.2


def test_a_line_is_not_seen_where_the_picture_ends_or_clothes_begin():
    cut = ellipse()[50:]
    assert not distances([cut])[1][0][np.abs(line_normals()[:, 0]) < 0.3].any()
    hood = ellipse()
    hood[:, :100][hood[:, :100] == 0] = CLOTH
    seen = distances([hood])[1][0]
    assert not seen[line_normals()[:, 0] < -0.7].any() and seen[line_normals()[:, 0] > 0.7].all()


def test_another_size_and_shape_of_the_picture_change_nothing():
    wide = ellipse(columns=2 * SIZE)
    large = cv2.resize(ellipse(), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found = [head_outlines(lambda _, frame=frame: frame, 1) for frame in (ellipse(), wide, large)]
    assert np.array_equal(found[0].points, found[1].points)
    along = [((f.points[0] / scale) * line_normals()).sum(axis=-1) for f, scale in zip(found, (1, 1, 2), strict=True)]
    assert np.abs(along[2] - along[0]).max() < 0.5


def test_a_frame_without_a_head_shows_no_line():
    nothing = np.zeros((64, 64), np.uint8)
    assert not head_outlines(lambda _: nothing, 2).seen.any()
