"""HRNets, which keep a high resolution beside the lower ones, with their published parameter names.

Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition" (2020), section 3
and figure 2: the pose network's backbone, without its heat maps, and the classifier's head up to
the feature (figure 4c).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from regressor.images.resnet import BasicBlock, Bottleneck, convolution


@dataclass
class Size:
    """How large an HRNet is."""

    width: int
    """Channels at a quarter of the picture's resolution; each lower one has twice as many."""
    modules: tuple[int, int, int] = (1, 4, 3)
    """Exchanges between the resolutions in the stages 2, 3 and 4."""
    blocks: int = 4
    """Residual blocks of a branch between two exchanges, and of the first stage."""
    stem: int = 64
    """Channels of the first two convolutions; the first stage gives four times as many."""
    features: int = 2048
    """Numbers of the feature of the whole picture."""


SIZES = {
    "w48": Size(48),
    "w32": Size(32),
    "w18": Size(18),
    "w18_small": Size(18, modules=(1, 1, 1), blocks=2, features=512),
    "w16": Size(16, modules=(1, 1, 1), blocks=1, stem=32, features=256),
    "w8": Size(8, modules=(1, 1, 1), blocks=1, stem=16, features=128),
}


def size_of(state: Mapping[str, Any], prefix: str = "") -> str:
    """The name of the size that a state dict has; raises KeyError with a parameter it lacks."""
    width = state[f"{prefix}transition1.0.0.weight"].shape[0]
    features = state[f"{prefix}final_feat_layer.0.weight"].shape[0]
    for name, size in SIZES.items():
        if (size.width, size.features) == (width, features):
            return name
    raise KeyError(f"{prefix}transition1.0.0.weight of a known width")


def _strided(inputs: int, outputs: int, size: int = 3, stride: int = 2) -> list[nn.Module]:
    return [convolution(inputs, outputs, size, stride), nn.BatchNorm2d(outputs)]


class Exchange(nn.Module):
    """Parallel branches of residual blocks, and then the sum of all in each.

    Takes and gives one feature (B, `widths[i]`, H / 2^i, W / 2^i) for each resolution.
    """

    def __init__(self, widths: list[int], blocks: int):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )
        self.relu = nn.ReLU()

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        branched = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        fused = []
        for paths in self.fuse_layers:
            arriving = [path(x) for path, x in zip(paths, branched, strict=True)]  # pyright: ignore[reportArgumentType]
            fused.append(self.relu(sum(arriving[1:], arriving[0])))
        return fused


def _path(widths: list[int], source: int, target: int) -> nn.Module:
    """What brings the feature of one resolution to another one."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_strided(widths[source], widths[target], 1, 1), up)
    steps = []
    for step in range(source, target):
        last = step == target - 1
        halved = _strided(widths[source], widths[target] if last else widths[source])
        steps.append(nn.Sequential(*halved, *([] if last else [nn.ReLU()])))
    return nn.Sequential(*steps)


class HRNet(nn.Module):
    """Pictures (B, 3, H, W) to what `high` and `whole` make of the branches; sides of 32 n px.

    Between the stem and the branches something can be added to the feature: see `stem`.
    """

    def __init__(self, size: Size):
        super().__init__()
        self.conv1, self.bn1 = _strided(3, size.stem)
        self.conv2, self.bn2 = _strided(size.stem, size.stem)
        self.relu = nn.ReLU(inplace=True)
        stem = 4 * size.stem
        self.layer1 = nn.Sequential(
            *(Bottleneck(stem if i else size.stem, size.stem, 1) for i in range(size.blocks))
        )
        widths = [size.width * 2**i for i in range(4)]
        self.transition1 = nn.ModuleList(
            [
                nn.Sequential(*_strided(stem, widths[0], stride=1), nn.ReLU()),
                nn.Sequential(nn.Sequential(*_strided(stem, widths[1]), nn.ReLU())),
            ]
        )
        self.transition2, self.transition3 = _joining(widths[:3]), _joining(widths)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Exchange(widths[: i + 2], size.blocks) for _ in range(count)))
            for i, count in enumerate(size.modules)
        )
        self._make_head(widths, size.features)
        self.widths, self.stem_width, self.features = widths, stem, size.features
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _make_head(self, widths: list[int], features: int) -> None:
        """Four times 32, 64, 128 and 256 channels where there are 2048 features."""
        head = [features // 64 * 2**i for i in range(4)]
        self.incre_modules = nn.ModuleList(
            nn.Sequential(Bottleneck(width, inner, 1))
            for width, inner in zip(widths, head, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(4 * inner, 8 * inner, 3, 2, padding=1),
                nn.BatchNorm2d(8 * inner),
                nn.ReLU(),
            )
            for inner in head[:3]
        )
        self.final_feat_layer = nn.Sequential(
            nn.Conv2d(4 * head[3], features, 1), nn.BatchNorm2d(features), nn.ReLU()
        )

    def stem(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, `stem_width`, H / 4, W / 4), before the resolutions part."""
        x = self.relu(self.bn1(self.conv1(images)))
        return self.layer1(self.relu(self.bn2(self.conv2(x))))

    def branches(self, stem: Tensor) -> list[Tensor]:
        """The stem's feature to four of `widths` channels, of 1/4, 1/8, 1/16, 1/32 resolution."""
        features = self.stage2([transition(stem) for transition in self.transition1])
        features = self.stage3([*features, self.transition2[-1](features[-1])])
        return self.stage4([*features, self.transition3[-1](features[-1])])

    def whole(self, branches: list[Tensor]) -> Tensor:
        """The branches to one feature (B, `features`) of the whole picture."""
        widened = [module(x) for module, x in zip(self.incre_modules, branches, strict=True)]
        x = widened[0]
        for down, lower in zip(self.downsamp_modules, widened[1:], strict=True):
            x = down(x) + lower
        return self.final_feat_layer(x).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The finest branch (B, width, H / 4, W / 4) and the whole picture's (B, `features`)."""
        branches = self.branches(self.stem(images))
        return branches[0], self.whole(branches)


def _joining(widths: list[int]) -> nn.ModuleList:
    """The lowest resolution, made of the one above; the others stay as they are."""
    new = nn.Sequential(nn.Sequential(*_strided(widths[-2], widths[-1]), nn.ReLU()))
    return nn.ModuleList([*(nn.Identity() for _ in widths[:-1]), new])
