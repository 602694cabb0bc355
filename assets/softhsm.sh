#!/bin/sh
# SoftHSM2 from the distribution's packages, where it may be installed; else the one line to run.
set -u
for module in /usr/lib/*/softhsm/libsofthsm2.so /usr/lib/softhsm/libsofthsm2.so \
    /usr/lib64/pkcs11/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so; do
    [ -e "$module" ] && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing softhsm2"
    apt-get -qq update >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y softhsm2 >/dev/null 2>&1 && exit 0
fi
echo "note: SoftHSM2 is not here; the root key of rehearsals lives in an encrypted file." >&2
echo "hint: sudo apt-get install softhsm2    (Fedora: sudo dnf install softhsm)" >&2
