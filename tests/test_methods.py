"""The list that menus show is the registry's, and comes without waiting for torch."""

import json
import subprocess
import sys

from regressor import checkpoints, images, lifters, methods
from tests.estimator import ROOT


def test_the_command_prints_what_runs_with_the_shipped_weights():
    program = "import sys, runpy; sys.argv[1:] = []\n"
    program += "runpy.run_module('regressor.methods', run_name='__main__')\n"
    program += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    known = [*lifters.names(), *images.names()]
    shipped = [name for name in known if methods.shipped_weights(name)]
    assert [method["name"] for method in told["methods"]] == shipped
    assert {"ktpformer", "mixste", "videopose3d", "convformer"} <= set(shipped)
    assert told["methods"][0]["label"] == "KTPFormer"
    assert "Transformer" in told["methods"][0]["description"]
    assert [refinement["name"] for refinement in told["refinements"]] == ["uao"]
    fitting = told["refinements"][0]["methods"].split()
    assert "ktpformer" in fitting and "dsr" not in fitting


def test_a_new_lifter_appears_with_its_weights(tmp_path, monkeypatch):
    entry = ("regressor.lifters.ktpformer", "KTPFormer", "Another", "Another one.")
    monkeypatch.setitem(lifters._LIFTERS, "another", entry)
    assert "another" not in [method["name"] for method in methods.methods()]
    small = {"frames": 9, "dim": 16, "depth": 1, "heads": 2}
    network, file = lifters.create("another", **small), tmp_path / "mine.safetensors"
    checkpoints.save(network, file, name="another", options=small, card={})
    told = {method["name"]: method["description"] for method in methods.methods(file)}
    assert told["another"] == "Another one."
    found = [method["name"] for method in methods.methods(tmp_path / "authors.pt")]
    assert found == [*lifters.names(), *images.names()]  # it may be for any


def test_image_networks_appear_with_their_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "WEIGHTS", tmp_path)
    assert "dsr" not in [method["name"] for method in methods.methods()]
    options = {"depth": 18, "hidden": 8}
    network, file = images.create("hmr", **options), tmp_path / "dsr.safetensors"
    parts = checkpoints.save(
        network, file, name="hmr", options=options, card={}, part_bytes=30_000_000
    )
    assert len(parts) > 1
    for found in (methods.methods(), methods.methods(parts[0])):
        assert "dsr" in [method["name"] for method in found]
    assert {"ktpformer", "dsr", "hmr"} <= set(methods.names())
