"""Features of the rigid part of the head, followed from frame to frame and found again when a view returns.

Landmarks are regressed frame by frame and say little about where the head as a whole points: a network's error of
a few degrees is smooth and looks like motion. Hairline, ears and forehead, followed by optical flow, turn with the
skull alone.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from imavatar.anatomy import ParsingLabel
from imavatar.head.mesh_points import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from imavatar.preprocessing.landmarks import PIXEL_CENTRE
from imavatar.preprocessing.semantics import fill
from imavatar.progress import track

Grey: TypeAlias = UInt8[np.ndarray, "h w"]
Points: TypeAlias = Float[np.ndarray, "k 2"]

KEY_INTERVAL, REACH = 9, 30
"""New features are looked for in every ninth frame, and followed thirty frames both ways.

Odd, so that frames between the sightings of one key frame are seen from the next."""
SIGHTING_INTERVAL = 2
FEATURES_PER_KEY = 150
LOOP_INTERVAL = 3
LOOP_ANGLE = 0.2
"""Radians between two head rotations under which the same features look alike."""
LOOP_WEIGHT = 3.0

REFERENCE_SIZE = 512
"""Image size for which the following are in pixels."""
HEAD_LABELS = (
    *(ParsingLabel.HAIR, ParsingLabel.SKIN, ParsingLabel.NOSE),
    *(ParsingLabel.LEFT_EAR, ParsingLabel.RIGHT_EAR),
)
WINDOW, SPACING, INSET = 21, 8, 15
ROUND_TRIP = 0.7
"""A feature that does not come back to where it started, followed there and back, is lost."""
MAX_STEP, MAX_SURPRISE = 25.0, 10.0
BROW_MARGIN, EYE_MARGIN = 35, 25
INNER_UPPER_LIP = 13
GREY_FRAMES = 400
"""Grey images kept in memory, a quarter of a megabyte each at 512 pixels."""


@dataclass(frozen=True)
class FeatureTracks:
    """Features, each found in one frame, and their sightings in others; continuous pixels."""

    start_frame: Int[np.ndarray, " t"]
    start: Float[np.ndarray, "t 2"]
    track: Int[np.ndarray, " m"]
    frame: Int[np.ndarray, " m"]
    points: Float[np.ndarray, "m 2"]
    weight: Float[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.start)

    def extended(
        self, track: Int[np.ndarray, " k"], frame: Int[np.ndarray, " k"], points: Points, weight: float
    ) -> "FeatureTracks":
        """The same features with more sightings."""
        return replace(
            self,
            track=np.concatenate([self.track, track]),
            frame=np.concatenate([self.frame, frame]),
            points=np.concatenate([self.points, points]),
            weight=np.concatenate([self.weight, np.full(len(track), weight)]),
        )


@dataclass(frozen=True)
class FeatureTracker:
    """Follows features through the frames of a subject.

    Args:
        grey: image of a frame, uint8 [h, w].
        region: where features of a frame may lie, bool [h, w]; see `rigid_region`.
        video: recording of each frame; features are not carried from one to another.
    """

    grey: Callable[[int], Grey]
    region: Callable[[int], Bool[np.ndarray, "h w"]]
    video: Int[np.ndarray, " n"]

    def follow(self) -> FeatureTracks:
        """Find features in key frames and follow them into the neighbours."""
        # The first sightings are none, so that there is something to join.
        none = np.zeros(0, np.int64)
        start_frame, start, sightings, count = [], [], [(none, none, np.zeros((0, 2)))], 0
        for key in track(range(0, len(self.video), KEY_INTERVAL), "key frames whose features are followed"):
            found = _find(self.grey(key), self.region(key))
            for frame, rows, points in self._neighbours(key, found):
                sightings.append((rows + count, np.full(len(rows), frame), points + PIXEL_CENTRE))
            start_frame.append(np.full(len(found), key))
            start.append(found + PIXEL_CENTRE)
            count += len(found)
        seen = [np.concatenate(parts) for parts in zip(*sightings, strict=True)]
        return FeatureTracks(np.concatenate(start_frame), np.concatenate(start), *seen, np.ones(len(seen[0])))

    def _neighbours(
        self, key: int, found: Points
    ) -> Iterator[tuple[int, Int[np.ndarray, " m"], Float[np.ndarray, "m 2"]]]:
        """Frame, features that are still there, and where they are, going away from a key frame both ways."""
        scale = len(self.grey(key)) / REFERENCE_SIZE
        for direction in (1, -1):
            now, alive = found, np.ones(len(found), dtype=bool)
            for step in range(1, REACH + 1):
                frame = key + direction * step
                if not (0 <= frame < len(self.video) and self.video[frame] == self.video[key] and alive.any()):
                    break
                moved, there = _flow(self.grey(key), self.grey(frame), found, now, levels=3)
                alive &= there & (np.linalg.norm(moved - now, axis=1) < MAX_STEP * scale)
                now = np.where(alive[:, None], moved, now)
                if step % SIGHTING_INTERVAL == 0:
                    yield frame, np.flatnonzero(alive), now[alive]

    def close_loops(
        self,
        tracks: FeatureTracks,
        rotation: Float[np.ndarray, "n 3 3"],
        predict: Callable[[int, Int[np.ndarray, " k"]], Points],
    ) -> FeatureTracks:
        """Look for features in far frames with a similar view, where a fit expects them: ends the drift of long chains.

        Args:
            rotation: of the head, a frame each.
            predict: frame, features -> where the fit puts them, continuous pixels.
        """
        sightings = []
        for key in np.unique(tracks.start_frame).tolist():
            features = np.flatnonzero(tracks.start_frame == key)
            start = tracks.start[features] - PIXEL_CENTRE
            for other in self._similar_views(key, rotation):
                expected = predict(other, features) - PIXEL_CENTRE
                moved, there = _flow(self.grey(key), self.grey(other), start, expected, levels=1)
                scale = len(self.grey(other)) / REFERENCE_SIZE
                there &= np.linalg.norm(moved - expected, axis=1) < MAX_SURPRISE * scale
                sightings.append((features[there], np.full(there.sum(), other), moved[there] + PIXEL_CENTRE))
        if not sightings:
            return tracks
        return tracks.extended(*(np.concatenate(parts) for parts in zip(*sightings, strict=True)), LOOP_WEIGHT)

    def _similar_views(self, key: int, rotation: Float[np.ndarray, "n 3 3"]) -> list[int]:
        """Frames beyond the reach of the flow in which the head is turned as in the key frame."""
        others = np.arange(0, len(self.video), LOOP_INTERVAL)
        cosine = (np.einsum("ij,nij->n", rotation[key], rotation[others]) - 1) / 2
        near = np.arccos(np.clip(cosine, -1, 1)) < LOOP_ANGLE
        near &= (np.abs(others - key) > REACH) & (self.video[others] == self.video[key])
        return others[near].tolist()


def skull_tracker(
    grey: Callable[[int], Grey],
    labels: Callable[[int], Grey],
    landmarks: Float[np.ndarray, "n 468 2"],
    video: Int[np.ndarray, " n"],
) -> FeatureTracker:
    """A tracker of features of the skull, which keeps the grey images that are needed at a time.

    Args:
        grey, labels: image and face-parsing labels of a frame.
        landmarks, video: of all frames, continuous pixels, and the recording of each.
    """

    def region(index: int) -> Bool[np.ndarray, "h w"]:
        return rigid_region(labels(index), landmarks[index] - PIXEL_CENTRE)

    return FeatureTracker(functools.lru_cache(maxsize=GREY_FRAMES)(grey), region, video)


def rigid_region(semantic: UInt8[np.ndarray, "h w"], landmarks: Float[np.ndarray, "468 2"]) -> Bool[np.ndarray, "h w"]:
    """Pixels that move with the skull: hair, ears and forehead; not what expressions move, nor hair that hangs.

    `semantic` has face-parsing labels, `landmarks` are in pixels.
    """
    height, width = semantic.shape
    scale = height / REFERENCE_SIZE
    rows = np.arange(height)[:, None]
    head = np.isin(semantic, HEAD_LABELS).astype(np.uint8)
    region = cv2.erode(head, np.ones(_odd_square(INSET * scale))) == 1

    def hull(points: Points) -> Bool[np.ndarray, "h w"]:
        return fill(cv2.convexHull(np.round(points).astype(np.int32))[:, 0], height, width)

    eyes = landmarks[[*RIGHT_EYE, *LEFT_EYE], 1].max()
    region &= ~(hull(landmarks) & (rows > eyes))
    region &= rows < landmarks[INNER_UPPER_LIP, 1]
    for loops, margin in (((RIGHT_EYE, LEFT_EYE), EYE_MARGIN), ((RIGHT_BROW, LEFT_BROW), BROW_MARGIN)):
        for loop in loops:
            moving = hull(landmarks[list(loop)]).astype(np.uint8)
            region &= cv2.dilate(moving, np.ones(_odd_square(margin * scale))) == 0
    return region


def _find(grey: Grey, region: Bool[np.ndarray, "h w"]) -> Points:
    """Corners in a region, at integer pixel centres."""
    spacing = SPACING * len(grey) / REFERENCE_SIZE
    found = cv2.goodFeaturesToTrack(grey, FEATURES_PER_KEY, 0.01, spacing, mask=region.astype(np.uint8))
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def _flow(
    source: Grey, target: Grey, points: Points, guess: Points, *, levels: int
) -> tuple[Points, Bool[np.ndarray, " k"]]:
    """Where points of one image are in another, and whether the way back leads to where they were."""
    if not len(points):
        return np.zeros((0, 2), np.float32), np.zeros(0, dtype=bool)
    scale = len(source) / REFERENCE_SIZE
    options = {
        "winSize": _odd_square(WINDOW * scale),
        "maxLevel": levels,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02),
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    points = np.asarray(points, np.float32)
    moved, forward, _ = cv2.calcOpticalFlowPyrLK(source, target, points, np.array(guess, np.float32), **options)
    back, backward, _ = cv2.calcOpticalFlowPyrLK(target, source, moved, points.copy(), **options)
    there = (forward[:, 0] == 1) & (backward[:, 0] == 1)
    return moved, there & (np.linalg.norm(back - points, axis=1) < ROUND_TRIP * scale)


def _odd_square(pixels: float) -> tuple[int, int]:
    return (max(3, 2 * int(pixels / 2) + 1),) * 2
