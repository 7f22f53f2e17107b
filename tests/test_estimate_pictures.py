"""`estimate` on pictures: upright, with their own cameras, whoever is in them."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from regressor.errors import NoPersonError, VideoError
from regressor.estimate import sentences
from regressor.motion import Motion
from tests import estimator


def in_view(motion):
    """Where the picture shows the Motion's joints (J, 2), px."""
    extrinsics = motion.camera_extrinsics[0]
    seen = motion.joints[0] @ extrinsics[:3, :3].T + extrinsics[:3, 3]
    seen = seen @ motion.camera_intrinsics.T
    return seen[:, :2] / seen[:, 2:]


def test_a_folder_with_a_phone_s_picture_a_broken_one_and_a_dot(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    upright = estimator.standing(1)[0, :, estimator.ALONE_AT]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 26
    Image.fromarray(np.rot90(upright).copy()).save(folder / "phone.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes((folder / "phone.jpg").read_bytes()[:3000])
    Image.fromarray(upright[200:201, 100:101].copy()).save(folder / "dot.png")
    done = estimator.run(tmp_path / "at", folder, "-o", "out.npz")
    assert done.status == 0, done.err
    assert [path.name for path in done.outputs] == ["out-phone.npz"]
    told = done.lines[-1]["message"]
    assert "1 Motion files from 1 of 3 pictures. Fields of view: metadata 1." in told
    assert "broken.jpg can't be read as a picture" in told and "dot.png has 1 x 1 pixels" in told
    *steps, last = done.lines
    assert {(line["stage"], line["total"]) for line in steps} == {("pictures", 3)}
    assert (steps[0]["done"], steps[0]["message"], steps[-1]["done"]) == (0, "broken.jpg", 3)
    assert last["stage"] == "done"
    motion = Motion.load(done.outputs[0])
    assert len(motion) == 1 and motion.image_size.tolist() == [312, 540]
    focal = 26 / math.hypot(36, 24) * math.hypot(312, 540)
    assert motion.fov_source == "metadata"
    assert motion.camera_intrinsics[0, 0] == pytest.approx(focal)
    assert motion.joints[0, 15, 2] - motion.joints[0, [7, 8], 2].min() > 1.2  # upright, in metres


def test_what_was_wrong_is_told_once_with_the_pictures_names():
    errors = [
        ("a.jpg", NoPersonError("There is no person 2.")),
        ("b.jpg", VideoError("b.jpg is damaged.")),
        ("c.jpg", NoPersonError("There is no person 2.")),
    ]
    assert sentences([(Path(name), error) for name, error in errors]) == [
        "a.jpg, c.jpg: There is no person 2.",
        "b.jpg is damaged.",
    ]


def test_three_people_are_each_where_the_picture_shows_them(tmp_path):
    left, middle = estimator.walking(1)[0, :, :300], estimator.standing(1)[0, :, 300:662]
    picture = tmp_path / "three.png"
    Image.fromarray(np.concatenate([left, middle, left], axis=1)).save(picture)
    done = estimator.run(tmp_path / "at", picture, "--person", "all")
    assert done.status == 0, done.err
    assert "3 of 3 people seen in the picture." in done.lines[-1]["message"]
    people = [Motion.load(path) for path in done.outputs]
    assert [path.name for path in done.outputs] == [f"motion-{i}.npz" for i in (1, 2, 3)]
    ranges = sorted((in_view(person)[:, 0].min(), in_view(person)[:, 0].max()) for person in people)
    for (low, high), (first, last) in zip(ranges, ((80, 270), (400, 630), (740, 932)), strict=True):
        assert first < low < high < last


def test_a_person_half_outside_is_estimated_or_refused_in_a_sentence(tmp_path):
    picture = tmp_path / "half.jpg"
    Image.fromarray(estimator.standing(1)[0, :, 510:].copy()).save(picture)
    done = estimator.run(tmp_path / "at", picture)
    if done.status:
        assert done.err.count("\n") == 1 and "No person was found" in done.err
    else:
        assert np.abs(in_view(Motion.load(done.outputs[0]))[0, 0]) < 60  # the pelvis, at the edge
