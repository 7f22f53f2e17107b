"""The options of the evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from regressor import command, images, lifters
from regressor.refine import REFINEMENTS

Method = tyro.extras.literal_type_from_choices(images.spellings())
Lifter = tyro.extras.literal_type_from_choices(lifters.names())
Kind = Literal["hard", "plain", "wide"]
Refinement = tyro.extras.literal_type_from_choices(list(REFINEMENTS))


@dataclass(kw_only=True)
class ThreeDpwEvaluation(command.Reporting):
    """Scores on 3DPW, by the literature's protocol and by its challenge's."""

    root: Annotated[Path, tyro.conf.Positional]
    """3DPW's folder, with sequenceFiles and imageFiles."""
    checkpoint: Path | None = None
    """Weights of an image network, ours or its authors'; what is shipped, if not given."""
    method: Method = "dsr"  # pyright: ignore[reportInvalidTypeForm]
    """The network of --checkpoint; an authors' file is fed with crops as they cut them."""
    motions: Path | None = None
    """Instead of a network: a folder of Motion files, SEQUENCE_1.npz and so on."""
    smpl: Path | None = None
    """The folder of your SMPL files (neutral, male, female) and SPIN's J_regressor_h36m.npy."""
    default_body: bool = False
    """For sets that were made with the default body, laid out as 3DPW: no SMPL files are used."""
    split: Literal["train", "validation", "test"] = "test"
    """Papers report test."""
    truth: Literal["gendered", "neutral"] = "gendered"
    """Bodies of the truth; numbers against neutral ones aren't comparable to gendered ones."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("evaluation")
    """The folder to write to."""
    worst: int = 8
    """How many of the worst frames to draw."""
    plot: bool = True
    """Draw the errors (needs matplotlib)."""
    device: str = "auto"
    """Where the network runs: auto, cpu, cuda."""
    workers: int = 0
    """Processes that read pictures."""

    def reads(self) -> Sequence[Path | None]:
        return [self.checkpoint]


@dataclass(kw_only=True)
class JointsEvaluation(command.Reporting):
    """Scores on Human3.6M or MPI-INF-3DHP, whose truth is joints, by SPIN's files of them."""

    root: Annotated[Path, tyro.conf.Positional]
    """The folder of the data sets, with dataset_extras and dataset_folders."""
    set: Literal["h36m-p1", "h36m-p2", "mpi-inf-3dhp"] = "h36m-p2"
    """Human3.6M from all four cameras (h36m_valid_protocol1.npz) or from the front one
    (h36m_valid_protocol2.npz), or MPI-INF-3DHP's test set (mpi_inf_3dhp_valid.npz)."""
    checkpoint: Path | None = None
    """Weights of an image network, ours or its authors'; what is shipped, if not given."""
    method: Method = "dsr"  # pyright: ignore[reportInvalidTypeForm]
    """The network of --checkpoint; an authors' file is fed with crops as they cut them."""
    smpl: Path | None = None
    """The folder of your SMPL files and SPIN's J_regressor_h36m.npy, for a network that knows
    SMPL's shapes."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("evaluation")
    """The folder to write to."""
    device: str = "auto"
    """Where the network runs: auto, cpu, cuda."""
    workers: int = 0
    """Processes that read pictures."""

    def reads(self) -> Sequence[Path | None]:
        return [self.checkpoint]


@dataclass(kw_only=True)
class PeopleEvaluation(command.Reporting):
    """Scores of an image network on synthetic people whom it has not seen."""

    checkpoint: Path | None = None
    """Weights of the network; what is shipped, if not given."""
    method: Method | None = None  # pyright: ignore[reportInvalidTypeForm]
    """The network of an authors' file, dsr if not given; ours know theirs."""
    people: Kind | None = None
    """hard: often in part, behind things and by all lenses, as `train dsr` has them; plain: as its
    --plain-people; wide: anywhere in frames of 25 to 110 degrees, as `train perspose` has them,
    with errors by where they stand. wide for perspose if not given, hard for others."""
    poses: Path | None = None
    """Poses to draw from (`python -m regressor.data.people`): those of held-out subjects are used.
    Without it, random poses."""
    count: int = 256
    """How many people."""
    seed: int = 1
    """Of the draws; not the training's."""
    body: Path | None = None
    """An SMPL file, for a network that knows SMPL's shapes; the default body otherwise."""
    pixels: int = 224
    """Side of the pictures; a network that wants smaller ones makes them itself."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("evaluation")
    """The folder to write to."""
    plot: bool = True
    """Draw the errors of wide people (needs matplotlib)."""
    device: str = "auto"

    def reads(self) -> Sequence[Path | None]:
        return [self.checkpoint, self.poses, self.body]


@dataclass(kw_only=True)
class LifterEvaluation(command.Reporting):
    """Errors and costs of 2D-to-3D lifters, several beside each other."""

    data: Path
    """A data set that lifters are trained on, or motions (the CMU motion set): its held-out part
    is used. Motions are seen by random cameras."""
    checkpoint: tuple[Path, ...] = ()
    """Weights, ours or authors'; all that are shipped, if not given."""
    method: Lifter | None = None  # pyright: ignore[reportInvalidTypeForm]
    """The network of authors' files; ours know theirs."""
    detections: str = "gt"
    """Of a set with several kinds of keypoints: gt, or the name in data_2d_h36m_NAME.npz; sh for
    those in MotionBERT's file of Human3.6M."""
    as_h36m: bool = False
    """Rearrange detections on COCO's or MPII's joints, or all joints of MPI-INF-3DHP, into
    Human3.6M's 17, for networks that read those."""
    refine: Refinement | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Judge each network twice: as it is, and with what `estimate --refine` does after it (uao).
    Of lifted alone."""
    noise: tuple[float, ...] | None = None
    """For motions: sizes of the keypoints' errors, 0 for none, 1 for a detector's (0 1)."""
    protocol: Literal["lifted", "published"] | None = None
    """lifted: each frame once, as `estimate` lifts a video (the default for Human3.6M's 17 joints).
    published: as the papers' tests, whose windows don't overlap and whose padding is scored."""
    flip: bool = True
    """Average with the mirrored person's joints."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Of lifted: auto takes bfloat16 where it helps, as `estimate` does."""
    fps: float = 12.5
    """Frames a second of motions, a divisor of 50."""
    held_out: tuple[str, ...] | None = None
    """The subjects whose motions are judged on: those that `train lifter --held-out` left out (2 7
    17 55 127, of the CMU motion set, if not given)."""
    up: Literal["y", "z"] | None = None
    """The axis that points up in BVH files, y if not given."""
    metres_per_unit: float | None = None
    """How many metres a unit of BVH files is; guessed by the legs' length if not given."""
    amc_fps: float | None = None
    """Frames a second of AMC files, which don't tell it; CMU's 120 if not given."""
    cameras: int = 2
    """How many cameras see each motion."""
    seed: int = 1
    """Of cameras and errors."""
    rounds: int = 3
    """How often each network's time is taken; 0 takes none."""
    plot: bool = True
    """Draw the errors (needs matplotlib)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("evaluation")
    """The folder to write to."""
    device: str = "auto"
    """Where the networks run: auto, cpu, cuda."""

    def reads(self) -> Sequence[Path | None]:
        return [*self.checkpoint, self.data]

    def reading(self) -> dict[str, Any]:
        """What was given of how motion capture is read (`data.mocap_files.MocapOptions`)."""
        names = ("held_out", "up", "metres_per_unit", "amc_fps")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
