# Shared by the scripts of this folder, which source it: goes to the repo's root and gives a few words.
# Without CI=true a script may leave a check out when its tool cannot be had. Under CI=true that is a failure.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
left_out_code=77

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null; }
in_ci() { [ "${CI:-}" = true ]; }

# leave_out REASON: ends the script without its check, which is a failure under CI.
leave_out() {
    if in_ci; then fail "$* (under CI nothing is left out)"; fi
    say "left out: $*"
    say "$*" >>"${LEFT_OUT_REASONS:-/dev/null}"
    exit "$left_out_code"
}

# rustup_get ARGUMENTS: a rustup command that may download. False when there is no rustup or it takes too long.
rustup_get() { have rustup && timeout 300 rustup "$@"; }

# debian_get PACKAGES: installs what is missing. False where this is not Debian or we may not.
debian_get() {
    have apt-get || return 1
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        have sudo || return 1
        as_root=(sudo -n)
    fi
    # The lists come first: an old list knows only old compilers.
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# some_tests COMMAND: runs tests, and fails when none of them ran.
some_tests() {
    local log
    log=$(mktemp)
    "$@" 2>&1 | tee "$log" || { rm -f "$log"; return 1; }
    local passed
    passed=$(awk '/^test result: ok\./ { n += $4 } END { print n + 0 }' "$log")
    rm -f "$log"
    say "$passed tests passed"
    [ "$passed" -gt 0 ] || { say "no test ran"; return 1; }
}

# package_features MANIFEST: the names in its [features] table, but `default`.
package_features() {
    awk '/^\[/ { on = $0 == "[features]"; next } on && /^[a-z][a-z0-9_-]* *=/ && $1 != "default" { print $1 }' "$1"
}
