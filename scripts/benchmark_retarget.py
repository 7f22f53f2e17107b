"""How long 10,000 frames take to get onto a character, bake included.

python scripts/benchmark_retarget.py [--frames 10000]      with bpy installed, or
blender -b -P scripts/benchmark_retarget.py -- [--frames 10000]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

from addon.body import default_body_file, read_body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.retarget.bake import retarget  # noqa: E402
from addon.retarget.rig import BoneMap  # noqa: E402
from addon.scene import build  # noqa: E402
from tests.addon import rigs  # noqa: E402

MOST_S = 20.0


def main() -> None:
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    if bpy.app.binary_path and "--" not in sys.argv:
        words = []
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=10000)
    frames = parser.parse_args(words).frames
    print(f"Blender {bpy.app.version_string}, {frames} frames")
    for kind in ("mixamo", "rigify"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source = long_source(frames)
        target, bone_map = rigs.build(kind), rigs.truth(kind)
        measure(kind, source, target, bone_map, None)
        if kind == "mixamo":
            measure(f"{kind}, keys reduced to 5 mm", source, target, bone_map, 5.0)


def long_source(frames: int) -> bpy.types.Object:
    """A body that plays the demo's motion to and fro."""
    with np.load(ROOT / "demo" / "demo_truth.npz") as archive:
        poses, trans, contacts = (archive[name] for name in ("poses", "trans", "contacts"))
        more = {"betas": archive["betas"], "mocap_framerate": archive["mocap_framerate"]}
    count = len(poses)
    at = np.abs((np.arange(frames) + count - 1) % (2 * count - 2) - (count - 1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.npz"
        np.savez(file, poses=poses[at], trans=trans[at], contacts=contacts[at], **more)
        data = read_body(default_body_file())
        ((armature, _),), _ = build(bpy.context.scene, [read_motion(file)], data)
    return armature


def measure(name: str, source, target, bone_map: BoneMap, tolerance_mm: float | None) -> None:
    start = time.perf_counter()
    baked = retarget(source, target, bone_map, tolerance_mm=tolerance_mm)
    seconds = time.perf_counter() - start
    print(
        f"{name}: {seconds:.1f} s, {MOST_S / seconds:.1f} times as fast as {MOST_S:.0f} s; "
        f"{baked.frames} frames, {baked.bones} bones, {baked.keys} of {baked.keys_before} keys"
    )


if __name__ == "__main__":
    main()
