#!/usr/bin/env bats
# Crash safety, proved by faults: failing calls, kills, damaged files, hostile places. This is the quick part; `make torture` runs the sweeps in full.

load dataset

# sweep SCRIPT [OPTION…]: one of tests/torture, with its findings shown if there are any.
sweep() {
    run python3 "$root/tests/torture/$1.py" "${@:2}"
    [ "$status" -ne 77 ] || skip "${output#SKIPPED: }"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

# mounted FOLDER OPTIONS: a tmpfs there, taken down at the end; only root can do that.
mounted() {
    mkdir -p "$1"
    mount -t tmpfs -o "$2" tmpfs "$1" 2>/dev/null || skip "mounting a tmpfs is not allowed here"
}

teardown() {
    for folder in "$out" "$work"; do
        ! mountpoint -q "$folder" || umount "$folder"
    done
}

@test "each program: the Nth call of every kind fails, once and from then on: an error in words, whole files or none, and the next run is right" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library that fails allocations and sanitizers do not go together"
    sweep failing_calls --sample 1 --one-effect
}

@test "plan without descriptors: it fails, it does not quarantine what it could not open" {
    sweep failing_calls --only "plan, again" --call open --one-effect
}

@test "gc, whatever cannot be read or looked at: it removes nothing that is needed, and it ends" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    sweep failing_calls --only gc --call read --one-effect
    sweep failing_calls --only gc --call stat --one-effect --sample 8
}

@test "import, whichever allocation fails: an error in words, nothing that is sound is called broken" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    sweep failing_calls --only import --call allocate --one-effect
}

@test "an answer that cannot be written is an error in words: status, why, verify and gc to a full device" {
    [ -c /dev/full ] || skip "there is no /dev/full"
    small_dataset 4
    reprise >/dev/null 2>&1
    for goal in status why verify gc; do
        status=0
        reprise "$goal" >/dev/full 2>"$BATS_TEST_TMPDIR/words" || status=$?
        [ "$status" -ne 0 ]
        grep -q "^$goal: standard output: cannot write: No space left on device" "$BATS_TEST_TMPDIR/words" || { cat "$BATS_TEST_TMPDIR/words"; return 1; }
    done
    run reprise
    [[ $output == *"Nothing to be done for 'all'"* ]]
}

@test "the process that holds the lock keeps nothing of make's open, even without descriptors; plan outlives its death" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    sweep failing_calls --only "plan, a build" --call open --one-effect --sample 10
    sweep failing_calls --only "plan, a build" --call close --sample 6
}

@test "SIGKILL of the process group at writes, syncs, renames, links and closes, and other ends of make: the next make gives the same bytes" {
    sweep kills --sample 1 --random 1 --signals 1 --pairs 6
}

@test "damaged shards and pieces are refused and set aside; make repairs every damaged work file" {
    sweep damage --step 2048 --sample 1
}

@test "a temporary file at work is left alone, by its lock; an orphan is removed" {
    small_dataset 2
    reprise >/dev/null 2>&1
    folder=$(dirname "$(find "$work/tok" -name '*.tok' | head -1)")
    : >"$folder/.reprise-atwork"
    : >"$folder/.reprise-orphan"
    exec 8>"$folder/.reprise-atwork"
    flock -n 8
    reprise >/dev/null 2>&1
    [ -e "$folder/.reprise-atwork" ]
    [ ! -e "$folder/.reprise-orphan" ]
    exec 8>&-
    reprise >/dev/null 2>&1
    [ -z "$(temporary_files)" ]
}

@test "OUTPUT_DIR on a full disk: an error in words, nothing partial, and the same make completes once there is room" {
    small_dataset 6
    mounted "$out" size=16k
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"$out/processed_data.json: cannot write: No space left on device"* ]]
    [ -z "$(ls -A "$out")" ]
    mount -o remount,size=64m "$out"
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check 'assert len(items) == 6'
}

@test "WORK_DIR on a full disk: finished shards stay, nothing partial, and the same make completes once there is room" {
    small_dataset 12
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    mounted "$work" size=200k
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"No space left on device"* ]]
    run grep -E '^[a-z0-9]+: ([^:]+): \1: ' <<<"$output" # no path stands there twice
    [ -z "$output" ] || { echo "$output"; return 1; }
    [ ! -e "$out/processed_data.json" ]
    [ -z "$(temporary_files)" ] || { temporary_files; return 1; }
    finished >"$BATS_TEST_TMPDIR/before"
    mount -o remount,size=64m "$work"
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    finished >"$BATS_TEST_TMPDIR/after"
    [ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ]
}

