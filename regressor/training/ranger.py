"""Ranger (L. Wright, 2019), GLA-GCN's optimiser: rectified Adam that looks ahead."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Ranger(torch.optim.RAdam):
    """RAdam (Liu et al. 2020) whose parameters, every `every` steps, go part of the way.

    Lookahead (Zhang et al. 2019): slow weights start where the parameters are before the first
    step; after every `every` steps they move by `share` of the way to the parameters, which then
    start again from there.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        every: int = 6,
        share: float = 0.5,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps)
        for group in self.param_groups:
            group.update(every=every, share=share)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step, with the gradients that are there or those that `closure` computes."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        new = [
            (parameter, parameter.clone())
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and parameter not in self.state
        ]
        super().step()
        for parameter, start in new:
            self.state[parameter]["slow"] = start
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state.get(parameter)
                if state and parameter.grad is not None and state["step"] % group["every"] == 0:
                    parameter.copy_(state["slow"].lerp_(parameter, group["share"]))
        return loss
