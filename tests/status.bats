#!/usr/bin/env bats
# make status tells what is finished, missing, stale and quarantined, the last run's speed, the time to finish and disk use; and it only looks.

load dataset

setup() {
    small_dataset 16
    edit 'pairs[2]["midi_file"] = "not there.mid"; pairs[3]["text_description"] = ""'
    reprise >/dev/null 2>&1
}

# row STAGE COLUMN: of the table; 2 shards, 3 finished, 4 missing, 5 stale, 6 items, 7 done, 8 quarantined.
row() {
    awk -v stage="$1" -v column="$2" '$1 == stage { print $column }' <<<"$output"
}

@test "of a complete dataset: every shard finished, the quarantined counted, nothing to be done; nothing is changed by looking" {
    find "$work" "$out" -type f ! -path '*/plan/*' -exec sha256sum {} + | sort >"$BATS_TEST_TMPDIR/sums"
    run reprise status
    [ "$status" -eq 0 ]
    [ "$(row MIDI 2) $(row MIDI 3) $(row MIDI 4) $(row MIDI 5) $(row MIDI 6) $(row MIDI 7) $(row MIDI 8)" = "6 6 0 0 16 16 1" ] || { echo "$output"; return 1; }
    [ "$(row text 3) $(row text 8) $(row pieces 3)" = "6 1 6" ]
    [[ $output == *"outputs     $out: complete and current"* && $output == *"to finish   nothing to be done"* ]]
    [[ $output =~ last\ run\ +20.*:\ 16\ MIDI\ files\ \(.*/s\),\ 16\ texts\ \(.*/s\) ]]
    [[ $output == *"runs        1, 1 of them to the end"* && $output =~ disk\ +$work\ [0-9.]+\ .?B,\ $out\ [0-9.]+\ .?B ]]
    diff "$BATS_TEST_TMPDIR/sums" <(find "$work" "$out" -type f ! -path '*/plan/*' -exec sha256sum {} + | sort)
}

@test "shards that are missing, and the time that they will take" {
    rm "$(find "$work/tok" -name '*.tok' | head -1)" "$(find "$work/emb" -name '*.emb' | head -1)" "$out/processed_data.json"
    run reprise status
    [ "$status" -eq 0 ]
    [ "$(row MIDI 3) $(row MIDI 4) $(row text 3) $(row text 4)" = "5 1 5 1" ]
    [[ $output == *": a file is missing or was altered"* ]]
    [[ $output =~ to\ finish\ +about\ .*\ for\ [2-4]\ MIDI\ files\ and\ [2-4]\ texts ]] || { echo "$output"; return 1; }
}

@test "other settings: what they made is stale now, the outputs are of an earlier state; both come back" {
    run reprise status POOLING=cls
    [ "$status" -eq 0 ]
    [ "$(row MIDI 5) $(row text 3) $(row text 4) $(row text 5)" = "0 0 6 6" ] || { echo "$output"; return 1; }
    [[ $output == *"of an earlier state of inputs or settings"* && $output == *"make gc"* ]]
    run reprise status
    [ "$(row text 3) $(row text 5)" = "6 0" ]
    [[ $output == *"complete and current"* ]]
}

@test "with nothing made: everything is missing, and no speed is known" {
    reprise clean
    run reprise status
    [ "$status" -eq 0 ]
    [ "$(row MIDI 3) $(row MIDI 4) $(row text 4)" = "0 6 6" ]
    [[ $output == *": not made yet"* && $output == *"last run    none"* && $output == *"to finish   16 MIDI files, 16 texts; no speed is known yet"* ]]
}

@test "a shard that cannot be read is named and counted, not hidden" {
    shard=$(find "$work/emb" -name '*.emb' | head -1)
    truncate -s 20 "$shard"
    run reprise status
    [ "$status" -eq 0 ]
    [[ $output == *"status: $shard: "* && $output == *"(1 finished shards cannot be read; \`make verify\` looks closer)"* ]] || { echo "$output"; return 1; }
}
