"""3DPW for lifters: Human3.6M's 17 joints in each picture's camera, from 3DPW's own 24.

The 17 ride on 3DPW's joints as they do on the default body (`smpl.landmarks`), whose nose and crown
stand where SMPL has no joints. Scores on them are no standard protocol's: those are in
`evaluation.threedpw`.
"""

from pathlib import Path

import numpy as np
import torch

from regressor.data.keypoint_formats import to_h36m
from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.data.threedpw import FPS, Person, load_split
from regressor.errors import FileFormatError, PosecastError
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.smpl.landmarks import RidingLandmarks

# COCO's 17 points among OpenPose's 18, which has a neck beside them.
_COCO = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)


def read(path: Path, split: str, detections: str = "gt", *, as_h36m: bool = False) -> LiftingSet:
    """A split of 3DPW's folder, one sequence a person; frames count where SPIN's protocol has them.

    detections: "gt" for projected joints, "openpose" for the set's own, as COCO's 17 with
    confidence; as_h36m: these rearranged into Human3.6M's 17.
    """
    if detections not in ("gt", "openpose"):
        raise PosecastError(f"3DPW has no detections {detections!r}: choose gt or openpose.")
    riding = RidingLandmarks(load_body(), "h36m17")
    sequences = []
    for person in load_split(path, split):
        sequence = _sequence(person, riding)
        if detections == "openpose":
            seen = person.keypoints[:, _COCO].astype(np.float32)
            sequence.keypoints = to_h36m(seen, "coco17") if as_h36m else seen
        sequences.append(sequence)
    skeleton = "coco17" if detections == "openpose" and not as_h36m else "h36m17"
    return LiftingSet("3DPW", sequences, keypoint_skeleton=skeleton)


def _sequence(person: Person, riding: RidingLandmarks) -> LiftingSequence:
    """Seen with projected joints; the pictures' size is twice the camera's centre, as there."""
    name = f"{person.sequence} person {person.number}"
    if person.joints is None:
        raise FileFormatError(f"{name} of 3DPW has no jointPositions: get its original file.")
    turn, shift = person.extrinsics[:, :3, :3], person.extrinsics[:, None, :3, 3]
    placed = torch.as_tensor(person.joints @ turn.transpose(0, 2, 1) + shift).float()
    turned, _ = chain(torch.as_tensor(person.rotations()).float(), torch.zeros(24, 3))
    joints = riding(turned, placed, torch.zeros(10)).numpy()
    pixels = joints @ person.intrinsics.T.astype(np.float32)
    return LiftingSequence(
        name=name,
        subject=name,
        action=person.sequence.split("_")[1] if "_" in person.sequence else person.sequence,
        keypoints=pixels[..., :2] / pixels[..., 2:],
        joints=joints,
        fps=FPS,
        width=round(2 * person.intrinsics[0, 2]),
        height=round(2 * person.intrinsics[1, 2]),
        intrinsics=person.intrinsics.astype(np.float32),
        valid=person.used,
    )
