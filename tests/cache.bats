#!/usr/bin/env bats
# USE_CACHE=1: finished shards outlive `make clean`, are verified before they are taken, can be shared, and are trimmed by their use.

load dataset

cache=$BATS_TEST_TMPDIR/cache

setup() {
    small_dataset 16
}

teardown() {
    [ -z "${elsewhere:-}" ] || rm -rf "$elsewhere"
}

cached() {
    reprise USE_CACHE=1 CACHE_DIR="$cache" "$@"
}

# Builds with an empty cache.
fill() {
    cached >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
}

# Nothing but pieces and outputs is made. Arguments: how often midi2tok and text2emb are started (0 0).
all_taken() {
    run cached V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok) $(starts text2emb)" = "${1:-0} ${2:-0}" ] || { echo "$output"; return 1; }
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
}

# One byte in the middle of a file, in place.
flip() {
    python3 - "$1" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    middle = file.seek(0, 2) // 2
    file.seek(middle)
    byte = file.read(1)
    file.seek(middle)
    file.write(bytes([byte[0] ^ 0x20]))
END
}

@test "after make clean every shard comes back as a link, and the output is the same" {
    fill
    cached clean
    [ ! -e "$work" ]
    all_taken
    [[ $output == *"6 finished MIDI shards taken from the cache"*"6 finished text shards taken from the cache"* ]]
    for shard in "$work"/tok/*/*.tok "$work"/emb/*/*.emb; do
        [ "$shard" -ef "$cache/${shard#"$work"/}" ]
    done
    run reprise verify
    [ "$status" -eq 0 ]
}

@test "shards that were finished without the cache are kept as soon as it is used" {
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    rm "$out/processed_data.json"
    all_taken
    cached clean
    all_taken
}

@test "a complete dataset fills the cache too: make USE_CACHE=1 builds nothing and keeps every shard; -n and -q keep none" {
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    cached -n >/dev/null 2>&1
    cached -q >/dev/null 2>&1
    [ ! -e "$cache" ]
    run cached
    [ "$status" -eq 0 ]
    [[ $output == *"Nothing to be done for 'all'"* ]]
    [ "$(find "$cache" -name '*.tok' -o -name '*.emb' | wc -l)" = 12 ]
    cached clean
    all_taken
}

@test "without USE_CACHE=1 nothing is kept and nothing is taken" {
    reprise CACHE_DIR="$cache" >/dev/null 2>&1
    [ ! -e "$cache" ]
    cached >/dev/null 2>&1
    reprise clean
    run reprise V=1 CACHE_DIR="$cache"
    [ "$(starts text2emb)" = 6 ]
}

@test "an entry that is cut, zeroed, altered, empty or another's is named, dropped and built again" {
    fill
    cached clean
    entries=("$cache"/tok/*/*.tok)
    flip "${entries[0]}"
    truncate -s -4 "${entries[1]}"
    cp --remove-destination "${entries[3]}" "${entries[2]}"
    size=$(stat -c %s "${entries[4]}")
    truncate -s 0 "${entries[4]}"
    truncate -s "$size" "${entries[4]}"
    : >"${entries[5]}"
    run cached V=1
    [ "$status" -eq 0 ]
    for bad in 0 1 2 4 5; do
        grep -q "^plan: ${entries[bad]}: not taken from the cache, dropped: " <<<"$output"
    done
    [ "$(starts midi2tok) $(starts text2emb)" = "5 0" ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    [ -z "$(find "$cache" -name '*.damaged')" ]
    cached clean
    all_taken
}

@test "a link or a folder in the place of an entry is dropped, whether the shard is missing or finished" {
    fill
    entries=("$cache"/emb/*/*.emb)
    spoil() {
        rm "${entries[@]:0:3}"
        ln -s "nowhere" "${entries[0]}"
        ln -s "${entries[3]}" "${entries[1]}"
        mkdir "${entries[2]}"
    }
    cached clean
    spoil
    all_taken 0 3
    [ "$(grep -c 'dropped: not a regular file' <<<"$output")" = 3 ]
    [ -z "$(find "$cache" "$work" -type l)" ]
    spoil
    rm "$out/processed_data.json"
    all_taken
    cached clean
    all_taken
    # A folder that holds something is left, named, and in nobody's way but its own.
    cached clean
    rm "${entries[0]}"
    mkdir -p "${entries[0]}/mine"
    all_taken 0 1
    [[ $output == *"${entries[0]}: not a regular file, and in the way in the cache: "* ]]
    [ -d "${entries[0]}/mine" ]
}

