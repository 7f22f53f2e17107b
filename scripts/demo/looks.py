"""The person's looks: skin, clothes, shoes and hair, cut out of the body and skinned like it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scripts.demo.stage import BETAS, to_world
from scripts.demo.steps import SIDES

if TYPE_CHECKING:  # importing it needs Blender
    from addon.body import BodyData


@dataclass(frozen=True)
class Piece:
    """Skin or a garment at rest, skinned like the body.

    rest (V, 3); faces (F, 3); weights (V, 24); correctives (V, 3, 207); colour (V, 3) linear RGB;
    edge (V,) m, the surface is cut away where it is below 0; stripe (V,) m along which stripes go.
    """

    name: str
    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    correctives: np.ndarray
    colour: np.ndarray
    edge: np.ndarray
    stripe: np.ndarray


class Dresser:
    """Cuts the pieces out of the body's own surface."""

    def __init__(self, data: "BodyData"):
        self.data = data
        self.rest = data.template + data.shapedirs @ BETAS
        self.joints = data.rest_joints(BETAS)
        self.edges = np.concatenate([data.faces[:, [0, 1]], data.faces[:, [1, 2]]])
        self.part = np.array(data.part_names)[data.part]

    def averaged(self, values: np.ndarray, times: int) -> np.ndarray:
        """(V, ...) each vertex moved half-way to the mean of its neighbours, `times` times."""
        a, b = self.edges.T
        count = np.bincount(np.concatenate([a, b]), minlength=len(values)).clip(1)
        flat = values.reshape(len(values), -1).astype(float)
        for _ in range(times):
            sums = [
                np.bincount(a, column[b], len(column)) + np.bincount(b, column[a], len(column))
                for column in flat.T
            ]
            flat = 0.5 * flat + 0.5 * np.stack(sums, axis=1) / count[:, None]
        return flat.reshape(values.shape)

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        corners = vertices[self.data.faces]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        total = np.zeros_like(vertices)
        for corner in range(3):
            np.add.at(total, self.data.faces[:, corner], flat)
        return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)

    def shell(self, name, edge, offset, softening: int, colour, stripe=None) -> Piece:
        """The surface where edge (V,) > 0, softened and moved outwards by offset (V,) m."""
        faces = self.data.faces[(edge[self.data.faces] > 0).any(axis=1)]
        used, faces = np.unique(faces, return_inverse=True)
        soft = self.averaged(self.rest, softening)
        moved = soft + self.normals(soft) * offset[:, None]
        stripe = np.zeros(len(edge)) if stripe is None else stripe
        weights = self.averaged(self.data.weights, softening // 2)
        return Piece(
            name,
            moved[used],
            faces.reshape(-1, 3),
            weights[used],
            self.data.posedirs[used],
            np.broadcast_to(colour, (len(edge), 3))[used],
            edge[used],
            stripe[used],
        )

    def shirt_edge(self) -> np.ndarray:
        """(V,) m inside the shirt's hems: below the neck, above the hips, short sleeves."""
        x, y, _ = self.rest.T
        neck, hips, elbow = self.joints[12], self.joints[1], self.joints[18]
        collar = (self.rest - neck - [0, 0.045, 0.02]) * [1, 1.15, 1]
        opening = np.linalg.norm(collar, axis=1) - 0.085
        above = np.where(np.abs(x) < 0.13, neck[1] + 0.02 - y, 1.0)
        inside = [y - hips[1] + 0.045, elbow[0] - 0.045 - np.abs(x), opening, above]
        return np.min(inside, axis=0)

    def shirt(self) -> list[Piece]:
        """Its body and its sleeves, which meet where they are cut."""
        x, y = np.abs(self.rest[:, 0]), self.rest[:, 1]
        hips, elbow = self.joints[1], self.joints[18]
        seam = x - self.joints[16][0] - 0.015
        loose = np.interp(y, [hips[1] - 0.05, 0.12, 0.3], [0.024, 0.014, 0.010])
        sleeve = np.interp(x, [0.2, elbow[0]], [0.010, 0.021])
        offset = loose + (sleeve - loose) * np.clip(seam / 0.04 + 0.5, 0, 1)
        body, arms = np.minimum(self.shirt_edge(), -seam), np.minimum(self.shirt_edge(), seam)
        return [
            self.shell("shirt", body, offset, 14, (1, 1, 1), y),
            # Surfaces that coincide would hide each other where they are cut.
            self.shell("shirt", arms, offset + 0.002, 14, (1, 1, 1), x),
        ]

    def trousers_edge(self) -> np.ndarray:
        y = self.rest[:, 1]
        return np.minimum(0.05 - y, y - self.joints[7][1] - 0.015)

    def trousers(self) -> Piece:
        y = self.rest[:, 1]
        loose = np.interp(y, [-0.85, -0.55, -0.2, 0.0], [0.024, 0.018, 0.010, 0.006])
        return self.shell("trousers", self.trousers_edge(), loose, 10, (0.045, 0.075, 0.16))

    def hair(self) -> Piece:
        x, y, z = self.rest.T
        edge = self.averaged((self.part == "hair").astype(float), 5) - 0.42
        head = self.joints[15]
        volume = 0.004 + 0.025 * np.clip(edge / 0.5, 0, 1) ** 0.9
        top = np.interp(y - head[1], [0.0, 0.06, 0.14], [0.3, 0.55, 1.1])
        tufts = 0.0035 * np.sin(70 * x + 25 * z) + 0.003 * np.sin(55 * z - 40 * x)
        tuft_share = np.clip(edge / 0.3, 0, 1)
        return self.shell("hair", edge, volume * top + tufts * tuft_share, 2, (0.030, 0.016, 0.009))

    def skin(self) -> Piece:
        """The body itself, without what clothes hide, and with a face painted on."""
        faces = self.data.faces
        covered = (self.shirt_edge() > 0.03) | (self.trousers_edge() > 0.03)
        covered |= self.part == "shoes"
        faces = faces[~covered[faces].all(axis=1)]
        count = len(self.rest)
        return Piece(
            "skin",
            self.rest,
            faces,
            self.data.weights,
            self.data.posedirs,
            self.painted(),
            np.ones(count),
            np.zeros(count),
        )

    def painted(self) -> np.ndarray:
        """(V, 3) colours of the skin: lips, brows, cheeks, and the eyeballs' whites and irises."""
        colour = np.tile([0.50, 0.265, 0.17], (len(self.rest), 1))
        template = self.data.template
        spots = {  # in the template's axes: centre, radii, colour, strength
            "lips": ((0, 0.5835, 0.152), (0.026, 0.0085, 0.02), (0.34, 0.09, 0.075), 0.8),
            "cheeks": ((0.042, 0.612, 0.13), (0.022, 0.02, 0.03), (0.52, 0.19, 0.13), 0.35),
            "brows": ((0.033, 0.678, 0.15), (0.021, 0.0046, 0.03), (0.05, 0.028, 0.017), 0.9),
            "lids": ((0.031, 0.655, 0.14), (0.021, 0.011, 0.03), (0.22, 0.10, 0.07), 0.5),
        }
        mirrored = np.abs(template) * [1, 0, 0] + template * [0, 1, 1]
        for centre, radii, paint, strength in spots.values():
            away = np.linalg.norm((mirrored - centre) / radii, axis=1)
            share = strength * np.clip(1.6 - 0.8 * away, 0, 1)[:, None]
            colour = colour * (1 - share) + share * paint
        for side in (1, -1):
            ball = self.eyeball(side)
            centre = (template[ball].min(0) + template[ball].max(0)) / 2
            off_axis = np.linalg.norm((template[ball] - centre)[:, :2], axis=1)
            iris = (off_axis < 0.0085) & (template[ball, 2] > centre[2])
            colour[ball] = np.where(iris[:, None], (0.02, 0.012, 0.008), (0.72, 0.70, 0.68))
        return colour

    def eyeball(self, side: int) -> np.ndarray:
        """Indices of an eyeball's vertices: a small surface of its own around the eye."""
        box = np.abs(self.data.template - [side * 0.030, 0.655, 0.130]) < [0.0165, 0.0155, 0.0185]
        label = np.arange(len(box))
        a, b = self.edges.T
        for _ in range(60):  # the least index spreads through whatever is joined
            least = np.minimum(label[a], label[b])
            np.minimum.at(label, a, least)
            np.minimum.at(label, b, least)
        values, counts = np.unique(label[box.all(axis=1)], return_counts=True)
        found = [v for v, c in zip(values, counts, strict=True) if c == np.sum(label == v)]
        return np.flatnonzero(np.isin(label, found))

    def shoe(self, side: str) -> Piece:
        """A loft of rounded sections around one foot, from heel to toe, on a light sole."""
        ankle, foot = (7, 10) if side == "left" else (8, 11)
        own = (self.part == "shoes") & (np.sign(self.rest[:, 0]) == SIDES[side])
        points = self.rest[own]
        back, front = points[:, 2].min() - 0.008, points[:, 2].max() + 0.010
        floor = self.rest[:, 1].min()
        along = back + (front - back) * (0.5 - 0.5 * np.cos(np.linspace(0.12, np.pi - 0.1, 26)))
        rows = [self.section(points, floor, z, back, front) for z in along]
        rest = np.array(rows)
        count = rest.shape[1]
        rest = np.concatenate([rest.reshape(-1, 3), [rest[0].mean(0), rest[-1].mean(0)]])
        grid = np.arange(26 * count).reshape(26, count)
        a, b = grid[:-1], grid[1:]
        a2, b2 = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
        faces = [np.stack(t, -1).reshape(-1, 3) for t in ((a, a2, b2), (a, b2, b))]
        ends = [
            np.stack([np.full(count, len(rest) - 2), np.roll(grid[0], -1), grid[0]], -1),
            np.stack([np.full(count, len(rest) - 1), grid[-1], np.roll(grid[-1], -1)], -1),
        ]
        toes = np.clip((rest[:, 2] - self.joints[foot][2]) / 0.04 + 0.5, 0, 1)
        weights = np.zeros((len(rest), 24))
        weights[:, foot], weights[:, ankle] = toes, 1 - toes
        sole = (rest[:, 1] < floor + 0.022)[:, None]
        colour = np.where(sole, (0.75, 0.74, 0.70), (0.10, 0.105, 0.12))
        blank = np.zeros((len(rest), 3, self.data.posedirs.shape[2]), np.float32)
        ones = np.ones(len(rest))
        return Piece(
            "shoes", rest, np.concatenate(faces + ends), weights, blank, colour, ones, 0 * ones
        )

    @staticmethod
    def section(points, floor: float, z: float, back: float, front: float) -> np.ndarray:
        """(20, 3) outline of the shoe at z: flat below, rounded above, closing at both ends."""
        near = points[np.abs(points[:, 2] - np.clip(z, back + 0.02, front - 0.035)) < 0.012]
        low, high = near[:, 0].min() - 0.007, near[:, 0].max() + 0.007
        closing = np.sqrt(np.clip(min((z - back) / 0.035, (front - z) / 0.05, 1), 0.05, 1))
        height = min(near[:, 1].max() + 0.008, floor + 0.105) - floor
        height = max(height, 0.052) * (0.6 + 0.4 * closing)
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False) + np.pi / 20
        c, s = np.cos(angle), np.sin(angle)
        x = (low + high) / 2 + (high - low) / 2 * closing * np.sign(c) * np.abs(c) ** 0.6
        up = np.where(s > 0, 0.4 + 0.6 * np.abs(s) ** 0.9, 0.4 - 0.4 * np.abs(s) ** 0.25)
        return np.stack([x, floor + height * up, np.full(20, z)], axis=1)


