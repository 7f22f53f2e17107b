"""An armature as arrays: what retargeting needs to know of any character. Without bpy."""

from dataclasses import dataclass, field

import numpy as np

BoneMap = dict[str, str]
"""SMPL's joint -> the bone that follows it. Joints that no bone follows are left out."""


class RetargetError(Exception):
    """The motion can't be put onto the rig; the text is one sentence for the user."""


@dataclass(frozen=True)
class Rig:
    """An armature at rest.

    names (N,); parents (N,) index of each bone's parent, -1 for a root, parents first;
    rest (N, 4, 4) each bone's matrix in the armature's space (Blender's `matrix_local`: y along the
    bone); lengths (N,) in the armature's units; world (4, 4) the object's matrix, scale included;
    rotation_modes (N,) as Blender names them; deform (N,) whether the bone deforms the mesh;
    metarig: it is Rigify's metarig, which is to be generated first.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    rest: np.ndarray
    lengths: np.ndarray
    world: np.ndarray = field(default_factory=lambda: np.eye(4))
    rotation_modes: tuple[str, ...] = ()
    deform: np.ndarray | None = None
    metarig: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        return self.names.index(name)

    @property
    def heads(self) -> np.ndarray:
        """(N, 3) of the bones' beginnings in the armature's space."""
        return self.rest[:, :3, 3]

    @property
    def tails(self) -> np.ndarray:
        """(N, 3) of the bones' ends in the armature's space."""
        return self.heads + self.rest[:, :3, 1] * self.lengths[:, None]
