"""Synthetic people: seeded, and labels, keypoints and visibility that agree with the picture."""

from dataclasses import replace

import pytest
import roma
import torch
from PIL import Image

from regressor.skeletons import SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import chain
from rendering.cameras import pinhole, project
from rendering.labels import LABELS
from rendering.people import (
    Label,
    Layer,
    PeopleOptions,
    Pictures,
    TurnedViews,
    build_surface,
    render_people,
)
from rendering.people.outfits import NAMES, Draw, Outfits, draw_outfits
from rendering.people.render import _visible
from rendering.people.sheets import clothe
from rendering.people.views import ViewOptions, cropped, draw_views, weak_perspective
from rendering.people.wearing import layers
from rendering.rasterize import rasterize

BODY = load_body()
SURFACE = build_surface(BODY.arrays)
CALM = PeopleOptions(size=96, occluder=0, degrade=0, companion=0, view=ViewOptions(cut=0))
TO_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def posed(count: int, seed: int = 0, spread: float = 0.25):
    """shaped, transforms, joints of bodies near the rest pose, seen from any side."""
    generator = torch.Generator().manual_seed(seed)
    vectors = spread * torch.randn(count, 24, 3, generator=generator)
    vectors[:, [22, 23]] = 0
    pose = roma.rotvec_to_rotmat(vectors)
    yaw = torch.zeros(count, 3)
    yaw[:, 1] = torch.arange(count) * 2 * torch.pi / count
    pose[:, 0] = TO_CAMERA @ roma.rotvec_to_rotmat(yaw)
    betas = torch.randn(count, 10, generator=generator)
    rest = BODY.joints_at_rest(betas)
    turned, joints = chain(pose, rest)
    shift = joints - (turned @ rest[..., None])[..., 0]
    shaped = BODY.v_template + torch.einsum("bk,vck->bvc", betas, BODY.shapedirs)
    return shaped, torch.cat([turned, shift[..., None]], -1), joints


def drawn(count: int = 4, seed: int = 0, options: PeopleOptions = CALM, background=None):
    shaped, transforms, joints = posed(count, seed)
    generator = torch.Generator().manual_seed(seed)
    return render_people(
        SURFACE, shaped, transforms, joints, joints, generator, options, background
    )


def bare_vertices(people, joints_seed: int, count: int):
    """(B, N, 2) px of the body's own vertices."""
    shaped, transforms, _ = posed(count, joints_seed)
    weights = BODY.weights
    blended = (weights @ transforms.flatten(2)).unflatten(2, (3, 4))
    vertices = (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]
    moved = vertices + people.views.translation[:, None]
    return project(moved, people.views.crop_intrinsics)


def outfit(**worn: float) -> Outfits:
    """One person in shirt, trousers and shoes, but for what is given."""
    plain = {
        "top": 1, "hem": 0.1, "sleeve": 1.0, "neckline": 0.0, "bottom": 1, "bottom_end": -2,
        "bottom_top": 0.3, "coat": 0, "shoe_top": -2.0, "sock_top": -9, "glove": 9, "hairline": 0.5,
        "nape": -0.3, "volume": 0.01, "hat_line": 0.4, "skirt_end": -1,
    }  # fmt: skip
    table = torch.tensor([[float({**plain, **worn}.get(name, 0.0)) for name in NAMES]])
    thickness = torch.full((1, len(Layer)), 0.008)
    thickness[:, Layer.SKIN] = 0
    return Outfits(table, thickness, torch.zeros(1, len(Layer)))


def worn_at_vertices(outfits: Outfits) -> torch.Tensor:
    count = len(SURFACE.kept)
    parts = (t[:count][None] for t in (SURFACE.height, SURFACE.arm, SURFACE.vertices))
    return layers(SURFACE, outfits.at(slice(None)), *parts)[0]


