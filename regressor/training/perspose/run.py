"""`train perspose`: assembles network, data and Lightning's trainer, and writes the weights."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from regressor import checkpoints, images
from regressor.data.mixture import Mixture, Source
from regressor.data.people import load_poses
from regressor.errors import FileFormatError
from regressor.smpl.body import Body
from regressor.smpl.genders import REGRESSOR, ByGender, h36m_regressor, load_bodies
from regressor.smpl.landmarks import REGRESSORS as OWN_REGRESSORS
from regressor.training.checks import Told
from regressor.training.images import Result, learn
from regressor.training.perspose import options as presets
from regressor.training.perspose.module import Perspective
from regressor.training.perspose.options import PersPoseTraining, Recipe
from regressor.training.perspose.people import WidePeople, wide_people
from regressor.training.perspose.pictures import open_sets
from regressor.training.perspose.samples import Labels
from regressor.training.trainer import claim

WEIGHTS = "perspose.safetensors"
BACKBONE = "backbone."
# Which may tell Human3.6M's pelvis: the authors' file, and SPIN's, whose legs come the other way.
REGRESSORS = ("J_regressor_h36m_correct.npy", REGRESSOR)
CHECK_SEED = 78  # of the people on whom errors are measured
FREE = ("epochs",)  # what may change when a training goes on


def network_options(options: PersPoseTraining, recipe: Recipe) -> dict:
    return {
        "backbone": recipe.backbone,
        "pixels": recipe.pixels,
        "encoding": options.encoding,
        "rotation": options.rotation,
        "keypoints": recipe.keypoints,
        "first_beta": recipe.first_beta,
    }


def build_network(options: PersPoseTraining, recipe: Recipe) -> nn.Module:
    """A new network, or with the weights of `start`: all of them, or those of a backbone.

    Of an HRNet that was trained for another task those are taken that fit, as its authors do; of a
    located network (`train dsr --network located`) its pyramid.
    """
    network = images.create("perspose", **network_options(options, recipe))
    if options.start is not None:
        content = checkpoints.read_checkpoint(options.start)
        if "final_layer.weight" in content:  # the heat maps of HRNet's pose network
            load_backbone(network, content)
        elif "maps.weight" in content:  # those of a located network
            load_pyramid(network, content)
        else:
            checkpoints.load_published(network, content)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def load_backbone(network: nn.Module, state) -> None:
    """A pose network's own parameters of HRNet; its heads and the classifier's stay new.

    Raises FileFormatError where none fits.
    """
    own = network.get_submodule("backbone").state_dict()
    same = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if "layer1.0.conv1.weight" not in same or not any(k.startswith("stage4") for k in same):
        raise FileFormatError("These weights of an HRNet are of another width than the network's.")
    network.get_submodule("backbone").load_state_dict({**own, **same})


def load_pyramid(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """A located network's pyramid, without the camera that it may see; the heads stay new.

    Raises FileFormatError where the network has another backbone.
    """
    own = {k.removeprefix(BACKBONE): v for k, v in state.items() if k.startswith(BACKBONE)}
    checkpoints.load_published(network.get_submodule("backbone"), own)


def wide(options: PersPoseTraining, recipe: Recipe, body: Body, check: bool) -> WidePeople:
    """Synthetic people to learn from, or those of held-out subjects to measure on."""
    poses = load_poses(options.poses).split(check) if options.poses else None
    folder = options.people_folder or options.output / "people"
    return WidePeople(
        wide_people(recipe.pixels, body, poses),
        options.check_people if check else options.people,
        folder.with_name(f"{folder.name}_held_out") if check else folder,
        recipe.pixels,
        options.rotation,
        None if check else recipe.augmentation,
        CHECK_SEED if check else options.people_seed,
    )


def build_mixture(options: PersPoseTraining, recipe: Recipe, bodies: ByGender) -> Mixture:
    """All samples of a training, by the published shares."""
    sources: dict[str, Source] = {}
    ratios: dict[str, float] = {}
    if options.data is not None:
        shares = presets.MIXTURES[options.mixture]
        names = options.sets or tuple(shares)
        found = open_sets(options.data, names, bodies, recipe, options.rotation)
        sources, ratios = dict(found), {name: shares[name] for name in names}
    if options.people:
        sources["people"] = wide(options, recipe, bodies.neutral, check=False)
        share, total = (options.people_share, sum(ratios.values())) if ratios else (1.0, 1.0)
        ratios = {name: (1 - share) * ratio / total for name, ratio in ratios.items()}
        ratios["people"] = share
    length = presets.EPOCH if options.data is not None else None
    return Mixture(sources, ratios, options.seed, length)


def pelvis_of(folder: Path | None, body: Body) -> np.ndarray | None:
    """Human3.6M's pelvis by the vertices (V,), from a folder of SMPL's files; None where there is
    none in it, or no folder. Says so where SMPL's own has to stand for it.

    Raises FileFormatError for a file that can't be read, or is for another body.
    """
    if folder is not None and folder.is_dir():
        found = h36m_regressor(folder, len(body.v_template), REGRESSORS)
        if found is not None:
            return found[0]
    if OWN_REGRESSORS["h36m17"] not in body.arrays:
        print(
            f"There is no {REGRESSOR} in a folder given by --body: SMPL's own pelvis stands for "
            "Human3.6M's.",
            flush=True,
        )
    return None


def made_of(options: PersPoseTraining, recipe: Recipe) -> dict:
    """What may not change when a training goes on."""
    return {
        **{name: value for name, value in asdict(recipe).items() if name not in FREE},
        **network_options(options, recipe),
        "data": str(options.data),
        **({"mixture": options.mixture} if options.data is not None else {}),
        "sets": options.sets,
        "body": str(options.body),
        "people": options.people,
        "start": str(options.start),
        "seed": options.seed,
    }


def train_perspose(options: PersPoseTraining) -> dict[str, float]:
    """Trains, checks on held-out people and writes the weights; returns the last errors, mm.

    Raises PosecastError for options that don't fit, data that can't be read, and a folder in which
    another training stands.
    """
    recipe = options.recipe()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    bodies = load_bodies(options.body)  # samples are made where they are drawn: on the CPU
    network = build_network(options, recipe)
    labels = Labels(bodies, pelvis_of(options.body, bodies.neutral))
    mixture = build_mixture(options, recipe, bodies)
    drawn = bodies.neutral
    checks = list(wide(options, recipe, drawn, True).batches()) if options.check_people else []
    claim(options, made_of(options, recipe))
    module = Perspective(network, labels, recipe, options.seed, len(mixture))
    result = Result(WEIGHTS, "perspose", network_options(options, recipe))
    return learn(options, recipe, module, mixture, checks, Told(), result)
