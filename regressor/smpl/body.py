"""The body model: the default body on skinning of our own, a user's SMPL file on smplx.

Both answer one call, smplx's:

    body = load_body()
    out = body(betas=betas, global_orient=global_orient, body_pose=body_pose, transl=transl)
    out.vertices, out.joints

Skinning follows Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (2015), equations 2 to
10.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import roma
import torch
from torch import nn

from regressor import skeletons
from regressor.errors import FileFormatError, PosecastError

DEFAULT_BODY = Path(__file__).parent / "data" / "default_body.npz"
FIELDS = ("v_template", "f", "shapedirs", "J_regressor", "weights", "kintree_table")
GENDERS = ("neutral", "male", "female")


@dataclass
class BodyOutput:
    """vertices (B, V, 3), or None where not asked for, and joints (B, 24, 3), in metres."""

    vertices: torch.Tensor | None
    joints: torch.Tensor


def chain(rotations: torch.Tensor, joints: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward kinematics of SMPL's tree.

    rotations (..., 24, 3, 3) relative to the parent, joints (..., 24, 3) at rest, in metres.
    Returns the world rotations (..., 24, 3, 3) and posed joints (..., 24, 3).
    """
    joints = joints.expand(*rotations.shape[:-3], 24, 3)
    turned, placed = [rotations[..., 0, :, :]], [joints[..., 0, :]]
    for i, parent in enumerate(skeletons.SMPL24_PARENTS[1:], start=1):
        offset = (joints[..., i, :] - joints[..., parent, :])[..., None]
        placed.append(placed[parent] + (turned[parent] @ offset)[..., 0])
        turned.append(turned[parent] @ rotations[..., i, :, :])
    return torch.stack(turned, -3), torch.stack(placed, -2)


def local_rotations(world: torch.Tensor) -> torch.Tensor:
    """World rotations (..., 24, 3, 3) to those relative to each joint's parent."""
    parents = list(skeletons.SMPL24_PARENTS[1:])
    relative = world[..., parents, :, :].transpose(-1, -2) @ world[..., 1:, :, :]
    return torch.cat([world[..., :1, :, :], relative], dim=-3)


class Body(nn.Module):
    """A body in SMPL's format on plain linear blend skinning.

    arrays: SMPL's fields: v_template (V, 3), f (F, 3), shapedirs (V, 3, 10 or more),
        posedirs (V, 3, 207) or none, J_regressor (24, V), weights (V, 24).
    """

    def __init__(
        self, arrays: dict[str, np.ndarray], name: str = "default", gender: str = "neutral"
    ):
        super().__init__()
        self.name, self.gender = name, gender
        self.faces = np.asarray(arrays["f"], np.int64)
        self.arrays = arrays
        self.v_template: torch.Tensor
        self.shapedirs: torch.Tensor
        self.J_regressor: torch.Tensor
        self.weights: torch.Tensor
        for field in ("v_template", "J_regressor", "weights"):
            self._constant(field, arrays[field])
        self._constant("shapedirs", arrays["shapedirs"][:, :, :10])
        posedirs = arrays.get("posedirs")
        self.posedirs: torch.Tensor | None
        self._constant("posedirs", posedirs if posedirs is not None and posedirs.any() else None)
        # Joints are linear in the betas, so that posing a skeleton needs no mesh.
        self.rest_joints: torch.Tensor
        self.joint_shapedirs: torch.Tensor
        self._constant("rest_joints", self.J_regressor @ self.v_template)
        self._constant(
            "joint_shapedirs", torch.einsum("jv,vck->jck", self.J_regressor, self.shapedirs)
        )

    def _constant(self, name: str, array: np.ndarray | torch.Tensor | None) -> None:
        tensor = None if array is None else torch.as_tensor(np.asarray(array, np.float32))
        self.register_buffer(name, tensor, persistent=False)

    def joints_at_rest(self, betas: torch.Tensor) -> torch.Tensor:
        """betas (..., 10) to joints (..., 24, 3), metres."""
        return self.rest_joints + torch.einsum("...k,jck->...jc", betas, self.joint_shapedirs)

    def forward(
        self,
        betas: torch.Tensor,
        global_orient: torch.Tensor,
        body_pose: torch.Tensor,
        transl: torch.Tensor | None = None,
        return_verts: bool = True,
    ) -> BodyOutput:
        """betas (B, 10), global_orient (B, 3), body_pose (B, 69) in axis-angle, transl (B, 3)."""
        pose = torch.cat([global_orient, body_pose], dim=-1).unflatten(-1, (24, 3))
        rotations = roma.rotvec_to_rotmat(pose)
        rest = self.joints_at_rest(betas)
        turned, joints = chain(rotations, rest)
        moved = torch.zeros_like(joints[:, 0]) if transl is None else transl
        vertices = None
        if return_verts:
            shaped = self.v_template + torch.einsum("bk,vck->bvc", betas, self.shapedirs)
            if self.posedirs is not None:
                bent = (rotations[:, 1:] - torch.eye(3, device=pose.device)).flatten(1)
                shaped = shaped + torch.einsum("bp,vcp->bvc", bent, self.posedirs)
            vertices = skin(self.weights, turned, joints, rest, shaped) + moved[:, None]
        return BodyOutput(vertices, joints + moved[:, None])


