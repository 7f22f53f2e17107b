"""Data sets as PersPose's authors prepared them (`data.perspose`), for its training.

All is as their files tell it, cameras too. Theirs and ours differ in two things:

* The crop holds the file's box. The authors' holds every projected vertex, visible or not, in
  training and in tests; their boxes end where the picture does. So of somebody who is partly
  outside the picture, our crop is of the part that is inside, and it is a little wider for others.
* Human3.6M's and 3DPW's betas may be of the male or female body: bones are theirs where the user
  gives these bodies, else those of the training's one body. Poses, and where people stand, are as
  they are. BEDLAM's last beta is learnt, but moves no bones: bodies here have ten.
"""

from collections.abc import Callable
from pathlib import Path

import roma
import torch
from torch import Tensor

from regressor.data.perspose import Prepared, height_3dhp, load_prepared
from regressor.training.perspose.samples import Seen

BEDLAM_UV = 0.1  # weight of where its people's joints are in the crop, as published


def prepared_set(data: Path, name: str) -> tuple[Prepared, Callable[[int], Seen]]:
    """The data set `name` of a folder. Raises FileFormatError where it can't be read."""
    prepared = load_prepared(data, name)

    def see(index: int) -> Seen:
        row = {key: torch.from_numpy(array[index]) for key, array in prepared.arrays.items()}
        camera = row.get("cam_intrinsics")
        return Seen(
            prepared.picture(index),
            row["bbox"].double(),
            None if camera is None else camera.double().numpy(),
            labels_of(name, str(prepared.names[index]), row)
            | {"gender": torch.tensor(prepared.genders[index])},
        )

    return prepared, see


def labels_of(name: str, picture: str, row: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a sample (`samples`) that tells of the person of a row."""
    if "smpl_theta" in row:
        return {
            "pose": roma.rotvec_to_rotmat(row["smpl_theta"]),
            "betas": row["smpl_beta"],
            "translation": row["smpl_transl"],
            "has_smpl": torch.tensor(True),
            "uv_weight": torch.tensor(BEDLAM_UV if name.startswith("bedlam") else 1.0),
        }
    if "3dhp_j17" in row:
        return {
            "joints_3dhp": row["3dhp_j17"],
            "has_3dhp": torch.tensor(True),
            "height": torch.tensor(height_3dhp(picture)),
        }
    return {"coco17": row["coco_kp17"], "has_coco": torch.tensor(True)}
