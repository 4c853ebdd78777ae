#!/usr/bin/env bats
# make checkpoint and make import: finished work as JSON checkpoints and back, nothing computed twice, nothing taken over that is not what the
# present settings would make; the earlier system's checkpoints in all their forms.

load dataset

legacy=$root/../shared/legacy

shards() {
    (cd "$work" && find tok emb -type f -exec sha1sum {} + | sort -k 2)
}

# A finished small dataset and its checkpoints; the work files and outputs are gone.
exported() {
    small_dataset "$1"
    reprise >/dev/null 2>&1
    reprise checkpoint >/dev/null 2>&1
    shards >"$BATS_TEST_TMPDIR/shards"
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    rm -r "$work" "$out/processed_data.json" "$out/.record"
}

# rewrite FILE PYTHON: runs statements on `file`, the checkpoint, and writes it back.
rewrite() {
    python3 - "$1" "$2" <<'END'
import json, sys
path, statements = sys.argv[1:]
file = json.load(open(path))
records = file["processed_data"] if isinstance(file, dict) else file
exec(statements)
json.dump(file, open(path, "w"))
END
}

to_do() {
    reprise 2>&1 | grep -o 'MIDI files to do: .*'
}

legacy_dataset() {
    [ -d "$legacy" ] || skip "no checkpoints of the earlier system here"
    mkdir -p "$data"
    cp "$legacy/paired_data.json" "$data/pairs.json"
    ln -sfn "$(readlink -f "$legacy/../corpus/valid")" "$data/midi"
}

# import_legacy FOLDER [VARIABLES…]
import_legacy() {
    local folder=$1
    shift
    reprise MIDI_CHECKPOINT="$folder/midi_checkpoint.json" TEXT_CHECKPOINT="$folder/text_checkpoint.json" "$@" import
}

@test "round trip: export, all work files removed, import: the same shard files, nothing is computed, identical outputs" {
    exported 16
    run reprise import
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output == *"midi_checkpoint.json: 16 of 16 records taken over"* && $output == *"text_checkpoint.json: 16 of 16 records taken over"* ]]
    shards | cmp - "$BATS_TEST_TMPDIR/shards"
    [ "$(to_do)" = "MIDI files to do: 0, texts to do: 0" ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}

@test "a checkpoint has the documented form, true counts, and lists what is finished of each stage" {
    small_dataset 16
    reprise >/dev/null 2>&1
    rm "$(find "$work/emb" -name '*.emb' | head -1)"
    reprise checkpoint >/dev/null
    python3 - "$out" <<'END'
import json, sys
out = sys.argv[1]
full = json.load(open(f"{out}/processed_data.json"))
midi, text = (json.load(open(f"{out}/{kind}_checkpoint.json")) for kind in ("midi", "text"))
assert len(midi["processed_data"]) == 16 > len(text["processed_data"]) > 0
record = midi["processed_data"][3]
assert record["file_path"] == full[3]["midi_file"] and record["tokens"] == full[3]["midi_tokens"] and record["sequence_length"] == len(record["tokens"])
assert {key: record["metadata"][key] for key in ("file_path", "file_name", "duration", "tempo", "instruments")}.items() <= full[3]["midi_metadata"].items()
by_text = {item["text_description"]: item for item in full}
for record in text["processed_data"]:
    features = by_text[record["original_text"]]["text_features"]
    assert (record["cleaned_text"], record["embedding"]) == (features["cleaned_text"], features["embedding"])
info = midi["batch_info"]
assert (info["current_batch"], info["total_batches"], info["batch_size"]) == (8, 8, 2), info
assert info["processing_time"] > 0 and info["files_per_second"] > 0, info
assert midi["last_processed_idx"] == 15 and midi["total_files"] == 16 and text["batch_info"]["texts_per_second"] > 0
done = json.load(open(f"{out}/processing_checkpoint.json"))["last_processed_idx"]
assert done == text["last_processed_idx"] < 15
END
    cp "$out/text_checkpoint.json" "$BATS_TEST_TMPDIR/first.json"
    reprise checkpoint >/dev/null
    cmp "$out/text_checkpoint.json.bak" "$BATS_TEST_TMPDIR/first.json"
}

