#!/bin/sh
# The real parts that tests need: tokens, OpenSSL, a terminal, QR and PDF readers.
set -eu
missing=""
PATH="$PATH:/usr/sbin"
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need softhsm2-util softhsm2
need pkcs11-tool opensc
need certutil libnss3-tools
need openssl openssl
need tmux tmux
need curl curl
need ip iproute2
need unshare util-linux
need zbarimg zbar-tools
need pdftoppm poppler-utils
need cc gcc
need nginx nginx-light
need go golang-go
need jq jq
need zsh zsh
need fish fish
need pkcsslotd opencryptoki
[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need:$missing" >&2
    echo "hint: sudo apt-get install$missing" >&2
    exit 2
fi
echo "setup: installing$missing"
# No package starts a server here.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get -qq update >/dev/null
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
