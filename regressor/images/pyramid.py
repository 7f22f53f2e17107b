"""A ResNet whose lower resolutions come back to a quarter of the picture's, one by one.

Lin et al., "Feature Pyramid Networks for Object Detection" (2017), section 3, down to its finest
level alone. For a processor it stands in for an HRNet, whose many narrow branches are slow there.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from regressor.images.resnet import ResNet

DEPTHS = {"resnet18": 18, "resnet34": 34}
WIDTH = 64  # channels of the finest level


class Pyramid(nn.Module):
    """As `hrnet.HRNet`: something can be added to the feature between stem and branches."""

    def __init__(self, depth: int = 18):
        super().__init__()
        self.resnet = ResNet(depth)
        share = self.resnet.width // 8
        self.lateral = nn.ModuleList(nn.Conv2d(share * 2**i, WIDTH, 1) for i in range(4))
        self.smooth = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()
        )
        self.widths, self.stem_width, self.features = [WIDTH], share, self.resnet.width

    def stem(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, `stem_width`, H / 4, W / 4)."""
        net = self.resnet
        return net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(images)))))

    def branches(self, stem: Tensor) -> list[Tensor]:
        """The stem's feature to the finest one (B, 64, H / 4, W / 4), and the ResNet's last."""
        levels = [stem]
        for stage in (self.resnet.layer2, self.resnet.layer3, self.resnet.layer4):
            levels.append(stage(levels[-1]))
        x = self.lateral[-1](levels[-1])
        for lateral, level in zip(self.lateral[2::-1], levels[2::-1], strict=True):
            x = lateral(level) + F.interpolate(x, size=level.shape[-2:], mode="nearest")
        return [self.smooth(x), levels[-1]]

    def whole(self, branches: list[Tensor]) -> Tensor:
        """The branches to one feature (B, `features`) of the whole picture."""
        return branches[-1].mean(dim=(2, 3))
