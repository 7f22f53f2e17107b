"""Where on a body at rest an outfit's layers lie, and which label is seen there.

The same rule serves vertices (how far they are pushed out) and pixels (which label and colour they
have), so borders of clothes are sharp.
"""

import torch
from torch import Tensor

from .outfits import NEVER, Label, Layer
from .surface import BODY, BRIM, LOCKS, SKIRT, Surface

OF_LAYER = {
    Layer.SOCKS: Label.SOCKS,
    Layer.BOTTOM: Label.PANTS,
    Layer.TOP: Label.UPPERCLOTHES,
    Layer.COAT: Label.COAT,
    Layer.SHOES: Label.LEFT_SHOE,
    Layer.GLOVES: Label.GLOVE,
    Layer.SCARF: Label.SCARF,
    Layer.HAIR: Label.HAIR,
    Layer.HAT: Label.HAT,
    Layer.GLASSES: Label.SUNGLASSES,
    Layer.SKIRT: Label.SKIRT,
}


def layers(
    surface: Surface, worn: dict[str, Tensor], height: Tensor, arm: Tensor, place: Tensor
) -> Tensor:
    """Which layer is outermost on the body at these coordinates; place (..., 3) m at rest."""
    x, _, z = place.unbind(-1)
    out = x.abs()
    on_arm = arm > 0
    front = z > surface.half.centre[:, 1].mean()
    layer = torch.zeros_like(height, dtype=torch.long)

    def put(value: Layer, where: Tensor) -> None:
        nonlocal layer
        layer = torch.where(where, int(value), layer)

    put(Layer.SOCKS, (height < worn["sock_top"]) & ~on_arm)
    bottom = (height > worn["bottom_end"]) & (height < worn["bottom_top"]) & ~on_arm
    bottom = bottom & (worn["bottom"] > 0)
    put(Layer.BOTTOM, bottom)
    dip = torch.where(front, worn["neckline"], 0.02) * (1 - out / 0.09).clamp(min=0)
    above = height < 0.95 - dip - 0.03 * (out < 0.09)
    top = (worn["top"] > 0) & (
        ((arm < worn["sleeve"]) & on_arm) | (~on_arm & above & (height > worn["hem"]))
    )
    put(Layer.TOP, top & ~(bottom & (worn["tucked"] > 0)))
    gap = worn["coat_gap"] * (1.2 - height.clamp(max=1) * 0.4)
    coat = (worn["coat"] > 0) & (
        ((arm < worn["coat_sleeve"]) & on_arm)
        | (~on_arm & (height < 0.97) & (height > worn["coat_hem"]) & ~(front & (out < gap)))
    )
    put(Layer.COAT, coat)
    put(Layer.SHOES, (height < worn["shoe_top"]) & ~on_arm)
    put(Layer.GLOVES, arm > worn["glove"])
    neck = (height > 0.88) & (height < 1.12) & (out < 0.1) & ~on_arm
    put(Layer.SCARF, neck & (worn["scarf"] > 0))
    return _head_layers(surface, worn, layer, place, (height > 1.0) & ~on_arm)


def _head_layers(surface: Surface, worn, layer: Tensor, place: Tensor, head: Tensor) -> Tensor:
    x, y, z = place.unbind(-1)
    eye, ear = surface.face_points["eye"], surface.face_points["ear"]
    up = (y - eye[1]) / (surface.heights[-1] - eye[1])  # 0 at the eyes, 1 at the top
    behind = (ear[2] - z) / (eye[2] - ear[2])  # 0 at the ears, 1 as far behind as the eyes before
    line = torch.where(
        behind > 0.1, worn["nape"], worn["hairline"] + 0.35 * behind.clamp(-1.5, 0.1)
    )
    line = torch.where(worn["hairline"] > 1, NEVER, line)
    layer = torch.where(head & (up > line), int(Layer.HAIR), layer)
    hat = head & (worn["hat"] > 0) & (up > worn["hat_line"] - 0.25 * behind.clamp(-1, 1.5))
    layer = torch.where(hat, int(Layer.HAT), layer)
    lens = ((x.abs() - eye[0]) / 0.028).square() + ((y - eye[1]) / 0.02).square() < 1
    bridge = ((y - eye[1] - 0.006).abs() < 0.005) & (z > ear[2])
    glasses = head & (worn["glasses"] > 0) & (lens & (z > eye[2] - 0.05) | bridge) & (layer == 0)
    return torch.where(glasses, int(Layer.GLASSES), layer)


def labels(
    surface: Surface,
    worn: dict[str, Tensor],
    layer: Tensor,
    piece: Tensor,
    height: Tensor,
    arm: Tensor,
    place: Tensor,
) -> Tensor:
    """(...) uint8 Graphonomy label of places whose outermost layer is known."""
    table = torch.tensor([OF_LAYER.get(i, Label.TORSO) for i in Layer], device=layer.device)
    label = table[layer]
    x, y, z = place.unbind(-1)
    left = x > 0
    mouth = surface.face_points["mouth"]
    chin = mouth[1] - 0.045 + 0.45 * (mouth[2] - z).clamp(min=0)
    skin = torch.where(y > chin, int(Label.FACE), int(Label.TORSO))
    skin = torch.where(
        height < 0, torch.where(left, int(Label.LEFT_LEG), int(Label.RIGHT_LEG)), skin
    )
    skin = torch.where(arm > 0, torch.where(left, int(Label.LEFT_ARM), int(Label.RIGHT_ARM)), skin)
    label = torch.where((layer == Layer.SKIN) & (piece == BODY), skin, label)
    label = torch.where((layer == Layer.SHOES) & ~left, int(Label.RIGHT_SHOE), label)
    dress = (layer == Layer.TOP) & (worn["dress"] > 0)
    return torch.where(dress, int(Label.DRESS), label).to(torch.uint8)


def of_sheets(worn: dict[str, Tensor], layer: Tensor, piece: Tensor) -> Tensor:
    """The layer of what lies on a sheet instead of the body."""
    layer = torch.where(piece == SKIRT, worn["skirt"].long(), layer)
    layer = torch.where(piece == LOCKS, int(Layer.HAIR), layer)
    return torch.where(piece == BRIM, int(Layer.HAT), layer)
