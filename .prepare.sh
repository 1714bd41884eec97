#!/bin/sh
# npm runs this in a clone: before it packs, after "npm install", and when somebody installs from git. It builds
# dist/ afresh, unless that is newer than every source, for npm asks twice when it installs from git.
set -eu

# npm up to 11 prepares the clone as if that were what to install globally, and leaves a link to nowhere.
if [ "${npm_config_global-}" = true ] && [ -n "${_PACOTE_NO_PREPARE_-}" ]; then
  echo "ctrecorder: this npm cannot install globally from git (npm/cli#9406); pack first:" \
    'npm install --global "$(npm pack --silent URL)"' >&2
  exit 1
fi

SOURCES='src workers package.json package-lock.json tsconfig.json .rollup.config.mjs'
BUILT=dist/.prepared

# Directories count: their time says that a file of theirs was removed.
[ -e "$BUILT" ] && [ -z "$(find $SOURCES -newer "$BUILT")" ] && exit

# A fresh clone has not what the build needs. The options set right what the command above us passes on.
[ -x node_modules/.bin/tsc ] ||
  npm ci --ignore-scripts --no-global --no-dry-run --include=dev --include=optional --loglevel=error >&2
rm -rf dist
npm run --silent build
touch "$BUILT"
