#!/usr/bin/env bats
# A second make does nothing and says so; time stamps decide nothing.

load dataset

setup() {
    small_dataset 8
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    finished >"$BATS_TEST_TMPDIR/shards"
}

nothing_is_done() {
    run reprise V=1
    [ "$status" -eq 0 ]
    [[ $output == *"Nothing to be done for 'all'"* ]]
    for program in midi2tok text2emb combine stats; do
        [ "$(starts $program | tr -d '\n')" = 0 ] || { echo "$program was started: $output"; return 1; }
    done
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    diff <(finished) "$BATS_TEST_TMPDIR/shards"
}

@test "a second make starts no program but plan, and says that there is nothing to be done" {
    nothing_is_done
}

@test "touching every file rebuilds nothing" {
    sleep 0.01
    find "$data" "$work/plan" "$work/tok" "$work/emb" "$work/pieces" -type f -exec touch {} +
    nothing_is_done
}

@test "an identical copy with an older time, moved in, rebuilds nothing" {
    file=$(find "$data/midi" -name '03-*')
    cp "$file" "$file.copy"
    touch -d '2001-01-01' "$file.copy"
    mv "$file.copy" "$file"
    nothing_is_done
}

@test "a clock stepped back and forth rebuilds nothing" {
    find "$data" -type f -exec touch -d '2031-05-05' {} +
    nothing_is_done
    find "$data" -type f -exec touch -d '1999-05-05' {} +
    nothing_is_done
}

@test "white space and the order of keys in INPUT rebuild nothing that took work" {
    python3 - "$data/pairs.json" <<'END'
import json, sys
pairs = json.load(open(sys.argv[1]))
json.dump([dict(reversed(pair.items())) for pair in pairs], open(sys.argv[1], "w"))
END
    run reprise V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" = 0 ]
}

@test "an output that was deleted or cut is assembled again, from finished pieces" {
    truncate -s -1 "$out/processed_data.json"
    run reprise V=1
    [ "$status" -eq 0 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    rm "$out/errors.jsonl"
    run reprise V=1
    [ "$status" -eq 0 ]
    [ -e "$out/errors.jsonl" ]
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" = 0 ]
}

@test "on a machine with another processor the signatures are asked for again: what a precision means there may differ" {
    sed 's/^\(flags\|Features\).*/\1\t: none/' /proc/cpuinfo >"$BATS_TEST_TMPDIR/cpuinfo"
    elsewhere() {
        unshare -rm bash -c 'mount --bind "$0" /proc/cpuinfo && "$@"' "$BATS_TEST_TMPDIR/cpuinfo" "$@"
    }
    elsewhere true || skip "no namespaces here"
    known=$(wc -l <"$work/plan/signatures")
    reprise -q
    [ "$(wc -l <"$work/plan/signatures")" = "$known" ]
    export -f reprise
    export root data work out BUILD
    elsewhere bash -c 'reprise -q'
    [ "$(wc -l <"$work/plan/signatures")" -gt "$known" ]
    nothing_is_done
}
