#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks: Debian 12 through apt, macOS through Homebrew.
# usage: tools/install_packages.sh [arm64 | browser | counting | packaging]    also what `make test-arm64`, the tests of the web page,
# `make count-instructions` or `package` need
set -euo pipefail
cd "$(dirname "$0")/.."

debian_packages=(
  clang clang-format clang-tidy libclang-rt-14-dev g++ cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libcli11-dev libspdlog-dev libfmt-dev
  libpcre2-dev libutf8proc-dev libedit-dev libssl-dev libcurl4-openssl-dev prometheus-cpp-dev libgtest-dev libbenchmark-dev
  openssl curl git python3 python3-venv ca-certificates
)

case "${1:-}" in
  "") ;;
  arm64) debian_packages+=(g++-aarch64-linux-gnu qemu-user) ;;  # GoogleTest and fmt serve every processor as sources
  browser) debian_packages+=(chromium chromium-driver) ;;
  counting) debian_packages+=(valgrind) ;;
  packaging) debian_packages+=(dpkg-dev file) ;;
  *) echo "unknown set of packages '$1', expected arm64, browser, counting or packaging" >&2; exit 2 ;;
esac

if [[ "$(uname)" == Darwin ]]; then
  command -v brew >/dev/null || { echo "Homebrew is needed: https://brew.sh" >&2; exit 1; }
  brew bundle --quiet --no-upgrade --file Brewfile
  exit
fi

missing=()
for package in "${debian_packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit

echo "Installing: ${missing[*]}"
root=()
[[ $EUID -eq 0 ]] || root=(sudo)
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
