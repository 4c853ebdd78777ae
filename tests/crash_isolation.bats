#!/usr/bin/env bats
# A program that dies on one item costs that item: it is quarantined with the cause, and the shard completes.

load dataset

setup() {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    gcc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/die.so" "$root/tests/fault/die_of_marker.c"
    small_dataset 8
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
}

# mark_midi N MARKER: behind the last track, where a reader does not look.
mark_midi() {
    printf '%s' "$2" >>"$(echo "$data/midi/0$1"-*)"
}

# dying ARGUMENTS…: make, with programs that die of markers.
dying() {
    LD_PRELOAD=$BATS_TEST_TMPDIR/die.so reprise "$@"
}

others_are_right() {
    check '
reference = json.load(open(out + "/../reference.json"))
bad = {e["index"] for e in errors}
assert bad == '"$1"', errors
assert [i for i in items] == [r for n, r in enumerate(reference) if n not in bad]'
}

@test "a MIDI file on which the program crashes, one on which it loops, one that eats memory" {
    mark_midi 1 DIE-SEGV
    mark_midi 4 DIE-LOOP
    mark_midi 6 DIE-EAT
    run dying ITEM_TIMEOUT=1 ITEM_MEMORY=100M # little: where memory comes slowly, it would take longer than ITEM_TIMEOUT to eat much
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    others_are_right '{1, 4, 6}'
    check '
assert "Segmentation fault" in errors[0]["error"] and "ITEM_TIMEOUT" in errors[1]["error"] and "Aborted" in errors[2]["error"], errors
assert stats["midi_files_processed"] == 5 and stats["checkpoint_info"]["midi_files_this_run"] == 8'
    # Each is told once, and without the marker's library the quarantine stands until the file changes.
    [ "$(grep -c '^midi2tok: .*: not tokenized: ' <<<"$output")" = 3 ]
}

@test "a file that is larger than ITEM_MEMORY" {
    truncate -s 150M "$(echo "$data/midi/02"-*)"
    run reprise ITEM_MEMORY=100M
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    others_are_right '{2}'
    check 'assert errors[0]["error"] == "needs more memory than ITEM_MEMORY allows", errors'
}

@test "what a limit kept out is tried again under other limits, and nothing else; back under the first it costs nothing" {
    truncate -s 150M "$(echo "$data/midi/02"-*)"
    reprise ITEM_MEMORY=100M >/dev/null 2>&1
    others_are_right '{2}'
    run reprise ITEM_MEMORY=100M
    [[ $output == *"Nothing to be done"* ]]
    run reprise ITEM_MEMORY=0 V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts midi2tok)" = 1 ] && [ "$(starts text2emb)" = 0 ]
    others_are_right 'set()'
    run reprise ITEM_MEMORY=0 verify
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    run reprise ITEM_MEMORY=0
    [[ $output == *"Nothing to be done"* ]]
    run reprise ITEM_MEMORY=100M V=1
    [ "$(starts midi2tok)" = 0 ]
    others_are_right '{2}'
}

@test "notes of what a limit kept out that cannot be read are not taken for none: make names them, and goes on once they can" {
    truncate -s 150M "$(echo "$data/midi/02"-*)"
    reprise ITEM_MEMORY=100M >/dev/null 2>&1
    mv "$work/plan/limited" "$BATS_TEST_TMPDIR/notes"
    mkdir "$work/plan/limited"
    run reprise ITEM_MEMORY=0
    [ "$status" -ne 0 ]
    [[ $output == *"$work/plan/limited: not a regular file (a folder)"* ]] || { echo "$output"; return 1; }
    rmdir "$work/plan/limited"
    mv "$BATS_TEST_TMPDIR/notes" "$work/plan/limited"
    run reprise ITEM_MEMORY=0
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    others_are_right 'set()'
}

@test "what a limit kept out is not taken from the cache: the limits of others are not one's own" {
    export USE_CACHE=1 CACHE_DIR=$BATS_TEST_TMPDIR/cache
    truncate -s 150M "$(echo "$data/midi/02"-*)"
    reprise ITEM_MEMORY=100M >/dev/null 2>&1
    others_are_right '{2}'
    rm -r "$work" "$out"
    run reprise V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts midi2tok)" = 1 ] && [ "$(starts text2emb)" = 0 ]
    others_are_right 'set()'
}

@test "a text that took too long, and one on which the program crashed, are tried again with another ITEM_TIMEOUT" {
    edit 'pairs[2]["text_description"] += " DIE-SEGV"; pairs[5]["text_description"] += " DIE-LOOP"'
    dying ITEM_TIMEOUT=1 >/dev/null 2>&1
    others_are_right '{2, 5}'
    run reprise ITEM_TIMEOUT=2 V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts midi2tok)" = 0 ]
    check 'assert len(items) == 8 and not errors, errors'
}

@test "a text on which the program crashes, and one on which it loops" {
    edit 'pairs[2]["text_description"] += " DIE-SEGV"; pairs[5]["text_description"] += " DIE-LOOP"'
    run dying ITEM_TIMEOUT=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    others_are_right '{2, 5}'
    check 'assert "Segmentation fault" in errors[0]["error"] and "ITEM_TIMEOUT" in errors[1]["error"] and all(e["stage"] == "text" for e in errors), errors'
}

@test "a stray kill costs nothing but the repetition" {
    mark_midi 3 DIE-ONCE
    DIE_ONCE=$BATS_TEST_TMPDIR/once run dying
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ -e "$BATS_TEST_TMPDIR/once" ]
    check 'assert len(items) == 8 and not errors and stats["checkpoint_info"]["midi_files_this_run"] == 8'
}

@test "limits that are no limits are refused" {
    run reprise ITEM_TIMEOUT=soon
    [ "$status" -ne 0 ]
    [[ $output == *"ITEM_TIMEOUT=soon: a number of seconds is needed"* ]]
    run reprise ITEM_MEMORY=much
    [ "$status" -ne 0 ]
    [[ $output == *"ITEM_MEMORY=much: a number of bytes is needed"* ]]
}
