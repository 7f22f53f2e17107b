"""From one person's Track to their Motion: lift, fit, and what comes after the fit."""

import numpy as np
import torch
from torch import Tensor

from regressor import skeletons
from regressor.cameras import Camera
from regressor.detection import Detections, Track
from regressor.lifters.windows import LifterInput, Picture, lift
from regressor.motion import Motion
from regressor.progress import Progress, Stages
from regressor.refine import contacts, uao_track, world
from regressor.refine.smoothing import smooth_path, smooth_rotations
from regressor.skeletons import to_h36m17
from regressor.smpl.body import Body
from regressor.smpl.fit import Fit, fit, posed_joints
from regressor.smpl.seen import seen_from_joints

SEEN = 0.5  # confidence in a keypoint that is surely in the picture


def lift_and_fit(
    track: Track,
    detections: Detections,
    camera: Camera,
    body: Body,
    lifter: tuple[torch.nn.Module, LifterInput],
    neutral: bool,
    progress: Progress,
    stages: Stages,
    refinement: str | None = None,
) -> tuple[Fit, uao_track.Refined | None]:
    """The body in the camera's axes, before anything smooths it; its own shape if `neutral`.

    refinement: None, or "uao" to refine what the lifter gives; what it did comes second.
    """
    network, expects = lifter
    with stages.time("lift"):
        progress.update("lift", 0, 1)
        combine = to_h36m17(track.skeleton)
        points = combine @ track.keypoints
        sure = track.confidence @ (np.abs(combine) / np.abs(combine).sum(1, keepdims=True)).T
        picture = Picture(camera.intrinsics, detections.width)
        if refinement:
            refined = uao_track.refine(
                network,
                expects,
                points,
                track.times,
                picture,
                confidence=sure,
                seen=seen_from_joints(body, track.skeleton),
                camera=camera.source,
                report=lambda done, total: progress.update("lift", done, total),
            )
            lifted = refined.joints
        else:
            lifted = lift(network, expects, points, track.times, picture, confidence=sure)
            refined = None
        progress.update("lift", 1, 1)
    with stages.time("fit"):
        found = fit(
            body,
            lifted,
            track.keypoints,
            track.confidence,
            track.skeleton,
            track.boxes,
            camera.intrinsics,
            detections.fps,
            neutral=neutral,
            report=lambda done, total: progress.update("fit", done, total),
        )
    return found, refined


def stance(
    body: Body,
    rotations: Tensor,
    pelvis: Tensor,
    betas: Tensor,
    fps: float,
    level: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (T, 24, 3), the lowest of each sole (T, 2, 3), and whether it bears (T, 2).

    level (3,): up in the camera's axes, as far as it is known.
    """
    turned, joints = posed_joints(body, rotations, pelvis, betas)
    ends = contacts.SolePoints(body)(turned, joints, betas).numpy()
    up = world.upright(joints.numpy()) if level is None else level
    standing = contacts.detect(ends, up, fps).max(axis=2)
    lowest = np.take_along_axis(ends, (ends @ up).argmin(axis=2)[..., None, None], 2)[:, :, 0]
    return joints.numpy(), lowest, standing


def feet_seen(seen: Track | Motion) -> bool:
    """Whether an ankle is seen, most of the time: legs that aren't seen tell nothing of a floor."""
    names = skeletons.JOINTS.get(seen.skeleton, [])
    ankles = [i for i, name in enumerate(names) if name in ("left_ankle", "right_ankle")]
    if not ankles or seen.confidence is None:
        return False
    return bool(np.median(seen.confidence[:, ankles].max(axis=1)) > SEEN)


def shared_up(found: list[Fit], body: Body, detections: Detections) -> np.ndarray | None:
    """Up (3,) in the axes of a still camera that sees several people on one floor; else None.

    found: of one person, or of all that were detected, in their order.
    """
    if len(found) < 2 or detections.camera_moves:
        return None
    both = zip(found, detections.tracks, strict=True)
    standing_ones = [one for one, track in both if feet_seen(track)]
    ups, feet, fps = [], [], detections.fps
    for one in standing_ones or found:
        joints, lowest, standing = stance(body, one.rotations, one.pelvis, one.betas, fps)
        up = world.to_world(joints, lowest, standing, fps, False).rotation[2]
        ups.append(up)
        lower = (lowest @ up).argmin(axis=1)[:, None, None]
        feet.append(np.median(np.take_along_axis(lowest, lower, 1)[:, 0], axis=0))
    return world.level_with(np.mean(ups, axis=0), np.array(feet))


def refine(
    found: Fit,
    track: Track,
    detections: Detections,
    camera: Camera,
    body: Body,
    smooth_s: float,
    keep_feet: bool,
    other: Motion | None = None,
    level: np.ndarray | None = None,
) -> Motion:
    """Smoothed, in the world, on the floor; its method, video and person are for others to say.

    smooth_s: standard deviation of the smoothing in seconds; keep_feet: standing feet don't slide;
    other: somebody in the same video, whose camera is this person's too, and whose floor, if the
    feet of both are seen; level (3,): up in the camera's axes, where it is known without them.
    """
    fps, moves = detections.fps, detections.camera_moves
    rotations = smooth_rotations(found.rotations, smooth_s, fps)
    pelvis = torch.as_tensor(smooth_path(found.pelvis.numpy(), smooth_s, fps))
    height, one_floor = None, feet_seen(track) and (other is None or feet_seen(other))
    if other is not None and other.camera_extrinsics is not None and not moves:
        level, height = world.view_of(other.camera_extrinsics[0])
    joints, lowest, standing = stance(body, rotations, pelvis, found.betas, fps, level)
    place = world.to_world(joints, lowest, standing, fps, moves, level)
    if height is not None and one_floor:
        move = world.onto_floor(place, pelvis.numpy(), height)
        pelvis = pelvis + torch.as_tensor(move, dtype=pelvis.dtype)
        moved = joints + move[:, None], lowest + move[:, None]
        place = world.to_world(*moved, standing, fps, moves, level)
    first, pelvis = world.apply(place, rotations[:, 0], pelvis)
    rotations = torch.cat([first[:, None], rotations[:, 1:]], dim=1)
    if keep_feet:
        before = pelvis
        rotations, pelvis, standing = contacts.plant(
            body, rotations, pelvis, found.betas, fps, in_place=moves
        )
        # The floor is now where the feet are; the camera goes along, and sees them as before.
        place = world.shifted(place, (pelvis - before).numpy(), fps, moves)
    if height is not None and not one_floor:  # they stay where the same camera sees them
        lift = np.array([0.0, 0.0, height - place.shift[0, 2]])
        pelvis = pelvis + torch.as_tensor(lift, dtype=pelvis.dtype)
        place = world.World(place.rotation, place.shift + lift)
    _, joints = posed_joints(body, rotations, pelvis, found.betas)
    rest = body.joints_at_rest(found.betas)[0]
    return Motion(
        poses=rotations.flatten(1).numpy(),
        trans=(pelvis - rest).numpy(),
        betas=found.betas.numpy(),
        gender=body.gender,
        mocap_framerate=fps,
        frames=track.frames,
        times=track.times,
        observed=track.observed,
        joints=joints.numpy(),
        keypoints=track.keypoints,
        confidence=track.confidence,
        skeleton=track.skeleton,
        contacts=standing,
        image_size=np.array([detections.width, detections.height]),
        camera_intrinsics=camera.intrinsics,
        camera_extrinsics=place.extrinsics(),
        camera_moves=moves,
        fov_source=camera.source,
        body=body.name,
    )
