#!/usr/bin/env bash
# Makes .venv from requirements.lock and installs what is needed of Debian's packages. Safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

# name and program of every package of the tiers that `make up` and `make test` need
missing=()
while IFS='|' read -r name program; do
  if [[ $program == /* ]]; then compgen -G "$program" > /dev/null || missing+=("$name")
  else command -v "$program" > /dev/null || missing+=("$name"); fi
done < <(awk -F'"' '/^name/ {n=$2} /^tier/ {t=$2} /^program/ && t ~ /^(check|cluster|services|images|node)$/ {print n "|" $2}' tools/debian-packages.toml)
python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)

if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null; then
    say "installing ${missing[*]}"
    apt-get update -qq > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
  else
    say "please install: ${missing[*]} (Debian: apt-get install ${missing[*]})"
  fi
fi

uv=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
[[ -x .venv/bin/python ]] || python3 -m venv .venv
if [[ ! -x .venv/bin/uv ]] || ! .venv/bin/uv --version | grep -qF " $uv"; then
  say "uv $uv"
  # Only uv's own lines of the lock, with their hashes.
  awk -v want="uv==$uv" '$1 == want {on=1; print; next} on && /^ +--hash/ {print; next} {on=0}' requirements.lock > .venv/uv.lock
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
fi
say "Python packages of requirements.lock"
.venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock
editable=(-e .)
for project in services/*/pyproject.toml; do [[ -e $project ]] && editable+=(-e "$(dirname "$project")"); done
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation "${editable[@]}"
say "done"
