"""Makes the fixtures in GGUF, by the packages gguf and safetensors:

    python tests/golden/make_gguf.py

`internvl/gguf_five_bits` has the types that `internvl/gguf_types` has not; `internvl/gguf_tiny` is `internvl/chat_tiny` as
llama.cpp's converter writes it.
"""

import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, quants
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = Path(__file__).parent / "internvl"
BF16 = GGMLQuantizationType.BF16


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def five_bits():
    folder = HERE / "gguf_five_bits"
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    writer, expected = GGUFWriter(folder / "model.gguf", "qwen2"), {}
    names = {"blk.0.attn_q.weight": "Q4_1", "blk.0.attn_k.weight": "Q5_0", "blk.0.attn_v.weight": "Q5_1", "blk.0.ffn_down.weight": "Q5_K"}
    for name, kind in names.items():
        kind = GGMLQuantizationType[kind]
        values = (random.standard_normal((4, 512)) * 0.05 + 0.01).astype(np.float32)
        if kind == GGMLQuantizationType.Q5_K:
            # The package does not round to it: any bytes are blocks of it.
            blocks = random.integers(0, 256, (8, 176), dtype=np.uint8)
            blocks[:, :4] = (random.standard_normal((8, 2)) * 0.01).astype(np.float16).view(np.uint8)
            stored = blocks.reshape(4, -1)
        else:
            stored = quants.quantize(values, kind)
        expected[name] = quants.dequantize(stored, kind).astype(np.float32)
        writer.add_tensor(name, stored, raw_dtype=kind)
    finish(writer)
    save_file(expected, folder / "expected.safetensors")


LANGUAGE = [
    ("language_model.", ""), ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"),
    ("model.layers.", "blk."), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
]
TOWER = [
    ("vision_model.", "v."), ("embeddings.class_embedding", "class_embd"), ("embeddings.position_embedding", "position_embd.weight"),
    ("embeddings.patch_embedding", "patch_embd"), ("encoder.layers.", "blk."), (".norm", ".ln"), ("attn.proj", "attn_out"),
    ("mlp.fc1", "ffn_up"), ("mlp.fc2", "ffn_down"), (".ls1", ".ls1.weight"), (".ls2", ".ls2.weight"), ("mlp1.", "mm.model.mlp."),
]


def renamed(name, table):
    for before, after in table:
        name = name.replace(before, after)
    return name


def add(writer, name, tensor):
    if tensor.ndim < 2 or "embd" in name and name.startswith("v."):
        writer.add_tensor(name, tensor)
    else:
        writer.add_tensor(name, quants.quantize(tensor, BF16), raw_dtype=BF16)


def tiny():
    source, folder = HERE / "chat_tiny", HERE / "gguf_tiny"
    folder.mkdir(exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    with safe_open(source / "model.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name).float().numpy() for name in file.keys()}

    own, writer = config["llm_config"], GGUFWriter(folder / "tiny-BF16.gguf", "qwen2")
    writer.add_context_length(own["max_position_embeddings"])
    writer.add_embedding_length(own["hidden_size"])
    writer.add_feed_forward_length(own["intermediate_size"])
    writer.add_block_count(own["num_hidden_layers"])
    writer.add_head_count(own["num_attention_heads"])
    writer.add_head_count_kv(own["num_key_value_heads"])
    writer.add_rope_freq_base(own["rope_theta"])
    writer.add_layer_norm_rms_eps(own["rms_norm_eps"])
    words = [(f"[PAD{number}]", 5) for number in range(own["vocab_size"])]
    for name, kind in (("vocab.json", 1), ("added_tokens.json", 3)):
        for token, number in json.loads((source / name).read_text()).items():
            words[number] = (token, kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in words])
    writer.add_token_types([kind for _, kind in words])
    writer.add_token_merges([line for line in (source / "merges.txt").read_text().splitlines() if line and not line.startswith("#version")])
    for name, tensor in tensors.items():
        if name.startswith("language_model."):
            add(writer, renamed(name, LANGUAGE), tensor)
    finish(writer)

    own, writer = config["vision_config"], GGUFWriter(folder / "mmproj-tiny-BF16.gguf", "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("internvl")
    writer.add_vision_use_gelu(True)
    writer.add_vision_image_size(own["image_size"])
    writer.add_vision_patch_size(own["patch_size"])
    writer.add_vision_embedding_length(own["hidden_size"])
    writer.add_vision_feed_forward_length(own["intermediate_size"])
    writer.add_vision_block_count(own["num_hidden_layers"])
    writer.add_vision_head_count(own["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(own["layer_norm_eps"])
    writer.add_vision_projector_scale_factor(2)
    writer.add_vision_image_mean([0.485, 0.456, 0.406])
    writer.add_vision_image_std([0.229, 0.224, 0.225])
    for name, tensor in tensors.items():
        if name.startswith("language_model."):
            continue
        if ".attn.qkv." in name:
            for part, own in zip("qkv", np.split(tensor, 3)):
                add(writer, renamed(name, TOWER).replace("attn.qkv", f"attn_{part}"), own)
        else:
            add(writer, renamed(name, TOWER), tensor)
    finish(writer)


five_bits()
tiny()
