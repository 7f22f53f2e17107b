"""GLA-GCN (Yu et al., ICCV 2023): graph convolutions over joints and time, for ground-truth 2D.

The graph of each layer is the skeleton's, plus a learned one, plus one that the window's own
features attend to; strided layers shrink the time by three at a time until the centre frame is
left, and each joint's coordinates are read from that joint's own features.

Parameter names are those of the authors' code, so that their checkpoints load strictly. That code
isn't the paper's model, and its behaviour is the default here:

- it has neither the global branch (every frame's pose from the features before the strides, for a
  second loss) nor the layers of full length before the strided ones, and one output layer serves
  all joints. `global_local`, `depth` and `individual` build these. The file with them was never
  published, and what the paper leaves open is chosen here: the global branch is a graph layer from
  `dim` to 3 channels without the last ReLU (coordinates have signs), attending in one channel,
  where the code's quarter of the channels would be none;
- graphs are normalised by columns, not symmetrically; the three subsets are a joint itself, its
  parent and its children, not by distance to the centre of gravity; the learned graph starts at
  1e-6, and the attention's weights at random, not at 0;
- the time kernel is 9 in every layer, whatever the stride, with zeros beyond the window's ends.

As the attention sums over the whole window, neighbouring windows share no computation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters.blocks import check_window
from regressor.lifters.videopose3d import filter_widths
from regressor.skeletons import COCO17, H36M17_PARENTS

Edges = Sequence[Sequence[int]]
H36M17_EDGES = [(child, parent) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0]
# HumanEva's limbs point outwards in the authors' list, its trunk inwards: their weights need it so.
HUMANEVA15_EDGES = [
    *[(14, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7)],
    *[(1, 0), (0, 11), (11, 12), (12, 13), (0, 8), (8, 9), (9, 10)],
]
# For detected keypoints they left two edges out: the right arm and the left leg hang loose.
HUMANEVA15_DETECTED_EDGES = [edge for edge in HUMANEVA15_EDGES if edge not in [(1, 5), (0, 8)]]


class GLAGCN(nn.Module):
    """Keypoints (B, T, J, 2), normalised screen coordinates, to the centre's joints (B, 1, J, 3).

    T is `frames`; the pose is relative to the root, in the unit of the training's targets (metres
    in the published weights). The root's own output is not forced to zero.
    """

    answers = "centre"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 96,
        depth: int = 0,
        dropout: float = 0.1,
        edges: Edges = H36M17_EDGES,
        input_norm: bool = True,
        global_local: bool = False,
        individual: bool = False,
        channels: int = 2,
        from_coco: bool = False,
    ):
        """`frames` is odd: its prime factors are the strides (243 is 3 3 3 3 3).

        depth, global_local, individual: the paper's additions, see above; `depth` counts the layers
        before the strided ones. edges: (child, parent) pairs, all J joints among them.
        input_norm: False for the authors' HumanEva weights for detected keypoints, whose code holds
        the norm of the inputs and never applies it. from_coco: it reads COCO's 17 keypoints, which
        become HumanEva's 15 first.
        """
        super().__init__()
        if {joint for edge in edges for joint in edge} != set(range(joints)):
            raise PosecastError(
                f"The edges don't lead to each of {joints} joints: give `edges` for this skeleton."
            )
        self.frames, self.joints, self.channels = frames, joints, channels
        self.strides, self.input_norm = filter_widths(frames), input_norm
        self.from_coco, self.keypoints = from_coco, len(COCO17) if from_coco else joints
        self.dropout = nn.Dropout(dropout)
        graph = graph_of(edges, joints)
        self.data_bn = nn.BatchNorm1d(channels * joints)
        self.expand_gcn = Unit(graph, channels, dim)
        self.layers_full = nn.ModuleList(Unit(graph, dim, dim) for _ in range(depth))
        self.layers_tcngcn = nn.ModuleList(
            unit
            for stride in self.strides
            for unit in (Unit(graph, dim, dim), Unit(graph, dim, dim, stride, residual=False))
        )
        self.global_head = Unit(graph, dim, 3, last_relu=False) if global_local else None
        self.fc = IndividualOutput(joints, dim) if individual else nn.Conv1d(dim, 3, 1)

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> (B, 1, J, 3)."""
        return self._centre(self._features(keypoints))

    def forward_both(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, J, 2) -> the centre's joints (B, 1, J, 3) and every frame's (B, T, J, 3).

        For training with the paper's two losses; a network without `global_local` raises
        PosecastError.
        """
        if self.global_head is None:
            raise PosecastError("This GLA-GCN has no global branch: make it with global_local.")
        x = self._features(keypoints)
        return self._centre(x), self.global_head(x).permute(0, 2, 3, 1)

    def _features(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> features of full length (B, C, T, J)."""
        check_window(self, keypoints)
        keypoints = coco_to_humaneva15(keypoints) if self.from_coco else keypoints
        x = keypoints.flatten(2).transpose(1, 2)  # (B, 2J, T), a joint's coordinates side by side
        x = self.data_bn(x) if self.input_norm else x
        x = x.unflatten(1, (self.joints, self.channels)).permute(0, 2, 3, 1)
        x = self.expand_gcn(x)
        for unit in self.layers_full:
            x = self.dropout(unit(x))
        return x

    def _centre(self, x: Tensor) -> Tensor:
        """(B, C, T, J) -> (B, 1, J, 3)."""
        for i, stride in enumerate(self.strides):
            kept = x[:, :, stride // 2 :: stride]
            x = self.dropout(self.layers_tcngcn[2 * i](x))
            x = self.dropout(self.layers_tcngcn[2 * i + 1](x)) + kept
        return self.fc(x.squeeze(2)).transpose(1, 2).unsqueeze(1)


def options_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """frames, joints and dim of an authors' checkpoint, by its shapes; strides are threes.

    15 joints are HumanEva's; that the weights are for detected keypoints leaves no trace: see
    `for_detections`.
    """
    dim = state["fc.weight"].shape[1]
    joints = state["expand_gcn.gcn1.PA"].shape[1]
    layers = {key.split(".")[1] for key in state if key.startswith("layers_tcngcn.")}
    options = {"frames": 3 ** (len(layers) // 2), "joints": joints, "dim": dim}
    return options | ({"edges": HUMANEVA15_EDGES} if joints == 15 else {})


def for_detections(network: GLAGCN) -> GLAGCN:
    """The authors' HumanEva weights for COCO's keypoints, as their code for these runs them.

    network: what `checkpoints.load_authors` makes of their file. Of common/s_agcn_HE_13.py.
    """
    own = GLAGCN(
        network.frames, 15, network.fc.weight.shape[1], edges=HUMANEVA15_DETECTED_EDGES,
        input_norm=False, from_coco=True,
    )  # fmt: skip
    own.load_state_dict(network.state_dict())
    return own.to(network.data_bn.weight.device).train(network.training)


def coco_to_humaneva15(keypoints: Tensor) -> Tensor:
    """COCO's keypoints (..., 17, C) to HumanEva's (..., 15, C) as the authors combine them."""
    pelvis = keypoints[..., [11, 12], :].mean(-2, keepdim=True)
    thorax = keypoints[..., [5, 6], :].mean(-2, keepdim=True)
    limbs = keypoints[..., [5, 7, 9, 6, 8, 10, 11, 13, 15, 12, 14, 16], :]
    return torch.cat([pelvis, thorax, limbs, keypoints[..., :1, :]], dim=-2)


def graph_of(edges: Edges, joints: int) -> Tensor:
    """(3, J, J): identity; [parent, child] = 1; [child, parent] = 1 / number of children.

    Columns receive: each is divided by its sum, where that isn't zero.
    """
    inward = torch.zeros(joints, joints)
    for child, parent in edges:
        inward[parent, child] = 1
    graphs = torch.stack([torch.eye(joints), inward, inward.T])
    return graphs / graphs.sum(1, keepdim=True).clamp(min=1)


class Unit(nn.Module):
    """Graph convolution over the joints, convolution over time, residual path, ReLU."""

    def __init__(
        self,
        graph: Tensor,
        channels_in: int,
        channels_out: int,
        stride: int = 1,
        residual: bool = True,
        last_relu: bool = True,
    ):
        super().__init__()
        self.gcn1 = GraphConvolution(graph, channels_in, channels_out)
        self.tcn1 = TimeConvolution(channels_out, channels_out, 9, stride)
        self.residual = None
        if residual:
            same = channels_in == channels_out
            self.residual = nn.Identity() if same else TimeConvolution(channels_in, channels_out, 1)
        self.last_relu = last_relu

    def forward(self, x: Tensor) -> Tensor:
        """(B, Cin, T, J) -> (B, Cout, T / stride, J)."""
        y = self.tcn1(self.gcn1(x))
        if self.residual is not None:
            y = y + self.residual(x)
        return F.relu(y) if self.last_relu else y


class TimeConvolution(nn.Module):
    """Convolution over time with zeros beyond the ends, batch norm."""

    def __init__(self, channels_in: int, channels_out: int, size: int, stride: int = 1):
        super().__init__()
        padding = (size // 2, 0)
        self.conv = nn.Conv2d(channels_in, channels_out, (size, 1), (stride, 1), padding)
        self.bn = nn.BatchNorm2d(channels_out)
        start_convolution(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """(B, Cin, T, J) -> (B, Cout, T / stride, J)."""
        return self.bn(self.conv(x))


class GraphConvolution(nn.Module):
    """Three subsets of edges, each a fixed, a learned (PA) and an attended graph in one."""

    graph: Tensor

    def __init__(self, graph: Tensor, channels_in: int, channels_out: int):
        super().__init__()
        self.register_buffer("graph", graph, persistent=False)
        self.PA = nn.Parameter(torch.full_like(graph, 1e-6))
        inner, subsets = max(channels_out // 4, 1), len(graph)
        self.conv_a = nn.ModuleList(nn.Conv2d(channels_in, inner, 1) for _ in range(subsets))
        self.conv_b = nn.ModuleList(nn.Conv2d(channels_in, inner, 1) for _ in range(subsets))
        self.conv_d = nn.ModuleList(nn.Conv2d(channels_in, channels_out, 1) for _ in range(subsets))
        self.down = nn.Identity()
        if channels_in != channels_out:
            self.down = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1), nn.BatchNorm2d(channels_out)
            )
        self.bn = nn.BatchNorm2d(channels_out)
        self.dropout = nn.Dropout(0.1)
        self._start()

    def _start(self) -> None:
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                start_convolution(conv)
        for conv in self.conv_d:
            weight = conv.get_parameter("weight")
            nn.init.normal_(weight, std=(2 / (weight.numel() * len(self.conv_d))) ** 0.5)
        nn.init.constant_(self.bn.weight, 1e-6)  # the layer starts as its residual path

    def forward(self, x: Tensor) -> Tensor:
        """(B, Cin, T, J) -> (B, Cout, T, J)."""
        rows = x.flatten(1, 2)  # (B, Cin T, J)
        passed = torch.cat([rows @ graph for graph in self.graphs(x).unbind(1)], dim=1)
        passed = passed.unflatten(1, (-1, x.shape[2]))  # (B, 3 Cin, T, J)
        # The sum of three convolutions is one over three times the channels.
        weight = torch.cat([conv.get_parameter("weight") for conv in self.conv_d], dim=1)
        bias = torch.stack([conv.get_parameter("bias") for conv in self.conv_d]).sum(0)
        y = self.dropout(self.bn(pointwise(passed, weight, bias)))
        return F.relu(y + self.down(x))

    def graphs(self, x: Tensor) -> Tensor:
        """(B, Cin, T, J) -> the graphs (B, 3, J, J) by which joints (rows) pass to others."""
        convs = [*self.conv_a, *self.conv_b]
        weight = torch.cat([conv.get_parameter("weight") for conv in convs])
        bias = torch.cat([conv.get_parameter("bias") for conv in convs])
        embedded = pointwise(x, weight, bias)  # (B, 2 * 3 * E, T, J)
        sender, receiver = embedded.unflatten(1, (2, len(self.graph), -1)).flatten(3, 4).unbind(1)
        scores = sender.transpose(-1, -2) @ receiver / sender.shape[2]
        return scores.softmax(dim=-2) + self.graph + self.PA


class IndividualOutput(nn.Module):
    """An output layer for each joint of its own (the paper's "unshared" form)."""

    def __init__(self, joints: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(joints, 3, dim))
        self.bias = nn.Parameter(torch.zeros(3, joints))
        nn.init.uniform_(self.weight, -(dim**-0.5), dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, J) -> (B, 3, J)."""
        return torch.einsum("jdc,bcj->bdj", self.weight, x) + self.bias


def pointwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 1x1 convolution of (B, Cin, T, J), as one product: on the CPU torch's own is slower."""
    return (weight.flatten(1) @ x.flatten(2) + bias[:, None]).unflatten(2, x.shape[2:])


def start_convolution(conv: nn.Conv2d) -> None:
    """He's initialisation for what comes out, zero biases."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
