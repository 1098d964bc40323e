"""Procedural scenes with dense labels: materials behind and in front of each other, lit, shadowed,
blurred and noisy. Scene number i of a seed is always the same."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from materials import NAMES, SIZE

M = {name: i for i, name in enumerate(NAMES)}
GROUND = [M[n] for n in ("grass", "soil", "stone", "water", "wood", "fabric", "brick", "wall", "paper")]
BEHIND = [M[n] for n in ("sky", "wall", "foliage", "brick", "wood", "fabric", "stone", "water", "grass")]
THINGS = [M[n] for n in ("fur", "fabric", "metal", "ceramic", "paper", "skin", "stone", "wood", "foliage",
                         "wall", "brick", "fur", "fabric", "ceramic", "skin", "metal")]


@dataclass
class Scene:
    rgb: np.ndarray  # uint8 [S, S, 3]
    material: np.ndarray  # uint8 [S, S]
    thing: np.ndarray  # uint8 [S, S]: 0 behind everything, else the object's number
    albedo: np.ndarray  # uint8 [S, S, 3]: colours before light and camera
    main: int  # the number of the largest visible object; 0 where there is none


def smooth(rng, side, cells):
    """Smooth noise in about [-1, 1], `[side, side]`."""
    grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((side, side), Image.BICUBIC))


def texture(rng, bank, material, side):
    tile = bank[material, rng.integers(bank.shape[1])]
    zoom = int(SIZE * rng.uniform(0.35, 1.0))
    y, x = rng.integers(0, SIZE - zoom + 1, 2)
    tile = tile[y : y + zoom, x : x + zoom]
    if rng.random() < 0.5:
        tile = tile[:, ::-1]
    if material != M["sky"] and material != M["water"] and rng.random() < 0.3:
        tile = np.rot90(tile)
    picture = Image.fromarray(np.ascontiguousarray(tile)).resize((side, side), Image.BICUBIC)
    rgb = np.asarray(picture, np.float32) / 255
    gain = rng.normal(1, 0.12) * (1 + rng.normal(0, 0.05, 3))
    return np.clip(rgb * gain, 0, 1).astype(np.float32)


def outline(rng, side, centre, radius):
    """A shape's polygon: an ellipse, a box, or a blob with a few lobes, turned at random."""
    kind, turn, aspect = rng.integers(4), rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.0)
    a = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    if kind == 0:
        r = np.ones_like(a)
    elif kind == 1:
        power = rng.uniform(3, 12)
        r = (np.abs(np.cos(a)) ** power + np.abs(np.sin(a)) ** power) ** (-1 / power)
    else:
        r = 1 + sum(rng.normal(0, 0.5 / k) * np.cos(k * a + rng.uniform(0, 6)) / 1.5 for k in range(2, 7))
        r = np.clip(r, 0.3, 1.7)
    x, y = r * np.cos(a), aspect * r * np.sin(a)
    c, s = np.cos(turn), np.sin(turn)
    return [(float(u), float(v)) for u, v in zip(centre[0] + radius * (c * x - s * y), centre[1] + radius * (s * x + c * y))]


