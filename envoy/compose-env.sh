#!/bin/sh
# Makes envoy/.env, or the file that is named: the secrets that compose.yaml asks for, new ones for every stack. Needs a
# Rust toolchain.
set -eu
cd "$(dirname "$0")/.."
file=${1:-envoy/.env}
if [ -e "$file" ]; then
  echo "$file is there already. Sessions and identities depend on its keys; delete it for new ones." >&2
  exit 1
fi
wxgate() { cargo run --quiet --bin wxgate -- "$@"; }

# First all of them, so that a failure leaves no half of a file.
session_key=$(wxgate keygen session)
signing_key=$(wxgate keygen signing --env)
resolver_token=$(wxgate keygen session)
admin_token=$(wxgate keygen session)

umask 077
cat > "$file" <<END
WXGATE_SESSION_KEY=$session_key
WXGATE_SIGNING_KEY='$signing_key'
WXGATE_RESOLVER_TOKEN=$resolver_token
WXGATE_ADMIN_TOKEN=$admin_token
# The simulator's apps have these; with apps of your own they come from WeChat's console.
WX_PC_SECRET=0001demo0001demo0001demo0001demo
WX_OA_SECRET=0002demo0002demo0002demo0002demo
WX_APP_SECRET=0003demo0003demo0003demo0003demo
WX_MINI_SECRET=0004demo0004demo0004demo0004demo
WX_OA_PUSH_TOKEN=0002demo
WX_OA_PUSH_KEY=0002demo0002demo0002demo0002demo0002demo000
END
echo "made $file"
