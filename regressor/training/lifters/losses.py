"""What the lifters are trained to make small; all of joints (B, T, J, 3), in the targets' unit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from regressor.lifters.uao import likelihood_loss

# MixSTE's and KTPFormer's weights of Human3.6M's and HumanEva's joints: limbs' ends count more.
JOINT_WEIGHTS = {
    "h36m17": (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4),
    "humaneva15": (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4),
}


@dataclass(frozen=True)
class Loss:
    """How much each term counts; the terms of a sequence count where there are frames to compare.

    MixSTE and KTPFormer: weighted, still 0.5, velocity 2. MotionBERT: scaled 0.5, velocity 20. The
    others: the mean distance alone.
    """

    weighted: bool = False
    """Joints count by JOINT_WEIGHTS, in the first two terms."""
    still: float = 0.0
    """Squared steps of the prediction alone: they pull every motion towards rest."""
    velocity: float = 0.0
    """Distance of the steps from frame to frame."""
    scaled: float = 0.0
    """Distance after each frame's best scale (N-MPJPE)."""
    squared: bool = False
    """Half of the sum's square goes down instead of the sum: MixSTE's and KTPFormer's code starts
    the backward pass with the loss itself in place of 1."""

    def __call__(
        self, predicted: Tensor, target: Tensor, weights: Tensor, s: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The terms by name, and their weighted sum, `total`; weights (J,).

        s (B, T, J, 1): how unsure a network says it is; then its likelihood is the total.
        """
        if s is not None:
            position = (predicted - target).norm(dim=-1).mean()
            return {"position": position, "total": likelihood_loss(predicted, s, target)}
        weights = weights if self.weighted else torch.ones_like(weights)
        terms = {"position": weighted_mpjpe(predicted, target, weights)}
        total = terms["position"]
        if self.scaled:
            terms["scaled"] = n_mpjpe(predicted, target)
            total = total + self.scaled * terms["scaled"]
        if predicted.shape[1] > 1:
            if self.still:
                terms["still"] = stillness(predicted, weights)
                total = total + self.still * terms["still"]
            if self.velocity:
                terms["velocity"] = velocity(predicted, target)
                total = total + self.velocity * terms["velocity"]
        return {**terms, "total": total}


def weighted_mpjpe(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of w_j |p - t| over samples, frames and joints."""
    return (weights * (predicted - target).norm(dim=-1)).mean()


def stillness(predicted: Tensor, weights: Tensor) -> Tensor:
    """Mean of w_j (p[t + 1] - p[t])² over samples, steps, joints and the three coordinates."""
    return (weights[:, None] * predicted.diff(dim=1).square()).mean()


def velocity(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance of the steps of both (MPJVE), per frame."""
    return (predicted.diff(dim=1) - target.diff(dim=1)).norm(dim=-1).mean()


def n_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance after each frame's best scale <t, p> / <p, p>, through which gradients go."""
    over = (-2, -1)
    scale = (predicted * target).sum(over, keepdim=True)
    scale = scale / predicted.square().sum(over, keepdim=True)
    return (scale * predicted - target).norm(dim=-1).mean()
