#!/usr/bin/env bats
# Kill it anywhere and run make again: byte for byte what an unbroken run gives, finished shards are not made again, nothing is left behind.

load dataset

@test "SIGKILL of the process group at 30 random moments of a demo run" {
    demo_dataset
    batch=4 reprise -j8 >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    cp "$out/errors.jsonl" "$BATS_TEST_TMPDIR/reference.errors"
    rm -r "$work" "$out"
    length=$(batch=4 milliseconds_of reprise -j8)
    RANDOM=${KILL_SEED:-7}
    for round in $(seq "${KILL_ROUNDS:-30}"); do
        # Every third round the killed run is itself a resumption.
        ((round % 3 == 0)) || rm -rf "$work" "$out"
        batch=4 killed_after $((RANDOM % length)) reprise -j8
        finished >"$BATS_TEST_TMPDIR/before"
        batch=4 run reprise -j8
        [ "$status" -eq 0 ] || { echo "round $round: $output"; return 1; }
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
        cmp "$out/errors.jsonl" "$BATS_TEST_TMPDIR/reference.errors"
        finished >"$BATS_TEST_TMPDIR/after"
        # What was finished is still the same file.
        [ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ] || { echo "round $round: a finished shard was made again"; return 1; }
        [ -z "$(temporary_files)" ] || { echo "round $round: left behind: $(temporary_files)"; return 1; }
    done
}

@test "settings A, killed inside B, back to A: A's output, and no shard of A is made again" {
    small_dataset 12
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    finished >"$BATS_TEST_TMPDIR/before"
    start_group reprise POOLING=cls >/dev/null 2>&1
    until_true files_are $(($(grep -c '^emb' "$BATS_TEST_TMPDIR/before") + 1)) "$work/emb" emb
    kill_group
    reprise >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    finished >"$BATS_TEST_TMPDIR/after"
    [ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ]
    # And B can be completed: it differs from A.
    reprise POOLING=cls >/dev/null 2>&1
    ! cmp -s "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

@test "killed between the outputs of B, which are as large as those of A, and back to A: A's outputs" {
    small_dataset 4
    edit 'pairs[1]["note"] = "A"'
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/a.json"
    edit 'pairs[1]["note"] = "B"'
    out=$BATS_TEST_TMPDIR/elsewhere reprise >/dev/null 2>&1 # so that B lacks nothing but its outputs
    first=$(reprise -n 2>/dev/null | grep -- '--assemble')
    [[ $first == *'&& \' ]]
    (cd "$root" && OUTPUT_DIR=$out bash -c "${first%&&*}")
    [ "$(stat -c %s "$out/processed_data.json")" = "$(stat -c %s "$BATS_TEST_TMPDIR/a.json")" ]
    ! cmp -s "$out/processed_data.json" "$BATS_TEST_TMPDIR/a.json"
    edit 'pairs[1]["note"] = "A"'
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/a.json"
}

@test "-j1, -j8, another batch size, another current folder, locale and umask give the same bytes" {
    small_dataset 14
    reprise -j1 >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    reprise -j8 >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    batch=5 interval=3 LC_ALL=C.UTF-8 TZ=Asia/Tokyo reprise >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    cd /
    umask 077
    batch=32 interval=10 reprise INPUT="$(realpath --relative-to="$root" "$data/pairs.json")" >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}
