"""The settings as what is asked of the estimator; without bpy."""

import math
from pathlib import Path

from .estimator import EstimatorError
from .pictures import pictures_in

PERSON = {"LARGEST": "largest", "ALL": "all"}


def checked_video(video: str) -> Path:
    """The settings' video, picture or folder of pictures (absolute); raises EstimatorError."""
    if not video:
        raise EstimatorError("No video is chosen yet; name one in the field Video.")
    path = Path(video)
    if path.is_dir() and not pictures_in(path):
        raise EstimatorError(f"{path} is a folder without pictures; name a video or a picture.")
    if not path.exists():
        raise EstimatorError(f"There is no video {path}; check the path.")
    return path


def seconds_of(settings, fps: float | None) -> dict[str, float | None]:
    """Where the estimator begins and ends, of frames that count from 1 and both belong to it."""
    if not settings.use_range:
        return {"start": None, "end": None}
    if settings.range_end < settings.range_start:
        raise EstimatorError(
            f"The last frame ({settings.range_end}) lies before the first "
            f"({settings.range_start}); give a later one."
        )
    if fps is None:
        raise EstimatorError(
            "Blender can't read the video's frame rate, so parts can't be told; convert it to "
            "H.264, or estimate all of it."
        )
    return {
        "start": round((settings.range_start - 1) / fps, 6),
        "end": round((settings.range_end - 0.5) / fps, 6),  # surely before the next frame
    }


def person_of(settings, point: tuple[float, float, float] | None) -> dict[str, object]:
    """Who is meant. `point` (s, px, px) is where a look has seen the person of the number.

    A look counts the people of one frame, an estimate those of the whole video: a point is meant.
    """
    if settings.person == "NUMBER" and point is not None:
        return {"person-at": [f"{value:.6g}" for value in point]}
    return {"person": PERSON.get(settings.person, str(settings.person_number))}


def options_of(settings, preferences, fps: float | None, point) -> tuple[dict, list[Path]]:
    """The options of `regressor.estimate`, and the files that they name; raises EstimatorError."""
    options: dict[str, object] = {"method": settings.method or None, "device": preferences.device}
    options |= seconds_of(settings, fps) | person_of(settings, point)
    options |= {
        "detector": preferences.detector,
        "detector-models": [str(file) for file in preferences.detector_models],
        "weights": str(preferences.weights) if preferences.weights else None,
        "fov": round(math.degrees(settings.fov), 3) if settings.use_fov else None,
        "smooth": round(settings.smooth, 4),
        "contacts": settings.contacts,
        "betas": settings.betas.lower(),
    }
    files = [Path(file) for file in (*preferences.detector_models, preferences.weights) if file]
    if settings.fov_by_lines and not settings.use_fov:
        options["fov-by-lines"] = True
    if settings.body == "SMPL":
        if not preferences.smpl_file:
            raise EstimatorError(
                "No SMPL file is named yet; name yours in the add-on's preferences, or choose the "
                "default body."
            )
        options |= {"body": str(preferences.smpl_file), "gender": preferences.gender}
        files.append(Path(preferences.smpl_file))
    return options, files


def look_options(settings, preferences, fps: float | None) -> dict:
    """The options of `regressor.look`: the same part of the video, seen by the same detector."""
    return seconds_of(settings, fps) | {
        "detector": preferences.detector,
        "detector-models": [str(file) for file in preferences.detector_models],
    }
