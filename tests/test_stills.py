"""Pictures: upright by their EXIF, with their camera, or refused in one sentence."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from regressor import stills
from regressor.cameras import camera_of
from regressor.errors import VideoError
from regressor.stills import Still, is_still, names_of, open_source, pictures_in

BASE = ExifTags.Base
PHONE = {BASE.FocalLengthIn35mmFilm: 26}
FILM_DIAGONAL = math.hypot(36, 24)


def photo(path, width=160, height=120, orientation=None, tags=None):
    """A grey picture whose stored top left corner is white; its EXIF as given."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 4, : width // 4] = 255
    exif = Image.Exif()
    if orientation:
        exif[BASE.Orientation] = orientation
    for tag, value in (tags or {}).items():
        exif.get_ifd(ExifTags.IFD.Exif)[tag] = value
    Image.fromarray(image).save(path, exif=exif)
    return path


def bright_corner(image):
    """The corner (below, right) that is white."""
    height, width = image.shape[:2]
    white = np.argwhere(image[..., 0] > 200).mean(axis=0)
    return bool(white[0] > height / 2), bool(white[1] > width / 2)


@pytest.mark.parametrize(
    ("orientation", "corner", "turned"),
    [
        (None, (False, False), False),
        (1, (False, False), False),
        (2, (False, True), False),
        (3, (True, True), False),
        (6, (False, True), True),  # a phone held upright: the stored left is the top
        (8, (True, False), True),
    ],
)
def test_every_way_of_holding_the_camera(tmp_path, orientation, corner, turned):
    still = Still(photo(tmp_path / "a.jpg", orientation=orientation, tags=PHONE))
    (frame,) = still.frames()
    assert frame.image.shape == ((160, 120, 3) if turned else (120, 160, 3))
    assert frame.image.flags.c_contiguous and frame.image.dtype == np.uint8
    assert bright_corner(frame.image) == corner
    assert (still.info.width, still.info.height) == ((120, 160) if turned else (160, 120))
    # The lens is the same however it is held, so its focal length in pixels is.
    camera = camera_of(None, still.info)
    assert camera.source == "metadata"
    assert camera.intrinsics[0, 0] == pytest.approx(26 / FILM_DIAGONAL * 200)
    middle = [60, 80] if turned else [80, 60]
    assert camera.intrinsics[:2, 2].tolist() == middle


def test_36_millimetres_lie_along_the_longer_side_of_film_s_own_shape(tmp_path):
    still = Still(photo(tmp_path / "a.jpg", 144, 96, tags={BASE.FocalLengthIn35mmFilm: 50}))
    assert camera_of(None, still.info).intrinsics[0, 0] == pytest.approx(50 / 36 * 144)


def test_the_sensor_s_resolution_where_film_is_not_spoken_of(tmp_path):
    tags = {
        BASE.FocalLength: TiffImagePlugin.IFDRational(5),
        BASE.FocalPlaneXResolution: TiffImagePlugin.IFDRational(40),
        BASE.FocalPlaneResolutionUnit: 4,  # a millimetre
        BASE.ExifImageWidth: 320,  # the picture was made half as large since
    }
    still = Still(photo(tmp_path / "a.jpg", tags=tags))
    assert camera_of(None, still.info).intrinsics[0, 0] == pytest.approx(5 * 40 / 2)
    assert camera_of(40.0, still.info).source == "given"


def test_the_sensor_s_width_is_the_longer_side_of_a_picture_that_was_turned_since(tmp_path):
    """Pillow turns TIFFs as it reads them; other programs turn a picture and keep its EXIF."""
    tags = {
        BASE.FocalLength: TiffImagePlugin.IFDRational(5),
        BASE.FocalPlaneXResolution: TiffImagePlugin.IFDRational(40),
        BASE.FocalPlaneResolutionUnit: 4,
        BASE.ExifImageWidth: 320,
        BASE.ExifImageHeight: 240,
    }
    still = Still(photo(tmp_path / "a.jpg", 120, 160, tags=tags))
    assert camera_of(None, still.info).intrinsics[0, 0] == pytest.approx(5 * 40 / 2)


def test_a_part_of_what_was_taken_has_no_known_camera(tmp_path):
    taken = PHONE | {BASE.ExifImageWidth: 4000, BASE.ExifImageHeight: 3000}
    assert Still(photo(tmp_path / "small.jpg", 161, 120, tags=taken)).info.fov_deg
    assert Still(photo(tmp_path / "turned.jpg", 120, 160, tags=taken)).info.fov_deg
    assert Still(photo(tmp_path / "cut.jpg", 120, 120, tags=taken)).info.fov_deg is None


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {BASE.FocalLengthIn35mmFilm: 0},
        {BASE.FocalLengthIn35mmFilm: 60000},
        {BASE.FocalLength: TiffImagePlugin.IFDRational(0, 0)},
        {BASE.FocalLength: TiffImagePlugin.IFDRational(5), BASE.FocalPlaneResolutionUnit: 9},
    ],
)
def test_a_camera_that_is_not_told_is_assumed(tmp_path, tags):
    still = Still(photo(tmp_path / "a.jpg", tags=tags))
    assert still.info.fov_deg is None
    assert camera_of(None, still.info).source == "assumed"


