"""What preprocessing did: written beside the recordings, and compared with the next request."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from imavatar.assets.wholeness import sha256_of_file
from imavatar.data.image_folder import pictures_of
from imavatar.data.json_values import Json, read_json
from imavatar.data.splits import LAST
from imavatar.errors import DataError
from imavatar.preprocessing.crop import CENTRE
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.frame_quality import LeftOut, counts_by_reason
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.segmentation import MATTINGS, chosen, chosen_matting, described
from imavatar.preprocessing.tracking import TrackingResult

MISFIT = "the head model does not fit"
AROUND_HEAD, IN_MIDDLE, AS_GIVEN = "around the head", "the largest in the middle", "as given"
QUARTER = 90

logger = logging.getLogger(__name__)

REPORT_NAME = "report.json"
REPORT_PAGE = "report.html"
FORMAT = 8
"""Raised when the result of the same request changes, so that it is made anew."""


@dataclass(frozen=True)
class PreprocessReport:
    """Counts, errors and the reasons for frames left out.

    Errors are means over tracked frames in pixels and as a share of the face's height; `focal` is in pixels of the
    written images. Frames are numbered in their video from 0.

    Args:
        focal_of_video: the same in pixels of the first video, as `--focal` takes it.
        focal_range: the shortest and the longest one, in its pixels, that explain the recording as well.
        focal_sure: whether that range is narrow.
        left_out: video, frame and reason, and `value`: what was measured, where something was.
        advice: a topic and a text for everything that the recording has too little of.
        videos: what is known of each file (`data.video_facts.VideoFacts`).
        crops: of each video the `picture`'s width and height after it was `turned` by degrees counter-clockwise, and
            the square in it, which was `chosen` around the head, in the middle, or as given.
        shots: of each video what lies between two cuts, from the first to the last frame, and how many are `used`;
            of a shot of which none is, the `reason`.
        frames_used: of each video the first and last numbers of frames in a row that were fitted.
        frames_not_chosen: of use as well, but more than were asked for.
    """

    frames_read: int
    frames_tracked: int
    frames_written: dict[str, int]
    left_out: list[dict]
    errors: dict[str, float]
    face_height: float
    focal: float
    focal_estimated: bool
    focal_of_video: float = 0.0
    focal_range: list[float] = field(default_factory=list)
    focal_sure: bool = True
    advice: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    videos: list[dict] = field(default_factory=list)
    request: dict = field(default_factory=dict)
    crops: list[dict] = field(default_factory=list)
    shots: list[dict] = field(default_factory=list)
    frames_used: dict[str, list[list[int]]] = field(default_factory=dict)
    frames_not_chosen: int = 0

    @classmethod
    def of(
        cls,
        videos: list[AnalysedVideo],
        result: TrackingResult,
        written: dict[str, int],
        options: PreprocessOptions,
    ) -> "PreprocessReport":
        """The report on a fit."""
        left_out = [_entry(video, frame) for video in videos for frame in video.left_out]
        numbers = [(video, number) for video in videos for number in video.time]
        for index in np.flatnonzero(~result.valid):
            video, number = numbers[index]
            left_out.append(_entry(video, LeftOut(number, MISFIT, round(float(result.relative_error[index]), 4))))
        return cls(
            frames_read=sum(video.n_read for video in videos),
            frames_tracked=int(result.valid.sum()),
            frames_written=written,
            left_out=left_out,
            errors=result.mean_errors(),
            face_height=float(result.face_height.mean()),
            focal=result.focal,
            focal_estimated=options.focal is None and options.fov is None,
            focal_of_video=result.focal / videos[0].scale,
            focal_range=[value / videos[0].scale for value in (result.focal_range.low, result.focal_range.high)],
            focal_sure=result.focal_range.sure,
            videos=[asdict(video.survey.facts) for video in videos if video.survey.facts is not None],
            crops=[_crop_entry(video, options.crop) for video in videos],
            shots=[entry for video in videos for entry in _shot_entries(video)],
            frames_used={video.path.name: _runs(video.time) for video in videos},
            frames_not_chosen=sum(video.not_chosen for video in videos),
        )

    @property
    def left_out_counts(self) -> dict[str, int]:
        """How many frames were left out for each reason, the most frequent first."""
        return dict(Counter(frame["reason"] for frame in self.left_out).most_common())

    def focal_line(self) -> str:
        """The focal length, and how much the recording says about it."""
        line = f"focal length {self.focal_of_video:.0f} px of the video, {self.focal:.0f} px of the images"
        if not self.focal_estimated:
            return f"{line} (as given)"
        low, high = self.focal_range
        if self.focal_sure:
            return f"{line} (estimated; {low:.0f} to {high:.0f} px of the video explain the recording as well)"
        return (
            f"{line} (a guess: the recording cannot tell, {low:.0f} to {high:.0f} px of the video explain it as well; "
            "the head's depth and distance depend on it, so give --focal or --fov if you know it)"
        )

    def summary(self) -> str:
        """A few lines for the terminal."""
        errors, wanted = self.errors, self.frames_read - self.frames_not_chosen
        share = 100 * self.frames_tracked / max(wanted, 1)
        lines = [_crop_line(crop) for crop in self.crops]
        lines += [
            f"tracked {self.frames_tracked} of {wanted} frames ({share:.1f} %)",
            f"landmark error {errors['error_px']:.2f} px, {100 * errors['error_share']:.2f} % of the face's height "
            f"({self.face_height:.0f} px); without the outline {100 * errors['error_share_without_oval']:.2f} %",
            self.focal_line(),
            "frames written: " + ", ".join(f"{k} {n}" for k, n in self.frames_written.items()),
        ]
        if "semantics" in self.request:
            lines.append(
                f"matte and labels: {described(self.request['semantics'], self.request.get('matting', 'auto'))}"
            )
        if self.frames_not_chosen:
            lines.append(f"{self.frames_not_chosen} more frames were not needed (--max-frames): they add least")
        lines += [_shot_line(shot) for shot in self.shots if len(self.shots) > len(self.crops)]
        if self.left_out:
            counts = ", ".join(f"{reason} {n}" for reason, n in self.left_out_counts.items())
            lines.append(f"left out {len(self.left_out)} frames: {counts}")
        lines += [f"{video['name']}: {note}" for video in self.videos for note in video["notes"]]
        if self.advice:
            lines.append(f"a next recording could improve: {', '.join(entry['topic'] for entry in self.advice)}")
            lines.append(f"{REPORT_PAGE} shows the fit, and says more")
        return "\n".join(lines)


def _entry(video: AnalysedVideo, frame: LeftOut) -> dict:
    entry = {"video": video.path.name, "frame": frame.frame, "reason": frame.reason}
    return entry if frame.value is None else entry | {"value": frame.value}


def _crop_entry(video: AnalysedVideo, asked: tuple[int, int, int] | str | None) -> dict:
    chosen = AROUND_HEAD if asked is None else IN_MIDDLE if asked == CENTRE else AS_GIVEN
    survey, crop = video.survey, video.crop
    square = {"x": crop.x, "y": crop.y, "side": crop.side, "chosen": chosen}
    turned = QUARTER * survey.turn
    return {"video": video.path.name, "picture": [survey.width, survey.height], "turned": turned, **square}


def _crop_line(crop: dict) -> str:
    width, height = crop["picture"]
    turned = f", turned by {crop['turned']} degrees" if crop["turned"] else ""
    return (
        f"{crop['video']}: {width} x {height} pixels{turned}; the square {crop['x']},{crop['y']},{crop['side']} "
        f"(x, y, side) is used, {crop['chosen']}"
    )


def _shot_entries(video: AnalysedVideo) -> list[dict]:
    entries, used = [], np.bincount(video.clip, minlength=int(video.shot[-1]) + 1)
    for shot in np.unique(video.shot).tolist():
        frames = np.flatnonzero(video.shot == shot)
        entry = {"video": video.path.name, "first": int(frames[0]), "last": int(frames[-1]), "used": int(used[shot])}
        if not used[shot] and (inside := [f for f in video.left_out if video.shot[f.frame] == shot]):
            entry["reason"] = next(iter(counts_by_reason(inside)))
        entries.append(entry)
    return entries


def _shot_line(shot: dict) -> str:
    use = f"left out, {shot['reason']}" if "reason" in shot else f"{shot['used']} used"
    return f"shot of {shot['video']}, frames {shot['first']} to {shot['last']}: {use}"


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """First and last of the numbers that follow each other."""
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    return [[int(run[0]), int(run[-1])] for run in np.split(np.asarray(numbers), breaks) if len(run)]


def describe_request(options: PreprocessOptions) -> dict:
    """What the result depends on, comparable between calls: options, and the videos' content."""
    return {
        "format": FORMAT,
        "videos": [_fingerprint(path) for path in options.videos],
        "head": options.head_path.name,
        "size": options.size,
        "fps": options.fps,
        "focal": options.focal,
        "fov": options.fov,
        "crop": list(options.crop) if isinstance(options.crop, tuple) else options.crop,
        "face": list(options.face) if options.face else None,
        "max_frames": options.max_frames,
        "landmarks": options.landmarks,
        "semantics": chosen(options.semantics),
        # What was made before there was a choice stays valid.
        **({"matting": options.matting} if chosen_matting(options.matting) != MATTINGS[0] else {}),
        **({} if options.split == LAST else {"split": options.split}),
    }


