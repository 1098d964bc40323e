"""Procedural materials: textures of known names, drawn from noise and never from a photograph."""

import numpy as np

NAMES = [
    "sky", "water", "grass", "foliage", "soil", "stone", "wood", "brick",
    "fabric", "fur", "metal", "ceramic", "paper", "skin", "wall",
]
PALETTE = [
    [86, 180, 233], [0, 114, 178], [124, 179, 66], [0, 110, 80], [160, 120, 70],
    [140, 140, 140], [150, 90, 40], [213, 94, 0], [204, 121, 167], [230, 159, 0],
    [100, 110, 130], [0, 158, 115], [245, 240, 220], [240, 180, 150], [200, 195, 180],
]
SIZE = 320  # pixels of a texture's side


def noise(rng, low=2.0, beta=1.5, stretch=1.0, angle=0.0):
    """Tileable Gaussian noise `[SIZE, SIZE]` of unit variance whose spectrum falls as
    frequency^-beta above `low` cycles; `stretch` > 1 draws it out along `angle`."""
    f = np.fft.fftfreq(SIZE) * SIZE
    y, x = f[:, None], f[None, : SIZE // 2 + 1]
    c, s = np.cos(angle), np.sin(angle)
    u, v = (c * x + s * y) * stretch, (c * y - s * x)
    gain = np.maximum(np.hypot(u, v), low) ** -beta
    gain[0, 0] = 0
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE), dtype=np.float32)) * gain
    field = np.fft.irfft2(spectrum, s=(SIZE, SIZE)).astype(np.float32)
    return field / (field.std() + 1e-6)


def step(x, width=0.3):
    return 1 / (1 + np.exp(-np.clip(x / width, -30, 30)))


def colour(rng, *near, spread=0.08):
    """One of the colours `near`, a little off; any colour at all in one case of twelve."""
    if rng.random() < 0.08:
        return rng.uniform(0.05, 0.95, 3).astype(np.float32)
    base = np.array(near[rng.integers(len(near))], np.float32)
    return np.clip(base + rng.normal(0, spread, 3), 0.02, 0.98).astype(np.float32)


def blend(a, b, t):
    return a + (b - a) * np.clip(t, 0, 1)[..., None]


def shade(rgb, field, amount):
    return rgb * np.clip(1 + amount * field, 0.1, 2.2)[..., None]


def ramp(angle):
    line = np.linspace(-1, 1, SIZE, dtype=np.float32)
    return np.cos(angle) * line[None, :] + np.sin(angle) * line[:, None]


def plain(rgb):
    return np.broadcast_to(rgb, (SIZE, SIZE, 3)).astype(np.float32)


def sky(rng):
    top = colour(rng, (0.25, 0.5, 0.85), (0.45, 0.65, 0.9), (0.6, 0.65, 0.72), (0.1, 0.15, 0.35))
    low = colour(rng, (0.75, 0.85, 0.95), (0.85, 0.8, 0.75), (0.9, 0.6, 0.4), (0.8, 0.8, 0.82))
    rgb = blend(top, low, ramp(np.pi / 2) / 2 + 0.5)
    if rng.random() < 0.7:
        clouds = step(noise(rng, 2, 1.9, rng.uniform(0.3, 1)) - rng.uniform(-0.5, 1.5), rng.uniform(0.3, 0.9))
        rgb = blend(rgb, colour(rng, (0.95, 0.95, 0.97), (0.6, 0.62, 0.66)), clouds * rng.uniform(0.3, 0.95))
    return rgb


def water(rng):
    a = colour(rng, (0.1, 0.3, 0.45), (0.15, 0.4, 0.4), (0.3, 0.4, 0.45), (0.05, 0.12, 0.2))
    b = colour(rng, (0.5, 0.7, 0.8), (0.6, 0.75, 0.75), (0.75, 0.78, 0.8))
    waves = noise(rng, rng.uniform(6, 16), 1.6, 1 / rng.uniform(3, 8), np.pi / 2 + rng.normal(0, 0.1))
    rgb = blend(a, b, step(waves, 0.8) * 0.8)
    return rgb + (step(waves - 1.8, 0.15) * rng.uniform(0, 0.5))[..., None]


