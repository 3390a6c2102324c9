"""What a fit has to tell its user: the page, and the advice that also goes into the report's file."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from imavatar.data.json_values import Json
from imavatar.preprocessing.capture_advice import Capture, capture_checks
from imavatar.preprocessing.face_looks import face_looks
from imavatar.preprocessing.frame_analysis import AnalysedVideo, CachedFrames
from imavatar.preprocessing.left_out import LeftOut
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.report import REPORT_PAGE, PreprocessReport
from imavatar.preprocessing.report_page import ReportContent, write_report_page
from imavatar.preprocessing.track_curves import track_curves
from imavatar.preprocessing.tracking import TrackingResult

USUAL_FPS = 25.0
"""Of an overlay where all frames of a video are used, whatever their rate."""
NO_ROWS = {
    *("left_out", "errors", "face_height", "advice"),
    *("focal", "focal_estimated", "focal_of_video", "focal_range", "focal_sure"),
    *("request", "seconds", "frames_used", "shots"),
}
"""Fields of a report that are not rows of the page's table as they are: said otherwise, not yet known, or too long."""


def report_to_user(
    overlay: Path,
    report: PreprocessReport,
    videos: Sequence[AnalysedVideo],
    observations: Observations,
    result: TrackingResult,
    *,
    fps: float | None,
) -> PreprocessReport:
    """Write the page beside the overlay; returns the report with the advice in it.

    Args:
        overlay: the video of the fit, a frame for each row of the result.
        videos: with their frames still at hand.
        fps: frames a second that were used; None: all.

    Raises:
        DataError: the page cannot be written.
    """
    cached, length = CachedFrames(videos), [len(video.time) for video in videos]
    # As users count them: the fit may know of several recordings in a video, and count otherwise.
    of_video, number = np.repeat(np.arange(len(videos)), length), np.concatenate([video.time for video in videos])
    curves = replace(track_curves(observations, result), video=of_video, time=number)
    thumbnails = {(v.path.name, frame): jpeg for v in videos for frame, jpeg in v.thumbnails.items()}
    left_out = [_left_out(entry, thumbnails.get((entry["video"], entry["frame"]))) for entry in report.left_out]
    scale = np.array([video.scale for video in videos])
    capture = Capture(
        face_pixels=float(np.median(observations.face_height / scale[of_video])),
        frames_read=report.frames_read,
        left_out=left_out,
        looks=face_looks(lambda index: cached[index].image, observations.landmarks),
    )
    checks = capture_checks(curves, capture)
    names = [video.path.name for video in videos]
    content = ReportContent(
        title=f"Tracking of {', '.join(names)}",
        facts=report_facts(report),
        names=names,
        fps=fps or USUAL_FPS,
        curves=curves,
        left_out=left_out,
        checks=checks,
    )
    write_report_page(overlay.with_name(REPORT_PAGE), content, overlay)
    return replace(report, advice=[{"topic": a.topic, "text": str(a)} for a in checks if a.lacking])


def _left_out(entry: dict, thumbnail: bytes | None) -> LeftOut:
    """A frame of the report, with what was measured where that is not in the reason."""
    measured = f" ({entry['value']:.3g})" if "value" in entry else ""
    return LeftOut(entry["video"], entry["frame"], f"{entry['reason']}{measured}", thumbnail)


def report_facts(report: PreprocessReport) -> Mapping[str, str]:
    """The report's numbers as a table says them; a field that this module does not know is shown by its name."""
    errors = report.errors
    facts = {
        "focal length": report.focal_line().removeprefix("focal length "),
        "face's height": f"{report.face_height:.0f} px of the images",
        "landmark error": f"{errors['error_px']:.2f} px, {100 * errors['error_share']:.2f} % of the face's height",
        "the same without the outline": f"{100 * errors['error_share_without_oval']:.2f} %",
    }
    others = {field.name: getattr(report, field.name) for field in fields(report) if field.name not in NO_ROWS}
    counts = {name.replace("_", " "): _said(value) for name, value in others.items() if value not in (None, [], {}, "")}
    return counts | facts


def _said(value: Json) -> str:
    """A value of JSON as a text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_said(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_said, value))
    return str(value)
