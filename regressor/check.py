"""What is installed here and what is missing, in words: `python -m regressor.check`.

Exit status 0 where a video can be estimated, 1 where not. With --json, one object on standard
output: "ok"; "python", "posecast"; "packages", versions by name, null where one is missing;
"device" and "device_label"; "findings", a list of {"state": "ok", "missing" or "note", "text"}.
"""

import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import tyro

from regressor.errors import PosecastError

NEEDED = ("torch", "numpy", "scipy", "roma", "trimesh", "av", "mediapipe", "safetensors")
OPTIONAL = {
    "smplx": "needed for SMPL files of your own; its licence is non-commercial",
    "rtmlib": "needed for RTMPose as the detector",
}
IMPORTED = ("torch", "av", "mediapipe")  # they load libraries of the system, which may be missing


@dataclass
class Options:
    """Options of `check`."""

    json: bool = False
    """One JSON object instead of sentences."""


@dataclass
class Finding:
    state: Literal["ok", "missing", "note"]
    text: str


def check() -> dict:
    """All that is found out; see the module's text for its keys."""
    packages = {name: version(name) for name in (*NEEDED, *OPTIONAL)}
    findings = check_packages(packages)
    device = label = None
    if all(finding.state != "missing" for finding in findings):
        device, label = find_device()
        findings.append(Finding("ok", f"It computes on {label}."))
        findings.append(answered("The body that comes with it can be read.", read_body))
        findings.append(
            answered("The weights that come with it work.", lambda: try_networks(device))
        )
    findings += [
        Finding("note", f"{name} isn't installed; it is {why}.")
        for name, why in OPTIONAL.items()
        if packages[name] is None
    ]
    return {
        "ok": all(finding.state != "missing" for finding in findings),
        "python": platform.python_version(),
        "posecast": version("posecast"),
        "packages": packages,
        "device": device,
        "device_label": label,
        "findings": [asdict(finding) for finding in findings],
    }


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_packages(packages: dict[str, str | None]) -> list[Finding]:
    """One finding for what is there, one for each package that is missing or doesn't load."""
    there = [f"{name} {packages[name]}" for name in ("torch", "mediapipe") if packages[name]]
    found = ", ".join([f"Python {platform.python_version()}", *there])
    findings = [Finding("ok", f"Installed: {found}.")]
    for name in NEEDED:
        if packages[name] is None:
            findings.append(Finding("missing", f"{name} isn't installed; set up again."))
        elif name in IMPORTED:
            try:
                importlib.import_module(name)
            except Exception as error:  # a broken library fails in ways of its own
                reason = " ".join(str(error).split()).rstrip(".")
                findings.append(Finding("missing", f"{name} doesn't load: {reason}."))
    return findings


def find_device() -> tuple[str, str]:
    """What --device auto will use: torch's name and one for people."""
    import torch

    if torch.cuda.is_available():
        return "cuda", f"the graphics card {torch.cuda.get_device_name()}"
    return "cpu", f"the processor, {torch.get_num_threads()} threads"


def answered(text: str, attempt: Callable[[], object]) -> Finding:
    """The text where the attempt succeeds, otherwise what is wrong."""
    try:
        attempt()
    except PosecastError as error:
        return Finding("missing", str(error))
    except Exception as error:  # torch tells a broken driver in ways of its own
        reason = " ".join(str(error).split()).rstrip(".")
        return Finding("missing", f"{text.rstrip('.')} was expected, but: {reason}.")
    return Finding("ok", text)


def read_body() -> None:
    from regressor.smpl import load_body

    load_body()


def try_networks(device: str) -> None:
    """Runs each shipped network once, on nothing."""
    import torch

    from regressor import checkpoints, images, lifters
    from regressor.images.crops import SIZE
    from regressor.images.hmr import answer
    from regressor.images.predict import load_network
    from regressor.lifting import load_lifter

    for name in lifters.names():
        if file := lifters.shipped_weights(name):
            network, _ = load_lifter(name, device=device)
            frames = checkpoints.read_metadata(file)["options"].get("frames", 1)
            with torch.inference_mode():
                network(torch.zeros(1, frames, 17, int(network.channels), device=device))  # pyright: ignore
    for name in images.names():
        if images.shipped_weights(name):
            network = load_network(name, device=device).network
            picture = torch.zeros(1, 3, SIZE, SIZE, device=device)
            camera = torch.tensor([[[SIZE, 0, SIZE / 2], [0, SIZE, SIZE / 2], [0, 0, 1]]])
            with torch.inference_mode():
                answer(network, {"image": picture, "intrinsics": camera.to(device)})


def main() -> None:
    options = tyro.cli(Options, prog="python -m regressor.check", description=__doc__)
    found = check()
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(finding["text"] for finding in found["findings"]))
    sys.exit(0 if found["ok"] else 1)


if __name__ == "__main__":
    main()
