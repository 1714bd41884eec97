#!/usr/bin/env bash
# Install Debian packages: of the programs that demo and tests run, or of those given as PROGRAM=PACKAGE, where a pattern of absolute
# paths may stand for a program. Quiet when nothing is missing; where it cannot install (not root, not Debian) it names what is missing and goes on: what needs them says so itself.
set -euo pipefail
[ "$(uname -s)" = Linux ] || exit 0
[ $# -gt 0 ] || set -- ip=iproute2 nft=nftables conntrack=conntrack ping=iputils-ping trafgen=netsniff-ng hping3=hping3
missing=()
is_there() {
  case $1 in
    /*) compgen -G "$1" ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" ;;
  esac >/dev/null
}
for pair in "$@"; do
  is_there "${pair%%=*}" || missing+=("${pair#*=}")
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