def grass(rng):
    a = colour(rng, (0.15, 0.3, 0.08), (0.3, 0.4, 0.12), (0.4, 0.4, 0.18))
    b = colour(rng, (0.45, 0.6, 0.2), (0.6, 0.65, 0.3), (0.7, 0.65, 0.35))
    blades = noise(rng, rng.uniform(20, 45), 1.2, 1 / rng.uniform(1, 5), rng.normal(0, 0.4))
    return shade(blend(a, b, step(blades, 0.8)), noise(rng, 2, 2), 0.12)


def foliage(rng):
    a = colour(rng, (0.03, 0.1, 0.03), (0.08, 0.15, 0.05), (0.15, 0.12, 0.05))
    b = colour(rng, (0.3, 0.5, 0.15), (0.45, 0.6, 0.2), (0.6, 0.45, 0.15), (0.2, 0.4, 0.25))
    scale = rng.uniform(8, 24)
    leaves = np.abs(noise(rng, scale, 2.5)) - 0.5 * np.abs(noise(rng, 2 * scale, 2.5))
    return shade(blend(a, b, step(leaves - 0.3, 0.35)), noise(rng, 3, 2), 0.3)


def soil(rng):
    a = colour(rng, (0.76, 0.65, 0.48), (0.5, 0.36, 0.24), (0.85, 0.78, 0.65), (0.35, 0.25, 0.18))
    rgb = shade(plain(a), noise(rng, 60, 0.6), rng.uniform(0.06, 0.16))
    if rng.random() < 0.4:
        rgb = shade(rgb, np.sin(12 * ramp(rng.normal(1.5, 0.3)) * rng.uniform(1, 3) + noise(rng, 2, 2)), 0.1)
    return shade(rgb, noise(rng, 3, 2), 0.1)


def stone(rng):
    a = colour(rng, (0.5, 0.5, 0.5), (0.6, 0.56, 0.5), (0.35, 0.35, 0.38), (0.75, 0.73, 0.7))
    rgb = shade(plain(a), noise(rng, 4, 1.3), rng.uniform(0.12, 0.25))
    cracks = step(0.06 - np.abs(noise(rng, rng.uniform(3, 7), 2.2)), 0.02)
    if rng.random() < 0.5:
        cells = np.minimum(np.abs(noise(rng, 5, 3)), np.abs(noise(rng, 5, 3)))
        cracks = np.maximum(cracks, step(0.12 - cells, 0.04))
    return rgb * (1 - 0.6 * cracks)[..., None]


def wood(rng):
    a = colour(rng, (0.45, 0.25, 0.12), (0.6, 0.4, 0.22), (0.3, 0.16, 0.08), (0.75, 0.58, 0.38))
    angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.15)
    grain = noise(rng, rng.uniform(3, 6), 1.4, 1 / rng.uniform(8, 20), angle)
    rings = np.sin(rng.uniform(4, 12) * grain + rng.uniform(10, 40) * ramp(angle + np.pi / 2))
    rgb = shade(shade(plain(a), rings, rng.uniform(0.05, 0.2)), grain, 0.15)
    rgb = shade(rgb, noise(rng, 60, 0.7, 1 / 12, angle), 0.1)
    if rng.random() < 0.5:
        planks = np.abs((ramp(angle + np.pi / 2) * rng.uniform(1.5, 4)) % 1 - 0.5)
        rgb = rgb * (1 - 0.6 * step(planks - 0.47, 0.006))[..., None]
    return rgb