def test_exif_that_is_damaged_is_no_reason_to_refuse(tmp_path):
    path = photo(tmp_path / "a.jpg", orientation=6, tags=PHONE)
    data = bytearray(path.read_bytes())
    at = data.index(b"Exif\0\0") + 6
    data[at + 4 : at + 8] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(bytes(data))
    assert Still(path).info.fov_deg is None


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_every_kind_of_pixel_becomes_colours(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (80, 70)).save(path)
    assert is_still(path)
    (frame,) = Still(path).frames()
    assert frame.image.shape == (70, 80, 3)


@pytest.mark.parametrize(("kind", "most"), [("<u2", 65535), ("<u2", 4095), ("f4", 1), ("i4", 9e6)])
def test_grey_of_more_bits_is_not_cut_off(tmp_path, kind, most):
    path, ramp = tmp_path / "a.tif", np.tile(np.linspace(0, most, 80), (70, 1)).astype(kind)
    Image.fromarray(ramp).save(path)
    (frame,) = Still(path).frames()
    assert frame.image.shape == (70, 80, 3)
    assert np.abs(frame.image[..., 1] - np.linspace(0, 255, 80)).max() <= 1


def test_a_picture_is_told_by_its_bytes(tmp_path):
    wrong_name = photo(tmp_path / "a.jpg").rename(tmp_path / "film.mp4")
    assert is_still(wrong_name) and isinstance(open_source(wrong_name), Still)
    text = tmp_path / "words.jpg"
    text.write_text("no picture")
    assert not is_still(text) and not is_still(tmp_path / "missing.jpg")
    with pytest.raises(VideoError, match=r"words\.jpg can't be read as a picture"):
        open_source(text)
    with pytest.raises(VideoError, match=r"missing\.jpg doesn't exist"):
        open_source(tmp_path / "missing.jpg")


def test_what_a_picture_can_not_do(tmp_path, monkeypatch):
    still = Still(photo(tmp_path / "a.jpg"))
    with pytest.raises(VideoError, match="is a picture: leave out --start"):
        still.frames(start=1.0)
    for size in ((1, 1), (63, 200), (70, 2000)):
        Image.new("RGB", size).save(tmp_path / "small.png")
        with pytest.raises(VideoError, match=r"small\.png has .* too few or too narrow"):
            open_source(tmp_path / "small.png")
    cut = tmp_path / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(VideoError, match=r"^cut\.jpg can't be read as a picture: it is damaged"):
        open_source(cut)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(VideoError, match="too many pixels"):
        open_source(tmp_path / "a.jpg")


def test_heic_is_refused_where_nothing_reads_it(tmp_path, monkeypatch):
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(struct.pack(">I4s4sI", 24, b"ftyp", b"heic", 0) + b"mif1heic" + bytes(100))
    monkeypatch.setattr(stills.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(VideoError, match=r"HEIC picture, .* pip install pillow-heif, or save it"):
        open_source(path)


def test_heic_is_read_where_pillow_heif_is(tmp_path):
    """Its own turn, which the reader heeds, counts there, and not EXIF's (ISO 23008-12)."""
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    still = open_source(photo(tmp_path / "IMG_0002.HEIC", orientation=6, tags=PHONE))
    (frame,) = still.frames()
    assert frame.image.shape == (120, 160, 3) and bright_corner(frame.image) == (False, False)
    camera = camera_of(None, still.info)
    assert camera.source == "metadata"
    assert camera.intrinsics[0, 0] == pytest.approx(26 / FILM_DIAGONAL * 200)


@pytest.mark.parametrize(
    ("pictures", "names"),
    [
        ("b.jpg a.b.png", "b a.b"),
        ("a.jpg a.png a-jpg.png", "a-jpg a-png a-jpg-png"),
        ("photo-1.jpg photo.jpg", "photo-1-jpg photo"),  # photo-1 is the first person of photo
        ("a.jpg a.png a-jpg-3.png", "a-jpg a-png a-jpg-3-png"),
    ],
)
def test_what_is_made_of_each_picture_has_a_name_of_its_own(pictures, names):
    assert names_of([Path(picture) for picture in pictures.split()]) == names.split()


def test_folders_are_read_in_the_order_of_names(tmp_path):
    for name in ("b.PNG", "a.jpg"):
        photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "._a.jpg").write_bytes(b"what a Mac keeps beside a file")
    (tmp_path / "more.jpg").mkdir()
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jpg", "b.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoError, match="is a folder without pictures"):
        pictures_in(tmp_path / "empty")
