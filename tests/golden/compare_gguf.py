"""Compares `internvit chat` with transformers on a language model in GGUF: token ids, logits of a prompt, a greedy answer.

    pip install torch transformers gguf accelerate safetensors
    python tests/golden/compare_gguf.py FILE.gguf "A question" [--program target/release/internvit] [--device cpu]
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("file", type=Path)
parser.add_argument("question")
parser.add_argument("--program", default="internvit")
parser.add_argument("--device", default="cpu")
given = parser.parse_args()

source = {"pretrained_model_name_or_path": str(given.file.parent), "gguf_file": given.file.name}
tokenizer = AutoTokenizer.from_pretrained(**source)
model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
text = f"<|im_start|>user\n{given.question}<|im_end|>\n<|im_start|>assistant\n"
ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
with torch.no_grad():
    logits = model(ids).logits[0].numpy()
    answer = model.generate(ids, max_new_tokens=60, do_sample=False)[0, ids.shape[1] :].tolist()


def chat(*words):
    common = ["--model", given.file, "--device", given.device]
    return subprocess.run([given.program, "chat", *words, *common], capture_output=True, check=True).stdout


found = json.loads(chat(given.question, "--json", "--max-new-tokens", "60"))
print("token ids equal:", found["input_ids"] == ids[0].tolist())
print("greedy answer equal:", found["generated"] == answer, f"({len(answer)} tokens)", repr(found["answer"][:60]))
with tempfile.TemporaryDirectory() as folder:
    save_file({"input_ids": ids.numpy()}, f"{folder}/in.safetensors")
    chat("--inputs", f"{folder}/in.safetensors", "--max-new-tokens", "1", "--out", f"{folder}/out.safetensors")
    own = load_file(f"{folder}/out.safetensors")["logits"][0]
print(f"logits of {len(own)} tokens differ by at most {np.abs(own - logits).max():.1e}, and reach {np.abs(logits).max():.1f}")
