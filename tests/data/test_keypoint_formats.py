"""Detectors' keypoints in Human3.6M's order, by the published rules."""

import numpy as np
import pytest

from regressor.data import keypoint_formats as formats
from tests.golden.fill import uniform
from tests.lifters.published import golden

_, ARRAYS = golden("keypoint_formats")
_, LIFTING = golden("lifting_data")
COCO = ARRAYS["coco17"]


def test_coco_becomes_human36m_as_in_the_demos():
    pixels = (1000 * uniform("world.coco", 170)).reshape(5, 17, 2).astype(np.float32)
    np.testing.assert_allclose(pixels, LIFTING["coco_pixels"])
    found = formats.coco_to_h36m(pixels)
    np.testing.assert_allclose(found, LIFTING["h36m_from_coco"], atol=1e-3)
    scores = formats.coco_to_h36m_scores(LIFTING["coco_scores"])
    np.testing.assert_allclose(scores, LIFTING["h36m_scores_from_coco"], atol=1e-6)
    np.testing.assert_allclose(
        formats.coco_to_h36m(COCO[..., :2]), ARRAYS["hot_from_coco17"], atol=1e-3
    )
    np.testing.assert_allclose(
        formats.coco_to_h36m_scores(COCO[..., 2]), ARRAYS["hot_scores"], atol=1e-6
    )
    second = formats.coco_to_h36m(COCO[..., :2], spine=0.3)
    np.testing.assert_allclose(second, ARRAYS["hot_alternative_from_coco17"], atol=1e-3)


def test_doubted_ankles_go_up_the_leg():
    snapped = formats.snap_unsure_legs(ARRAYS["hot_from_coco17"], ARRAYS["hot_scores"])
    np.testing.assert_allclose(snapped, ARRAYS["hot_revised"], atol=1e-3)
    points, scores = np.arange(34.0).reshape(17, 2), np.ones(17)
    scores[[2, 3]] = 0.1
    snapped = formats.snap_unsure_legs(points, scores)
    assert (snapped[2] == points[1]).all() and (snapped[3] == points[1]).all()
    assert (snapped[4:] == points[4:]).all()


@pytest.mark.parametrize("layout", ["halpe26", "coco17", "posetrack17"])
def test_motionbert_s_layouts(layout):
    found = formats.to_motionbert(ARRAYS[layout], layout)
    np.testing.assert_allclose(found, ARRAYS[f"motionbert_from_{layout}"], atol=1e-4)


def test_motionbert_s_normalisations():
    keypoints = ARRAYS["motionbert_from_halpe26"]
    box = formats.normalise_box(keypoints)
    np.testing.assert_allclose(box, ARRAYS["motionbert_crop_scale_ratio1"], atol=1e-5)
    pixels = formats.normalise_pixels(keypoints, 640, 480)
    np.testing.assert_allclose(pixels, ARRAYS["motionbert_pixel_640x480"], atol=1e-5)


def test_what_is_not_seen_does_not_count_for_the_box():
    keypoints = np.array([[[0, 0, 1], [4, 2, 1], [1, 1, 1], [2, 1, 1], [900, 900, 0]]], np.float32)
    box = formats.normalise_box(keypoints)
    np.testing.assert_allclose(box[0, :2, :2], [[-1, -0.5], [1, 0.5]])
    assert box.max() == 1  # what lies outside is clipped
    assert not formats.normalise_box(keypoints[:, 2:]).any()


def test_other_layouts_become_human36m_s_too():
    mpii = np.arange(16.0)[None, :, None].repeat(3, -1).astype(np.float32)
    found = formats.to_h36m(mpii, "mpii16")
    assert found[0, :, 0].tolist() == [6, 2, 1, 0, 3, 4, 5, 6.5, 7, 8, 9, 13, 14, 15, 12, 11, 10]
    assert found[0, 7, 2] == 6  # the lesser confidence
    assert formats.to_h36m(mpii[..., :2], "mpii16").shape == (1, 17, 2)
    coco = formats.to_h36m(COCO, "coco17")
    np.testing.assert_allclose(coco[..., :2], ARRAYS["hot_from_coco17"], atol=1e-3)
    np.testing.assert_allclose(coco[..., 2], ARRAYS["hot_scores"], atol=1e-6)
    assert formats.to_h36m(COCO[..., :2], "coco17").shape == (4, 17, 2)