def brick(rng):
    a = colour(rng, (0.6, 0.28, 0.2), (0.7, 0.4, 0.3), (0.65, 0.55, 0.45), (0.75, 0.75, 0.72))
    mortar = colour(rng, (0.75, 0.72, 0.68), (0.5, 0.48, 0.46), (0.35, 0.33, 0.32))
    rows = int(rng.integers(5, 14))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    row = np.floor(y * rows)
    u = x * rows / rng.uniform(1.6, 2.6) + 0.5 * (row % 2)
    gap = np.minimum(np.abs(u % 1 - 0.5) * 2, 1)
    gap = np.minimum(1 - gap, 1 - np.abs(y * rows % 1 - 0.5) * 2)
    tone = rng.normal(0, 1, 4096).astype(np.float32)[(row * 61 + np.floor(u) * 17).astype(int) % 4096]
    rgb = shade(shade(plain(a), tone, rng.uniform(0.03, 0.15)), noise(rng, 30, 1), 0.08)
    return blend(rgb, mortar, step(rng.uniform(0.08, 0.16) - gap, 0.02))


def fabric(rng):
    a, b = (colour(rng, *rng.uniform(0.05, 0.95, (3, 3))) for _ in range(2))
    kind, angle = rng.integers(5), rng.uniform(0, np.pi)
    n = rng.uniform(3, 14)
    wave = np.sin(n * np.pi * ramp(angle))
    other = np.sin(n * np.pi * ramp(angle + np.pi / 2))
    t = [step(wave, 0.05), 0.5 * step(wave, 0.05) + 0.5 * step(other, 0.05), step(wave * other - 0.5, 0.05),
         np.zeros_like(wave), step(noise(rng, 6, 2.5), 0.1)][kind]
    rgb = blend(a, b, t)
    weave = np.sin(SIZE * 0.35 * ramp(angle)) * np.sin(SIZE * 0.35 * ramp(angle + np.pi / 2))
    rgb = shade(rgb, weave, rng.uniform(0.0, 0.12))
    folds = noise(rng, rng.uniform(1, 3), 2.4, rng.uniform(0.2, 1), rng.uniform(0, np.pi))
    return shade(rgb, folds, rng.uniform(0.05, 0.3))


def fur(rng):
    a = colour(rng, (0.6, 0.45, 0.3), (0.35, 0.25, 0.18), (0.8, 0.75, 0.68), (0.2, 0.18, 0.17), (0.75, 0.5, 0.25))
    b = colour(rng, (0.85, 0.75, 0.6), (0.15, 0.1, 0.08), (0.95, 0.92, 0.88), (0.5, 0.4, 0.3))
    start, turn = rng.uniform(0, np.pi), noise(rng, 1, 2.6)
    layers = [noise(rng, rng.uniform(25, 45), 1.1, 1 / rng.uniform(4, 9), start + i * 0.4) for i in range(4)]
    place = np.clip((turn + 1.5) * 1.1, 0, 2.999)
    low = place.astype(int)
    t = place - low
    stack = np.stack(layers)
    hair = np.take_along_axis(stack, low[None], 0)[0] * (1 - t) + np.take_along_axis(stack, low[None] + 1, 0)[0] * t
    rgb = shade(plain(a), hair, rng.uniform(0.15, 0.35))
    if rng.random() < 0.7:
        marks = noise(rng, rng.uniform(3, 8), 2, rng.choice([1.0, 0.3]), start + np.pi / 2)
        rgb = blend(rgb, shade(plain(b), hair, 0.25), step(marks - rng.uniform(-0.5, 1), 0.35) * rng.uniform(0.4, 1))
    return shade(rgb, noise(rng, 2, 2), 0.1)


