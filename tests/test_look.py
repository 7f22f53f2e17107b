"""The quick look: one picture with numbered boxes, and where everybody is in pixels of the film."""

import json
import signal

import numpy as np
import pytest
from PIL import ExifTags, Image

from regressor import look
from regressor.detection import detect, person_at
from regressor.errors import VideoError
from regressor.progress import Progress
from regressor.video import open_video
from tests import estimator


def run(folder, *words):
    return estimator.run(folder, *words, module="regressor.look")


def test_two_people_are_numbered_and_estimate_finds_them_at_their_boxes(tmp_path):
    film = estimator.two_people(tmp_path / "two.mp4", 12)
    done = run(tmp_path / "at", film, "--output", "look.png")
    assert done.status == 0, done.err
    assert done.lines[-1]["outputs"] == ["look.png", "look.json"]
    assert done.lines[-1]["message"].startswith("2 people are seen at ")
    told = json.loads((tmp_path / "at" / "look.json").read_text())
    assert (told["width"], told["height"], told["fps"], told["frames"]) == (960, 540, 30, 12)
    assert told["frame"] == round(30 * told["time"]) < 12
    large, small = (person["box"] for person in told["people"])
    assert [person["number"] for person in told["people"]] == [1, 2]
    assert 350 < large[0] < large[2] < 700 and small[2] < 320
    with Image.open(tmp_path / "at" / "look.png") as picture:
        assert picture.size == (960, 540)
        # Each box is drawn in its number's colour.
        colours = [
            picture.getpixel((round(b[0]) + 1, round((b[1] + b[3]) / 2))) for b in (large, small)
        ]
    assert np.abs(np.subtract(colours, [(255, 176, 0), (100, 143, 255)])).max() <= 2
    with open_video(film) as video:
        tracks = detect(video).tracks
    for track, box in zip(tracks, (large, small), strict=True):
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        assert person_at(tracks, told["time"], *middle) == [track]


def test_the_frame_with_most_people_in_the_range_is_chosen(tmp_path):
    both = np.concatenate([estimator.walking(8)[:, :, :300], estimator.standing(8)[:, :, 300:]], 2)
    pictures = [*[estimator.empty_scene()] * 8, *estimator.standing(8), *both]
    film = estimator.film(tmp_path / "film.mp4", pictures)
    with open_video(film) as video:
        times = look.times_to_look_at(video, None, None)
        part = look.times_to_look_at(video, 0.3, 0.5)
    assert len(times) == look.FRAMES and times[0] < 8 / 30 and times[-1] >= 16 / 30
    assert part[0] >= 0.3 and part[-1] < 0.5
    run(tmp_path / "at", film, "--output", "look.png")
    told = json.loads((tmp_path / "at" / "look.json").read_text())
    assert len(told["people"]) == 2 and told["frame"] >= 16
    run(tmp_path / "at", film, "--output", "look.png", "--start", 0.3, "--end", 0.5)
    told = json.loads((tmp_path / "at" / "look.json").read_text())
    assert len(told["people"]) == 1 and 8 < told["frame"] < 16


def test_a_picture_may_be_looked_at_as_it_stands(tmp_path):
    picture, exif = tmp_path / "phone.jpg", Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upright = estimator.standing(1)[0, :, estimator.ALONE_AT]
    Image.fromarray(np.rot90(upright).copy()).save(picture, exif=exif)
    look.look(look.Options(picture, tmp_path / "look.png"), Progress())
    seen = json.loads((tmp_path / "look.json").read_text())
    assert (seen["width"], seen["height"], seen["frame"]) == (312, 540, 0)
    ((x0, y0, x1, y1),) = [person["box"] for person in seen["people"]]
    assert y1 - y0 > 1.5 * (x1 - x0)
    with pytest.raises(VideoError, match="is a picture: leave out --start"):
        look.look(look.Options(picture, tmp_path / "look.png", start=1.0), Progress())


def test_a_large_picture_is_made_smaller_and_numbers_keep_apart():
    people = [{"number": n, "box": [100 * n, 50, 100 * n + 900, 1900]} for n in (1, 2, 3)]
    picture = look.draw(np.full((2000, 2560, 3), 128, np.uint8), people)
    assert picture.size == (1280, 1000)
    taken = []
    places = [look.badge_place([5, 5, 300, 400], 40, (640, 480), taken) for _ in range(4)]
    assert len(set(places)) == 4 and all(0 <= x <= 600 and 0 <= y <= 440 for x, y in places)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["no.mp4"], "no.mp4 doesn't exist"),
        ([estimator.DEMO, "--output", "look.jpg"], "look.jpg can't be the output: a picture ends"),
        ([estimator.DEMO, "--start", "3", "--end", "2"], "The end (2 s) must lie after the start"),
        ([estimator.DEMO, "--start", "300"], "demo.mp4 has nothing to show at 300 s"),
    ],
)
def test_refusals(tmp_path, words, sentence):
    done = run(tmp_path / "at", *words)
    assert done.status == 1 and sentence in done.err and done.err.count("\n") == 1
    assert done.lines[-1]["message"] == done.err.strip() and done.outputs == []


def test_nobody_is_there(tmp_path):
    film = estimator.film(tmp_path / "room.mp4", [estimator.empty_scene()] * 4)
    done = run(tmp_path / "at", film)
    assert done.status == 1 and done.outputs == []
    assert done.err.startswith("No person was found in 4 frames of room.mp4")


def test_a_picture_is_never_written_over_the_film(tmp_path):
    film = tmp_path / "look.json"
    film.write_text("precious")
    done = run(tmp_path / "at", film, "--output", tmp_path / "look.png")
    assert done.status == 1 and "would be overwritten" in done.err
    assert film.read_text() == "precious"


def test_stopped(tmp_path):
    process = estimator.start(
        tmp_path / "at", estimator.DEMO, "--progress", "json", module="regressor.look"
    )
    assert '"stage": "look"' in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    done = estimator.finish(process, tmp_path / "at")
    assert (done.status, done.outputs) == (143, [])
    assert done.err == "Stopped; nothing was written.\n"