@test "a work file that is damaged in place damages its entry, and neither is used" {
    fill
    shard=$(echo "$work"/tok/*/*.tok | cut -d' ' -f1)
    entry=$cache/${shard#"$work"/}
    [ "$shard" -ef "$entry" ]
    flip "$shard"
    run reprise verify
    [ "$status" -ne 0 ]
    all_taken 1 0
    [[ $output == *"$entry: not taken from the cache, dropped: "* ]]
    [ "$shard" -ef "$entry" ]
    # The same for somebody else, who knows nothing of the damage.
    flip "$shard"
    run cached V=1 WORK_DIR="$BATS_TEST_TMPDIR/work2" OUTPUT_DIR="$BATS_TEST_TMPDIR/out2"
    [ "$(starts midi2tok)" = 1 ]
    cmp "$BATS_TEST_TMPDIR/out2/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
}

@test "a run that was killed has kept what it finished" {
    setsid make -C "$root" --no-print-directory -j1 BUILD="${BUILD:-release}" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out" BATCH_SIZE=2 \
        CHECKPOINT_INTERVAL=2 USE_CACHE=1 CACHE_DIR="$cache" >/dev/null 2>&1 3>&- &
    make=$!
    until_true files_are 2 "$cache" tok emb
    kill -KILL -- "-$make" || true
    wait "$make" || true
    [ ! -e "$out/processed_data.json" ]
    kept=$(find "$cache" -name '*.tok' -o -name '*.emb' | wc -l)
    [ "$kept" -ge 2 ]
    run cached clean
    run cached V=1
    [ "$(($(starts midi2tok) + $(starts text2emb)))" -eq $((12 - kept)) ]
}

@test "a cache on another file system gives and gets copies" {
    elsewhere=$(mktemp -d /dev/shm/reprise-XXXXXX) || skip "no /dev/shm"
    [ "$(stat -c %d "$elsewhere")" != "$(stat -c %d "$BATS_TEST_TMPDIR")" ] || skip "/dev/shm is on the same file system"
    cache=$elsewhere/cache
    fill
    cached clean
    all_taken
    for shard in "$work"/tok/*/*.tok; do
        [ ! "$shard" -ef "$cache/${shard#"$work"/}" ]
        cmp "$shard" "$cache/${shard#"$work"/}"
    done
    [ -z "$(find "$cache" "$work" -name '.reprise-*')" ]
}

@test "a cache that cannot be used at all is one warning, not a failure" {
    touch "$cache"
    run cached
    [ "$status" -eq 0 ]
    [ "$(grep -c "cache" <<<"$output")" = 1 ]
    [[ $output == *"plan: $cache: the cache cannot be written, nothing is kept in it: "* ]]
}

@test "a read-only cache gives what it has; one warning says that nothing is kept" {
    fill
    cached clean
    entries=("$cache"/tok/*/*.tok)
    rm "${entries[0]}"
    flip "${entries[1]}"
    if [ "$(id -u)" = 0 ]; then
        unshare -m true 2>/dev/null || skip "root may write anywhere, and mounting is not allowed here"
        read_only() {
            unshare -m bash -eu -c 'mount -o bind,ro "$1" "$1"; shift; "$@"' - "$cache" "$@"
        }
    else
        chmod -R a-w "$cache"
        read_only() { "$@"; }
    fi
    run read_only make -C "$root" --no-print-directory BUILD="${BUILD:-release}" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out" BATCH_SIZE=2 \
        CHECKPOINT_INTERVAL=2 USE_CACHE=1 CACHE_DIR="$cache" V=1
    [ "$(id -u)" = 0 ] || chmod -R u+w "$cache"
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok) $(starts text2emb)" = "2 0" ]
    [ "$(grep -c "nothing is kept in it" <<<"$output")" = 1 ]
    [[ $output == *"${entries[1]}: not taken from the cache: damaged"* ]]
    [ "$(grep -c "kept in the cache" <<<"$output")" = 0 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    [ ! -e "${entries[0]}" ]
}

@test "two users of one cache: one after the other the second computes nothing, side by side both are right" {
    fill
    run cached V=1 WORK_DIR="$BATS_TEST_TMPDIR/second/work" OUTPUT_DIR="$BATS_TEST_TMPDIR/second/out"
    [ "$(starts midi2tok) $(starts text2emb)" = "0 0" ]
    cmp "$BATS_TEST_TMPDIR/second/out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    cached clean
    rm -r "$cache"
    cached WORK_DIR="$BATS_TEST_TMPDIR/other/work" OUTPUT_DIR="$BATS_TEST_TMPDIR/other/out" -j2 >/dev/null 2>&1 3>&- &
    cached -j2 >/dev/null 2>&1
    wait $!
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/other/out/processed_data.json"
    [ -z "$(find "$cache" -name '.reprise-*')" ]
    cached clean
    all_taken
    # What one removes, the other still has.
    cached WORK_DIR="$BATS_TEST_TMPDIR/other/work" OUTPUT_DIR="$BATS_TEST_TMPDIR/other/out" clean
    cached cache-gc CACHE_SIZE=0
    run reprise verify
    [ "$status" -eq 0 ]
}

@test "cache-gc removes what was not used for longest, however new it is, until the size is right" {
    fill
    entries=("$cache"/tok/*/*.tok "$cache"/emb/*/*.emb)
    count=${#entries[@]}
    touch -d '2020-01-02' "${entries[@]}"
    touch -d '2020-01-01' "${entries[1]}" # the oldest; then it is used
    rm "$work/${entries[1]#"$cache"/}" "$out/processed_data.json"
    cached >/dev/null 2>&1
    echo mine >"$cache/tok/notes.txt"
    size=$(stat -c %s "${entries[1]}")
    run cached cache-gc CACHE_SIZE=$((size + 1))
    [ "$status" -eq 0 ]
    [[ $output == "$cache: $((count - 1)) of $count shards removed ("*"), "*" left" ]]
    [ "$(find "$cache" -type f ! -name notes.txt)" = "${entries[1]}" ]
    # What is small enough already loses nothing.
    run cached cache-gc CACHE_SIZE=10G
    [[ $output == *"0 of 1 shards removed"* ]]
    cached cache-gc CACHE_SIZE=0
    [ "$(find "$cache" -type f)" = "$cache/tok/notes.txt" ]
    # The work files are still there.
    run reprise verify
    [ "$status" -eq 0 ]
}

@test "cache-gc: a size that is none is a clear error, and nothing is removed" {
    fill
    for size in "" 10X -1 1.5G "10 G" G 99999999999T "'1'"; do
        run cached cache-gc CACHE_SIZE="$size"
        [ "$status" -ne 0 ]
        [[ $output == *"cache_gc: CACHE_SIZE=$size: a size is needed, such as 500M or 10G"* ]] || { echo "$output"; return 1; }
    done
    [ "$(find "$cache" -type f | wc -l)" = 12 ]
}
