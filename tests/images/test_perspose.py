"""PersPose's network against the published code's numbers, and its own promises."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor import checkpoints, images
from regressor.errors import FileFormatError, PosecastError
from regressor.images import hrnet
from regressor.images.crops import normalize
from regressor.images.perspose import FLIP, PersPose, back_project
from regressor.smpl.analytic_ik import solve
from rendering.perspective import encoding
from tests.golden.fill import fill, uniform

GOLDEN = Path(__file__).parents[1] / "golden"
FACTS = json.loads((GOLDEN / "perspose_net.json").read_text())
INTRINSICS = torch.tensor([[300.0, 0, 30], [0, 300, 34], [0, 0, 1]])


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "perspose_net.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return images.create("perspose", backbone="w8").eval()


def _published_network() -> PersPose:
    """With the golden parameters; built without memory of its own."""
    state = fill(FACTS["parameter_shapes"])
    for layer, factor in FACTS["config"]["weight_factors"].items():
        state[f"{layer}weight"] *= np.float32(factor)
    with torch.device("meta"):
        network = PersPose()
    tensors = {name: torch.from_numpy(value) for name, value in state.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval()


def test_same_output_as_the_published_code(golden):
    """75.8 million parameters, both passes, their mean, and the body of it."""
    network, intrinsics = _published_network(), golden["cam_intrinsics"]
    values = uniform("input", 2 * 3 * 256 * 256).reshape(2, 3, 256, 256)
    crops, encoded = normalize(torch.from_numpy(values)).float(), torch.tensor([True, False])
    with torch.inference_mode():
        plain = network.look(crops, intrinsics, encoded)
        mirrored = network.look_mirrored(crops, intrinsics, encoded)
    names = {"uv": "uv", "depth": "depth", "density": "rho0", "twists": "ortho_twist",
             "betas": "beta", "leaves": "leaf_rot"}  # fmt: skip
    for case, heads in (("plain", plain), ("flip", mirrored)):
        for ours, theirs in names.items():
            wanted = golden[f"{case}.{theirs}"]
            found = getattr(heads, ours).reshape(wanted.shape)
            atol = 1e-3 if ours == "uv" else 1e-5
            torch.testing.assert_close(found, wanted, atol=atol, rtol=1e-5, msg=f"{case} {ours}")
    # forward() would look again; what it does with the two is this.
    network.look = lambda *_: plain  # pyright: ignore[reportAttributeAccessIssue]
    network.look_mirrored = lambda *_: mirrored  # pyright: ignore[reportAttributeAccessIssue]
    output = network(crops, intrinsics, encoded)
    names = {"uv": "uv", "depth": "depth", "density": "density", "joints": "xyz", "root": "xyz0",
             "twists": "ortho_twist", "leaves": "leaf_rot"}  # fmt: skip
    for ours, theirs in names.items():
        wanted = golden[f"out.{theirs}"]
        found = getattr(output, ours).reshape(wanted.shape)
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-5, msg=ours)
    _same_body(golden, output)


def _same_body(golden, output):
    rest, directions = golden["rest_joints"].float(), golden["rest_joint_dirs"].float()
    found = solve(
        output.joints[:, :24] + output.root[:, None], output.twists[:, :24], output.leaves,
        output.betas, lambda betas: rest + torch.einsum("...k,jck->...jc", betas, directions),
    )  # fmt: skip
    torch.testing.assert_close(found.betas, golden["out.beta"], atol=1e-4, rtol=0)
    torch.testing.assert_close(found.rotations, golden["out.theta"], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.translation, golden["out.transl"], atol=1e-3, rtol=0)


def test_names_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        state = images.create("perspose").state_dict()
    shapes = {name: list(value.shape) for name, value in state.items()}
    assert shapes == FACTS["parameter_shapes"] and len(shapes) == 1967


def test_the_encoding_is_the_published_one(golden):
    found = encoding(golden["cam_intrinsics"])
    torch.testing.assert_close(found[0], golden["pe_map"][0], atol=1e-6, rtol=0)
    assert not golden["pe_map"][1].any()  # of COCO's sample


def test_the_network_sees_the_camera(tiny):
    crops = torch.randn(2, 3, 64, 64)
    wide = INTRINSICS.clone()
    wide[:2, :2] /= 4
    with torch.no_grad():
        near = tiny.look(crops, INTRINSICS.expand(2, 3, 3))
        far = tiny.look(crops, wide.expand(2, 3, 3))
        blind = [tiny.look(crops, k.expand(2, 3, 3), torch.zeros(2)) for k in (INTRINSICS, wide)]
    assert not torch.allclose(near.uv, far.uv)
    assert torch.equal(blind[0].uv, blind[1].uv)


def test_a_mirrored_picture_gives_the_mirrored_person(tiny):
    crops, intrinsics = torch.randn(3, 3, 64, 64), INTRINSICS.expand(3, 3, 3).clone()
    other = intrinsics.clone()
    other[:, 0, 2] = 64 - other[:, 0, 2]
    with torch.no_grad():
        one, two = tiny(crops, intrinsics), tiny(crops.flip(-1), other)
    torch.testing.assert_close(two.uv[..., 0], 64 - one.uv[:, FLIP, 0], atol=1e-3, rtol=0)
    across = torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(two.joints, one.joints[:, FLIP] * across
                               - (one.joints[:, FLIP] * across)[:, :1])  # fmt: skip
    torch.testing.assert_close(two.root, one.root * across)
    torch.testing.assert_close(two.twists, one.twists[:, FLIP] * across)


def test_training_looks_at_one_of_the_two(tiny):
    crops, intrinsics = torch.randn(2, 3, 64, 64), INTRINSICS.expand(2, 3, 3)
    calls = []
    network = images.create("perspose", backbone="w8")
    network.cam_layer.register_forward_hook(lambda *call: calls.append(call[1][0][0, 0, 0, 0]))
    for mirrored in (True, False):
        network(crops, intrinsics, mirrored=mirrored)
    assert len(calls) == 2 and calls[0] != calls[1]
    network.eval()(crops, intrinsics)
    assert len(calls) == 4
    network(crops, intrinsics, mirrored=False)
    assert len(calls) == 5


def test_joints_lie_on_the_rays_of_their_pixels(tiny):
    intrinsics = INTRINSICS.expand(2, 3, 3)
    with torch.no_grad():
        output = tiny(torch.randn(2, 3, 64, 64), intrinsics)
    placed = output.joints + output.root[:, None]
    seen = placed @ INTRINSICS.T
    torch.testing.assert_close(seen[..., :2] / seen[..., 2:], output.uv, atol=1e-2, rtol=0)
    torch.testing.assert_close(placed[..., 2] / 0.3, output.density)  # mm to a pixel
    assert (output.depth.abs() <= 1.1).all() and not output.depth[:, 0].any()


def test_every_parameter_learns():
    network = images.create("perspose", backbone="w8")
    output = network(torch.randn(2, 3, 64, 64), INTRINSICS.expand(2, 3, 3))
    sum(part.square().sum() for part in output).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_output_is_exact_under_mixed_precision(tiny):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        output = tiny(torch.randn(1, 3, 64, 64), INTRINSICS[None])
    assert {part.dtype for part in output} == {torch.float32}
    identity = output.leaves @ output.leaves.transpose(-1, -2)
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)


def _authors_file(file: Path, network: PersPose, **more) -> Path:
    """Laid out like the published files, SMPL's part and all."""
    smpl = {name: torch.zeros(2) for name in FACTS["smpl_entries"]}
    state = {**network.state_dict(), **smpl, **more}
    rest = {"epoch": 16, "best_metric": np.float64(39.1), "optimizer": {"state": {}}, "scaler": {}}
    torch.save({"model": state, **rest}, file)
    return file


