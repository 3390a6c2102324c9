"""A folder of pictures can be preprocessed, and is known again by its pictures."""

import cv2
import numpy as np

from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.report import describe_request


def test_a_request_with_a_folder_changes_with_its_pictures(tmp_path):
    folder = tmp_path / "me"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    options = PreprocessOptions(subject="me", videos=(folder,), out=tmp_path / "out", head=tmp_path / "head.npz")
    options.check()
    before = describe_request(options)
    (folder / "notes.txt").write_text("no picture")
    assert describe_request(options) == before
    cv2.imwrite(str(folder / "1.png"), np.full((8, 8, 3), 9, np.uint8))
    assert describe_request(options) != before
