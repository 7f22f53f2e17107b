"""A small body with SMPL's names, motions for it, and SMPL's forward pass written out in NumPy."""

import numpy as np

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
# Rest joints in SMPL's axes, m: y up, left is +x.
REST = np.array(
    [
        (0, 0, 0), (0.1, -0.08, 0), (-0.1, -0.08, 0), (0, 0.1, -0.02), (0.1, -0.5, 0.01),
        (-0.1, -0.5, 0.01), (0, 0.25, 0), (0.1, -0.9, -0.03), (-0.1, -0.9, -0.03), (0, 0.3, 0),
        (0.1, -0.95, 0.1), (-0.1, -0.95, 0.1), (0, 0.5, -0.02), (0.08, 0.42, 0), (-0.08, 0.42, 0),
        (0, 0.58, 0.02), (0.18, 0.43, 0), (-0.18, 0.43, 0), (0.44, 0.43, -0.02),
        (-0.44, 0.43, -0.02), (0.69, 0.43, -0.02), (-0.69, 0.43, -0.02), (0.78, 0.42, -0.02),
        (-0.78, 0.42, -0.02),
    ]
)  # fmt: skip
CUBE = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.04
CUBE_FACES = np.array(
    [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ]
)  # fmt: skip


def small_body(correctives: bool = False, seed: int = 0) -> dict[str, np.ndarray]:
    """A body file's arrays: a cube around every joint, bound to it and partly to its parent."""
    rng = np.random.default_rng(seed)
    template = (REST[:, None] + CUBE).reshape(-1, 3)
    count = len(template)
    own = np.repeat(np.arange(24), 8)
    weights = np.zeros((count, 24))
    share = rng.uniform(0.5, 1.0, count)
    weights[np.arange(count), own] += share
    weights[np.arange(count), np.maximum(np.array(PARENTS)[own], 0)] += 1 - share
    posedirs = np.zeros((count, 3, 207))
    if correctives:
        posedirs[..., ::3] = rng.normal(size=(count, 3, 69)) * 0.01
    return {
        "v_template": template,
        "f": np.concatenate([CUBE_FACES + 8 * joint for joint in range(24)]),
        # Stature first, as in every SMPL body, then whatever the others may be.
        "shapedirs": np.concatenate(
            [template[..., None] * 0.03, rng.normal(size=(count, 3, 9)) * 0.003], axis=-1
        ),
        "posedirs": posedirs,
        "J_regressor": np.where(own == np.arange(24)[:, None], 1 / 8, 0.0),
        "weights": weights,
        "kintree_table": np.array([PARENTS, range(24)]) % 2**32,
        "part": (own % 3).astype(np.uint8),
        "part_names": np.array(["skin", "shirt", "cape"]),
    }


def motion_arrays(frames: int = 60, seed: int = 0, **more) -> dict[str, np.ndarray]:
    """A Motion's arrays: every joint swings, the body turns more than once and walks away."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 4 * np.pi, frames)[:, None]
    poses = np.sin(phase + rng.uniform(0, 6, 72)) * rng.uniform(-0.8, 0.8, 72)
    turn = np.linspace(0, 7.0, frames)
    poses[:, :3] = [upright(angle) for angle in turn]
    trans = np.stack([np.sin(turn), turn / 4, 0.95 + 0.05 * np.cos(3 * turn)], axis=1)
    arrays = {
        "poses": poses.astype(np.float32),
        "trans": trans.astype(np.float32),
        "betas": rng.uniform(-2, 2, 10).astype(np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(30.0),
    }
    return arrays | more


def upright(turn: float) -> np.ndarray:
    """(3,) axis-angle that stands SMPL's y-up body up in a z-up world, turned about z by `turn`."""
    w = np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)])
    up = np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0])
    q = np.array(
        [
            w[0] * up[0] - w[3] * up[3],
            w[0] * up[1] - w[3] * up[2],
            w[0] * up[2] + w[3] * up[1],
            w[0] * up[3] + w[3] * up[0],
        ]
    )
    angle = 2 * np.arccos(np.clip(q[0], -1, 1))
    return q[1:] / max(np.sin(angle / 2), 1e-9) * angle


def camera_arrays(frames: int, moving: bool = False) -> dict[str, np.ndarray]:
    """A camera 5 m in front of the path, its principal point off the middle of the picture."""
    matrix = np.tile(np.eye(4), (frames, 1, 1))
    # Looks along +y from y = -5 at a height of 1.2 m, tilted a little.
    tilt = 0.1
    matrix[:, :3, :3] = [
        [1, 0, 0],
        [0, -np.sin(tilt), -np.cos(tilt)],
        [0, np.cos(tilt), -np.sin(tilt)],
    ]
    centre = np.tile([0.3, -5.0, 1.5], (frames, 1))
    if moving:
        centre[:, 0] += np.linspace(0, 1, frames)
    matrix[:, :3, 3] = -np.einsum("tij,tj->ti", matrix[:, :3, :3], centre)
    return {
        "image_size": np.array([640, 360]),
        "camera_intrinsics": np.array([[500.0, 0, 300], [0, 500, 210], [0, 0, 1]]),
        "camera_extrinsics": matrix,
        "camera_moves": np.array(moving),
    }


def rodrigues(rotvec: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle to (..., 3, 3), by Rodrigues' formula."""
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotvec / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def smpl(body: dict, betas, poses, trans) -> tuple[np.ndarray, np.ndarray]:
    """SMPL's joints (T, 24, 3) and vertices (T, V, 3) of poses (T, 72) and trans (T, 3)."""
    body = {
        key: np.asarray(value, np.float64) for key, value in body.items() if key != "part_names"
    }
    shaped = body["v_template"] + body["shapedirs"][..., :10] @ np.asarray(betas, np.float64)
    rest = body["J_regressor"] @ shaped
    local = rodrigues(np.asarray(poses, np.float64).reshape(len(poses), 24, 3))
    feature = (local[:, 1:] - np.eye(3)).reshape(len(poses), -1)
    posed = shaped + np.einsum("vck,tk->tvc", body["posedirs"], feature)
    rotation, place = [local[:, 0]], [np.tile(rest[0], (len(poses), 1))]
    for joint, parent in list(enumerate(PARENTS))[1:]:
        rotation.append(rotation[parent] @ local[:, joint])
        place.append(place[parent] + rotation[parent] @ (rest[joint] - rest[parent]))
    rotation, place = np.stack(rotation, 1), np.stack(place, 1)
    shift = place - np.einsum("tjab,jb->tja", rotation, rest)
    weights = body["weights"] / body["weights"].sum(1, keepdims=True)
    vertices = np.zeros_like(posed)
    for joint in range(24):
        moved = posed @ rotation[:, joint].transpose(0, 2, 1) + shift[:, None, joint]
        vertices += weights[:, joint, None] * moved
    return place + trans[:, None], vertices + trans[:, None]