def metal(rng):
    a = colour(rng, (0.55, 0.57, 0.6), (0.35, 0.36, 0.4), (0.75, 0.76, 0.78), (0.7, 0.58, 0.3))
    angle = rng.uniform(0, np.pi)
    reflection = noise(rng, rng.uniform(1, 3), 2.6, rng.uniform(0.15, 1), angle)
    rgb = shade(plain(a), np.tanh(2 * reflection), rng.uniform(0.3, 0.6))
    if rng.random() < 0.5:
        rgb = shade(rgb, noise(rng, 40, 0.6, 1 / 30, angle), 0.1)
    return rgb + (step(reflection - rng.uniform(1.1, 1.8), 0.08) * 0.7)[..., None]


def ceramic(rng):
    a = colour(rng, (0.92, 0.9, 0.86), (0.6, 0.15, 0.08), (0.15, 0.25, 0.5), (0.1, 0.1, 0.1), (0.85, 0.7, 0.2), (0.2, 0.5, 0.4))
    rgb = shade(plain(a), ramp(rng.uniform(0, 2 * np.pi)) + 0.5 * noise(rng, 1, 3), rng.uniform(0.08, 0.25))
    glints = noise(rng, rng.uniform(2, 5), 3, rng.uniform(0.3, 1), rng.uniform(0, np.pi))
    return rgb + (step(glints - rng.uniform(1.6, 2.4), 0.08) * rng.uniform(0.3, 0.9))[..., None]


def paper(rng):
    a = colour(rng, (0.95, 0.94, 0.9), (0.88, 0.84, 0.75), (0.97, 0.97, 0.97))
    ink = colour(rng, (0.1, 0.1, 0.12), (0.1, 0.15, 0.4), spread=0.04)
    lines = rng.uniform(12, 40)
    y = np.linspace(0, lines, SIZE, dtype=np.float32)[:, None]
    text = step(noise(rng, 40, 0.8, 0.6) - 0.1, 0.15) * (np.abs(y % 1 - 0.5) < 0.28) * (noise(rng, 12, 1.5, 1, 0)[:1] < 1.2)
    rgb = blend(plain(a), ink, text * rng.uniform(0.4, 0.95) * (rng.random() < 0.85))
    if rng.random() < 0.3:
        rgb = blend(rgb, colour(rng, *rng.uniform(0, 1, (3, 3))), step(noise(rng, 3, 3) - 1, 0.03))
    return shade(rgb, noise(rng, 1, 2.5), 0.05)


def skin(rng):
    a = colour(rng, (0.88, 0.68, 0.56), (0.72, 0.5, 0.38), (0.45, 0.3, 0.22), (0.95, 0.78, 0.68), spread=0.04)
    rgb = blend(a, np.clip(a * [1.08, 0.82, 0.78], 0, 1), step(noise(rng, 2, 2.4), 0.8) * 0.6)
    return shade(shade(rgb, noise(rng, 1, 2.6), 0.12), noise(rng, 60, 0.8), 0.03)


def wall(rng):
    a = colour(rng, (0.85, 0.83, 0.78), (0.6, 0.62, 0.65), (0.75, 0.7, 0.6), (0.5, 0.55, 0.6), (0.12, 0.12, 0.13), spread=0.1)
    rgb = shade(plain(a), ramp(rng.uniform(0, 2 * np.pi)), rng.uniform(0, 0.2))
    rgb = shade(rgb, noise(rng, 2, 2.6), rng.uniform(0, 0.12))
    return shade(rgb, noise(rng, 50, 0.6), rng.uniform(0, 0.03))


DRAW = [sky, water, grass, foliage, soil, stone, wood, brick, fabric, fur, metal, ceramic, paper, skin, wall]


def bank(seed, each):
    """`each` textures of every material: uint8 `[materials, each, SIZE, SIZE, 3]`."""
    out = np.empty((len(NAMES), each, SIZE, SIZE, 3), np.uint8)
    for m, draw in enumerate(DRAW):
        for i in range(each):
            rgb = draw(np.random.default_rng([seed, m, i]))
            out[m, i] = np.clip(rgb * 255, 0, 255).astype(np.uint8)
    return out