@test "a read-only OUTPUT_DIR: an error in words, and the finished work is kept" {
    small_dataset 4
    mounted "$out" ro
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"$out: "*"Read-only file system"* ]]
    finished >"$BATS_TEST_TMPDIR/before"
    [ -s "$BATS_TEST_TMPDIR/before" ]
    umount "$out"
    run reprise
    [ "$status" -eq 0 ]
    diff <(finished) "$BATS_TEST_TMPDIR/before"
}

@test "a device, FIFO or folder where an output should go is refused and stays what it is" {
    small_dataset 1
    mkdir -p "$out"
    mknod "$out/full" c 1 7 2>/dev/null || mkfifo "$out/full" # /dev/full itself is not risked
    mkfifo "$out/fifo"
    mkdir "$out/folder"
    song=$(echo "$data"/midi/*)
    for place in full fifo folder; do
        kind=$(stat -c %F "$out/$place")
        run "$programs/midi2tok" "$song" "$out/$place"
        [ "$status" -eq 1 ]
        [[ $output == *"$out/$place: is in the way"* ]]
        [ "$(stat -c %F "$out/$place")" = "$kind" ]
    done
    [ "$(find "$out" -mindepth 1 | wc -l)" = 3 ]
}

@test "dangling links as outputs are replaced by the outputs; what they point to is not made" {
    small_dataset 3
    mkdir -p "$out"
    for name in processed_data.json errors.jsonl processing_stats.json .record; do
        ln -s "$BATS_TEST_TMPDIR/nowhere-$name" "$out/$name"
    done
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check 'assert len(items) == 3'
    [ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'nowhere-*')" ]
    [ -f "$out/processed_data.json" ] && [ ! -L "$out/processed_data.json" ]
    run reprise
    [[ $output == *"Nothing to be done for 'all'"* ]]
}

@test "OUTPUT_DIR or WORK_DIR that is a dangling link or a file: an error in words" {
    small_dataset 2
    ln -s "$BATS_TEST_TMPDIR/nowhere" "$out"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"$out: cannot make the folder"* ]]
    rm "$out"
    rm -rf "$work"
    : >"$work"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"$work"* ]]
    rm "$work"
    run reprise
    [ "$status" -eq 0 ]
}

@test "two make -j4 at once in one WORK_DIR: the outputs are right, and a make that fails says why" {
    small_dataset 12
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    for round in $(seq "${TWO_MAKES:-2}"); do
        rm -rf "$work" "$out"
        reprise -j4 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
        first=$!
        status=0
        reprise -j4 >"$BATS_TEST_TMPDIR/second" 2>&1 || status=$?
        ended=0
        wait "$first" || ended=$?
        [ "$status" -eq 0 ] || grep -q '^make: ' "$BATS_TEST_TMPDIR/second"
        [ "$ended" -eq 0 ] || grep -q '^make: ' "$BATS_TEST_TMPDIR/first"
        [ "$status" -eq 0 ] || [ "$ended" -eq 0 ]
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
        reprise >/dev/null 2>&1
        [ -z "$(temporary_files)" ] || { echo "round $round: left behind: $(temporary_files)"; return 1; }
    done
}

@test "input edited during the run: the run notices, nothing wrong is kept, and the next one repairs" {
    small_dataset 10
    song=$(echo "$data"/midi/09-*)
    cp "$song" "$BATS_TEST_TMPDIR/earlier"
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    # What happens between plan and midi2tok: the list is there, and the file is another one.
    run reprise -n
    cp "$data"/midi/00-* "$song"
    list=$(grep -l "$(basename "$song")" "$work"/plan/*.midi)
    run "$programs/midi2tok" "$list" "$BATS_TEST_TMPDIR/wrong.tok"
    [ "$status" -eq 1 ]
    [[ $output == *"$song: changed during the run"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/wrong.tok" ]
    cp "$BATS_TEST_TMPDIR/earlier" "$song"
    reprise >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}