def test_the_labels_are_graphonomys():
    names = [name.lower().replace("skin", "") for name in LABELS]
    assert [label.name.lower().replace("_", "") for label in Label] == names


def test_one_seed_gives_one_batch_and_another_seed_another():
    options = PeopleOptions(size=64)
    one, same, other = (drawn(2, 5, options), drawn(2, 5, options), drawn(2, 6, options))
    for name in ("image", "labels", "points", "visible", "vertex_seen", "camera"):
        assert torch.equal(getattr(one, name), getattr(same, name)), name
    assert not torch.equal(one.image, other.image)


def test_a_batch_has_the_shapes_and_ranges_it_says():
    people = drawn(4, 1, PeopleOptions(size=72, samples=2))
    assert people.image.shape == (4, 3, 72, 72) and people.labels.shape == (4, 72, 72)
    assert people.image.isfinite().all() and 0 <= people.image.min() and people.image.max() <= 1
    assert people.labels.dtype == torch.uint8 and people.labels.max() < len(LABELS)
    assert people.vertex_seen.shape == people.clothed.shape == (4, len(BODY.v_template))
    assert not (people.visible & ~people.in_frame).any()


@pytest.fixture(scope="module")
def seen_people():
    """Six people, large enough for hands, and where the bare bodies' vertices lie (B, N, 2) px."""
    people = drawn(6, 3, replace(CALM, size=192))
    return people, bare_vertices(people, 3, 6)


@pytest.mark.parametrize(
    ("joint", "own"),
    [
        ("left_foot", (Label.LEFT_SHOE, Label.LEFT_LEG, Label.SOCKS)),
        ("right_foot", (Label.RIGHT_SHOE, Label.RIGHT_LEG, Label.SOCKS)),
        ("left_hand", (Label.LEFT_ARM, Label.GLOVE)),
        ("right_hand", (Label.RIGHT_ARM, Label.GLOVE)),
        ("head", (Label.FACE, Label.HAIR, Label.HAT, Label.SUNGLASSES, Label.TORSO, Label.SCARF)),
    ],
)
def test_labels_agree_with_the_body_parts_that_are_seen(joint, own, seen_people):
    (people, pixels), found = seen_people, []
    part = BODY.weights[:, SMPL24.index(joint)] > 0.6
    for i in range(len(pixels)):
        seen = part & people.vertex_seen[i]
        column, row = pixels[i, seen].clamp(0, 191).long().unbind(-1)
        found += people.labels[i, row, column].tolist()
    labels = torch.tensor(found)
    on_person = labels[labels > 0]
    assert len(on_person) > 0.65 * len(labels) > 200  # fingers are thinner than a pixel
    assert torch.isin(on_person, torch.tensor(own)).float().mean() > 0.9


def test_joints_lie_on_the_person():
    people = drawn(8, 2)
    column, row = people.points.clamp(0, CALM.size - 1).long().unbind(-1)
    label = people.labels[torch.arange(8)[:, None], row, column]
    assert (label > 0)[people.visible].float().mean() > 0.97
    assert people.in_frame.float().mean() > 0.8


def test_nothing_behind_an_occluder_is_visible():
    free, hidden = drawn(8, 4), drawn(8, 4, replace(CALM, occluder=1.0))
    gone = (free.labels > 0) & (hidden.labels == 0)
    assert gone.any()
    column, row = free.points.clamp(0, CALM.size - 1).long().unbind(-1)
    behind = gone[torch.arange(8)[:, None], row, column] & free.in_frame
    assert behind.any() and not hidden.visible[behind].any()
    assert torch.equal(hidden.visible[~behind], free.visible[~behind])
    assert hidden.vertex_seen.sum() < free.vertex_seen.sum()


