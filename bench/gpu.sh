#!/usr/bin/env bash
# All that is to be measured on a machine with a GPU, in one go of ten minutes; raw results into a folder:
#
#   bench/gpu.sh [OUT]
#
# Builds with cargo where there is one; with INTERNVIT=PATH that program is taken as it is, and no test is run. What the
# time (LIMIT, seconds) does not suffice for is left out and said. PRESETS are the models, the most wanted first. PyTorch
# with CUDA (and numpy, safetensors) is needed for the rows beside it, and left out where it is missing.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-bench/results/gpu}
mkdir -p "$out"
internvit=${INTERNVIT:-target/release/internvit}
python=${PYTHON:-python3}
limit=${LIMIT:-600}
presets=${PRESETS:-300m tiny 6b-layer}

# Runs a command for as many seconds at most as are left.
within() {
  local left=$((limit - SECONDS))
  if [ "$left" -le 5 ]; then
    echo "no time left for: $*" | tee -a "$out/left-out.txt" >&2
    return 1
  fi
  timeout "$left" "$@"
}
# Leaves no empty file of what was not measured.
trap 'find "$out" -name "*.json" -empty -delete; rm -rf "${models:-}"' EXIT

if [ -z "${INTERNVIT:-}" ] && command -v cargo >/dev/null; then
  within cargo build --release || exit 1
fi
{ "$internvit" devices; nvidia-smi 2>/dev/null; } | tee "$out/machine.txt"

# What is computed must be right before its speed counts: every row of every table against its twin, then two photographs.
# Probes are left to the step that shows them.
if [ -z "${INTERNVIT:-}" ] && command -v cargo >/dev/null; then
  INTERNVIT_PROBE=off REQUIRE_GPU=1 within cargo test --release --test device -- kernels shaders probe --nocapture 2>&1 |
    tee "$out/tests.txt"
fi
for photo in www/samples/chelsea.png www/samples/rocket.jpg; do
  within "$internvit" bisect "$photo" --device gpu 2>&1 | tee -a "$out/bisect.txt"
done

# The tuning of this card: every candidate kernel on every shape, checked and timed, then whole encodings by family. It is
# kept in the user's cache, where all that follows finds it.
for preset in $presets; do
  for dtype in f32 f16; do
    within "$internvit" bench --device gpu --preset "$preset" --dtype $dtype --tune --runs 3 --json \
      >"$out/tune-$preset-$dtype.json" && "$python" - "$out/tune-$preset-$dtype.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
print(f"\n== tuning of {r['device']['name']}, {r['dtype']}, {r['image_size']} px")
for found in r["shapes"]:
    print(found["shape"])
    for t in found["trials"]:
        ms = "wrong" if not t["right"] else "not timed" if t["seconds"] is None else f"{1e3 * t['seconds']:.3f} ms"
        print(f"  {t['family']:18} {t['kernel']:20} {ms:>12}{' *' if t['family'] == found['family'] else ''}")
for f in r["families"]:
    print(f"{f['family']:18} encode {f['encode_ms']:9.2f} ms, linear {f['linear_ms']:9.2f}, attention {f['attention_ms']:9.2f}")
PY
  done
done

bench() { # name, then arguments
  local name=$1
  shift
  printf '\n== %s: internvit bench %s\n' "$name" "$*"
  within "$internvit" bench --device gpu "$@" --json >"$out/$name.json" && "$python" - "$out/$name.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
e, m = r["encode"], r["memory"]
print(f"{e['median_ms']:.2f} ms, {e['images_per_s']:.1f} images/s, {e['gflop_per_s']:.0f} GFLOP/s, "
      f"{r['profile']['dispatches']} dispatches; "
      f"weights {m['weight_bytes'] / 1e6:.0f} MB, activations {m['slot_bytes'] / 1e6:.0f} MB")
for k in r["profile"]["kernels"][:7]:
    print(f"  {k['kernel']:18} {k['operation']:60} {k['ms']:9.3f} ms {k['gflop_per_s']:9.0f} GFLOP/s {100 * k['of_ceiling']:.0f} % {k['bound']}")
PY
}
for preset in $presets; do
  for dtype in f32 f16; do
    check=--check
    [ "$preset" = 6b-layer ] && check=
    bench "$preset-b1-$dtype" --preset "$preset" --dtype $dtype $check
    [ "$preset" = 300m ] && bench "300m-b16-$dtype" --preset 300m --batch 16 --dtype $dtype
    # Without what the probe found: the portable kernels.
    bench "$preset-b1-$dtype-portable" --preset "$preset" --dtype $dtype --kernels portable
  done
done

if "$python" -c 'import torch, safetensors; assert torch.cuda.is_available()' 2>/dev/null; then
  models=$(mktemp -d)
  for preset in 300m 6b-layer; do
    within "$internvit" init --preset $preset --out "$models/$preset" || break
    for batch in 1 16; do
      [ "$preset-$batch" = 6b-layer-16 ] && continue
      within "$python" bench/peers.py --internvit "$internvit" --model "$models/$preset" --gpu --batch $batch --runs 20 \
        --json "$out/peers-$preset-b$batch.json" 2>&1 | tee "$out/peers-$preset-b$batch.txt"
    done
  done
else
  echo "PyTorch with CUDA is missing: nothing measured beside it" | tee "$out/peers.txt"
fi
echo "took $SECONDS s"
