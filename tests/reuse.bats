#!/usr/bin/env bats
# Changing one caption costs one caption: items that finished shards hold are copied from there, also when shards are cut anew.

load dataset

# Every text and MIDI file carries a mark of which midi2tok and text2emb die, once the library that makes them so is preloaded: whoever computes an
# item again then loses it. The first build is without that library.
setup() {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    gcc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/die.so" "$root/tests/fault/die_of_marker.c"
    small_dataset 16
    for midi in "$data"/midi/*; do printf DIE-SEGV >>"$midi"; done
    edit 'for p in pairs: p["text_description"] += " DIE-SEGV"'
    batch=8 reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

dying() {
    LD_PRELOAD=$BATS_TEST_TMPDIR/die.so reprise "$@"
}

@test "one caption of a shard is edited: no other text is computed" {
    edit 'pairs[3]["text_description"] = "A harmless new caption."'
    batch=8 run dying
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check '
reference = json.load(open(out + "/../reference.json"))
assert not errors and len(items) == 16
assert [i for n, i in enumerate(items) if n != 3] == [r for n, r in enumerate(reference) if n != 3]
assert items[3]["text_features"]["embedding"] != reference[3]["text_features"]["embedding"]'
}

@test "one MIDI file of a shard is replaced: no other file is tokenized" {
    cp "$root/data/demo/midi/openmsx/chemistry_lab.mid" "$(echo "$data"/midi/05-*)"
    batch=8 run dying
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check 'assert not errors and len(items) == 16'
}

@test "another BATCH_SIZE and CHECKPOINT_INTERVAL cut other shards, and nothing is computed" {
    batch=2 interval=2 run dying V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts text2emb)" -ge 4 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

@test "pairs inserted, removed and moved: only what is new is computed" {
    edit '
pairs.insert(0, dict(pairs[2], text_description="New at the top."))
del pairs[9]
pairs.append(pairs.pop(4))'
    batch=8 run dying
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check 'assert not errors and len(items) == 16 and items[0]["text_description"] == "New at the top."'
}

@test "a finished shard that is damaged is not copied from: its items are computed" {
    for shard in "$work"/emb/*/*.emb; do printf X | dd of="$shard" bs=1 seek=2000 conv=notrunc status=none; done
    edit 'pairs[3]["text_description"] = "A harmless new caption."'
    batch=8 reprise >/dev/null 2>&1 || batch=8 reprise >/dev/null 2>&1
    check '
reference = json.load(open(out + "/../reference.json"))
assert not errors and [i for n, i in enumerate(items) if n != 3] == [r for n, r in enumerate(reference) if n != 3]'
}

@test "the library really does kill: without finished shards everything is lost" {
    rm -r "$work" "$out"
    batch=8 run dying
    [ "$status" -eq 0 ]
    check 'assert len(items) == 0 and len(errors) == 32'
}
