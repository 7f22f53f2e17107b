"""Videos as phones, editors and accidents make them."""

import errno
import threading

import numpy as np
import pytest
from PIL import Image

from regressor.errors import VideoError
from regressor.video import open_video
from tests import videos

TIMES = [i / 30 for i in range(30)]


@pytest.fixture
def clip(tmp_path):
    return videos.write(tmp_path / "clip.mp4", TIMES)


def decoding_threads() -> int:
    return sum(thread.name == "read ahead" for thread in threading.enumerate())


def test_every_frame_with_its_time(clip):
    with open_video(clip) as video:
        frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx(TIMES)
    assert [videos.shown_time(frame.image) for frame in frames] == pytest.approx(TIMES, abs=0.03)
    assert frames[0].image.dtype == np.uint8 and frames[0].image.flags["C_CONTIGUOUS"]
    assert video.info.fps == pytest.approx(30) and video.info.duration_s == pytest.approx(1.0)
    assert video.warning is None


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_stand_upright(clip, degrees):
    videos.turn(clip, degrees)
    video = open_video(clip)
    image = next(iter(video.frames())).image
    assert (video.info.height, video.info.width) == image.shape[:2]
    assert image.shape[:2] == ((48, 64) if degrees % 180 == 0 else (64, 48))
    corners = {0: (0, 0), 90: (0, -1), 180: (-1, -1), 270: (-1, 0)}
    bright = [corner for corner in corners.values() if image[corner].mean() > 200]
    assert bright == [corners[degrees]]
    assert (video.info.rotation + degrees) % 360 == 0


def test_variable_rate_is_resampled_by_time(tmp_path):
    # Dense at first, then sparse: counting frames would play it at a wrong, changing speed.
    times = [i / 60 for i in range(60)] + [1 + i / 10 for i in range(11)]
    video = open_video(videos.write(tmp_path / "variable.mp4", times))
    frames = list(video.frames(fps=20))
    assert [frame.time for frame in frames] == pytest.approx([i / 20 for i in range(len(frames))])
    for frame in frames:
        nearest = min(times, key=lambda time: abs(time - frame.time))
        shown = videos.shown_time(frame.image)
        assert abs(shown - frame.time) <= abs(nearest - frame.time) + 0.045
    assert 40 <= len(frames) <= 42


@pytest.mark.parametrize(("fps", "count"), [(60, 60), (30, 30), (15, 15), (10, 10)])
def test_other_rates_keep_the_length(clip, fps, count):
    frames = list(open_video(clip).frames(fps=fps))
    assert len(frames) == count
    assert [frame.time for frame in frames] == pytest.approx([i / fps for i in range(count)])


def test_a_part_by_seconds(tmp_path):
    path = videos.write(tmp_path / "long.mp4", [i / 10 for i in range(40)], rate=10)
    frames = list(open_video(path).frames(start=2.9, end=3.3))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == pytest.approx([2.9, 3.0, 3.1, 3.2])
    shown = [videos.shown_time(frame.image) for frame in frames]
    assert shown == pytest.approx([2.9, 3.0, 3.1, 3.2], abs=0.03)


def test_a_film_that_starts_late_starts_at_zero(tmp_path):
    path = videos.write(tmp_path / "late.mp4", [1 + i / 30 for i in range(10)])
    frames = list(open_video(path).frames())
    assert frames[0].time == 0 and len(frames) == 10


def test_one_frame(tmp_path):
    frames = list(open_video(videos.write(tmp_path / "one.mp4", [0.0])).frames())
    assert len(frames) == 1 and frames[0].time == 0


def test_a_truncated_file_gives_what_it_holds_and_says_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    path = videos.write(tmp_path / "cut.mp4", TIMES, make=lambda time: noise[round(time * 30)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    frames = list(video.frames())
    assert 5 < len(frames) < 25
    assert video.warning is not None and "cut.mp4" in video.warning


def test_a_short_film_that_ends_early_says_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), np.uint8)
    path = videos.write(tmp_path / "cut.mp4", TIMES[:12], lambda time: noise[round(time * 30)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    assert 2 < len(list(video.frames())) < 10
    assert video.warning is not None and "cut.mp4" in video.warning


def test_a_file_cut_within_its_index_is_refused(clip):
    clip.write_bytes(clip.read_bytes()[:400])
    with pytest.raises(VideoError, match="cut off"):
        list(open_video(clip).frames())


@pytest.mark.parametrize(("start", "end"), [(2.0, 1.0), (50.0, None)])
def test_impossible_parts_are_refused(clip, start, end):
    with pytest.raises(VideoError, match="s"):
        list(open_video(clip).frames(start=start, end=end))


def test_impossible_rates_are_refused(clip):
    with pytest.raises(VideoError, match="frames per second"):
        open_video(clip).frames(fps=-1)


def test_what_is_no_video_is_one_sentence(tmp_path):
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("I am a text.\n" * 50)
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (20, 20)).save(photo)
    cases = {
        empty: "empty file",
        text: "can't be read as a video",
        photo: "is a picture",
        videos.write_sound(tmp_path / "sound.mp4"): "only sound",
        tmp_path: "is a folder",
        tmp_path / "nowhere.mp4": "doesn't exist",
    }
    for path, reason in cases.items():
        with pytest.raises(VideoError, match=reason) as caught:
            open_video(path)
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read(clip, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(VideoError, match="may not be read"):
        open_video(clip)


@pytest.mark.parametrize(
    ("size", "fov"), [((64, 48), 69.39), ((48, 64), 54.86)], ids=["landscape", "portrait"]
)
def test_field_of_view_from_the_focal_length(tmp_path, size, fov):
    tags = {"com.apple.quicktime.camera.focal_length.35mm_equivalent": "26"}
    path = tmp_path / "phone.mp4"
    videos.write(path, TIMES[:3], make=lambda time: videos.picture(time, *size), tags=tags)
    assert open_video(path).info.fov_deg == pytest.approx(fov, abs=0.05)


def test_without_tags_there_is_no_field_of_view(clip):
    assert open_video(clip).info.fov_deg is None


def test_stopping_early_ends_the_decoding(clip):
    frames = open_video(clip).frames()
    next(frames)
    assert decoding_threads() == 1
    frames.close()
    assert decoding_threads() == 0


def test_an_error_in_the_loop_ends_the_decoding(clip):
    def work():
        for _ in open_video(clip).frames():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert decoding_threads() == 0
