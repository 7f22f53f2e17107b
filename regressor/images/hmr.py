"""HMR's network as SPIN and DSR use it: a ResNet and iterative error feedback to SMPL.

Kanazawa et al., "End-to-end Recovery of Human Shape and Pose" (2018), section 3.2; Kolotouros et
al., "Learning to Reconstruct 3D Human Pose and Shape via Model-fitting in the Loop" (SPIN, 2019);
Dwivedi et al., "Learning to Regress Bodies from Images using Differentiable Semantic Rendering"
(DSR, 2021), which keeps the network. With SPIN's parameters it gives SPIN's numbers, under SPIN's
names.

What the code of both does and the papers don't say: there is no non-linearity between the layers of
the head, and only the last of the estimates is supervised.
"""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import roma
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import FileFormatError
from regressor.images.crops import to_side
from regressor.images.resnet import ResNet
from rendering.perspective import encoding

ITERATIONS = 3
# The mean parameters with which an estimate starts: shape in the file, name of the buffer.
MEAN_PARAMETERS = {"pose": 144, "shape": 10, "cam": 3}


class HmrOutput(NamedTuple):
    """SMPL as the network sees it in a crop.

    rotmat (B, 24, 3, 3): rotations relative to the parent, the first in the camera's axes (x right,
    y down, z forward); betas (B, 10); cam (B, 3): weak perspective (s, tx, ty), which
    `rendering.cameras` turns into a translation.
    """

    rotmat: Tensor
    betas: Tensor
    cam: Tensor


def rot6d_to_rotmat(x: Tensor) -> Tensor:
    """(..., 6) to rotations (..., 3, 3), in SPIN's and DSR's layout.

    The six numbers are a 3x2 matrix row by row, whose columns become the first two columns of the
    rotation (Zhou et al. 2019, equation 5). PyTorch3D's six numbers are two rows instead.
    """
    columns = x.unflatten(-1, (3, 2))
    return roma.special_gramschmidt(columns, epsilon=1e-12)  # pyright: ignore[reportArgumentType]


def rotmat_to_rot6d(rotations: Tensor) -> Tensor:
    """The way back: (..., 3, 3) to (..., 6)."""
    return rotations[..., :2].flatten(-2)


