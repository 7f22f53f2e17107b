"""The bodies that truth and predictions are of, and the joints that both are judged by."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import roma
import torch

from regressor.errors import PosecastError
from regressor.images.joints import H36M_TO_J14
from regressor.smpl.body import Body, chain, load_body
from regressor.smpl.genders import REGRESSOR, body_file, h36m_regressor
from regressor.smpl.landmarks import landmark_regressor

Gender = Literal["neutral", "male", "female"]
# The legs of Human3.6M's joints stand the other way round in SPIN's regressor.
_TO_SPIN17 = (0, 4, 5, 6, 1, 2, 3, *range(7, 17))


@dataclass
class Posed:
    """A body in M frames, in the camera's axes, its translation zero.

    vertices (M, V, 3) and joints (M, 24, 3) m; joints17 (M, 17, 3) m in the order of SPIN's
    Human3.6M regressor; turned (M, 24, 3, 3) global rotations.
    """

    vertices: np.ndarray
    joints: np.ndarray
    joints17: np.ndarray
    turned: np.ndarray

    @property
    def joints14(self) -> np.ndarray:
        """(M, 14, 3) m from the pelvis: the joints of the literature's protocol."""
        return (self.joints17 - self.joints17[:, :1])[:, H36M_TO_J14]


@dataclass
class Bodies:
    """Bodies by gender: SMPL's from the user's folder, or the default body for all.

    smpl: a folder with SMPL's files and SPIN's J_regressor_h36m.npy; None for the default body.
    """

    smpl: Path | None = None
    _loaded: dict[str, Body] = field(default_factory=dict)
    _regressors: dict[int, np.ndarray] = field(default_factory=dict)

    def get(self, gender: str, default: bool = False) -> Body:
        """The body of a gender; the default body if asked for it, or where there is no folder."""
        key = "default" if default or self.smpl is None else gender
        if key not in self._loaded:
            file = None if default or self.smpl is None else body_file(self.smpl, gender)
            self._loaded[key] = load_body(file, gender if file else "neutral")
        return self._loaded[key]

    def regressor(self, body: Body) -> np.ndarray:
        """(17, V) from vertices to Human3.6M's joints, in SPIN's order.

        SPIN's own for SMPL; the default body brings one. Raises PosecastError where it is missing.
        """
        count = len(body.v_template)
        if count not in self._regressors:
            self._regressors[count] = self._read_regressor(body)
        return self._regressors[count]

    def _read_regressor(self, body: Body) -> np.ndarray:
        if body.name == "default":
            return landmark_regressor(body.arrays, "h36m17")[list(_TO_SPIN17)].astype(np.float64)
        assert self.smpl is not None
        found = h36m_regressor(self.smpl, len(body.v_template))
        if found is None:
            raise PosecastError(
                f"{self.smpl} has no {REGRESSOR}: the protocol's 14 joints are made by it, so put "
                "SPIN's there."
            )
        return found

    @torch.no_grad()
    def posed(self, body: Body, rotations: np.ndarray, betas: np.ndarray) -> Posed:
        """rotations (M, 24, 3, 3), the first in the camera's axes; betas (M, 10)."""
        local = torch.as_tensor(rotations, dtype=torch.float32)
        shapes = torch.as_tensor(betas, dtype=torch.float32)
        vectors = roma.rotmat_to_rotvec(local).flatten(1)
        out = body(betas=shapes, global_orient=vectors[:, :3], body_pose=vectors[:, 3:])
        assert out.vertices is not None
        vertices, joints = out.vertices.numpy(), out.joints.double().numpy()
        exact = torch.as_tensor(rotations, dtype=torch.float64)
        turned, _ = chain(exact, torch.zeros(24, 3, dtype=torch.float64))
        return Posed(vertices, joints, self.regressor(body) @ vertices, turned.numpy())
