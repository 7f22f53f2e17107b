"""Pictures of bodies over images."""

import torch

from rendering import overlay
from rendering.labels import PALETTE

from .bodies import FACES, before_camera, camera, turned


def test_the_body_is_drawn_where_it_is_and_nowhere_else():
    image = torch.full((1, 3, 112, 112), 0.5)
    vertices = before_camera(turned(0, 0))
    picture, cover = overlay.shaded(vertices, FACES, camera(112), (112, 112))
    drawn = overlay.over(image, picture, cover)
    outside = cover[0, 0] == 0
    assert outside.any() and (drawn[0, :, outside] == 0.5).all()
    inside = cover[0, 0] > 0.99
    assert (drawn[0, 2, inside] > drawn[0, 0, inside]).all()  # the colour it is given, in shades
    assert drawn[0, 0, inside].std() > 0.03


def test_a_strip_has_the_image_and_the_whole_body_from_its_side():
    image = torch.rand(1, 3, 112, 112)
    vertices = before_camera(turned(0, 0)) + torch.tensor([1.0, 1.0, 0.0])  # half out of sight
    labels = torch.full((1, 112, 112), 9, dtype=torch.uint8)
    strip = overlay.strip(image, vertices, FACES, camera(112), labels=labels)
    assert strip.shape == (1, 3, 112, 448)
    assert torch.equal(strip[..., :112], image)
    side = strip[0, :, :, 224:336].mean(0) < 0.99
    rows, columns = side.any(1).nonzero(), side.any(0).nonzero()
    assert 95 < rows.max() - rows.min() + 1 <= 102 and columns.min() > 5 and columns.max() < 106
    colours = overlay.to_bytes(strip[..., 336:]).flatten(0, 2).unique(dim=0).tolist()
    assert colours == [PALETTE[9].tolist(), [255, 255, 255]]  # the outline is white


def test_a_body_that_is_no_number_leaves_the_image():
    image = torch.rand(2, 3, 56, 56)
    vertices = before_camera(turned(0, 0)).repeat(2, 1, 1)
    vertices[1] = torch.nan
    strip = overlay.strip(image, vertices, FACES, camera(56))
    assert torch.equal(strip[1, ..., 56:112], image[1])
    assert not torch.equal(strip[0, ..., 56:112], image[0])


def test_the_outline_is_a_closed_line():
    cover = torch.zeros(1, 20, 20)
    cover[:, 5:15, 5:15] = 1
    drawn = overlay.outlined(torch.zeros(1, 3, 20, 20), cover, (1, 1, 1))[0, 0]
    assert drawn[10, 4] == drawn[10, 5] == 1 and not drawn[10, 6:14].any() and not drawn[:4].any()


def test_labels_in_their_colours():
    labels = torch.tensor([[[5, 255]]], dtype=torch.uint8)
    picture = overlay.to_bytes(overlay.label_picture(labels))
    assert picture[0, 0].tolist() == [PALETTE[5].tolist(), [0, 0, 0]]
