#!/usr/bin/env bats
# One build at a time in a WORK_DIR: a second make waits and says for whom; however the first one ends, the lock ends with it.

load dataset

setup() {
    small_dataset 40
    edit 'for pair in pairs: pair["text_description"] = (pair["text_description"] + " ") * 8'
}

# in_background NAME ARGUMENTS…: a make in a process group of its own, its words in $BATS_TEST_TMPDIR/NAME, its status in NAME.status; $group: its leader.
in_background() {
    export -f noting
    start_group noting "$BATS_TEST_TMPDIR/$1" "${@:2}"
}

noting() {
    local name=$1
    shift
    reprise "$@" >"$name" 2>&1
    echo $? >"$name.status"
}

is_locked() {
    [ -f "$work/lock" ] && ! flock -n "$work/lock" true
}

# The process of the make that holds the lock.
holding_make() {
    sed -n 's/^make \([0-9]*\) on .*/\1/p' "$work/lock"
}

nobody_of() {
    [ -z "$(pgrep -r R,S,D,T -g "$1")" ]
}

has_finished() { # a shard or more
    [ -n "$(finished)" ]
}

has_begun() {
    is_locked && has_finished
}

@test "two makes at once: the second waits, names the first, and does nothing again" {
    in_background first -j2 V=1
    until_true has_begun
    holder=$(holding_make)
    kill -STOP "$holder" # a build that takes its time
    first=$group
    in_background second -j2 V=1
    until_true grep -q "$work/lock: make $holder on .* works there; waiting until it is done" "$BATS_TEST_TMPDIR/second"
    kill -CONT "$holder"
    wait "$first" "$group"
    [ "$(cat "$BATS_TEST_TMPDIR/first.status")" -eq 0 ]
    [ "$(cat "$BATS_TEST_TMPDIR/second.status")" -eq 0 ]
    output=$(cat "$BATS_TEST_TMPDIR/second")
    [[ $output == *"Nothing to be done"* ]]
    [ "$(starts text2emb)" -eq 0 ]
    check 'assert len(items) == 40'
}

@test "INPUT changed while a make waits: what it builds is the new INPUT" {
    in_background first -j2
    until_true has_begun
    holder=$(holding_make)
    kill -STOP "$holder"
    in_background second -j2
    until_true grep -q 'waiting until' "$BATS_TEST_TMPDIR/second"
    edit 'pairs = pairs[:-1] + [dict(pairs[-1], text_description="changed while it waited")]'
    kill -CONT "$holder"
    wait "$group"
    [ "$(cat "$BATS_TEST_TMPDIR/second.status")" -eq 0 ]
    check 'assert items[-1]["text_description"] == "changed while it waited" and len(items) == 40'
}

@test "make killed, its recipes living on: the next make starts at once and gives the same bytes" {
    reprise -j2 >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    in_background first -j2
    until_true has_begun
    kill -KILL "$(holding_make)"
    run reprise -j2
    [ "$status" -eq 0 ]
    [[ $output != *waiting* ]]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

@test "SIGKILL, SIGINT, SIGTERM and SIGHUP of the whole group, SIGKILL of the process that holds the lock: nothing stays locked, nobody stays behind" {
    for signal in KILL INT TERM HUP; do
        rm -rf "$work" "$out"
        in_background first -j2
        until_true has_begun
        kill -"$signal" -- "-$group"
        wait "$group" || true
        flock -w 30 "$work/lock" true || { echo "$signal: still locked"; return 1; }
        until_true nobody_of "$group" || { echo "$signal: $(pgrep -ag "$group")"; return 1; }
    done
    rm -rf "$work" "$out"
    in_background first -j2
    until_true has_begun
    kill -KILL "$(pgrep -g "$group" -x plan)"
    flock -w 30 "$work/lock" true
    run reprise -j2 # beside the other, without a lock
    [ "$status" -eq 0 ]
    wait "$group"
    [ "$(cat "$BATS_TEST_TMPDIR/first.status")" -eq 0 ]
    check 'assert len(items) == 40'
}

@test "make | cat ends when make ends" {
    run timeout 120 bash -c "$(declare -f reprise); root='$root' data='$data' work='$work' out='$out' BUILD='${BUILD:-}'; reprise -j2 2>&1 | cat"
    [ "$status" -eq 0 ]
}

@test "beside a build clean and gc refuse and name it, status, why and partial do not wait" {
    in_background first -j2
    until_true has_begun
    holder=$(holding_make)
    kill -STOP "$holder"
    for goal in clean gc; do
        run reprise "$goal"
        [ "$status" -ne 0 ]
        [[ $output == *"make "*" works there"* ]] || { echo "$goal: $output"; return 1; }
    done
    for goal in status why partial; do
        run timeout 60 make -C "$root" --no-print-directory BUILD="${BUILD:-release}" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out" \
            BATCH_SIZE=2 CHECKPOINT_INTERVAL=2 "$goal"
        [[ $output != *waiting* ]]
        [ "$goal" != status ] || [[ $output == *"running     make $holder on "* ]]
    done
    is_locked
    kill -CONT "$holder"
    wait "$group"
    [ "$(cat "$BATS_TEST_TMPDIR/first.status")" -eq 0 ]
    run reprise clean
    [ "$status" -eq 0 ]
    [ ! -e "$work" ]
}

@test "on a file system without locks: it is said, and two makes at once give the right result" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    gcc -std=gnu11 -D_GNU_SOURCE -O1 -shared -fPIC "$root/tests/fault/fault.c" -o "$BATS_TEST_TMPDIR/fault.so" || skip "the library of faults cannot be built here"
    head -c 4096 /dev/zero >"$BATS_TEST_TMPDIR/counter"
    export FAULT_COUNTER=$BATS_TEST_TMPDIR/counter FAULT_PROGRAMS='plan midi2tok text2emb combine stats' FAULT_CALL=flock FAULT_AT=1 FAULT_STICKY=1
    export FAULT_EFFECT=ENOLCK LD_PRELOAD=$BATS_TEST_TMPDIR/fault.so
    in_background first -j2
    until_true has_finished
    run reprise -j2
    unset LD_PRELOAD
    [ "$status" -eq 0 ]
    grep -q "MIDI files to do" "$BATS_TEST_TMPDIR/first"
    [[ $output == *"lock: "*"no locks on this file system"* ]]
    wait "$group"
    [ "$(cat "$BATS_TEST_TMPDIR/first.status")" -eq 0 ]
    check 'assert len(items) == 40'
}