def shape(rng, side, centre, radius):
    """A thing's mask, bool `[side, side]`, of one to four overlapping outlines."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    draw.polygon(outline(rng, side, centre, radius), fill=255)
    for _ in range(rng.integers(0, 4)):
        angle, far = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.5, 1.1)
        other = (centre[0] + far * np.cos(angle), centre[1] + far * np.sin(angle))
        draw.polygon(outline(rng, side, other, radius * rng.uniform(0.2, 0.6)), fill=255)
    if rng.random() < 0.12:  # a hole, as in a handle
        draw.polygon(outline(rng, side, centre, radius * 0.35), fill=0)
    return np.asarray(image) > 127


def blurred(array, radius):
    image = Image.fromarray(np.clip(array * 255, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def scene(seed, index, bank, side):
    rng = np.random.default_rng([seed, index])
    light = rng.uniform(0, 2 * np.pi)
    light = np.array([np.cos(light), np.sin(light)])

    def drawn(material):
        return texture(rng, bank, material, side)

    def put(mask, material):
        albedo[mask] = drawn(material)[mask]
        label[mask] = material

    # What lies behind: one surface, two or three bands, or patches of everything.
    layout = rng.random()
    material = int(rng.choice(BEHIND))
    albedo, label = drawn(material), np.full((side, side), material, np.uint8)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    if layout < 0.55:
        tilt = rng.normal(0, 0.15) * (x - 0.5)
        horizon = rng.uniform(0.25, 0.8)
        if rng.random() < 0.35:
            put(y + tilt + 0.06 * smooth(rng, side, 12) > horizon - rng.uniform(0.05, 0.25), int(rng.choice(BEHIND)))
        put(y + tilt + rng.choice([0, 0.02]) * smooth(rng, side, 9) > horizon, int(rng.choice(GROUND)))
    elif layout < 0.7:
        for _ in range(rng.integers(2, 7)):
            put(smooth(rng, side, rng.integers(3, 7)) + rng.normal(0, 0.2) > 0.1, int(rng.integers(len(NAMES))))
    shading = 1 + rng.uniform(0, 0.25) * smooth(rng, side, 3)
    rgb = albedo * shading[..., None]
    if rng.random() < 0.45:  # out of focus
        radius = rng.uniform(0.5, 0.03 * side)
        rgb = blurred(rgb, radius)

    # Things, from far to near.
    thing = np.zeros((side, side), np.uint8)
    count = int(rng.choice([0, 1, 1, 1, 2, 2, 3, 4, 5]))
    for number in range(1, count + 1):
        largest = 0.45 if count < 3 else 0.3
        radius = side * rng.uniform(0.08, largest)
        centre = rng.uniform(0.1, 0.9, 2) * side if rng.random() < 0.6 else rng.normal(0.5, 0.1, 2) * side
        mask = shape(rng, side, centre, radius)
        soft = blurred(mask.astype(np.float32), max(1.0, 0.25 * radius))
        if rng.random() < 0.7:  # its shadow
            shift = (light * radius * rng.uniform(0.1, 0.4)).astype(int)
            shadow = np.roll(soft, (-shift[1], -shift[0]), (0, 1))
            rgb *= (1 - rng.uniform(0.2, 0.6) * shadow)[..., None]
        material = int(rng.choice(THINGS))
        body, kinds = drawn(material), np.full((side, side), material, np.uint8)
        for _ in range(rng.integers(0, 3)):  # parts of other colour or material
            part = shape(rng, side, centre + rng.normal(0, 0.5, 2) * radius, radius * rng.uniform(0.15, 0.5))
            kind = material if rng.random() < 0.5 else int(rng.choice(THINGS))
            body[part], kinds[part] = drawn(kind)[part], kind
        slope = np.gradient(soft)
        relief = -(slope[1] * light[0] + slope[0] * light[1]) * radius * rng.uniform(0.3, 1.6)
        lit = np.clip(1 + np.clip(relief, -0.7, 0.6), 0.15, 1.7) * (1 + 0.1 * smooth(rng, side, 3))
        alpha = blurred(mask.astype(np.float32), rng.uniform(0.4, 1.2))[..., None]
        rgb = rgb + (body * lit[..., None] - rgb) * alpha
        albedo[mask], label[mask], thing[mask] = body[mask], kinds[mask], number

    # Light and camera.
    rgb = np.clip(rgb, 0, 1.2) ** rng.uniform(0.75, 1.3)
    rgb = rgb * (rng.normal(1, 0.12) + rng.normal(0, 0.04, 3)) + rng.normal(0, 0.02)
    if rng.random() < 0.3:
        rgb *= (1 - rng.uniform(0.1, 0.5) * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2)[..., None]
    if rng.random() < 0.15:
        rgb = np.repeat(rgb @ np.array([0.299, 0.587, 0.114], np.float32)[:, None], 3, 2)
    if rng.random() < 0.3:
        rgb = blurred(rgb, rng.uniform(0.3, 1.5))
    rgb = rgb + rng.normal(0, rng.choice([0.0, 0.01, 0.03]), (side, side, 1))
    pixels = np.clip(rgb * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "JPEG", quality=int(rng.integers(40, 90)))
        pixels = np.asarray(Image.open(packed))
    sizes = np.bincount(thing.ravel(), minlength=2)
    sizes[0] = 0
    main = int(sizes.argmax()) if sizes.max() > 0 else 0
    return Scene(pixels, label, thing, (np.clip(albedo, 0, 1) * 255).astype(np.uint8), main)


def patches(scene, patch):
    """Targets for each patch: shares of materials `[n, materials]` and of being a thing `[n]`, the
    thing most of it belongs to `[n]` (255 where mixed), albedo `[n, 3]`."""
    side = scene.material.shape[0] // patch

    def cells(map):
        return map.reshape(side, patch, side, patch, -1).transpose(0, 2, 1, 3, 4).reshape(side * side, patch * patch, -1)

    material = cells(scene.material)[..., 0]
    shares = np.stack([(material == m).mean(1) for m in range(len(NAMES))], 1).astype(np.float32)
    thing = cells(scene.thing)[..., 0]
    counts = np.stack([(thing == t).mean(1) for t in range(7)], 1)
    owner = np.where(counts.max(1) > 0.75, counts.argmax(1), 255).astype(np.int64)
    albedo = cells(scene.albedo).mean(1, dtype=np.float32) / 255
    return shares, (thing > 0).mean(1).astype(np.float32), owner, albedo
