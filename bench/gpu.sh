#!/usr/bin/env bash
# All that is to be measured on a machine with a GPU, in one go; raw results into a folder:
#
#   bench/gpu.sh [OUT]
#
# Builds with cargo where there is one, else takes target/release/internvit as it is. PyTorch with CUDA
# (and numpy, safetensors) is needed for the rows beside it, and left out where it is missing.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-bench/results/gpu}
mkdir -p "$out"
internvit=target/release/internvit
python=${PYTHON:-python3}

if command -v cargo >/dev/null; then
  cargo build --release || exit 1
  REQUIRE_GPU=1 cargo test --release --test device -- --nocapture 2>&1 | tee "$out/tests.txt"
fi
{ "$internvit" devices; nvidia-smi 2>/dev/null; } | tee "$out/machine.txt"

# What is computed must be right before its speed counts.
for photo in www/samples/chelsea.png www/samples/rocket.jpg; do
  "$internvit" bisect "$photo" --device gpu 2>&1 | tee -a "$out/bisect.txt"
done

models=$(mktemp -d)
trap 'rm -rf "$models"' EXIT
bench() { # name, then arguments
  local name=$1
  shift
  printf '\n== %s: internvit bench %s\n' "$name" "$*"
  "$internvit" bench --device gpu "$@" --json >"$out/$name.json" && "$python" - "$out/$name.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
e, m = r["encode"], r["memory"]
print(f"{e['median_ms']:.2f} ms, {e['images_per_s']:.1f} images/s, {e['gflop_per_s']:.0f} GFLOP/s; "
      f"weights {m['weight_bytes'] / 1e6:.0f} MB, activations {m['slot_bytes'] / 1e6:.0f} MB")
for k in r["profile"]["kernels"][:7]:
    print(f"  {k['kernel']:18} {k['operation']:60} {k['ms']:9.3f} ms {k['gflop_per_s']:9.0f} GFLOP/s {100 * k['of_ceiling']:.0f} % {k['bound']}")
PY
}
for dtype in f32 f16; do
  bench "tiny-$dtype" --preset tiny --dtype $dtype --check
  bench "300m-b1-$dtype" --preset 300m --dtype $dtype --check
  bench "300m-b16-$dtype" --preset 300m --batch 16 --dtype $dtype
  bench "6b-layer-$dtype" --preset 6b-layer --dtype $dtype
done
# Families side by side: in f16 matrix units beside the portable kernels.
for dtype in f32 f16; do
  "$internvit" bench --device gpu --preset 300m --dtype $dtype --tune 2>&1 | tee "$out/tune-$dtype.txt"
done
bench 300m-b1-f16-portable --preset 300m --dtype f16 --kernels portable

if "$python" -c 'import torch, safetensors; assert torch.cuda.is_available()' 2>/dev/null; then
  "$internvit" init --preset 300m --out "$models/300m"
  for batch in 1 16; do
    "$python" bench/peers.py --internvit "$internvit" --model "$models/300m" --gpu --batch $batch --runs 20 \
      --json "$out/peers-300m-b$batch.json" 2>&1 | tee "$out/peers-300m-b$batch.txt"
  done
  "$internvit" init --preset 6b-layer --out "$models/6b-layer"
  "$python" bench/peers.py --internvit "$internvit" --model "$models/6b-layer" --gpu --runs 20 \
    --json "$out/peers-6b-layer.json" 2>&1 | tee "$out/peers-6b-layer.txt"
else
  echo "PyTorch with CUDA is missing: nothing measured beside it" | tee "$out/peers.txt"
fi