class HMR(ResNet):
    """Crops (B, 3, H, W), normalised as `crops.normalize` does, to HmrOutput.

    depth: of the ResNet (50 as published; 18 and 34 are smaller); hidden: width of the head;
    pixels: the side to which crops of another size are brought first (as published, they are taken
    as they come: 224 x 224, or averaged over as many places as there are).

    Two ideas of PersPose (ICCV 2025; `rendering.perspective`), not of HMR: `encoding` shows it the
    crops' cameras, as two more channels of the picture, the rays through its pixels; `rotation`
    says that its crops are cut by a camera that is turned to the person, in whose axes it answers.
    """

    def __init__(
        self,
        depth: int = 50,
        hidden: int = 1024,
        dropout: float = 0.5,
        pixels: int | None = None,
        encoding: bool = False,
        rotation: bool = False,
    ):
        super().__init__(depth, channels=5 if encoding else 3)
        self.pixels, self.encoding, self.rotation = pixels, encoding, rotation
        self.sees_camera, self.by_camera = encoding, encoding or rotation  # crops cut exactly
        self.fc1 = nn.Linear(self.width + sum(MEAN_PARAMETERS.values()), hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop1, self.drop2 = nn.Dropout(dropout), nn.Dropout(dropout)
        self.decpose = nn.Linear(hidden, MEAN_PARAMETERS["pose"])
        self.decshape = nn.Linear(hidden, MEAN_PARAMETERS["shape"])
        self.deccam = nn.Linear(hidden, MEAN_PARAMETERS["cam"])
        for layer in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
        self.init_pose: Tensor
        self.init_shape: Tensor
        self.init_cam: Tensor
        for name, value in standing().items():
            self.register_buffer(f"init_{name}", value[None])

    def forward(
        self, images: Tensor, intrinsics: Tensor | None = None, known: Tensor | None = None
    ) -> HmrOutput:
        """intrinsics (B, 3, 3): of the crops, px, for `encoding`; known (B,): where they are known.

        Where they aren't, the encoding is zero.
        """
        given = images.shape[-1]
        images = to_side(images, self.pixels)
        if self.encoding:
            images = torch.cat([images, rays_of(images, given, intrinsics, known)], dim=1)
        return self.regress(self.features(images))

    def regress(self, features: Tensor, iterations: int = ITERATIONS) -> HmrOutput:
        """Features (B, width) to the estimate after so many rounds of error feedback."""
        count = len(features)
        pose = self.init_pose.expand(count, -1)
        shape = self.init_shape.expand(count, -1)
        cam = self.init_cam.expand(count, -1)
        for _ in range(iterations):
            x = self.drop1(self.fc1(torch.cat([features, pose, shape, cam], dim=1)))
            x = self.drop2(self.fc2(x))
            pose = pose + self.decpose(x)
            shape = shape + self.decshape(x)
            cam = cam + self.deccam(x)
        # In half precision the columns would not be of length one.
        rotmat = rot6d_to_rotmat(pose.float().unflatten(1, (24, 6)))
        return HmrOutput(rotmat, shape.float(), cam.float())

    def published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A published file's parameters by SPIN's names.

        DSR's Lightning files hold the network as `model.backbone.` and `model.head.`, beside other
        parts of the training, which are left out.
        """
        if any(name.startswith("model.") for name in state):
            state = {name: value for name, value in state.items() if name.startswith("model.")}
        found = {_plain(name): value for name, value in state.items()}
        first = found.get("conv1.weight")
        if self.encoding and first is not None and first.shape[1] == 3:
            # Of a network that is shown no cameras: this one begins by not heeding them.
            found["conv1.weight"] = F.pad(first, (0, 0, 0, 0, 0, 2))
        return found


def rays_of(
    features: Tensor, given: int, intrinsics: Tensor | None, known: Tensor | None
) -> Tensor:
    """The encoding (B, 2, S, S) of crops that had `given` px a side, for features (B, C, S, S).

    Zero where the cameras aren't known (see `HMR.forward`).
    """
    if intrinsics is None:
        return torch.zeros_like(features[:, :2])
    rays = encoding(intrinsics.float(), features.shape[-1], given).to(features)
    return rays if known is None else rays * known.to(rays)[:, None, None, None]


def answer(
    network: nn.Module, batch: Mapping[str, Tensor], ask: Callable[..., Any] | None = None
) -> Any:
    """What an image network says of samples: of their `image`, and camera where it sees that.

    Keypoints that are `given` go along where it takes them (`located`). ask: another method of the
    network than its forward.
    """
    seen, more = [batch["image"]], {}
    if getattr(network, "sees_camera", False):
        seen += [batch["intrinsics"], batch.get("has_camera")]
    if getattr(network, "takes_keypoints", False):
        more["given"] = batch.get("given")
    return (ask or network)(*seen, **more)


def _plain(name: str) -> str:
    for prefix in ("model.", "backbone.", "head."):
        name = name.replace(prefix, "")
    return name


def standing() -> dict[str, Tensor]:
    """Where an estimate starts when no file says: at rest, upright before the camera.

    pose (144,), shape (10,), cam (3,).
    """
    pose = torch.eye(3).repeat(24, 1, 1)
    pose[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # SMPL's y points up, the camera's down
    return {
        "pose": rotmat_to_rot6d(pose).flatten(),
        "shape": torch.zeros(10),
        "cam": torch.tensor([0.9, 0.0, 0.0]),
    }


def read_mean_parameters(file: str | Path) -> dict[str, Tensor]:
    """SPIN's `smpl_mean_params.npz` as the buffers init_pose, init_shape, init_cam (1, N).

    Raises FileFormatError for another file.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name].reshape(1, -1) for name in MEAN_PARAMETERS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise FileFormatError(
            f"{file} can't be read as mean parameters: give SPIN's smpl_mean_params.npz."
        ) from error
    for name, size in MEAN_PARAMETERS.items():
        if found[name].shape[1] != size:
            raise FileFormatError(
                f"{file} holds no mean parameters: {name} has {found[name].size} numbers instead "
                f"of {size}."
            )
    return {f"init_{name}": torch.as_tensor(np.float32(found[name])) for name in found}


def options_of(state: Mapping[str, Any]) -> dict[str, int]:
    """The options of a published network, by the names and shapes in its file."""
    names = {_plain(name): name for name in state}
    bottleneck = "layer1.0.conv3.weight" in names
    depth = 50 if bottleneck else 34 if "layer1.2.conv1.weight" in names else 18
    return {"depth": depth, "hidden": state[names["fc1.weight"]].shape[0]}
