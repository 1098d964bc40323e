"""InternViT in a page of PyTorch, with OpenGVLab's tensor names, and what it is trained on top of."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from materials import NAMES

CONFIG = {
    "architectures": ["InternVisionModel"],
    "model_type": "intern_vit_6b",
    "hidden_size": 192,
    "num_hidden_layers": 12,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "image_size": 224,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
    "norm_type": "layer_norm",
    "layer_norm_eps": 1e-6,
    "qkv_bias": True,
    "qk_normalization": False,
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(c, hidden), nn.Linear(hidden, c)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, c, heads, hidden, eps):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c, eps), nn.LayerNorm(c, eps)
        self.attn, self.mlp = Attention(c, heads), Mlp(c, hidden)
        self.ls1, self.ls2 = nn.Parameter(torch.full((c,), 0.5)), nn.Parameter(torch.full((c,), 0.5))

    def forward(self, x):
        x = x + self.ls1 * self.attn(self.norm1(x))
        return x + self.ls2 * self.mlp(self.norm2(x))


class Embeddings(nn.Module):
    def __init__(self, c, image, patch):
        super().__init__()
        self.grid = image // patch
        self.class_embedding = nn.Parameter(torch.randn(1, 1, c) * 0.02)
        self.patch_embedding = nn.Conv2d(3, c, patch, patch)
        self.position_embedding = nn.Parameter(torch.cat([torch.zeros(1, 1, c), waves(self.grid, c)], 1))

    def forward(self, pixels):
        x = self.patch_embedding(pixels)
        h, w = x.shape[2:]
        position = self.position_embedding
        if (h, w) != (self.grid, self.grid):
            table = position[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
            table = F.interpolate(table.float(), (h, w), mode="bicubic", align_corners=False)
            position = torch.cat([position[:, :1], table.flatten(2).transpose(1, 2)], 1)
        x = torch.cat([self.class_embedding.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1)
        return x + position


def waves(grid, c):
    """Sines and cosines of both coordinates, a smooth start for positions: `[1, grid², c]`."""
    place = (torch.arange(grid) + 0.5) / grid
    rate = math.pi * 2 ** torch.linspace(0, math.log2(grid / 2), c // 4)
    one = torch.cat([(place[:, None] * rate).sin(), (place[:, None] * rate).cos()], 1)
    rows, cols = one[:, None].expand(-1, grid, -1), one[None].expand(grid, -1, -1)
    return 0.1 * torch.cat([rows, cols], 2).reshape(1, grid * grid, c)


def cosines(c, patch):
    """Patch filters to start from: two-dimensional cosines (the DCT), 3/4 of them in luminance, the
    rest in two colour differences, high frequencies raised as photographs hold little of them."""
    place = (torch.arange(patch) + 0.5) / patch
    wave = torch.stack([math.sqrt((2 if k else 1) / patch) * (math.pi * k * place).cos() for k in range(patch)])
    order = sorted((u * u + v * v, u, v) for u in range(patch) for v in range(patch))
    rows = []
    for colour, count, gain in (((1, 1, 1), 3 * c // 4, 1.0), ((1, 0, -1), c // 8, 3.0), ((1, -2, 1), c // 8, 3.0)):
        colour = F.normalize(torch.tensor(colour, dtype=torch.float32), dim=0)
        for square, u, v in order[:count]:
            scale = gain * (0.25 * min(8, math.sqrt(square)) if square else 0.08)
            rows.append(scale * torch.einsum("c,y,x->cyx", colour, wave[v], wave[u]))
    return torch.stack(rows)


class InternViT(nn.Module):
    def __init__(self, k=CONFIG):
        super().__init__()
        self.embeddings = Embeddings(k["hidden_size"], k["image_size"], k["patch_size"])
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(
            Block(k["hidden_size"], k["num_attention_heads"], k["intermediate_size"], k["layer_norm_eps"])
            for _ in range(k["num_hidden_layers"])
        )
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.03)
                nn.init.zeros_(m.bias)
        with torch.no_grad():
            self.embeddings.patch_embedding.weight.copy_(cosines(k["hidden_size"], k["patch_size"]))
            self.embeddings.patch_embedding.bias.zero_()

    def forward(self, pixels):
        x = self.embeddings(pixels)
        for block in self.encoder.layers:
            x = block(x)
        return x


class Pupil(nn.Module):
    """The encoder and what teaches it: materials, things, albedo, and what the class token says."""

    def __init__(self):
        super().__init__()
        c = CONFIG["hidden_size"]
        self.vit = InternViT()
        self.bn = nn.BatchNorm1d(c)  # mmseg's linear head: BatchNorm, then a 1 x 1 convolution
        self.conv_seg = nn.Linear(c, len(NAMES))
        self.thing, self.albedo = nn.Linear(c, 1), nn.Linear(c, 3)
        self.main = nn.Linear(c, len(NAMES))

    def forward(self, pixels):
        x = self.vit(pixels).float()
        cls, tokens = x[:, 0], x[:, 1:]
        flat = tokens.reshape(-1, tokens.shape[-1])
        z = self.bn(flat)
        return {
            "tokens": tokens,
            "material": self.conv_seg(z),
            "thing": self.thing(z)[:, 0],
            "albedo": self.albedo(z),
            "main": self.main(F.layer_norm(cls, cls.shape[-1:])),
        }