@test "shuffled, with strangers: records are matched by path and text, not by position" {
    exported 12
    rewrite "$out/midi_checkpoint.json" 'records.reverse(); records.insert(0, dict(records[0], file_path="midi/elsewhere.mid"))'
    rewrite "$out/text_checkpoint.json" 'records.reverse()'
    run reprise import
    [ "$status" -eq 0 ]
    [[ $output == *"record 1 (midi/elsewhere.mid): not taken over: not in INPUT"* && $output == *"12 of 13 records taken over, 1 not in INPUT"* ]]
    LOG_LEVEL=warning reprise >/dev/null
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}

@test "a file that changed since, an edited token, an edited number: those are computed again" {
    exported 12
    cp "$data"/midi/03-* "$(echo "$data"/midi/07-*)"
    rewrite "$out/midi_checkpoint.json" 'records[2]["tokens"][5] += 1'
    rewrite "$out/text_checkpoint.json" 'records[4]["embedding"][100] += 0.25'
    run reprise import
    [ "$status" -eq 0 ]
    [[ $output == *"10 of 12 records taken over, 1 of contents that have changed, 1 broken"* && $output == *"11 of 12 records taken over, 1 broken"* ]]
    reprise >/dev/null 2>&1
    check 'full = json.load(open(sys.argv[1] + "/../full.json")); assert items[7]["midi_tokens"] == full[3]["midi_tokens"]
assert [i for i in range(12) if items[i] != full[i]] == [7]'
}

@test "other settings: refused in a line, not mixed in" {
    exported 6
    run reprise POOLING=cls import
    [ "$status" -eq 0 ]
    [[ $output == *"text_checkpoint.json: nothing taken over: it was made with other settings"* && $output == *"6 of 6 records taken over"* ]]
    [ -z "$(find "$work/emb" -name '*.emb' 2>/dev/null)" ]
}

