# Sourced after packages.sh by the scripts that fetch a folder: it appears under its name complete, or not at all.
# shellcheck shell=bash

# Whether DEST is there, and so complete. What a run left that was killed just after naming it goes, unless another is at work.
is_there() { # DEST
    [ -d "$1" ] || return 1
    local parent
    parent=$(dirname "$1")
    if compgen -G "$parent/.fetch-*" >/dev/null; then
        (flock -n 9 && rm -rf "$parent"/.fetch-*/) 9<"$parent" || true
    fi
}

# Makes a temporary folder beside DEST, named in $staging. One fetch at a time in a folder (a lock on that folder, which the kernel
# drops with the process), so temporary folders found there are left from one that was killed. Done if another made DEST meanwhile.
stage() { # DEST
    local parent
    parent=$(dirname "$1")
    { mkdir -p "$parent" 2>/dev/null && [ -w "$parent" ]; } || fail "$parent: cannot be written to"
    exec {staging_lock}<"$parent"
    flock "$staging_lock"
    rm -rf "$parent"/.fetch-*/
    [ ! -d "$1" ] || exit 0
    staging=$(mktemp -d "$parent/.fetch-XXXXXX")
    trap 'rm -rf "$staging"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Renames FOLDER, which lies in $staging, to DEST, once its bytes are on the disk.
publish() { # FOLDER DEST
    chmod -R u=rwX,go=rX "$1"
    find "$1" -type f -exec sync {} +
    mv -T "$1" "$2"
}
