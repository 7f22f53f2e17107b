"""Measures where mediapipe sees its landmarks on the default body: the table MEDIAPIPE_OFFSETS.

    python scripts/calibrate_landmarks.py --data cmu_motion.npz [--clips 9] [--frames 50]

Needs bpy and mediapipe in one environment (posecast[blender]). Mocap on random bodies is rendered
before random cameras with Blender's Workbench and given to the detector. For each landmark the
offset (metres, left side, in the axes of the joint that carries it) is then fitted to the
detections, robustly, left and right together. The face's widths (x) are left as they are: seen from
behind, the detector guesses them too narrow. The table goes into scripts/build_default_body.py.
"""

import argparse
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import bpy
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from regressor.data import mocap  # noqa: E402
from regressor.detection.mediapipe_pose import MediapipePose  # noqa: E402
from regressor.skeletons import MEDIAPIPE33, SMPL24, mirror  # noqa: E402
from regressor.smpl import load_body  # noqa: E402
from regressor.smpl.body import Body, chain, skin  # noqa: E402
from regressor.video import VideoFrame  # noqa: E402
from scripts.build_default_body import MEDIAPIPE_OFFSETS, carrier  # noqa: E402

SIZE = 480  # pixels, square
FPS = 25.0
STEP = round(mocap.FPS / FPS)
# SMPL's axes (y up) to Blender's (z up), and a Blender camera's to OpenCV's.
TO_BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
TO_OPENCV = np.diag([1.0, -1.0, -1.0])
LEAST_CONFIDENCE = 0.3
KNEE = 0.008  # of the person's height: what is farther off than this counts less
PULL = 0.3  # of a landmark that hardly moves the picture towards where it is
ROUNDS = 15


@dataclass
class Take:
    """A clip, y up, metres: world (T, 24, 3, 3), joints (T, 24, 3), vertices (T, V, 3)."""

    world: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray


@dataclass
class Camera:
    """rotation (3, 3) and shift (3,) from SMPL's axes to OpenCV's, focal length in pixels."""

    rotation: np.ndarray
    shift: np.ndarray
    focal: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) to pixels (..., 2)."""
        seen = points @ self.rotation.T + self.shift
        return seen[..., :2] / seen[..., 2:] * self.focal + SIZE / 2


@dataclass
class Sighting:
    """One frame: a take's, height of the person in px, points (33, 2) px, confidence (33,)."""

    world: np.ndarray
    joints: np.ndarray
    camera: Camera
    height: float
    points: np.ndarray
    confidence: np.ndarray


def takes(file: Path, body: Body, count: int, frames: int, rng) -> list[Take]:
    """`count` random pieces of clips that lifters are trained on, each on a random body."""
    least = (frames + 10) * STEP
    clips = [clip for clip in mocap.load_clips(file) if clip.subject not in mocap.HELD_OUT]
    clips = [clip for clip in clips if len(clip.root) > least]
    chosen = []
    for index in rng.permutation(len(clips))[:count]:
        betas = torch.tensor(rng.normal(0, 0.8, 10), dtype=torch.float32)
        world, root = mocap.pose_body(clips[index], body, STEP)
        start = rng.integers(0, len(world) - frames)
        world, root = world[start : start + frames], root[start : start + frames]
        rest = body.joints_at_rest(betas)
        _, joints = chain(mocap.local_rotations(world), rest)
        joints = joints + root[:, None]
        shaped = body.v_template + torch.einsum("k,vck->vc", betas, body.shapedirs)
        many = (rest.expand(frames, 24, 3), shaped.expand(frames, -1, -1))
        vertices = skin(body.weights, world, joints, *many)
        chosen.append(Take(world.numpy(), joints.numpy(), vertices.numpy()))
    return chosen


def add_camera(vertices: np.ndarray, rng) -> Camera:
    """A random camera that has all of vertices (N, 3) in its picture, in the scene too."""
    points = vertices @ TO_BLENDER.T
    middle = (points.max(0) + points.min(0)) / 2
    reach = np.linalg.norm(points - middle, axis=1).max()
    fov, yaw = math.radians(rng.uniform(30, 65)), rng.uniform(0, 2 * math.pi)
    pitch = math.radians(rng.normal(8, 8))  # downwards
    distance = reach / math.sin(fov / 2) * rng.uniform(1.02, 1.5)
    away = np.array([math.sin(yaw), -math.cos(yaw), math.tan(pitch)]) * math.cos(pitch)
    camera = bpy.context.scene.camera
    camera.location = middle + away * distance
    camera.rotation_euler = (math.pi / 2 - pitch, 0, yaw)
    camera.data.angle = fov
    bpy.context.view_layer.update()
    matrix = np.array(camera.matrix_world, float)
    into = TO_OPENCV @ matrix[:3, :3].T
    return Camera(into @ TO_BLENDER, into @ (-1.0 * matrix[:3, 3]), SIZE / 2 / math.tan(fov / 2))


