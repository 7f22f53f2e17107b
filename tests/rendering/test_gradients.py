"""Gradients of the hard rasteriser against differences of the hard raster itself.

A loss of a hard raster is a staircase in the pose, and against a sharp target it has kinks wherever
the two outlines cross. So the targets are blurred over some pixels. And the outline of a symmetric
body seen from the side is the one of its two sides that reaches farther: it has a kink as the body
turns, which no step is small enough for. So a loss's difference over a step of about half a pixel
is compared with what it is for any function, kinks or none: the mean of the derivatives along the
step. They are compared by kind (shift across, distance, turn, elbow, shape): the error has to be
below a tenth of the component, or, where its parts cancel and noise is left, of a quarter of the
largest of its kind over all directions of view.

8 directions around and 3 heights took minutes, with differences of 8 samples a pixel's side: 7 of
648 components were off by more than a tenth, at most 0.22. Three of the worst were drawn again with
16: the differences went to the derivatives, to a tenth or less.
"""

import pytest
import roma
import torch
import torch.nn.functional as F

from rendering.cameras import pinhole, project
from rendering.rasterize import rasterize
from tests.rendering.bodies import BODY, FACES, POSE, before_camera, camera, turned

SIZE = 112
SAMPLES, FINE = 8, 12  # a pixel's side, for derivatives and for differences
BLUR_PX = 5
KINDS = {"across": (0, 1), "distance": (2,), "turn": (3, 4, 5), "elbow": (6,), "shape": (7, 8)}
STEPS = torch.tensor([0.01, 0.01, 0.5, 0.02, 0.02, 0.02, 0.04, 0.2, 0.2])  # a pixel is 0.019 m
ALONG = (-1 / 3**0.5, 1 / 3**0.5)  # Gauss's points of a step from -1 to 1
TARGET = torch.tensor([0.1, 0.08, 5.0, 0.15, 0.2, 0.15, 0.3, 2.0, -2.0])
# Which label the triangles of SMPL's 24 joints have: DSR's classes, with legs and feet apart.
LABELS = torch.tensor([3, 3, 3, 2, 3, 3, 2, 6, 7, 2, 6, 7, 1, 2, 2, 1, 4, 5, 4, 5, 4, 5, 4, 5])


def draw(theta: torch.Tensor, view: torch.Tensor, samples: int):
    """The body moved by theta (9,): metres, radians of the root, the elbow, two betas."""
    rotation = roma.rotvec_to_rotmat(theta[3:6]) @ view
    elbow = torch.zeros(23, 3).index_put((torch.tensor(17), torch.tensor(1)), theta[6])
    betas = torch.cat([theta[7:], torch.zeros(8)])
    vertices = before_camera(rotation, betas, POSE + elbow)
    middle = BODY.v_template.mean(0) @ (rotation.detach() - view).T  # turns about the pelvis
    label = LABELS[torch.mode(BODY.weights.argmax(1)[FACES], 1).values]
    classes = F.one_hot(label, 8).float() * 0.9
    bare = ((label == 1) | (label >= 4)).float()[:, None]
    return rasterize(
        vertices + middle + theta[:3], FACES, camera(SIZE), (SIZE, SIZE),
        face_values=torch.cat([bare, classes], 1), samples=samples,
    )  # fmt: skip


