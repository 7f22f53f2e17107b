"""Makes the demo clip and its ground truth: the default body walks in, turns and waves.

    python scripts/make_demo.py [--folder demo] [--work FOLDER]      with the bpy wheel
    blender -b -P scripts/make_demo.py -- [the same]

The motion, the person's looks, the film and the truth are each a file of scripts/demo.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from addon.body import default_body_file, read_body  # noqa: E402
from scripts.demo.curves import joint_places, world_rotations  # noqa: E402
from scripts.demo.film import can_denoise, encode, render_frames, set_up  # noqa: E402
from scripts.demo.looks import Poser, dressed  # noqa: E402
from scripts.demo.motion import author  # noqa: E402
from scripts.demo.room import add_person  # noqa: E402
from scripts.demo.stage import BETAS, projected, to_world  # noqa: E402
from scripts.demo.truth import truth  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the demo clip and its truth.")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo")
    parser.add_argument("--samples", type=int, help="rays a pixel (4, or 64 without a denoiser)")
    parser.add_argument("--work", type=Path, help="keep the pictures here, and go on from them")
    parser.add_argument("--only", type=int, nargs="+", help="render these frames and no film")
    after = sys.argv.index("--") + 1 if "--" in sys.argv else 1
    options = parser.parse_args(sys.argv[after:])

    data = read_body(default_body_file())
    local, pelvis, planted = author(data)
    turned = world_rotations(local, data.parents)
    rest = data.rest_joints(BETAS)
    places = joint_places(turned, pelvis, rest, data.parents)
    pieces = dressed(data)
    poser = Poser(pieces, data)

    def vertices_at(frame: int) -> np.ndarray:
        return poser(local[frame], turned[frame], places[frame])

    truth(data, local, pelvis, to_world(places), planted, vertices_at).save(
        options.folder / "demo_truth.npz"
    )

    def posed(frame: int) -> tuple[np.ndarray, np.ndarray]:
        vertices = vertices_at(frame)
        return vertices, projected(vertices)

    samples = options.samples or (4 if can_denoise() else 64)
    set_up(samples)
    person = add_person(pieces)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        frames = options.only or range(len(local))
        render_frames(person, posed, frames, work, samples)
        if not options.only:
            encode(work, len(local), options.folder / "demo.mp4")


if __name__ == "__main__":
    main()
