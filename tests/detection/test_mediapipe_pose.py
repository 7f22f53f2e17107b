"""mediapipe's models, run for real."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regressor.detection import detect
from regressor.detection.mediapipe_graphs import MODELS, cache_folder, import_mediapipe, load_models
from regressor.detection.mediapipe_pose import MediapipePose, looks
from regressor.errors import NoPersonError, PosecastError
from regressor.video import open_video
from tests import videos

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "demo" / "demo.mp4"


@pytest.fixture(scope="module")
def detector():
    detector = MediapipePose(people=2)
    yield detector
    detector.close()


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_blank_video_names_the_frames_that_were_looked_at(tmp_path, detector):
    path = videos.write(tmp_path / "blank.mp4", [i / 30 for i in range(7)])
    with pytest.raises(NoPersonError, match=r"7 frames of blank\.mp4"):
        detect(open_video(path), detector)


@pytest.mark.skipif(not DEMO.is_file(), reason="demo/demo.mp4 hasn't been rendered yet")
def test_the_demo_is_covered_from_end_to_end(detector):
    found = detect(open_video(DEMO), detector)
    track = found.tracks[0]
    assert track.coverage(found.frame_count) == 1.0 and not found.camera_moves
    assert track.keypoints.shape == (found.frame_count, 33, 2)
    assert np.isfinite(track.keypoints).all()
    assert track.world is not None and np.isfinite(track.world).all()
    inside = (track.keypoints >= 0) & (track.keypoints <= (found.width, found.height))
    assert inside.mean() > 0.95 and track.confidence.mean() > 0.6


def test_what_is_imported_for_show_is_not_loaded_and_it_is_quiet():
    done = run(
        "import sys\n"
        "from regressor.detection.mediapipe_pose import MediapipePose\n"
        "MediapipePose(1).close()\n"
        "print(sorted({'cv2', 'matplotlib', 'sounddevice', 'torch', 'jax'} & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_errors_are_not_hidden_with_the_noise():
    done = run(
        "import os\n"
        "from regressor.detection.mediapipe_graphs import quiet\n"
        "with quiet():\n"
        "    os.write(2, b'I0000 00:00:1 file.cc:1] noise\\n')\n"
        "    os.write(2, b'E0000 00:00:1 file.cc:1] trouble\\n')\n"
    )
    assert done.stderr == "E0000 00:00:1 file.cc:1] trouble\n"


def test_the_models_are_kept_and_made_anew_when_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mp = import_mediapipe()
    models = load_models(mp)
    (bundle,) = cache_folder().iterdir()
    assert set(models) == set(MODELS) and mp.__version__ in bundle.name
    bundle.write_bytes(bundle.read_bytes()[:1000])
    assert load_models(mp) == models
    made_at = bundle.stat().st_mtime_ns
    assert load_models(mp) == models and bundle.stat().st_mtime_ns == made_at


def test_without_a_place_for_the_cache_it_works_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert set(load_models(import_mediapipe())) == set(MODELS)


def test_nobody_is_no_number_of_people():
    with pytest.raises(PosecastError, match="at least one"):
        MediapipePose(people=0)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (600, 600), (1600, 400)])
@pytest.mark.parametrize("part", [1, 2])
def test_closer_looks_cover_the_picture(size, part):
    width, height = size
    seen = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in looks(width, height, min(size) // part):
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert (x1 - x0) * (y1 - y0) < 0.75 * width * height
        seen[y0:y1, x0:x1] = True
    assert seen.all()