def test_a_point_behind_a_surface_is_hidden_and_one_in_it_is_visible():
    depth = torch.full((1, 10, 10), torch.inf)
    depth[:, :5] = 2.0
    points = torch.tensor([[[5.0, 2.0], [5.0, 2.0], [5.0, 8.0], [12.0, 2.0], [5.0, 2.0]]])
    z = torch.tensor([[2.05, 2.5, 2.5, 2.05, -1.0]])
    in_frame, visible = _visible(points, z, depth, 0.13)
    assert in_frame.tolist() == [[True, True, True, False, True]]
    assert visible.tolist() == [[True, False, True, False, False]]


@pytest.mark.parametrize(
    ("garment", "layer"), [("top", Layer.TOP), ("coat", Layer.COAT), ("bottom", Layer.BOTTOM)]
)
def test_clothes_hide_the_body_beneath(garment, layer):
    """Of the bare body's vertices under a garment next to none is nearer than what is drawn."""
    worn = outfit(**{garment: 1, "coat_hem": -0.2, "coat_sleeve": 1.9, "sleeve": 1.8})
    shaped, transforms, _ = posed(3, 7, spread=0.2)
    for i in range(3):
        own = shaped[i : i + 1], transforms[i : i + 1]
        vertices, _, at = clothe(SURFACE, worn, *own)
        nothing = Outfits(worn.table, torch.zeros_like(worn.thickness), worn.looseness)
        bare, _, _ = clothe(SURFACE, nothing, *own)
        away = torch.tensor([0.0, 0, 3.0])
        vertices = torch.where(vertices[..., 2:] == -1, vertices, vertices + away)
        bare = bare[:, : len(SURFACE.kept)] + away
        camera = pinhole(400.0, 256, 256)
        picture = rasterize(vertices, SURFACE.faces, camera, (256, 256), samples=1)
        column, row = project(bare, camera).clamp(0, 255).long()[0].unbind(-1)
        under = at[0] == layer
        poking = bare[0, :, 2] < picture.depth[0, row, column] - 0.004
        assert under.sum() > 300
        assert poking[under].float().mean() < 0.02


def test_a_shirt_covers_the_torso_and_sleeves_end_where_they_should():
    at = worn_at_vertices(outfit(sleeve=0.5))
    count = len(SURFACE.kept)
    height, arm = SURFACE.height[:count], SURFACE.arm[:count]
    chest = (height > 0.35) & (height < 0.85) & (arm < 0)
    assert (at[chest] == Layer.TOP).all()
    assert (at[(arm > 0.05) & (arm < 0.5)] == Layer.TOP).all()
    assert (at[arm > 0.5] == Layer.SKIN).all()
    assert (at[(height < -0.1) & (height > -1.9) & (arm < 0)] == Layer.BOTTOM).all()


def test_a_skirt_spans_the_legs():
    """Between the feet of somebody in a stride there is skirt, not background."""
    worn = outfit(skirt=int(Layer.SKIRT), skirt_end=-1.7, bottom_end=-0.1)
    pose = torch.zeros(1, 24, 3)
    pose[0, 1, 2], pose[0, 2, 2] = 0.3, -0.3  # legs apart
    turned, joints = chain(roma.rotvec_to_rotmat(pose), BODY.rest_joints[None])
    shift = joints - (turned @ BODY.rest_joints[..., None])[..., 0]
    transforms = TO_CAMERA @ torch.cat([turned, shift[..., None]], -1)
    vertices, _, _ = clothe(SURFACE, worn, BODY.v_template[None], transforms)
    vertices = torch.where(vertices[..., 2:] == -1, vertices, vertices + torch.tensor([0, 0, 3.0]))
    drawn = rasterize(vertices, SURFACE.faces, pinhole(300.0, 256, 256), (256, 256), samples=1)
    knees = joints[0, [4, 5]] @ TO_CAMERA + torch.tensor([0, 0, 3.0])
    (left, row), (right, _) = project(knees, pinhole(300.0, 256, 256)).long().tolist()
    between = drawn.face[0, row, min(left, right) : max(left, right)]
    assert (between >= 0).all()
    assert (SURFACE.face_piece[between] > 0).float().mean() > 0.9


