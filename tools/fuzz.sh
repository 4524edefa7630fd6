#!/usr/bin/env bash
# Builds the fuzz targets and runs each for the given number of seconds over its kept inputs.
# usage: tools/fuzz.sh SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift

targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || for file in fuzz/fuzz_*.cpp; do name=${file#fuzz/fuzz_}; targets+=("${name%.cpp}"); done
cmake --preset fuzz
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

for target in "${targets[@]}"; do
  echo "== $target: $seconds s"
  found=build/fuzz/found/$target
  mkdir -p "$found"
  build/fuzz/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found"/ "$found" fuzz/corpus/"$target" 2>&1 | tail -n 4
done