def set_up(body: Body) -> bpy.types.Mesh:
    """A plain scene for Workbench with one camera and the body's mesh, coloured by vertex."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.image_settings.file_format = "JPEG"
    shading = scene.display.shading
    shading.light, shading.color_type, shading.background_type = "STUDIO", "VERTEX", "VIEWPORT"
    shading.show_cavity = shading.show_shadows = True
    scene.world = bpy.data.worlds.new("World")
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    mesh = bpy.data.meshes.new("Person")
    mesh.from_pydata(body.v_template.tolist(), [], body.faces.tolist())
    mesh.shade_smooth()
    mesh.color_attributes.new("Col", "FLOAT_COLOR", "POINT")
    scene.collection.objects.link(bpy.data.objects.new("Person", mesh))
    return mesh


def paint(mesh: bpy.types.Mesh, body: Body, rng) -> None:
    """Random colours of skin, clothes, hair and background."""
    names = [str(name) for name in body.arrays["part_names"]]
    palette = np.ones((len(names), 4))
    palette[:, :3] = rng.uniform(0.02, 0.8, (len(names), 3))
    palette[names.index("skin"), :3] = np.array([0.85, 0.62, 0.5]) * rng.uniform(0.35, 1.05)
    palette[names.index("hair"), :3] = np.array([0.08, 0.05, 0.03]) * rng.uniform(0.3, 4)
    colours = palette[body.arrays["part"]].astype(np.float32)
    mesh.color_attributes["Col"].data.foreach_set("color", colours.ravel())
    bpy.context.scene.display.shading.background_color = rng.uniform(0.1, 0.8, 3)


def picture(mesh: bpy.types.Mesh, vertices: np.ndarray, file: Path) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8 of the person with vertices (V, 3)."""
    mesh.vertices.foreach_set("co", (vertices @ TO_BLENDER.T).astype(np.float32).ravel())
    mesh.update()
    bpy.context.scene.render.filepath = str(file)
    bpy.ops.render.render(write_still=True)
    with av.open(str(file)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def sightings(chosen: list[Take], body: Body, rng) -> list[Sighting]:
    """Every frame in which somebody was found."""
    mesh, found = set_up(body), []
    with tempfile.TemporaryDirectory() as folder:
        for number, take in enumerate(chosen):
            some = take.vertices[:: max(1, len(take.vertices) // 3)]
            camera = add_camera(some.reshape(-1, 3), rng)
            paint(mesh, body, rng)
            detector = MediapipePose(1)
            for index, vertices in enumerate(take.vertices):
                image = picture(mesh, vertices, Path(folder) / "frame.jpg")
                height = float(np.ptp(camera.project(vertices[::20])[:, 1]))
                for pose in detector(VideoFrame(index, index / FPS, image)):
                    where = take.world[index], take.joints[index], camera, height
                    found.append(Sighting(*where, pose.keypoints, pose.confidence))
            detector.close()
            print(f"clip {number + 1} of {len(chosen)}: {len(found)} sightings", flush=True)
    return found


def equations(seen: list[Sighting], landmark: int, joint: int, flip: bool) -> tuple:
    """A (2 N, 3) and b (2 N,): A @ offset - b is the miss in shares of the person's height; `flip`
    mirrors a right landmark's offset to the left side."""
    left, right = [], []
    for one in seen:
        if one.confidence[landmark] < LEAST_CONFIDENCE:
            continue
        turned = one.camera.rotation @ one.world[joint] @ np.diag([-1.0 if flip else 1.0, 1, 1])
        start = one.camera.rotation @ one.joints[joint] + one.camera.shift
        ray = (one.points[landmark] - SIZE / 2) / one.camera.focal
        scale = one.camera.focal / start[2] / one.height
        for axis in (0, 1):
            left.append((turned[axis] - ray[axis] * turned[2]) * scale)
            right.append((ray[axis] * start[2] - start[axis]) * scale)
    return np.array(left).reshape(-1, 3), np.array(right)


def misses(matrix: np.ndarray, wanted: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(N,) distances in shares of the person's height."""
    return np.linalg.norm((matrix @ offset - wanted).reshape(-1, 2), axis=1)


def robust(matrix: np.ndarray, wanted: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(3,) the offset of the least sum of distances, by reweighting, held lightly to the prior."""
    offset = prior.copy()
    for _ in range(ROUNDS):
        weights = np.repeat(1 / np.maximum(misses(matrix, wanted, offset), KNEE), 2)
        weighted = matrix * (weights / weights.mean())[:, None]
        normal = matrix.T @ weighted + PULL * np.eye(3)
        offset = np.linalg.solve(normal, weighted.T @ wanted + PULL * prior)
    return offset


def table(seen: list[Sighting], body: Body) -> None:
    """Prints a line for each landmark of the left side: its new offset, and the median misses."""
    points = body.arrays["J_regressor_mediapipe"] @ body.arrays["v_template"]
    joints, other, swapped = body.rest_joints.numpy(), mirror("mediapipe33"), mirror("smpl24")
    for index, name in enumerate(MEDIAPIPE33):
        if name.startswith("right"):
            continue
        joint = SMPL24.index(carrier(name, seen=True))
        matrix, wanted = equations(seen, index, joint, flip=False)
        if name != "nose":
            more, also = equations(seen, int(other[index]), int(swapped[joint]), flip=True)
            matrix, wanted = np.concatenate([matrix, more]), np.concatenate([wanted, also])
        prior = points[index] - joints[joint]
        offset = robust(matrix, wanted, prior)
        part, moved = name.removeprefix("left_"), (offset - prior) * [SMPL24[joint] != "head", 1, 1]
        x, y, z = np.array(MEDIAPIPE_OFFSETS[part]) + moved
        before, after = (100 * np.median(misses(matrix, wanted, at)) for at in (prior, offset))
        miss = f"{len(wanted) // 2} sightings, {before:.2f} % of the height, then {after:.2f} %"
        print(f'    "{part}": ({x:.3f}, {y:.3f}, {z:.3f}),  # {miss}')


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures where mediapipe sees its landmarks.")
    parser.add_argument("--data", type=Path, required=True, help="the CMU motion set")
    parser.add_argument("--clips", type=int, default=9)
    parser.add_argument("--frames", type=int, default=50, help="of each clip, 25 a second")
    options = parser.parse_args()
    body, rng = load_body(), np.random.default_rng(1)
    chosen = takes(options.data, body, options.clips, options.frames, rng)
    table(sightings(chosen, body, rng), body)


if __name__ == "__main__":
    main()