def skin(
    weights: torch.Tensor,
    turned: torch.Tensor,
    joints: torch.Tensor,
    rest: torch.Tensor,
    shaped: torch.Tensor,
) -> torch.Tensor:
    """Linear blend skinning: shaped vertices (B, V, 3) to posed ones.

    weights (V, 24), turned (B, 24, 3, 3) world rotations, joints and rest (B, 24, 3).
    """
    offsets = joints - (turned @ rest[..., None])[..., 0]
    transforms = torch.cat([turned, offsets[..., None]], dim=-1)  # (B, 24, 3, 4)
    blended = (weights @ transforms.flatten(2)).unflatten(2, (3, 4))
    return (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """A body file's arrays, checked. .npz without pickles, .pkl by the restricted unpickler.

    Raises FileFormatError when the file is no body, or holds what no body file needs.
    """
    if not file.is_file():
        raise FileFormatError(f"There is no body file {file}.")
    if file.suffix == ".pkl":
        from regressor.safe_pickle import load_pickle

        loaded: Any = load_pickle(file)
    else:
        try:
            with np.load(file, allow_pickle=False) as stored:
                loaded = {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error) as error:
            raise FileFormatError(
                f"{file} can't be read as a body (.npz without pickles, or SMPL's .pkl)."
            ) from error
    missing = [field for field in FIELDS if not isinstance(loaded, dict) or field not in loaded]
    if missing:
        raise FileFormatError(f"{file} is not an SMPL body: it has no {', '.join(missing)}.")
    arrays = {key: dense(value) for key, value in loaded.items()}
    count = len(arrays["v_template"])
    if arrays["J_regressor"].shape != (24, count) or arrays["weights"].shape != (count, 24):
        raise FileFormatError(
            f"{file} is not an SMPL body with 24 joints (SMPL-X and SMPL-H aren't)."
        )
    return arrays


def dense(value: Any) -> np.ndarray:
    """A plain array from what SMPL's files hold: sparse matrices and chumpy's stand-ins too."""
    value = getattr(value, "x", value)  # the stand-in for chumpy's arrays keeps its values there
    value = value.toarray() if hasattr(value, "toarray") else np.asarray(value)
    return value.astype(np.float32) if value.dtype.kind == "f" else value


class SmplxBody(Body):
    """A user's SMPL file run by smplx (an extra: its licence is non-commercial)."""

    def __init__(self, arrays: dict[str, np.ndarray], name: str, gender: str):
        super().__init__(arrays, name, gender)
        try:
            import smplx
            from smplx.utils import Struct
        except ImportError as error:
            raise PosecastError(
                "SMPL files are run by smplx, which isn't installed: pip install 'posecast[smpl]' "
                "(its licence is non-commercial)."
            ) from error
        fields = {key: arrays[key] for key in (*FIELDS, "posedirs") if key in arrays}
        fields["shapedirs"] = fields["shapedirs"][:, :, :10]
        self.model = smplx.SMPL(name, data_struct=Struct(**fields), gender=gender, batch_size=1)

    def forward(
        self, betas, global_orient, body_pose, transl=None, return_verts=True
    ) -> BodyOutput:
        out = self.model(
            betas=betas,
            global_orient=global_orient,
            body_pose=body_pose,
            transl=torch.zeros_like(global_orient) if transl is None else transl,
            return_verts=return_verts,
        )
        return BodyOutput(out.vertices if return_verts else None, out.joints[:, :24])


def load_body(file: str | Path | None = None, gender: str = "neutral") -> Body:
    """The default body, or the SMPL file that a user names (.npz or .pkl).

    gender: "neutral", "male" or "female"; it names what the file is, no more.
    Raises FileFormatError for a file that is no SMPL body, PosecastError where smplx is missing.
    """
    if gender not in GENDERS:
        raise PosecastError(f"The gender of a body is one of {', '.join(GENDERS)}, not {gender!r}.")
    if file is None:
        return Body(read_arrays(DEFAULT_BODY))
    file = Path(file)
    arrays = read_arrays(file)
    if "part_names" in arrays:  # a copy of the default body, or another of this house's making
        return Body(arrays, name=file.name)
    return SmplxBody(arrays, name=file.name, gender=gender)
