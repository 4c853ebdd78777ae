# Sourced by the scripts that fetch a folder: it appears under its name complete, or not at all.
# shellcheck shell=bash

# Fills a temporary folder beside DEST, named in $staging; publish gives it the name. One fetch at a time in a folder (a lock on
# that folder, which the kernel drops with the process), so temporary folders found there are left from one that was killed.
stage() { # DEST
    local parent
    parent=$(dirname "$1")
    mkdir -p "$parent"
    exec {staging_lock}<"$parent"
    flock "$staging_lock"
    rm -rf "$parent"/.fetch-*/
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
