#!/bin/bash
# Stage 3: signs a folder as a package: writes manifest.json and manifest.sig into it, and with OUT one file *.carrel.
#
#   KIND=system|models VERSION=1.2.3 KEY=update.key package.sh FOLDER [OUT]
#
# The format is that of docs/appliance/update-format.md.
set -euo pipefail
folder=$1 out=${2:-}
: "${KIND:?}" "${VERSION:?}" "${KEY:?}" "${SOURCE_DATE_EPOCH:?}"
cd "$folder"
rm -f manifest.json manifest.sig

key_id=$(openssl pkey -in "$KEY" -pubout -outform DER | sha256sum | cut -d' ' -f1)
mapfile -d '' -t members < <(find . -type f -printf '%P\0' | LC_ALL=C sort -z)
for member in "${members[@]}"; do
	printf '%s\t%s\t%s\n' "$member" "$(stat -c %s "$member")" "$(sha256sum "$member" | cut -d' ' -f1)"
done | jq -RnS --arg kind "$KIND" --arg version "$VERSION" --arg key "$key_id" --arg architecture "$(uname -m)" \
	--arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
	'{format: 1, product: "carrel", kind: $kind, version: $version, architecture: $architecture, created: $created, key: $key,
	  members: [inputs | split("\t") | {name: .[0], size: (.[1] | tonumber), sha256: .[2]}]}' >../manifest.new
mv ../manifest.new manifest.json
openssl pkeyutl -sign -inkey "$KEY" -rawin -in manifest.json -out manifest.sig

[ -z "$out" ] || tar -cf "$out" --format=ustar --owner=0 --group=0 --numeric-owner --mode=u=rw,go=r \
	--mtime="@$SOURCE_DATE_EPOCH" manifest.json manifest.sig "${members[@]}"
