#!/usr/bin/env bats
# make partial: whatever is finished, joined and counted, at any time; it builds no shard, and never looks like the full result.

load dataset

setup() {
    small_dataset 16
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}

# As if the run had ended before this: no outputs, the pieces of two pairs' shards gone, and one stage's shard of each.
interrupt() {
    rm -r "$out" "$work/pieces"
    mapfile -t emb < <(find "$work/emb" -name '*.emb' | sort)
    mapfile -t tok < <(find "$work/tok" -name '*.tok' | sort)
    rm "${emb[0]}" "${tok[0]}"
}

partial_check() {
    python3 - "$out" "$BATS_TEST_TMPDIR/full.json" "$1" <<'END'
import json, sys
out, full, statements = sys.argv[1:]
full = json.load(open(full))
items = json.load(open(f"{out}/processed_data.partial.json"))
errors = [json.loads(line) for line in open(f"{out}/errors.partial.jsonl")]
stats = json.load(open(f"{out}/processing_stats.partial.json"))
exec(statements)
END
}

@test "after an interruption: the finished items, in input order, marked as partial, with what is missing; nothing is built, the full names stay free" {
    interrupt
    find "$work/tok" "$work/emb" -type f | sort >"$BATS_TEST_TMPDIR/before"
    run reprise V=1 partial
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    find "$work/tok" "$work/emb" -type f | sort >"$BATS_TEST_TMPDIR/after"
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    [ ! -e "$out/processed_data.json" ] && [ ! -e "$out/processing_stats.json" ] && [ ! -e "$out/errors.jsonl" ] && [ ! -e "$out/.record" ]
    partial_check '
assert 0 < len(items) < len(full), len(items)
assert items == [item for item in full if item in items]
assert stats["partial"] is True and stats["processed_items"] == len(items)
missing = stats["missing"]
assert missing["pairs"] == len(full) - len(items) and missing["midi_files"] > 0 and missing["texts"] > 0
assert missing["pairs"] <= missing["midi_files"] + missing["texts"]'
}

@test "a full run afterwards gives the full result and takes the partial one away" {
    interrupt
    reprise partial >/dev/null
    reprise >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    [ -z "$(find "$out" -name '*partial*')" ]
    run reprise partial
    [ "$status" -eq 0 ]
    [[ $output == *"nothing is missing"* ]]
    [ -z "$(find "$out" -name '*partial*')" ]
}

@test "partial results of settings that were left again go with the next make, though nothing is to be built" {
    TOKENIZER=TSD reprise partial >/dev/null 2>&1
    [ -e "$out/processed_data.partial.json" ]
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts combine)" = 0 ]
    [ -z "$(find "$out" -name '*.partial.*')" ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    run reprise
    [[ $output == *"Nothing to be done"* ]]
}

@test "with nothing finished: an empty list, and everything is missing" {
    rm -r "$out" "$work"
    run reprise partial
    [ "$status" -eq 0 ]
    partial_check 'assert items == [] and stats["missing"]["pairs"] == 16 and stats["missing"]["texts"] == 16'
}

@test "failures keep their place in INPUT where shards before them are missing" {
    echo "no music" >"$(echo "$data"/midi/15-*)"
    reprise >/dev/null 2>&1
    rm -r "$out" "$work/pieces"
    # The shard of the first pair goes: the others move, the indices must not.
    first=$(sed -n 2p "$(ls -t "$work"/plan/*.plan | head -1)" | cut -d' ' -f2)
    rm "$work"/tok/*/"$first.tok"
    reprise partial >/dev/null
    partial_check 'assert [error["index"] for error in errors] == [15], errors; assert stats["missing"]["pairs"] > 0'
}

@test "beside a running build: neither disturbs the other" {
    rm -r "$out" "$work"
    export -f reprise
    export root data work out BUILD
    bash -c 'reprise -j2' >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    build=$!
    while kill -0 "$build" 2>/dev/null; do
        reprise partial >/dev/null 2>"$BATS_TEST_TMPDIR/errors" || { cat "$BATS_TEST_TMPDIR/errors"; return 1; }
    done
    wait "$build"
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}
