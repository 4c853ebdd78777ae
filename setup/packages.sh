# Sourced by the scripts beside it: error lines, and apt as root.
# shellcheck shell=bash

program=${0##*/}
log=/dev/null # where apt's own words go; who uses it names a file

fail() { # MESSAGE: one line on stderr, then exit 1
    printf '%s: %s\n' "$program" "$1" >&2
    exit 1
}

# The way to become root, as an array to put in front of a command; fails if there is none.
find_root() { # WHAT-FOR
    if [ "$(id -u)" -eq 0 ]; then
        root=(env)
    elif command -v sudo >/dev/null; then
        root=(sudo env)
    else
        fail "$1: needs root: this is neither root nor is there sudo"
    fi
}

# apt-get as root; its words are of interest only when it failed.
apt_as_root() {
    "${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1 </dev/null
}

show_log() {
    tail -n 15 "$log" | sed "s/^/$program: apt-get: /" >&2
}
