"""What preprocessing did: written beside the recordings, and compared with the next request."""

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from imavatar.assets.wholeness import sha256_of_file
from imavatar.data.image_folder import pictures_of
from imavatar.data.json_values import read_json
from imavatar.errors import DataError
from imavatar.preprocessing.fit_problem import Observations
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.tracking import TrackingResult

logger = logging.getLogger(__name__)

REPORT_NAME = "report.json"
FORMAT = 6
"""Raised when the result of the same request changes, so that it is made anew."""


@dataclass(frozen=True)
class PreprocessReport:
    """Counts, errors and the reasons for frames left out.

    Errors are means over tracked frames in pixels and as a share of the face's height; `focal` is in pixels of the
    written images. `left_out` lists the video, the frame's number in it from 0, and the reason. `videos` holds what
    is known of each file (`data.video_facts.VideoFacts`).
    """

    frames_read: int
    frames_tracked: int
    frames_written: dict[str, int]
    left_out: list[dict]
    errors: dict[str, float]
    face_height: float
    focal: float
    focal_estimated: bool
    seconds: float = 0.0
    videos: list[dict] = field(default_factory=list)
    request: dict = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        videos: list[AnalysedVideo],
        observations: Observations,
        result: TrackingResult,
        written: dict[str, int],
        focal_estimated: bool,
    ) -> "PreprocessReport":
        """The report on a fit."""
        left_out = [
            {"video": video.path.name, "frame": number, "reason": "no face found"}
            for video in videos
            for number in video.without_face
        ]
        for index in np.flatnonzero(~result.valid):
            reason = f"landmark error {100 * result.relative_error[index]:.1f} % of the face's height"
            name = videos[observations.video[index]].path.name
            left_out.append({"video": name, "frame": int(observations.time[index]), "reason": reason})
        return cls(
            frames_read=sum(video.n_read for video in videos),
            frames_tracked=int(result.valid.sum()),
            frames_written=written,
            left_out=left_out,
            errors=result.mean_errors(),
            face_height=float(result.face_height.mean()),
            focal=result.focal,
            focal_estimated=focal_estimated,
            videos=[asdict(video.source.facts) for video in videos if video.source is not None],
        )

    def summary(self) -> str:
        """A few lines for the terminal."""
        errors, share = self.errors, 100 * self.frames_tracked / max(self.frames_read, 1)
        lines = [
            f"tracked {self.frames_tracked} of {self.frames_read} frames ({share:.1f} %)",
            f"landmark error {errors['error_px']:.2f} px, {100 * errors['error_share']:.2f} % of the face's height "
            f"({self.face_height:.0f} px); without the outline {100 * errors['error_share_without_oval']:.2f} %",
            f"focal length {self.focal:.0f} px of the images ({'estimated' if self.focal_estimated else 'given'})",
            "frames written: " + ", ".join(f"{k} {n}" for k, n in self.frames_written.items()),
        ]
        if self.left_out:
            first = self.left_out[0]
            lines.append(
                f"left out {len(self.left_out)} frames, the first: {first['video']} frame {first['frame']}, "
                f"{first['reason']}"
            )
        lines += [f"{video['name']}: {note}" for video in self.videos for note in video["notes"]]
        return "\n".join(lines)


def describe_request(options: PreprocessOptions) -> dict:
    """What the result depends on, comparable between calls: options, and the videos' content."""
    return {
        "format": FORMAT,
        "videos": [_fingerprint(path) for path in options.videos],
        "head": options.head_path.name,
        "size": options.size,
        "fps": options.fps,
        "focal": options.focal,
        "crop": list(options.crop) if options.crop else None,
        "landmarks": options.landmarks,
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
            try:
                return PreprocessReport(**tree)
            except TypeError as error:
                raise DataError(f"{path}: is not a report of this version ({error}); use --overwrite") from error
    raise DataError(
        f"{target}: exists already, made from another video, with other options or by another version; "
        "choose another --subject or --out, or replace it with --overwrite"
    )


def _fingerprint(path: Path) -> dict:
    """A video's name, size and content hash; of a folder, each picture's."""
    try:
        if path.is_dir():
            return {"name": path.name, "pictures": [_fingerprint(file) for file in pictures_of(path)]}
        return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