def dressed(data: "BodyData") -> list[Piece]:
    """The pieces of the person, the whole body's vertices first."""
    dresser = Dresser(data)
    clothes = [*dresser.shirt(), dresser.trousers(), dresser.shoe("left"), dresser.shoe("right")]
    return [dresser.skin(), *clothes, dresser.hair()]


class Poser:
    """Linear blend skinning of all pieces, in NumPy, to the world's axes."""

    def __init__(self, pieces: list[Piece], data: "BodyData"):
        self.rest = np.concatenate([piece.rest for piece in pieces])
        self.weights = np.concatenate([piece.weights for piece in pieces])
        self.correctives = np.concatenate([piece.correctives for piece in pieces])
        self.joints = data.rest_joints(BETAS)

    def __call__(self, local, turned, places) -> np.ndarray:
        """(V, 3) z-up vertices for one frame's rotations (24, 3, 3), twice, and joints (24, 3)."""
        bent = (local[1:] - np.eye(3)).reshape(-1).astype(np.float32)
        shaped = self.rest + self.correctives @ bent
        offsets = places - (turned @ self.joints[..., None])[..., 0]
        blended = np.tensordot(self.weights, turned, 1)
        return to_world((blended @ shaped[..., None])[..., 0] + self.weights @ offsets)