def blurred(picture: torch.Tensor) -> torch.Tensor:
    """A target (B, C, H, W) whose outlines are ramps."""
    return F.avg_pool2d(picture, BLUR_PX, stride=1, padding=BLUR_PX // 2)


def losses(drawn, target) -> torch.Tensor:
    """(3,) of the silhouette, of a region's IoU (DSR-MC's idea), of eight classes (DSR-C's)."""
    covered, bare = blurred(target.silhouette[:, None])[:, 0], blurred(target.values)[:, 0]
    pairs = [(drawn.silhouette, covered), (drawn.values[:, 0], bare)]
    ious = [1 - (a * b).sum() / (a + b - a * b).sum() for a, b in pairs]
    background = (1 - target.values[:, 1:].sum(1)).clamp(min=0)
    labels = torch.cat([background[:, None], target.values[:, 2:]], 1)  # no triangle is class 0
    return torch.stack([*ious, F.cross_entropy(drawn.values[:, 1:], blurred(labels))])


def derivative(view, theta: torch.Tensor, direction: int, target) -> torch.Tensor:
    """(3,) of the losses by theta[direction]."""
    theta = theta.clone().requires_grad_()
    each = losses(draw(theta, view, SAMPLES), target)
    grads = [torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in each]
    return torch.stack(grads)[:, direction]


def compare(directions) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 3, 9) mean derivatives along the steps, and differences, of all losses in each view."""
    automatic, numeric = [], []
    for view in (turned(*direction) for direction in directions):
        with torch.no_grad():
            target = draw(TARGET, view, SAMPLES)
            ends = [losses(draw(s, view, FINE), target) for s in torch.diag(STEPS)]
            starts = [losses(draw(-s, view, FINE), target) for s in torch.diag(STEPS)]
        numeric.append((torch.stack(ends, 1) - torch.stack(starts, 1)) / (2 * STEPS))
        means = [
            torch.stack([derivative(view, a * s, i, target) for a in ALONG]).mean(0)
            for i, s in enumerate(torch.diag(STEPS))
        ]
        automatic.append(torch.stack(means, 1))
    return torch.stack(automatic), torch.stack(numeric)


def errors(automatic: torch.Tensor, numeric: torch.Tensor) -> torch.Tensor:
    """(N, 3, 9) relative errors, as the module's first lines say."""
    scale = numeric.abs()
    for columns in KINDS.values():
        largest = scale[..., columns].amax((0, 2), keepdim=True)
        scale[..., columns] = scale[..., columns].maximum(0.25 * largest)
    return (automatic - numeric).abs() / scale


def test_gradients_of_all_losses_by_pose_and_shape():
    """Front, exactly side on with an arm over the trunk, from above, and from behind and below."""
    automatic, numeric = compare([(0, 0), (90, 0), (330, 35), (225, -35)])
    wrong = (errors(automatic, numeric) > 0.1).nonzero().tolist()
    named = {tuple(i): (automatic[*i].item(), numeric[*i].item()) for i in wrong}
    assert named == {}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_square_before_a_square(axis):
    """What can be worked out: a near square's edge moves over a far one, and its outline."""
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    near, far = corners * 0.3 + torch.tensor([0.31, 0.13, 4.0]), corners + torch.tensor([0, 0, 6.0])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    values = torch.tensor([[1.0], [1], [3], [3]])
    move = torch.zeros(3, requires_grad=True)
    size = (64, 48)
    vertices = torch.cat([near + move, far])[None]
    picture = rasterize(
        vertices, faces, pinhole(100.0, *size), size, face_values=values, samples=8
    ).values[0, 0]  # fmt: skip
    ramp = torch.linspace(0, 1, 64).expand(48, 64) + torch.linspace(0, 2, 48)[:, None]
    (grad,) = torch.autograd.grad((picture * ramp).sum(), move)

    def exact(moved: float) -> float:
        """The ramp's sum over both squares, by the area that the near one covers."""
        shift = torch.zeros(3)
        shift[axis] = moved
        (x0, y0), (x1, y1) = project((near + shift)[[0, 2]], pinhole(100.0, *size)).tolist()
        px = torch.arange(64)[None] + 0.5, torch.arange(48)[:, None] + 0.5
        share = [
            (torch.minimum(p + 0.5, torch.tensor(high)) - torch.maximum(p - 0.5, torch.tensor(low)))
            for p, low, high in zip(px, (x0, y0), (x1, y1), strict=True)
        ]
        covered = share[0].clamp(0, 1).double() * share[1].clamp(0, 1).double()
        return float((covered * ramp * (1 - 3)).sum())

    expected = (exact(0.005) - exact(-0.005)) / 0.01
    assert float(grad[axis]) == pytest.approx(expected, rel=0.03)
