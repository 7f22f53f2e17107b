"""The network of UAO (Wang et al., IEEE TMM 2025): a 2D pose to a 3D pose and how unsure it is.

A small graph convolution and two U-shaped MLPs, over channels and over joints, look at one frame;
two heads give each joint's position and the logarithm of the expected error. The authors' code
calls it GUMLP. What they do with it at test time is in `regressor/refine/uao.py`, and works for
every other lifter too.

Parameter names are those of the authors' code, so that their checkpoints load strictly. Kept from
that code: the encoder has no activation between its two layers, the last layer of the MLP over
joints ends with one, and the graph's inward and outward links follow a list of distances in which
the pelvis, not the spine at the centre, has the distance 1. Their encoder is 512 wide whatever is
asked for; here every width is a share of `dim`.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.lifters.blocks import DropPath, check_window
from regressor.skeletons import H36M17_PARENTS, side

# Links from the centre (joint 7), as the authors count them.
_DISTANCES = (1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 3, 2, 3, 4, 2, 3, 4)


class UAO(nn.Module):
    """Keypoints (B, n, J, 2), normalised screen coordinates, to root-relative joints (B, n, J, 3).

    Each frame by itself, Human3.6M's 17 joints only, in the unit of the training's targets (metres
    in the published weights). The root's own output is not forced to zero.
    """

    answers, frames, joints, channels = "valid", 1, 17, 2

    def __init__(
        self, dim: int = 512, depth: int = 3, drop_path: float = 0.2, dropout: float = 0.1
    ):
        """`drop_path` is the last block's rate; the MLPs over joints have half of `dropout`."""
        super().__init__()
        self.encoder = TwoLayers(2, dim // 8, dim)
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.GCN_MLP = Trunk(dim, rates, dropout)
        self.pred_mu = TwoLayers(dim, dim // 2, 3)
        self.pred_s = TwoLayers(dim, dim // 2, 1)

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, n, 17, 2) -> (B, n, 17, 3)."""
        return self.forward_uncertain(keypoints)[0]

    def forward_uncertain(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n, 17, 2) -> joints (B, n, 17, 3) and s (B, n, 17, 1).

        exp(s) is the scale of each joint's expected error, in the joints' unit.
        """
        check_window(self, keypoints[:, :1])
        about_mu, about_s = self.GCN_MLP(self.encoder(keypoints.flatten(0, 1)))
        answers = self.pred_mu(about_mu), self.pred_s(about_s)
        shape = keypoints.shape[:2]
        return answers[0].unflatten(0, shape), answers[1].unflatten(0, shape)


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """dim and depth of an authors' checkpoint."""
    blocks = {key.split(".")[2] for key in state if key.startswith("GCN_MLP.blocks.")}
    return {"dim": state["encoder.fc5.weight"].shape[0], "depth": len(blocks)}


def likelihood_loss(joints: Tensor, s: Tensor, target: Tensor) -> Tensor:
    """Mean of |p - t| exp(-s) + s over all joints: p, t (..., J, 3), s (..., J, 1).

    Up to constants the negative logarithm of a density that falls with the distance (the authors'
    code calls it Gaussian; it is Laplace's).
    """
    return (distance(joints, target) * torch.exp(-s) + s).mean()


def distance(points: Tensor, others: Tensor) -> Tensor:
    """(..., K) and (..., K) -> (..., 1), whose gradient is zero where both are the same."""
    return torch.linalg.vector_norm(points - others, dim=-1, keepdim=True)


def adjacency() -> Tensor:
    """(4, 17, 17): self, outward, inward, left-right links; columns receive and sum up to one.

    Outward and inward as in the authors' list of distances; [j, i] leads from j to i.
    """
    bones, across = torch.zeros(17, 17), torch.zeros(17, 17)
    for child, parent in enumerate(H36M17_PARENTS):
        if parent >= 0:
            bones[child, parent] = bones[parent, child] = 1
    left, right = side("left", "h36m17"), side("right", "h36m17")
    across[left, right] = across[right, left] = 1
    both = torch.eye(17) + bones + across
    share = both / both.sum(0)
    far = torch.tensor(_DISTANCES)
    farther = far[:, None] > far
    kinds = torch.eye(17), bones * farther, bones * farther.T, across
    return torch.stack([share * kind for kind in kinds])


class TwoLayers(nn.Module):
    """Two linear layers and nothing between them."""

    def __init__(self, channels_in: int, hidden: int, channels_out: int):
        super().__init__()
        self.fc1 = nn.Linear(channels_in, hidden)
        self.fc5 = nn.Linear(hidden, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., Cin) -> (..., Cout)."""
        return self.fc5(self.fc1(x))


class Trunk(nn.Module):
    """The blocks, and a norm for each of the two heads."""

    def __init__(self, dim: int, rates: Sequence[float], dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(MixBlock(dim, rate, dropout) for rate in rates)
        self.norm_mu = nn.LayerNorm(dim, eps=1e-6)
        self.norm_s = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, J, C) -> (B, J, C) twice."""
        for block in self.blocks:
            x = block(x)
        return self.norm_mu(x), self.norm_s(x)


class MixBlock(nn.Module):
    """A graph convolution, then MLPs over channels and over joints side by side."""

    def __init__(self, dim: int, drop_path: float, dropout: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(17, eps=1e-6)
        self.gcn1 = GraphConvolution(dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.norm3 = nn.LayerNorm(17, eps=1e-6)
        self.channel_mlp = ChannelMLP(dim, dropout)
        self.spatial_mlp = SpatialMLP(17, dropout / 2)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, C) -> (B, J, C)."""
        x = x + self.drop_path(self.gcn1(self.norm1(x.mT)).mT)
        channels, joints = self.channel_mlp(self.norm2(x)), self.spatial_mlp(self.norm3(x.mT)).mT
        return x + self.drop_path(channels + joints)


class GraphConvolution(nn.Module):
    """One linear map of each joint for each kind of link, summed over the links."""

    adjacency: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.conv1d = nn.Conv1d(dim, 4 * dim, 1)
        self.register_buffer("adjacency", adjacency(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, J) -> (B, C, J)."""
        maps = self.conv1d(x).unflatten(1, (4, -1))  # (B, 4, C, J)
        return (maps @ self.adjacency).sum(1)


class Layer(nn.Module):
    """Linear, GELU, dropout."""

    def __init__(self, channels_in: int, channels_out: int, dropout: float):
        super().__init__()
        self.linear = nn.Sequential(nn.Linear(channels_in, channels_out))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., Cin) -> (..., Cout)."""
        return self.dropout(F.gelu(self.linear(x)))


class ChannelMLP(nn.Module):
    """Down to half the channels, a residual layer there, and up again."""

    def __init__(self, dim: int, dropout: float):
        super().__init__()
        self.linear_down = Layer(dim, dim // 2, dropout)
        self.linear_mid = Layer(dim // 2, dim // 2, dropout)
        self.linear_up = Layer(dim // 2, dim, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        x = self.linear_down(x)
        return self.linear_up(self.linear_mid(x) + x)


class SpatialMLP(nn.Module):
    """Up to three and six times the joints, a residual layer there, and down again."""

    def __init__(self, joints: int, dropout: float):
        super().__init__()
        self.linear_up1 = Layer(joints, 3 * joints, dropout)
        self.linear_up2 = Layer(3 * joints, 6 * joints, dropout)
        self.linear_mid = Layer(6 * joints, 6 * joints, dropout)
        self.linear_down1 = Layer(6 * joints, 3 * joints, dropout)
        self.linear_down2 = Layer(3 * joints, joints, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., J) -> (..., J)."""
        x = self.linear_up2(self.linear_up1(x))
        return self.linear_down2(self.linear_down1(self.linear_mid(x) + x))
