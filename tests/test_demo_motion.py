"""The demo's authored motion, without Blender: it is the one in the repository's ground truth."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from regressor.motion import Motion
from regressor.smpl.body import DEFAULT_BODY, read_arrays

TRUTH = Motion.load(Path(__file__).resolve().parents[1] / "demo" / "demo_truth.npz")


@dataclass
class Data:
    """What the motion needs of a body, as the add-on's BodyData has it."""

    template: np.ndarray
    shapedirs: np.ndarray
    regressor: np.ndarray
    parents: np.ndarray

    def rest_joints(self, betas):
        return self.regressor @ (self.template + self.shapedirs @ betas)


@pytest.fixture(scope="module")
def data() -> Data:
    arrays = read_arrays(DEFAULT_BODY)
    fields = (arrays[name].astype(float) for name in ("v_template", "shapedirs", "J_regressor"))
    return Data(*fields, arrays["kintree_table"][0].astype(np.int64))


def test_the_authored_motion_is_the_shipped_truth(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "bpy", None)  # must do without it
    from scripts.demo.curves import joint_places, world_rotations
    from scripts.demo.motion import author
    from scripts.demo.stage import BETAS, to_world

    local, pelvis, planted = author(data)  # type: ignore[arg-type]
    turned = world_rotations(local, data.parents)
    places = joint_places(turned, pelvis, data.rest_joints(BETAS), data.parents)
    np.testing.assert_allclose(to_world(places), TRUTH.joints, atol=2e-4)
    np.testing.assert_array_equal(planted, TRUTH.contacts)
