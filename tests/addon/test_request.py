"""What the settings ask of the estimator."""

from types import SimpleNamespace

import pytest

from addon import request
from addon.estimator import EstimatorError


def settings(**changed) -> SimpleNamespace:
    plain = {
        "use_range": False, "range_start": 1, "range_end": 30, "person": "LARGEST",
        "person_number": 2, "method": "ktpformer", "smooth": 0.04, "contacts": True,
        "use_fov": False, "fov": 1.0, "fov_by_lines": False, "body": "DEFAULT", "betas": "VIDEO",
    }  # fmt: skip
    return SimpleNamespace(**plain | changed)


def preferences(**changed) -> SimpleNamespace:
    plain = {
        "device": "auto", "detector": "mediapipe", "detector_models": [], "weights": "",
        "smpl_file": "", "gender": "neutral",
    }  # fmt: skip
    return SimpleNamespace(**plain | changed)


def options(fps=30.0, point=None, mine=None, **changed) -> dict:
    return request.options_of(settings(**changed), mine or preferences(), fps, point)[0]


def test_frames_count_from_one_and_both_belong_to_the_part():
    given = options(use_range=True, range_start=31, range_end=60)
    assert (given["start"], given["end"]) == (1.0, 1.983333)
    assert options()["start"] is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"use_range": True, "range_start": 9, "range_end": 3}, "before the first"),
        ({"use_range": True, "fps": None}, "frame rate"),
        ({"body": "SMPL"}, "No SMPL file is named"),
    ],
)
def test_what_cannot_be_asked(changed, told):
    with pytest.raises(EstimatorError, match=told):
        options(**changed)


def test_the_person():
    assert options()["person"] == "largest"
    assert options(person="ALL")["person"] == "all"
    assert options(person="NUMBER")["person"] == "2"
    seen = options(person="NUMBER", point=(0.5, 120.25, 80.0))
    assert seen["person-at"] == ["0.5", "120.25", "80"] and "person" not in seen
    assert "person-at" not in options(person="ALL", point=(0.5, 1, 2))


def test_my_own_files_are_named_and_known():
    mine = preferences(smpl_file="/smpl.npz", gender="female", weights="/w", detector_models=["/m"])
    given, files = request.options_of(settings(body="SMPL"), mine, 30.0, None)
    assert (given["body"], given["gender"], given["weights"]) == ("/smpl.npz", "female", "/w")
    assert [str(file) for file in files] == ["/m", "/w", "/smpl.npz"]


def test_the_field_of_view_is_in_degrees():
    assert options()["fov"] is None
    assert options(use_fov=True, fov=1.0471976)["fov"] == 60.0


def test_a_guess_by_lines_is_asked_for_where_nothing_is_given():
    assert "fov-by-lines" not in options()
    assert options(fov_by_lines=True)["fov-by-lines"] is True
    assert "fov-by-lines" not in options(fov_by_lines=True, use_fov=True)


def test_videos(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"")
    assert request.checked_video(str(tmp_path / "in.mp4")) == tmp_path / "in.mp4"
    empty = (str(tmp_path), "a folder without pictures")
    for video, told in (("", "No video is chosen"), ("/gone.mp4", "no video"), empty):
        with pytest.raises(EstimatorError, match=told):
            request.checked_video(video)
    (tmp_path / "one.JPG").write_bytes(b"")
    assert request.checked_video(str(tmp_path)) == tmp_path
