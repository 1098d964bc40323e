"""How fast llama.cpp answers on the CPU beside this program, by the same bits on the same threads, in turn.

    pip install llama-cpp-python gguf numpy
    cargo bench --bench decode --no-run        # prints where the benchmark is
    python bench/llama.py target/release/deps/decode-… [--rounds 3] [--out bench/decode/llama-cpu.json]

Random weights of InternVL3-1B's language model (Qwen2.5-0.5B's shape, a head of its own) are written as two files of GGUF:
all matrices in Q8_0; those of the MLPs in Q4_0 and the others in Q8_0, which is what `--dtype int4` makes of them. Each
program takes a prompt of 256 tokens, then 48 tokens one by one; tokens a second are those of the median token.
"""

import argparse
import ctypes
import json
import os
import platform
import re
import subprocess
import tempfile
import time

import gguf
import numpy as np

HIDDEN, MLP, LAYERS, HEADS, KEY_HEADS, D, VOCABULARY = 896, 4864, 24, 14, 2, 64, 151674
PROMPT, ANSWER = 256, 48
Q8, Q4 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0


def blocks(rng, rows, cols, kind):
    """Random codes under a scale with which a sum of products stays near 1."""
    count, size = rows * cols // 32, {Q8: 34, Q4: 18}[kind]
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    scale = np.float16((1 / 73 if kind == Q8 else 1 / 4.6) / np.sqrt(cols))
    data[:, :2] = np.frombuffer(scale.tobytes(), np.uint8)
    return data.reshape(rows, -1)


def write(path, mlp):
    """A file whose MLPs have the type `mlp`."""
    rng = np.random.default_rng(1)
    file = gguf.GGUFWriter(path, "qwen2")
    file.add_context_length(32768)
    file.add_embedding_length(HIDDEN)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(MLP)
    file.add_head_count(HEADS)
    file.add_head_count_kv(KEY_HEADS)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_rope_freq_base(1e6)
    file.add_vocab_size(VOCABULARY)
    file.add_tokenizer_model("none")

    def matrix(name, rows, cols, kind=Q8):
        file.add_tensor(name, blocks(rng, rows, cols, kind), raw_dtype=kind)

    matrix("token_embd.weight", VOCABULARY, HIDDEN)
    matrix("output.weight", VOCABULARY, HIDDEN)
    file.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for at in range(LAYERS):
        block = f"blk.{at}"
        for norm in ("attn_norm", "ffn_norm"):
            file.add_tensor(f"{block}.{norm}.weight", np.ones(HIDDEN, np.float32))
        for name, rows in (("q", HEADS * D), ("k", KEY_HEADS * D), ("v", KEY_HEADS * D)):
            matrix(f"{block}.attn_{name}.weight", rows, HIDDEN)
            file.add_tensor(f"{block}.attn_{name}.bias", np.zeros(rows, np.float32))
        matrix(f"{block}.attn_output.weight", HIDDEN, HEADS * D)
        matrix(f"{block}.ffn_gate.weight", MLP, HIDDEN, mlp)
        matrix(f"{block}.ffn_up.weight", MLP, HIDDEN, mlp)
        matrix(f"{block}.ffn_down.weight", HIDDEN, MLP, mlp)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def llama(path, threads, plain=False):
    """Tokens a second of llama.cpp: of the prompt, of the median token behind it; `plain` leaves weights as the file has
    them."""
    import llama_cpp as ll

    silent = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(silent, ctypes.c_void_p(0))
    ll.llama_backend_init()
    which = ll.llama_model_default_params()
    which.use_extra_bufts = not plain
    model = ll.llama_model_load_from_file(path.encode(), which)
    how = ll.llama_context_default_params()
    how.n_ctx, how.n_batch, how.n_ubatch = 512, PROMPT, PROMPT
    how.n_threads = how.n_threads_batch = threads
    context = ll.llama_init_from_model(model, how)

    def feed(ids):
        tokens = (ll.llama_token * len(ids))(*ids)
        start = time.perf_counter()
        assert ll.llama_decode(context, ll.llama_batch_get_one(tokens, len(ids))) == 0
        ll.llama_get_logits_ith(context, -1)
        return time.perf_counter() - start

    feed(range(100, 100 + PROMPT))  # reads the file
    ll.llama_memory_clear(ll.llama_get_memory(context), True)
    prompt = feed(range(100, 100 + PROMPT))
    times = sorted(feed([1000 + at]) for at in range(ANSWER))
    ll.llama_free(context)
    ll.llama_model_free(model)
    return PROMPT / prompt, 1 / times[ANSWER // 2]


def ours(program, path, name, threads):
    """The same of this program, by its benchmark."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    done = subprocess.run([program, "answer", path, name], env=environment, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith(name))
    _, _, prompt, answer, *_ = line.split()
    return float(prompt), float(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="bench/decode, built for release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plain", action="store_true",
                        help="llama.cpp does not reorder weights: for machines that list AMX but do not allow it")
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "internvit-llama"))
    parser.add_argument("--out")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    rows = []
    for name, mlp in (("int8", Q8), ("int4", Q4)):
        path = os.path.join(args.folder, f"random-{name}.gguf")
        if not os.path.exists(path):
            write(path, mlp)
        for _ in range(args.rounds):
            their_prompt, theirs = llama(path, args.threads, args.plain)
            prompt, answer = ours(args.program, path, name, args.threads)
            rows.append({"weights": name, "llama_prompt": their_prompt, "llama_answer": theirs,
                         "prompt": prompt, "answer": answer, "ratio": answer / theirs})
            print(f"{name}: prompt {their_prompt:.0f} by llama.cpp, {prompt:.0f} here; "
                  f"answer {theirs:.1f} by llama.cpp, {answer:.1f} here: {answer / theirs:.2f} ×", flush=True)
    if args.out:
        import llama_cpp

        with open("/proc/cpuinfo") as file:
            processor = re.search(r"model name\s*: (.*)", file.read()).group(1)
        told = {"processor": processor, "threads": args.threads, "plain": args.plain, "system": platform.platform(),
                "llama_cpp_python": llama_cpp.__version__, "unit": "tokens a second", "runs": rows}
        with open(args.out, "w") as file:
            json.dump(told, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
