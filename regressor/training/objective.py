"""What the regressor is trained to make small: HMR's losses and those of the rendered body.

Kolotouros et al., SPIN (2019); Dwivedi et al., DSR (ICCV 2021): 60 times the sum of all terms.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.images.hmr import HmrOutput
from regressor.images.joints import Joints49
from regressor.images.losses import hmr_losses
from regressor.smpl.body import Body, chain, skin
from regressor.training.options import Recipe
from rendering.cameras import weak_to_translation
from rendering.semantic import semantic_losses, targets


class PosedBody(nn.Module):
    """Rotations and betas to the mesh and SPIN's 49 joints of one body."""

    def __init__(self, body: Body, joints49: Joints49):
        super().__init__()
        self.body, self.joints49 = body, joints49
        self.faces: Tensor
        self.register_buffer("faces", torch.as_tensor(body.faces), persistent=False)

    def forward(self, rotmat: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """rotmat (B, 24, 3, 3), betas (B, 10): vertices (B, V, 3) and joints (B, 49, 3), m."""
        vertices, joints = self._skinned(rotmat, betas, slice(None))
        return vertices, self.joints49(vertices, joints)

    def joints(self, rotmat: Tensor, betas: Tensor) -> Tensor:
        """The joints (B, 49, 3) alone: only those vertices are posed that make them."""
        picked = self.joints49.picked
        vertices, joints = self._skinned(rotmat, betas, picked)
        return self.joints49.of_picked(vertices, joints)

    def _skinned(
        self, rotmat: Tensor, betas: Tensor, picked: Tensor | slice
    ) -> tuple[Tensor, Tensor]:
        """Some vertices (B, N, 3) and SMPL's joints (B, 24, 3)."""
        rest = self.body.joints_at_rest(betas)
        turned, joints = chain(rotmat, rest)
        shaped = self.shaped(betas, picked)
        if self.body.posedirs is not None:
            bent = (rotmat[:, 1:] - torch.eye(3, device=rotmat.device)).flatten(1)
            shaped = shaped + torch.einsum("bp,vcp->bvc", bent, self.body.posedirs[picked])
        return skin(self.body.weights[picked], turned, joints, rest, shaped), joints

    def shaped(self, betas: Tensor, picked: Tensor | slice = slice(None)) -> Tensor:
        """The mesh (B, V, 3) at rest, m, or some of its vertices."""
        directions = self.body.shapedirs[picked]
        return self.body.v_template[picked] + torch.einsum("bk,vck->bvc", betas, directions)


class Objective(nn.Module):
    """The loss of a batch. prior (F, 20): needed where the recipe renders."""

    def __init__(self, recipe: Recipe, posed: PosedBody, prior: Tensor | None = None):
        super().__init__()
        self.recipe, self.posed = recipe, posed
        self.prior: Tensor | None
        self.register_buffer("prior", prior, persistent=False)

    def forward(
        self, output: HmrOutput, batch: Mapping[str, Tensor], epoch: int
    ) -> dict[str, Tensor]:
        """The weighted terms by name, their `total`, and counts of samples (`gated`, `dropped`).

        batch: training samples (`data.images`); epoch, from 0, says whether rendering has begun.
        """
        if self.recipe.ignore_3d:
            batch = without_3d(batch)
        weights, semantics = self.recipe.weights, self.recipe.semantics
        rendering = semantics is not None and epoch > semantics.start_epoch
        vertices, meshes = None, None
        if rendering or weights.vertices:
            vertices, joints = self.posed(output.rotmat, output.betas)
        else:  # posing the whole mesh would take a quarter of a small network's step
            joints = self.posed.joints(output.rotmat, output.betas)
        if vertices is not None and weights.vertices:
            with torch.no_grad():
                truth = self.posed(batch["pose"], batch["betas"])[0]
            meshes = (vertices, truth)
        terms = hmr_losses(output, joints, batch, weights, meshes)
        extra = [terms["total"]]
        if self.recipe.rest:
            terms["rest"] = self.recipe.rest * distance_from_rest(output)
            extra.append(weights.total * terms["rest"])
        if vertices is not None and rendering:
            rendered = self.rendered(vertices, output.cam, batch)
            terms |= rendered
            extra.append(weights.total * rendered["semantic"])
        terms["total"] = torch.stack(extra).sum()
        return terms

    def rendered(
        self, vertices: Tensor, cam: Tensor, batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """DSR's terms: `semantic` is their weighted sum, the others are before their weights."""
        options = self.recipe.semantics
        assert options is not None and self.prior is not None
        wanted = targets(
            batch["labels"], batch["keypoints"], batch["has_labels"], options.skin,
            with_distance=options.mc_loss == "distance",
        )  # fmt: skip
        placed = vertices + weak_to_translation(cam)[:, None]
        losses = semantic_losses(placed, self.posed.faces, self.prior, wanted, options)
        return {
            "semantic": losses.total,
            "mc": losses.mc.detach(),
            "c": losses.c.detach(),
            "silhouette": losses.silhouette.detach(),
            "gated": losses.gated.float(),
            "dropped": losses.dropped.float(),
        }


def without_3d(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch whose samples have neither SMPL parameters nor 3D joints (DSR's IGNORE_3D)."""
    nothing = torch.zeros_like(batch["has_smpl"], dtype=torch.bool)
    return {**batch, "has_smpl": nothing, "has_joints3d": nothing}


def distance_from_rest(output: HmrOutput) -> Tensor:
    """Mean squared difference of the body's rotations from none, and of the betas from 0.

    Keypoints alone leave depth and twist open; this keeps what they don't tell near the rest.
    """
    turned = output.rotmat[:, 1:] - torch.eye(3, device=output.rotmat.device)
    return turned.square().mean() + 0.1 * output.betas.square().mean()
