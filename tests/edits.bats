#!/usr/bin/env bats
# An edit costs the shards it touches, and nothing else; going back costs nothing.

load dataset

setup() {
    small_dataset 24
    reprise >/dev/null 2>&1
}

@test "editing one caption rebuilds one text shard, one piece, and no MIDI shard" {
    edit 'pairs[10]["text_description"] = "A new caption for one piece."'
    run reprise V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" = 1 ]
    [ "$(grep -c 'combine --tok' <<<"$output")" = 1 ]
    check 'assert items[10]["text_description"] == "A new caption for one piece."; assert len(items) == 24'
}

@test "editing one MIDI file rebuilds one MIDI shard, one piece, and no text shard" {
    cp "$data"/midi/03-* "$(echo "$data"/midi/10-*)"
    run reprise V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" = 1 ]
    [ "$(starts text2emb)" = 0 ]
    check 'assert items[10]["midi_tokens"] == items[3]["midi_tokens"]; assert len(items) == 24'
}

@test "a pair added at the top rebuilds at most two shards of each stage" {
    edit 'pairs.insert(0, dict(pairs[5], text_description="One more at the top."))'
    run reprise V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" -le 2 ]
    [ "$(starts text2emb)" -le 2 ]
    check 'assert len(items) == 25; assert items[0]["text_description"] == "One more at the top."'
}

@test "a field that is only carried along rebuilds one piece" {
    edit 'pairs[4]["note"] = {"checked": True, "by": 12345678901234567890}'
    run reprise V=1
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" = 0 ]
    [ "$(grep -c 'combine --tok' <<<"$output")" = 1 ]
    check 'assert items[4]["note"] == {"checked": True, "by": 12345678901234567890}'
}

@test "an edit and back again: the second way costs no MIDI or text shard, and the output is the first one" {
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    cp "$data/pairs.json" "$BATS_TEST_TMPDIR/pairs.json"
    edit 'pairs[7]["text_description"] = "For a moment only."'
    reprise >/dev/null 2>&1
    ! cmp -s "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    cp "$BATS_TEST_TMPDIR/pairs.json" "$data/pairs.json"
    run reprise V=1
    [ "$(starts text2emb)" = 0 ]
    [ "$(grep -c 'combine --tok' <<<"$output" || true)" = 0 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
}

@test "an edit that keeps size and time is noticed" {
    edit 'pairs[2]["text_file"] = "two.txt"; del pairs[2]["text_description"]'
    echo "Strings and bells." >"$data/two.txt"
    reprise >/dev/null 2>&1
    check 'assert items[2]["text_description"] == "Strings and bells."'
    stamp=$(stat -c %y "$data/two.txt")
    echo "Strings and harps." >"$data/two.txt"
    touch -d "$stamp" "$data/two.txt"
    reprise >/dev/null 2>&1
    check 'assert items[2]["text_description"] == "Strings and harps."'

    # The same for a MIDI file that the stat index knows (it keeps no entry younger than two seconds).
    midi=$(echo "$data"/midi/05-*)
    touch -d '2020-02-02' "$midi"
    sleep 2.1
    reprise >/dev/null 2>&1
    LOG_LEVEL=debug run reprise
    [[ $output == *" 0 MIDI files read"* ]]
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    size=$(stat -c %s "$midi")
    printf '\xff' | dd of="$midi" bs=1 seek=$((size / 2)) conv=notrunc status=none
    touch -d '2020-02-02' "$midi"
    LOG_LEVEL=debug run reprise
    [[ $output == *" 1 MIDI files read"* ]]
    ! cmp -s "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json" # with another pitch, or without that file
}
