#!/usr/bin/env bash
# Builds the fuzz targets and runs each for the given number of seconds over its kept inputs.
# usage: tools/fuzz.sh SECONDS [TARGET...]      FUZZ_CORPUS_ONLY=1 in the environment runs the kept inputs alone
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift

cmake --preset fuzz
cmake --build --preset fuzz
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || for file in fuzz/fuzz_*.cpp; do name=${file#fuzz/fuzz_}; targets+=("${name%.cpp}"); done

for target in "${targets[@]}"; do
  echo "== $target: $seconds s"
  found=build/fuzz/found/$target
  mkdir -p "$found"
  limit=(-max_total_time="$seconds")
  [[ -z ${FUZZ_CORPUS_ONLY:-} ]] || limit=(-runs=0)
  build/fuzz/fuzz/fuzz_"$target" "${limit[@]}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found"/ "$found" fuzz/corpus/"$target" 2>&1 | tail -n 4
done
