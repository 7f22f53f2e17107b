"""ResNets, the backbones of the image networks, with the parameter names of torchvision's.

He et al., "Deep Residual Learning for Image Recognition" (2016), table 1, in the variant that
everybody's weights are of ("v1.5"): a bottleneck's stride lies on its 3x3 convolution. ImageNet
weights in torchvision's layout load once their `fc` is left out.
"""

from torch import Tensor, nn

from regressor.errors import PosecastError

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # blocks of each stage, by depth


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the picture's size but for its stride, without a bias."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class Block(nn.Module):
    """What the kinds of blocks share: a branch added to its input, which is projected to fit."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = width * self.expansion
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )
        self.relu = nn.ReLU(inplace=True)

    def shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)


class BasicBlock(Block):
    """Two 3x3 convolutions (ResNet-18 and -34)."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__(inputs, width, stride)
        self.conv1, self.bn1 = convolution(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(Block):
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide (ResNet-50)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__(inputs, width, stride)
        outputs = width * self.expansion
        self.conv1, self.bn1 = convolution(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(width, outputs, 1), nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Pictures (B, channels, H, W) to features (B, `width`).

    The mean over all places stands for the published 7x7 average pooling: the same for pictures of
    224 x 224, and defined for others from 32 x 32 up.
    """

    def __init__(self, depth: int = 50, channels: int = 3):
        super().__init__()
        if depth not in STAGES:
            raise PosecastError(
                f"There is no ResNet of depth {depth} here: choose {', '.join(map(str, STAGES))}."
            )
        block = Bottleneck if depth == 50 else BasicBlock
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        inputs, stages = 64, []
        for stage, count in enumerate(STAGES[depth]):
            width, blocks = 64 * 2**stage, []
            for number in range(count):
                blocks.append(block(inputs, width, 2 if stage and not number else 1))
                inputs = width * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.width = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised pictures to (B, width)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images)


def resnet_of(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The ResNet's part of a network's state dict, its names behind a prefix."""
    parts = ("conv1.", "bn1.", "layer")
    return {prefix + name: value for name, value in state.items() if name.startswith(parts)}


def without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """An ImageNet state dict less the last layer, which is for classes."""
    return {name: value for name, value in state.items() if not name.startswith("fc.")}