def existing_report(target: Path, request: dict, overwrite: bool) -> PreprocessReport | None:
    """The report of an earlier call with the same request; None where there is nothing yet, or it may be replaced.

    Raises:
        DataError: the folder holds something else.
    """
    if overwrite or not target.exists():
        return None
    path = target / REPORT_NAME
    if path.is_file():
        tree = read_json(path)
        if isinstance(tree, dict) and tree.get("request") == request:
            logger.info("%s: already made from the same videos with the same options", target)
            return _report(tree, path)
    raise DataError(
        f"{target}: exists already, made from another video, with other options or by another version; "
        "choose another --subject or --out, or replace it with --overwrite"
    )


def read_report(path: Path) -> PreprocessReport:
    """A report that is there.

    Raises:
        DataError: it cannot be read.
    """
    return _report(read_json(path), path)


def _report(tree: Json, path: Path) -> PreprocessReport:
    try:
        return PreprocessReport(**tree)
    except TypeError as error:
        raise DataError(f"{path}: is not a report of this version ({error}); use --overwrite") from error


def _fingerprint(path: Path) -> dict:
    """A video's name, size and content hash; of a folder, each picture's."""
    try:
        if path.is_dir():
            return {"name": path.name, "pictures": [_fingerprint(file) for file in pictures_of(path)]}
        return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
