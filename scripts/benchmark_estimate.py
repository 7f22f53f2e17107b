"""Times the whole estimate against mediapipe's detection alone, on the same film of a minute.

    python scripts/benchmark_estimate.py [VIDEO] [--seconds 60] [--rounds 2]

The film is VIDEO (the demo clip by default) played over and over. mediapipe's side is its own
PoseLandmarker (one person, video mode) called frame by frame on frames that PyAV decodes; only the
calls count in the first ratio, decoding counts too in the second. Start-up (imports, loading
models) is left out of both and printed. The sides take turns, because machines are noisy.
"""

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from regressor import estimate as command  # noqa: E402
from regressor.progress import Progress, Stages  # noqa: E402


def loop(source: Path, target: Path, seconds: float) -> int:
    """Writes `source` over and over, re-encoded, until it lasts `seconds`; returns the frames."""
    with av.open(str(source)) as film:
        stream = film.streams.video[0]
        rate = stream.average_rate or Fraction(30)
        frames = [frame.to_ndarray(format="yuv420p") for frame in film.decode(video=0)]
        width, height = stream.width, stream.height
    count = round(seconds * float(rate))
    with av.open(str(target), "w") as film:
        stream = film.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(frames[i % len(frames)], format="yuv420p")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return count


def peer(film: Path) -> tuple[float, float]:
    """Seconds in mediapipe's calls, and these with the decoding."""
    from regressor.detection.mediapipe_graphs import cache_folder, import_mediapipe, load_models

    mediapipe = import_mediapipe()
    load_models(mediapipe)
    bundle = cache_folder() / f"mediapipe-pose-{mediapipe.__version__}.task"
    tasks = mediapipe.tasks
    options = tasks.vision.PoseLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(bundle)),
        running_mode=tasks.vision.RunningMode.VIDEO,
    )
    inside = 0.0
    with tasks.vision.PoseLandmarker.create_from_options(options) as landmarker:
        started = time.perf_counter()
        with av.open(str(film)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for i, frame in enumerate(container.decode(video=0)):
                pixels = frame.to_ndarray(format="rgb24")
                image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
                called = time.perf_counter()
                landmarker.detect_for_video(image, round(1000 * i / 30))
                inside += time.perf_counter() - called
        return inside, time.perf_counter() - started


def ours(film: Path, folder: Path) -> Stages:
    stages = Stages()
    options = command.Options(video=film, output=folder / "motion.npz", progress="none")
    command.estimate(options, Progress("none"), stages)
    return stages


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path, default=REPOSITORY / "demo" / "demo.mp4")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        frames = loop(arguments.video, film, arguments.seconds)
        for _ in range(arguments.rounds):
            calls, decoded = peer(film)
            stages = ours(film, Path(folder))
            working = sum(stages.seconds.values()) - stages.seconds["start"]
            print(
                f"{frames} frames: mediapipe {calls:.1f} s ({decoded:.1f} s with decoding), "
                f"estimate {working:.1f} s: {working / calls:.2f} times "
                f"({working / decoded:.2f}); {stages}",
                flush=True,
            )


if __name__ == "__main__":
    main()