@test "a damaged file: its place and reason are named and the .bak is used; without one nothing is taken and that is an error; a .tmp is ignored" {
    exported 6
    for kind in midi text; do cp "$out/${kind}_checkpoint.json" "$out/${kind}_checkpoint.json.bak"; done
    truncate -s 3000 "$out/midi_checkpoint.json"
    echo '{"processed' >"$out/text_checkpoint.json.tmp"
    run reprise import
    [ "$status" -eq 0 ]
    [[ $output == *"midi_checkpoint.json: line "*", column "*"; its .bak is used"* && $output == *"midi_checkpoint.json.bak: 6 of 6 records taken over"* ]]
    rm -r "$work" "$out/midi_checkpoint.json.bak"
    run reprise import
    [ "$status" -ne 0 ]
    [[ $output == *"midi_checkpoint.json: line "*"there is no .bak"* ]]
    rm "$out"/*_checkpoint.json*
    run reprise import
    [ "$status" -ne 0 ]
    [[ $output == *"there is neither"* ]]
}

@test "a checkpoint that states nothing is compared with a sample made again: equal ones are taken over, others refused" {
    exported 8
    rewrite "$out/midi_checkpoint.json" 'del file["reprise"]; [record.pop("reprise") for record in records]'
    rewrite "$out/text_checkpoint.json" 'del file["reprise"]; [record.pop("reprise") for record in records]'
    cp -r "$out" "$BATS_TEST_TMPDIR/plain"
    run reprise import
    [ "$status" -eq 0 ]
    [[ $output == *"midi_checkpoint.json: 8 of 8 records taken over"* ]]
    LOG_LEVEL=warning reprise >/dev/null
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"

    rm -r "$work"
    rewrite "$out/midi_checkpoint.json" 'records[0]["tokens"][7] += 1'
    rewrite "$out/text_checkpoint.json" 'records[0]["embedding"] = [number * 2 for number in records[0]["embedding"]]'
    run reprise import
    [ "$status" -eq 0 ]
    [[ $output == *"midi_checkpoint.json: nothing taken over: the tokens are of another"* ]]
    [[ $output == *"text_checkpoint.json: nothing taken over: "*"the cosine is 1.0000 and the length 2.000 instead of 1.000"* ]]
    [ -z "$(find "$work/tok" -name '*.tok' 2>/dev/null)" ]
    [ -z "$(find "$work" -name 'sample-*')" ]
}

@test "hostile records: tokens that are none, rows of other sizes, wrong types: each is named and recomputed" {
    exported 8
    rewrite "$out/midi_checkpoint.json" 'records[0]["tokens"][0] = 2**40; records[1]["tokens"] = "x"; records[2]["tokens"] = [-1]; records[3] = 7; records[4]["metadata"] = 3'
    rewrite "$out/text_checkpoint.json" 'records[0]["embedding"] = []; records[1]["embedding"][7] = "x"; records[2]["embedding"].pop(); records[3] = None; records[4]["reprise"] = 1'
    run reprise import
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output == *"3 of 8 records taken over, 5 broken"* ]]
    LOG_LEVEL=warning reprise >/dev/null
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}

# Settings whose tokens lie in other ways than one list of ids: tokens of several ids, some of them shorter, lists a track, both.
layouts=(TOKENIZER=CPWord TOKENIZER=Octuple TOKENIZER=MuMIDI TOKENIZER=MMM TOKENIZER=AMT
    TOKENIZER_CONFIG="$BATS_TEST_TMPDIR/REMI.json" TOKENIZER_CONFIG="$BATS_TEST_TMPDIR/CPWord.json")

per_track_configs() {
    for name in REMI CPWord; do
        "$programs/midi2tok" --tokenizer $name --no-programs --save-config "$BATS_TEST_TMPDIR/$name.json"
    done
}

# export_layout SETTING: the dataset with it, its checkpoint, and then no tokens and outputs any more; texts stay finished.
export_layout() {
    reprise "$1" >/dev/null 2>&1
    reprise "$1" checkpoint >/dev/null 2>&1
    (cd "$work" && find tok -type f -exec sha1sum {} + | sort -k 2) >"$BATS_TEST_TMPDIR/shards"
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    rm -r "$work/tok" "$out/processed_data.json" "$out/.record"
}

@test "round trip of every layout of tokens: the same shard files, nothing is computed, identical outputs" {
    small_dataset 4
    per_track_configs
    for setting in "${layouts[@]}"; do
        export_layout "$setting"
        run reprise "$setting" import
        [[ $output == *"midi_checkpoint.json: 4 of 4 records taken over"* ]] || { echo "$setting: $output"; return 1; }
        (cd "$work" && find tok -type f -exec sha1sum {} + | sort -k 2) | cmp - "$BATS_TEST_TMPDIR/shards"
        run reprise "$setting"
        [[ $output == *"MIDI files to do: 0, texts to do: 0"* ]] || { echo "$setting: $output"; return 1; }
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
        rm -r "$work/tok"
    done
}

@test "every layout without statements: taken over where the sample made again lies like it and is equal" {
    small_dataset 4
    per_track_configs
    for setting in "${layouts[@]}"; do
        export_layout "$setting"
        rewrite "$out/midi_checkpoint.json" 'del file["reprise"]; [record.pop("reprise") for record in records]'
        run reprise "$setting" import
        [[ $output == *"midi_checkpoint.json: 4 of 4 records taken over"* ]] || { echo "$setting: $output"; return 1; }
        LOG_LEVEL=warning reprise "$setting" >/dev/null
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
        rm -r "$work/tok"
    done
    # Lists a track, one cut in two; then one that does not say which programs play.
    setting=${layouts[5]}
    export_layout "$setting"
    rewrite "$out/midi_checkpoint.json" 'del file["reprise"]; [record.pop("reprise") for record in records]; records[1]["metadata"].pop("programs")'
    run reprise "$setting" import
    [[ $output == *"it has not the program of each track"*"3 of 4 records taken over, 1 not comparable"* ]] || { echo "$output"; return 1; }
    rm -r "$work/tok"
    rewrite "$out/midi_checkpoint.json" 'tokens = records[0]["tokens"]; records[0]["tokens"] = [tokens[0][:9], tokens[0][9:], *tokens[1:]]'
    run reprise "$setting" import
    [[ $output == *"nothing taken over: the tokens are of another vocabulary or setting"* ]] || { echo "$output"; return 1; }
}

@test "tokens in other lists than stated, rows of other lengths, a moved boundary of tracks: each is named and recomputed" {
    small_dataset 6
    per_track_configs
    export_layout TOKENIZER=Octuple
    rewrite "$out/midi_checkpoint.json" 'records[0]["tokens"][3].append(4); records[1]["reprise"]["vocabularies"] = 5; records[2]["reprise"].pop("vocabularies")
records[3]["tokens"] = sum(records[3]["tokens"], []); records[4]["reprise"]["vocabularies"] = -1'
    run reprise TOKENIZER=Octuple import
    [[ $output == *"1 of 6 records taken over, 5 broken"* ]] || { echo "$output"; return 1; }
    LOG_LEVEL=warning reprise TOKENIZER=Octuple >/dev/null
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    export_layout "${layouts[5]}"
    rewrite "$out/midi_checkpoint.json" 'tokens = records[2]["tokens"]; tokens[0].append(tokens[1].pop(0)); records[3]["reprise"].pop("sequences")'
    run reprise "${layouts[5]}" import
    [[ $output == *"4 of 6 records taken over, 2 broken"* ]] || { echo "$output"; return 1; }
    LOG_LEVEL=warning reprise "${layouts[5]}" >/dev/null
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
}

@test "the earlier system's tokens, finished, interrupted and crashed: with TOKENIZER=AMT all are taken over" {
    legacy_dataset
    for form in finished:14 interrupted:6 crashed:4; do
        IFS=: read -r folder records <<<"$form"
        rm -rf "$work"
        run import_legacy "$legacy/$folder" TOKENIZER=AMT
        [ "$status" -eq 0 ] || { echo "$output"; return 1; }
        [[ $output == *"midi_checkpoint.json: $records of $records records taken over"* ]] || { echo "$output"; return 1; }
    done
}

@test "file names with spaces, dollars and quotes" {
    exported 4
    odd="$BATS_TEST_TMPDIR/a \$HOME \$(x) 'q' #1"
    mkdir "$odd"
    mv "$out"/*_checkpoint.json "$odd"
    run import_legacy "${odd//\$/\$}"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output == *"4 of 4 records taken over"* ]]
}

@test "the earlier system's checkpoints, finished, interrupted and crashed: other vocabulary refused, texts taken where the model sees the same" {
    legacy_dataset
    for form in finished:5:14 interrupted:3:9 crashed:1:4; do
        IFS=: read -r folder taken records <<<"$form"
        rm -rf "$work"
        run import_legacy "$legacy/$folder" POOLING=cls NORMALIZE=0
        [ "$status" -eq 0 ] || { echo "$output"; return 1; }
        [[ $output == *"midi_checkpoint.json: nothing taken over: the tokens are of another vocabulary"*"ids up to 124"* ]]
        [[ $output == *"text_checkpoint.json: $taken of $records records taken over"* ]] || { echo "$output"; return 1; }
    done
    # The oldest form, a bare list, and the older file that a crash left as .bak.
    mkdir "$BATS_TEST_TMPDIR/old"
    python3 -c 'import json,sys; json.dump(json.load(open(sys.argv[1]))["processed_texts"], open(sys.argv[2], "w"))' \
        "$legacy/finished/text_checkpoint.json" "$BATS_TEST_TMPDIR/old/text_checkpoint.json"
    rm -rf "$work"
    run import_legacy "$BATS_TEST_TMPDIR/old" POOLING=cls NORMALIZE=0
    [[ $output == *"5 of 14 records taken over"* ]]
    # The same with the settings as they are by default: not what they promise, and the line says what would be.
    rm -rf "$work"
    run import_legacy "$legacy/finished"
    [ "$status" -eq 0 ]
    [[ $output == *"text_checkpoint.json: nothing taken over: the embeddings are not those of the present settings"*"POOLING=cls NORMALIZE=0"* ]]
}

@test "what was taken from the earlier system is used and right to the digits that its computer left alike" {
    legacy_dataset
    reprise POOLING=cls NORMALIZE=0 >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/full.json"
    rm -r "$work" "$out"
    import_legacy "$legacy/finished" POOLING=cls NORMALIZE=0 >/dev/null 2>&1
    reprise POOLING=cls NORMALIZE=0 >/dev/null 2>&1
    python3 - "$BATS_TEST_TMPDIR/full.json" "$out/processed_data.json" "$legacy/finished/text_checkpoint.json" <<'END'
import json, struct, sys
full, items, legacy = (json.load(open(path)) for path in sys.argv[1:])
legacy = {record["original_text"]: record["bert_embedding"] for record in legacy["processed_texts"]}
f32 = lambda x: struct.unpack("f", struct.pack("f", x))[0]
same, worst = 0, 0.0
for a, b in zip(full, items):
    x, y = a["text_features"]["embedding"], b["text_features"]["embedding"]
    same += list(map(f32, y)) == list(map(f32, legacy[b["text_description"]]))
    worst = max(worst, max(abs(p - q) for p, q in zip(x, y)))
print(same, worst, file=sys.stderr)
assert same == 5 and worst < 1e-4
END
}
