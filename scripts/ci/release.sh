#!/usr/bin/env bash
# Releases from any CI: build, set in dev, promote on green, and to prod what a person approved.
#
#   scripts/ci/release.sh build [FILE]              build the images whose version the registry lacks, push and sign them
#   scripts/ci/release.sh set ENV [FILE]            give ENV the images of FILE, one commit for each app
#   scripts/ci/release.sh promote FROM TO           deliver one commit with every app that the gates of TO let pass
#   scripts/ci/release.sh ready FROM TO             print what waits in TO for nothing but an approval
#   scripts/ci/release.sh approved FROM TO FILE     promote what FILE lists, if it is still what waits; you approve it
#
# FILE (dist/release.txt by default) has a line for each app: `build` writes "catalog ghcr.io/…/catalog:1.5.0@sha256:…",
# `ready` prints "shop/catalog 1.5.0 sha256:…". Exit codes: 0 done, or nothing may go yet; else as `cartwright promote`.
#
# What it reads from the environment, all of it standard:
#   REGISTRY_AUTH_FILE or DOCKER_CONFIG   credentials for the registry (`skopeo login --authfile`)
#   GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL     who promotes; GIT_COMMITTER_… likewise. For `approved`: the approver
#   CARTWRIGHT_KUBECONFIG                 the cluster with Argo CD, for the gate `health`
#   COSIGN_PRIVATE_KEY, COSIGN_PASSWORD   the key that images are signed with; without it they are not signed
#   RELEASE_DELIVERY                      options that say how commits are delivered: --push by default, or --pr
#   GITHUB_TOKEN or GITLAB_TOKEN          with --pr: the token for the forge
#   RELEASE_REGISTRY                      where images go, in place of the registry that the manifests name
#   CARTWRIGHT                            the command, .venv/bin/cartwright by default
# The clone needs the right to push, and its whole history: gates ask since when something has run.
set -euo pipefail
root=$(git rev-parse --show-toplevel)
cd "$root"
cartwright=${CARTWRIGHT:-.venv/bin/cartwright}
python=$(dirname "$cartwright")/python
read -ra deliver <<< "${RELEASE_DELIVERY:---push}"

say() { printf 'release: %s\n' "$*" >&2; }
usage() { sed -n '3,8s/^# *//p' "$0" >&2; exit 2; }

in_registry() { # in_registry IMAGE:TAG: prints the digest; 1 where there is none; anything else ends the script
  local said
  if said=$(skopeo inspect --no-tags --format '{{.Digest}}' "docker://$1" 2>&1); then printf '%s\n' "$said"; return 0; fi
  [[ $said == *"manifest unknown"* || $said == *"name unknown"* ]] && return 1
  say "$1: ${said##*$'\n'}"
  exit 2
}

build() {
  local file=$1 main service version registry image digest
  registry=${RELEASE_REGISTRY:-$("$python" -c 'from pathlib import Path; from cartwright.tree import names, repository; print(names.read_names(repository.open_tree(Path())).registry)')}
  mkdir -p "$(dirname "$file")"
  : > "$file.new"
  for main in services/*/src/*/__main__.py; do
    service=$(cut -d/ -f2 <<< "$main")
    version=$("$python" -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["project"]["version"])' \
      "services/$service/pyproject.toml")
    image=$registry/$service
    # A version is built once: another image of the same version would be a tag that moved.
    if digest=$(in_registry "$image:$version"); then
      say "$service $version is in the registry"
    else
      [[ $? == 1 ]] || exit 2
      "$cartwright" images build "$service" --release --no-push --output dist/images > /dev/null
      skopeo copy --quiet --preserve-digests --digestfile "$file.digest" "oci:dist/images/$service:$version" \
        "docker://$image:$version"
      digest=$(< "$file.digest")
      rm -f "$file.digest"
      sign "$image@$digest"
      say "$service $version pushed: $digest"
    fi
    printf '%s %s\n' "$service" "$image:$version@$digest" >> "$file.new"
  done
  mv "$file.new" "$file"
}

sign() { # sign IMAGE@DIGEST: by a key pair, without a transparency log
  [[ -n ${COSIGN_PRIVATE_KEY:-} ]] || { say "$1: no COSIGN_PRIVATE_KEY, not signed"; return 0; }
  local cosign
  cosign=$("$cartwright" tools build cosign | cut -d' ' -f3)
  "$cosign" sign --key env://COSIGN_PRIVATE_KEY --tlog-upload=false --use-signing-config=false --yes "$1"
}

set_images() {
  local app image
  while read -r app image; do
    [[ -z $app ]] || "$cartwright" promote set "$app" --env "$1" --image "$image" "${deliver[@]}"
  done < "$2"
}

promote() { # promote FROM TO [APP… OPTION…]
  local said code=0 from=$1 to=$2 waits='blocked, nothing was written|: a draft until the gates|: it waits for reviews'
  shift 2
  said=$("$cartwright" promote "$@" --from "$from" --to "$to" "${deliver[@]}") || code=$?
  [[ -z $said ]] || printf '%s\n' "$said"
  # Gates that are closed are no failure: the next run asks them again.
  [[ $code == 1 && $said =~ $waits ]] && return 0
  return "$code"
}

ready() { # ready FROM TO: a line for each app that only an approval keeps back
  local from=$1 to=$2 code=0 all app one
  all=$("$cartwright" promote --all --from "$from" --to "$to" --dry-run --format json) || code=$?
  ((code <= 1)) || return "$code"
  for app in $(only_approvals <<< "$all" | cut -d' ' -f1 | sort -u); do
    one=$("$cartwright" promote "$app" --from "$from" --to "$to" --dry-run --format json) || (($? == 1))
    only_approvals <<< "$one"
  done
}

only_approvals() { # JSON of `promote` in, "APP TAGS DIGESTS" out for each app that nothing but an approval stops
  "$python" -c '
import json, sys
data = json.load(sys.stdin)
verdicts = data["gates"] + data["waiting"]
releases = {one["app"]: one["release"] for one in data["apps"] if one["changes"]}
for app in sorted({one["app"] for one in verdicts if one["app"]}):
    stopped = {one["gate"] for one in verdicts if one["app"] in (app, None) and not one["passed"]}
    if stopped == {"approvals"}:
        pins = releases.get(app, [])
        print(app, ",".join(pin["tag"] for pin in pins), ",".join(pin["digest"] for pin in pins))
'
}

approved() { # approved FROM TO FILE
  local now line apps=()
  now=$(ready "$1" "$2")
  while read -r line; do
    [[ -n $line ]] || continue
    if ! grep -qxF -- "$line" <<< "$now"; then
      say "'$line' is not what waits for $2 any more: nothing was promoted; approve again what waits now"
      exit 1
    fi
    apps+=("${line%% *}")
  done < "$3"
  ((${#apps[@]})) || { say "$3 lists nothing"; return 0; }
  promote "$1" "$2" "${apps[@]}" --approved-by "${GIT_AUTHOR_EMAIL:?the address of the approver}"
}

case "${1:-} $#" in
  "build 1" | "build 2") build "${2:-dist/release.txt}" ;;
  "set 2" | "set 3") set_images "$2" "${3:-dist/release.txt}" ;;
  "promote 3") promote "$2" "$3" --all ;;
  "ready 3") ready "$2" "$3" ;;
  "approved 4") approved "$2" "$3" "$4" ;;
  *) usage ;;
esac
