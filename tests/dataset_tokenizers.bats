#!/usr/bin/env bats
# A dataset is built with any tokenizer: by name, or by a tokenizer.json whose contents, not its name, decide what is made again.

load dataset

@test "several vocabularies: lists of ids in the dataset, counted, verified, and written as a checkpoint" {
    small_dataset 3
    reprise TOKENIZER=Octuple >/dev/null 2>&1
    check 'assert all(len(row) == 7 and isinstance(row[0], int) for item in items for row in item["midi_tokens"])'
    check 'assert all(item["sequence_length"] == len(item["midi_tokens"]) for item in items)'
    check 'assert stats["tokens"] == sum(len(item["midi_tokens"]) for item in items)'
    "$programs/midi2tok" --tokenizer Octuple "$data"/midi/00-* "$BATS_TEST_TMPDIR/ids.json"
    check "assert items[0]['midi_tokens'] == json.load(open('$BATS_TEST_TMPDIR/ids.json'))['ids']"
    reprise TOKENIZER=Octuple verify
    reprise TOKENIZER=Octuple checkpoint
    check 'assert json.load(open(out + "/midi_checkpoint.json"))["processed_data"][0]["tokens"] in [item["midi_tokens"] for item in items]'
}

@test "MuMIDI: rows are as long as MidiTok's" {
    small_dataset 1
    reprise TOKENIZER=MuMIDI >/dev/null 2>&1
    check 'assert {len(row) for row in items[0]["midi_tokens"]} == {3, 5}'
}

@test "TOKENIZER_CONFIG: another content is another dataset, the same content under another name is none; a single edit goes on with what is finished" {
    small_dataset 3
    cd "$BATS_TEST_TMPDIR"
    "$programs/midi2tok" --tokenizer TSD --set use_tempos=true --save-config "a b\$1.json"
    reprise TOKENIZER_CONFIG="$PWD/a b\$1.json" >/dev/null 2>&1
    "$programs/midi2tok" --tokenizer TSD --set use_tempos=true "$data"/midi/01-* ids.json
    check "assert items[1]['midi_tokens'] == json.load(open('$PWD/ids.json'))['ids']"
    mv "a b\$1.json" other.json
    run reprise V=1 TOKENIZER_CONFIG="$PWD/other.json"
    [ "$(starts midi2tok)" = 0 ]
    "$programs/midi2tok" --tokenizer TSD --set use_tempos=true --set num_velocities=8 --save-config other.json
    run reprise V=1 TOKENIZER_CONFIG="$PWD/other.json"
    [ "$(starts midi2tok)" -ge 1 ]
    [ "$(starts text2emb)" = 0 ]
    edit 'pairs[0]["text_description"] = "Another caption."'
    run reprise V=1 TOKENIZER_CONFIG="$PWD/other.json"
    [ "$status" = 0 ]
    run reprise TOKENIZER_CONFIG="$PWD/none.json"
    [ "$status" -ne 0 ]
    [[ $output == *none.json*"No such file"* ]]
}

@test "one list a track, by a configuration without programs" {
    small_dataset 2
    "$programs/midi2tok" --tokenizer REMI --no-programs --save-config "$BATS_TEST_TMPDIR/t.json"
    reprise TOKENIZER_CONFIG="$BATS_TEST_TMPDIR/t.json" >/dev/null 2>&1
    check 'assert all(isinstance(track, list) and isinstance(track[0], int) for item in items for track in item["midi_tokens"])'
    reprise TOKENIZER_CONFIG="$BATS_TEST_TMPDIR/t.json" verify
}
