#!/usr/bin/env bash
# Install the Debian packages of the programs that demo and tests run. Quiet when nothing is missing; where it cannot install
# (not root, not Debian) it names what is missing and goes on: what needs them says so itself.
set -euo pipefail
[ "$(uname -s)" = Linux ] || exit 0
declare -A package_of=([ip]=iproute2 [nft]=nftables [conntrack]=conntrack [ping]=iputils-ping)
missing=()
for program in "${!package_of[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]}. Install them with your package manager; what needs them is left out until then." >&2
  exit 0
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
