#!/usr/bin/env bash
# Builds llama-bench, llama-batched-bench and llama-server of llama.cpp for this processor, from the source distribution of
# llama-cpp-python on PyPI that llama-cpp-python.txt pins.
# usage: tools/peers/build_llama_cpp.sh DIRECTORY      needs a Python with pip: PYTHON=python3
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$(realpath --no-symlinks "$(command -v "${PYTHON:-python3}")")
mkdir -p "${1:?usage: tools/peers/build_llama_cpp.sh DIRECTORY}"
cd "$1"
requirement=$here/llama-cpp-python.txt
version=$(sed -E 's/.*==([^ ]+) .*/\1/' "$requirement")
archive=llama_cpp_python-$version.tar.gz
source=llama_cpp_python-$version/vendor/llama.cpp

matches() { [[ -f $archive ]] && echo "$(sed -E 's/.*sha256://' "$requirement")  $archive" | sha256sum --check --status; }

matches || "$python" -m pip download --quiet --disable-pip-version-check --no-deps \
  --no-binary llama-cpp-python --require-hashes --requirement "$requirement" --dest .
matches || { echo "$archive is not what $requirement names" >&2; exit 1; }
[[ -f $source/CMakeLists.txt ]] || tar -xzf "$archive"

cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=ON >cmake.log
cmake --build "$source/build" -j "${JOBS:-$(nproc)}" --target llama-bench llama-batched-bench llama-server
ln -sfn "$source/build/bin" bin
