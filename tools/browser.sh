#!/usr/bin/env bash
# See to it that the browser tests find a Chromium, as far as that needs no question; without one they are skipped.
set -u

for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$browser" >/dev/null && exit 0
done

skipped="No Chromium was found: the browser tests will be skipped. Install chromium or google-chrome to run them."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || { echo "$skipped"; exit 0; }
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || { echo "$skipped"; exit 0; }

echo "Installing chromium for the browser tests."
log=$(mktemp)
{
    ${as_root[@]+"${as_root[@]}"} apt-get update -qq &&
        ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
} >"$log" 2>&1 || { tail -n 5 "$log"; echo "$skipped"; }
rm -f "$log"
exit 0
