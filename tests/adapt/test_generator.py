"""PoseAug's networks and losses against their authors'."""

import pytest
import torch

from regressor.adapt import discriminators, generator, losses
from tests.golden.fill import fill
from tests.lifters.published import count, golden

FACTS, ARRAYS = golden("poseaug_generator")
STORED = {name: torch.from_numpy(ARRAYS[name]) for name in ARRAYS}


def parameters(name: str) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in fill(FACTS["shapes"][name]).items()}


def close(value: torch.Tensor, name: str) -> None:
    torch.testing.assert_close(value, STORED[name], atol=1e-5, rtol=0)


def test_the_three_changes_are_the_authors():
    network = generator.Generator(translation=True).eval()
    network.load_state_dict(generator.published(parameters("generator")))
    assert count(network) == FACTS["parameters"]["generator"]
    found = network(STORED["pose"], STORED["noise"])
    close(found.angled, "pose_ba")
    close(found.change.turned, "ba_diff")
    close(found.lengthened, "pose_bl")
    close(found.change.groups, "blr")
    close(found.change.rotation, "rotation")
    close(found.change.translation, "translation")
    close(found.rotated, "pose_rt")


def test_without_translation_three_branches_take_noise():
    network = generator.Generator(dim=8, depth=1)
    poses, noise = STORED["pose"], STORED["noise"][:3]
    assert network(poses, noise).change.translation is None
    with pytest.raises(ValueError, match="2 branches, not for 3"):
        network(poses, noise[:2])


def test_both_discriminators_are_the_authors():
    three_d, two_d = discriminators.Discriminator3D(), discriminators.Discriminator2D()
    three_d.load_state_dict(discriminators.published(parameters("d3d")))
    two_d.load_state_dict(parameters("d2d"))
    assert (count(three_d), count(two_d)) == (
        FACTS["parameters"]["d3d"],
        FACTS["parameters"]["d2d"],
    )
    close(three_d(STORED["pose_ba"]), "d3d")
    close(two_d(STORED["projected"]), "d2d")


def test_only_angles_count_in_3d_and_neither_place_nor_size_in_2d():
    three_d, poses = discriminators.Discriminator3D(dim=8), STORED["pose"]
    torch.testing.assert_close(three_d(2 * poses + 1), three_d(poses))
    seen = STORED["projected"]
    torch.testing.assert_close(
        discriminators.about_root(3 * seen + 1), discriminators.about_root(seen)
    )


def test_the_ranges_are_the_authors():
    known = FACTS["losses"]
    angle = losses.angle_range(STORED["ba_diff"], centre=0.2, width=0.1)
    length = losses.length_range(STORED["blr"], most=0.02)
    assert float(angle) == pytest.approx(known["angle_range_centre_0p2_width_0p1"], rel=1e-5)
    assert float(length) == pytest.approx(known["length_threshold_0p02"], rel=1e-5)


def test_least_squares_draw_scores_to_0_and_1():
    real, fake = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.5])
    assert float(losses.judge_loss(real, fake)) == pytest.approx(0.5 * (0.5 + 0.125))
    assert float(losses.fool_loss(fake)) == pytest.approx(0.5 * 0.625)


def test_past_fakes_are_shown_again():
    torch.manual_seed(0)
    pool = losses.Pool((1,), size=8)
    first = torch.arange(6.0)[:, None]
    assert torch.equal(pool(first), first)
    shown = pool(torch.arange(6.0, 106.0)[:, None])  # two fill it, 98 more come
    assert torch.equal(shown[:2], torch.tensor([[6.0], [7.0]]))
    old = [float(v) for v in shown.flatten() if v < 8]
    assert 2 < len(old) <= 2 + 8 and len(set(old)) == len(old)
    # What takes an old one's place is kept instead of shown; nothing is kept twice.
    kept = pool.kept.flatten().tolist()
    assert len(set(kept)) == 8 and not set(kept) & set(shown[2:].flatten().tolist())