def test_outfits_agree_in_themselves():
    worn = draw_outfits(500, torch.Generator().manual_seed(0))
    assert worn.table.isfinite().all() and (worn.thickness >= 0).all()
    owners = set(worn["skirt"].int().tolist())
    assert owners == {0, int(Layer.TOP), int(Layer.SKIRT), int(Layer.COAT)}
    assert (worn["top"][worn["dress"] > 0] == 1).all()


def test_cropping_moves_what_is_seen_as_it_moves_the_picture():
    draw = Draw(5, torch.Generator().manual_seed(1))
    joints = torch.randn(5, 24, 3, generator=draw.generator) * 0.3
    views = draw_views(joints, 100, ViewOptions(), draw)
    seen = project(joints + views.translation[:, None], views.intrinsics)
    corner = views.box_centre - views.box_side[:, None] / 2
    expected = (seen - corner[:, None]) * (100 / views.box_side)[:, None, None]
    intrinsics = cropped(views.intrinsics, views.box_centre, views.box_side, 100)
    found = project(joints + views.translation[:, None], intrinsics)
    assert torch.allclose(found, expected, atol=1e-2)


def test_the_weak_camera_is_exact_for_a_weak_perspective():
    joints = torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(2))
    points = (0.7 * (joints[..., :2] + torch.tensor([0.2, -0.1])) + 1) * 112
    found = weak_perspective(joints, points, 224)
    assert torch.allclose(found, torch.tensor([[0.7, 0.2, -0.1]]).expand(2, 3), atol=1e-4)


def test_pictures_of_a_folder_stand_behind(tmp_path):
    Image.new("RGB", (50, 40), (10, 200, 30)).save(tmp_path / "green.png")
    people = drawn(2, 0, CALM, Pictures(tmp_path))
    behind = people.image.permute(0, 2, 3, 1)[people.labels == 0]
    assert torch.allclose(behind, torch.tensor([10, 200, 30]) / 255, atol=1e-2)
    with pytest.raises(ValueError, match="no picture"):
        Pictures(tmp_path / "nowhere")


def test_a_body_with_other_vertices_is_refused():
    shaped, transforms, joints = posed(1)
    with pytest.raises(ValueError, match="vertices"):
        render_people(SURFACE, shaped[:, :100], transforms, joints, joints, torch.Generator())


def test_a_turned_camera_sees_the_same_people_from_the_same_place():
    shaped, transforms, joints = posed(4)
    seen = []
    for view in (ViewOptions(cut=0), TurnedViews(cut=0)):
        options = replace(CALM, view=view)
        generator = torch.Generator().manual_seed(0)
        given = (SURFACE, shaped, transforms, joints, joints, generator)
        seen.append(render_people(*given, options))
    plain, turned = seen
    views = turned.views
    middle = torch.tensor([48.0, 48.0]).expand(4, 2)
    torch.testing.assert_close(views.crop_intrinsics[:, :2, 2], middle)
    assert (views.rotation[:, 2, 2] < 0.99).any()  # somebody stands aside
    # A joint's direction, turned, is where the turned crop shows it.
    there = (joints + plain.views.translation[:, None]) @ views.rotation.transpose(1, 2)
    torch.testing.assert_close(project(there, views.crop_intrinsics), turned.points)
    # And what is drawn there is the person.
    inside = turned.points[:, [0, 3, 6, 9]].long()
    column, row = inside.unbind(-1)
    assert (turned.labels[torch.arange(4)[:, None], row, column] > 0).float().mean() > 0.9
    pose = roma.random_rotmat(4 * 24).view(4, 24, 3, 3)
    torch.testing.assert_close(views.turn_pose(pose)[:, 0], views.rotation @ pose[:, 0])
    assert torch.equal(views.turn_pose(pose)[:, 1:], pose[:, 1:])
