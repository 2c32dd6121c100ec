#!/usr/bin/env bash
# Resolves what pyproject.toml and the services ask for into requirements.lock, with hashes and without addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
inputs=(pyproject.toml)
for project in services/*/pyproject.toml; do [[ -e $project ]] && inputs+=("$project"); done
uv=.venv/bin/uv
[[ -x $uv ]] || uv=uv
# Our own packages are installed editable beside the lock; the kit is named so that the others' need of it resolves.
kit=$(mktemp --suffix=.txt)
trap 'rm -f "$kit"' EXIT
printf 'cartwright-kit @ file://%s/services/kit\n' "$PWD" > "$kit"
"$uv" pip compile --quiet --universal --generate-hashes --custom-compile-command 'make lock' --python-version 3.11 \
  --group pyproject.toml:dev --no-emit-package cartwright-kit "$@" "$kit" "${inputs[@]}" --output-file requirements.lock
for wanted in tools/*/requirements.in; do
  "$uv" pip compile --quiet --universal --generate-hashes --custom-compile-command 'make lock' --python-version 3.11 \
    "$wanted" --output-file "${wanted%.in}.lock"
done
