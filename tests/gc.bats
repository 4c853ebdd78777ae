#!/usr/bin/env bats
# make gc removes the work files that the present INPUT and settings do not need, and nothing else: what is needed stays the same files, and so does what is not Reprise's.

load dataset

setup() {
    small_dataset 16
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
}

nothing_is_done() {
    run reprise V=1
    [ "$status" -eq 0 ]
    [[ $output == *"Nothing to be done for 'all'"* ]] || { echo "$output"; return 1; }
}

lists() {
    find "$work/plan" -name '*.midi' -o -name '*.text' -o -name '*.pairs' -o -name '*.plan' | wc -l
}

@test "after other settings and an edit: their shards, pieces and lists go; what is needed stays, the same files; nothing is to be done, and all is sound" {
    finished >"$BATS_TEST_TMPDIR/needed"
    lists >"$BATS_TEST_TMPDIR/lists"
    reprise POOLING=cls >/dev/null 2>&1
    cp "$data/pairs.json" "$BATS_TEST_TMPDIR/pairs.json"
    edit 'pairs[3]["text_description"] = "Edited."; pairs[9]["genre"] = "waltz"'
    reprise >/dev/null 2>&1
    cp "$BATS_TEST_TMPDIR/pairs.json" "$data/pairs.json"
    reprise >/dev/null 2>&1
    [ "$(finished | wc -l)" -gt "$(wc -l <"$BATS_TEST_TMPDIR/needed")" ]
    run reprise gc
    [ "$status" -eq 0 ]
    [[ $output =~ $work:\ [1-9][0-9]*\ files\ removed\ \(.*\),\ [1-9][0-9]*\ earlier\ shards\ forgotten ]] || { echo "$output"; return 1; }
    diff <(finished) "$BATS_TEST_TMPDIR/needed"
    [ "$(lists)" = "$(cat "$BATS_TEST_TMPDIR/lists")" ]
    [ "$(find "$work/emb" -mindepth 1 -type d | wc -l)" = 1 ] # the other signature's folder is gone, too
    nothing_is_done
    reprise verify
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    run reprise gc
    [[ $output == *": 0 files removed"* ]]
}

@test "while shards are missing, finished ones of the same settings stay, and their items are taken over" {
    edit 'del pairs[0]'
    run reprise gc
    [ "$status" -eq 0 ]
    [[ $output == *"The dataset is not complete yet: finished shards of the same settings were kept"* ]]
    run reprise
    [ "$status" -eq 0 ]
    check 'info = stats["checkpoint_info"]; assert info["midi_files_this_run"] == 0 and info["texts_this_run"] == 0, info'
}

@test "damaged files that were set aside and orphans of killed programs go; what is at work, and what is not Reprise's, stays" {
    shard=$(find "$work/tok" -name '*.tok' | head -1)
    echo x >"$shard.damaged"
    : >"$(dirname "$shard")/.reprise-orphan"
    : >"$(dirname "$shard")/.reprise-atwork"
    exec 8>"$(dirname "$shard")/.reprise-atwork"
    flock -n 8
    mkdir "$work/mine"
    for file in notes.txt tok/notes.txt plan/notes.txt pieces/notes.piece mine/0123456789abcdef0123456789abcdef.tok; do echo mine >"$work/$file"; done
    ln -s "$data/pairs.json" "$work/pieces/0123456789abcdef0123456789abcdef.piece" # a link is nothing that Reprise makes
    run reprise gc
    [ "$status" -eq 0 ]
    [ ! -e "$shard.damaged" ] && [ ! -e "$(dirname "$shard")/.reprise-orphan" ]
    [ -e "$(dirname "$shard")/.reprise-atwork" ]
    exec 8>&-
    for file in notes.txt tok/notes.txt plan/notes.txt pieces/notes.piece mine/0123456789abcdef0123456789abcdef.tok; do [ "$(cat "$work/$file")" = mine ]; done
    [ -L "$work/pieces/0123456789abcdef0123456789abcdef.piece" ] && [ -s "$data/pairs.json" ]
    nothing_is_done
}

@test "what the last build saw is still known afterwards: why can tell" {
    edit 'pairs[4]["text_description"] = "Edited."'
    reprise gc >/dev/null 2>&1
    run reprise why
    [ "$status" -eq 0 ]
    [[ $output == *": caption changed"* ]] || { echo "$output"; return 1; }
}

@test "a malformed INPUT: an error, and nothing is removed" {
    finished >"$BATS_TEST_TMPDIR/needed"
    echo '[{' >"$data/pairs.json"
    run reprise gc
    [ "$status" -ne 0 ]
    diff <(finished) "$BATS_TEST_TMPDIR/needed"
}
