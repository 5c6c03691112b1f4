#!/bin/bash
# Stage 3: signs a folder as a package: writes manifest.json and manifest.sig into it, and with OUT one file *.carrel.
#
#   KIND=system|program|models|lists|crl|passwords|keys VERSION=1.2.3 KEY=update.key package.sh FOLDER [OUT]
#
# SEQUENCE is its place in the order of its kind (without it the time that everything bears); ARCHITECTURE what it runs on
# (this machine's for programs, else any). ADD_KEYS names files with public keys that come to be trusted, REMOVE_KEYS ids
# of keys that are no longer.
# The format is that of docs/appliance/update-format.md.
set -euo pipefail
folder=$1 out=${2:-}
: "${KIND:?}" "${VERSION:?}" "${KEY:?}" "${SOURCE_DATE_EPOCH:?}"
cd "$folder"
rm -f manifest.json manifest.sig

case "$KIND" in system | program) usual=$(uname -m) ;; *) usual=any ;; esac
key_id=$(openssl pkey -in "$KEY" -pubout -outform DER | sha256sum | cut -d' ' -f1)
keys=$(
	for file in ${ADD_KEYS:-}; do jq -Rs . "$file"; done | jq -s --arg remove "${REMOVE_KEYS:-}" \
		'{add: ., remove: ($remove | split(" ") | map(select(. != "")))}'
)
mapfile -d '' -t members < <(find . -type f -printf '%P\0' | LC_ALL=C sort -z)
for member in "${members[@]+"${members[@]}"}"; do
	printf '%s\t%s\t%s\n' "$member" "$(stat -c %s "$member")" "$(sha256sum "$member" | cut -d' ' -f1)"
done | jq -RnS --arg kind "$KIND" --arg version "$VERSION" --arg key "$key_id" --arg architecture "${ARCHITECTURE:-$usual}" \
	--argjson sequence "${SEQUENCE:-$SOURCE_DATE_EPOCH}" --argjson keys "$keys" \
	--arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
	'{format: 1, product: "carrel", kind: $kind, version: $version, sequence: $sequence, architecture: $architecture,
	  created: $created, key: $key, keys: $keys,
	  members: [inputs | split("\t") | {name: .[0], size: (.[1] | tonumber), sha256: .[2]}]}' >../manifest.new
mv ../manifest.new manifest.json
openssl pkeyutl -sign -inkey "$KEY" -rawin -in manifest.json -out manifest.sig

[ -z "$out" ] || tar -cf "$out" --format=ustar --owner=0 --group=0 --numeric-owner --mode=u=rw,go=r \
	--mtime="@$SOURCE_DATE_EPOCH" manifest.json manifest.sig "${members[@]+"${members[@]}"}"