def test_a_published_file_loads_strictly_and_its_smpl_is_never_kept(tiny, tmp_path):
    loaded = checkpoints.load_authors("perspose", _authors_file(tmp_path / "a.pth", tiny))
    assert loaded.state_dict().keys() == tiny.state_dict().keys()
    assert all(torch.equal(v, tiny.state_dict()[k]) for k, v in loaded.state_dict().items())
    file = tmp_path / "ours.safetensors"
    checkpoints.save(loaded, file, name="perspose", options={"backbone": "w8"}, card={})
    again, metadata = checkpoints.load(file)
    assert metadata["name"] == "perspose" and isinstance(again, PersPose)
    assert not any("smpl" in name for name in checkpoints.read_checkpoint(file))
    other = _authors_file(tmp_path / "b.pth", tiny, unknown=torch.zeros(1))
    with pytest.raises(FileFormatError, match="it has unknown beside them"):
        checkpoints.load_authors("perspose", other)
    foreign = tmp_path / "c.pth"
    torch.save({"model": {"conv1.weight": torch.zeros(1)}}, foreign)
    with pytest.raises(FileFormatError, match="is for another network than perspose"):
        checkpoints.load_authors("perspose", foreign)


def test_refusals_are_sentences(tiny):
    with pytest.raises(PosecastError, match="no backbone w7: choose w48, w32, w18"):
        images.create("perspose", backbone="w7")
    with pytest.raises(PosecastError, match="multiples of 32 px, not 60 x 64"):
        tiny(torch.zeros(1, 3, 64, 60), INTRINSICS[None])


@pytest.mark.parametrize("name", hrnet.SIZES)
def test_sizes_are_told_by_their_files(name):
    with torch.device("meta"):
        network = PersPose(name)
    assert images.options_of("perspose", network.state_dict(), "x") == {"backbone": name}


def test_the_shipped_network_s_first_beta_is_its_own():
    file = images.shipped_weights("perspose")
    assert file is not None
    options = checkpoints.read_metadata(file)["options"]
    assert options["first_beta"] == 0 and PersPose("w8").first_beta == 1


def test_back_projection_takes_three_at_once(tiny):
    """A batch of three, where the published code multiplies the wrong axes."""
    crops, intrinsics = torch.randn(4, 3, 64, 64), INTRINSICS.expand(4, 3, 3)
    with torch.no_grad():
        heads = tiny.look(crops, intrinsics)
    four = back_project(heads, intrinsics)
    three = back_project(type(heads)(*(part[:3] for part in heads)), intrinsics[:3])
    assert all(torch.equal(a, b[:3]) for a, b in zip(three, four, strict=True))
