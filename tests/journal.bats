#!/usr/bin/env bats
# The journal: every run is noted, a killed one too; statistics and estimates draw from it; a damaged one costs nothing but itself.

load dataset

setup() {
    small_dataset 12
}

# journal PYTHON: runs statements on `lines`, the journal's objects.
journal() {
    python3 - "$work/journal" "$1" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
exec(sys.argv[2])
END
}

# A run that is killed when it has some shards; once more where it ended before the kill.
killed_run() {
    for _ in 1 2 3 4 5; do
        start_group reprise -j1 >/dev/null 2>&1
        until_true files_are 2 "$work/emb" emb
        if kill_group 2>/dev/null && [ ! -e "$out/processed_data.json" ]; then
            return
        fi
        reprise clean >/dev/null 2>&1
    done
    return 1
}

@test "a run is noted with its settings, items, failures and times; what was noted stays; nothing to do is no run" {
    edit 'pairs[3]["midi_file"] = "missing.mid"'
    reprise >/dev/null 2>&1
    journal '
begin, end = lines
assert begin["run"] == end["run"] and end["state"] == "complete"
assert begin["settings"]["TOKENIZER"] == "REMI" and begin["settings"]["BATCH_SIZE"] == "2"
assert begin["midi"] == {"total": 12, "finished": 0} and begin["text"] == {"total": 12, "finished": 0}
assert end["midi"]["done"] == 12 and end["midi"]["quarantined"] == 1 and end["text"]["quarantined"] == 0
assert end["seconds"] > 0 and end["text"]["seconds"] > 0 and end["text"]["per_second"] > 0
assert begin["begin"] <= end["end"]'
    cp "$work/journal" "$BATS_TEST_TMPDIR/before"
    reprise >/dev/null 2>&1
    cmp "$work/journal" "$BATS_TEST_TMPDIR/before"
    edit 'pairs[5]["text_description"] = "another caption"'
    reprise >/dev/null 2>&1
    cmp -n "$(stat -c %s "$BATS_TEST_TMPDIR/before")" "$work/journal" "$BATS_TEST_TMPDIR/before"
    journal 'assert len(lines) == 4 and lines[3]["text"]["done"] - lines[3]["text"]["copied"] == 1, lines'
    check 'assert stats["checkpoint_info"]["texts_this_run"] == 1 and stats["checkpoint_info"]["texts_from_checkpoints"] == 11'
}

@test "a killed run gets its end from the next one, and the statistics count both" {
    killed_run
    journal 'assert len(lines) == 1'
    reprise >/dev/null 2>&1
    journal '
assert [line.get("state") for line in lines] == [None, "interrupted", None, "complete"]
assert lines[1]["run"] == lines[0]["run"] and 2 <= lines[1]["text"]["done"] <= 12'
    check 'assert stats["checkpoint_info"]["runs"] == 2 and stats["checkpoint_info"]["processing_time_all_runs"] > stats["processing_time"]'
    # Complete again: that took one run.
    rm -r "$out" "$work/pieces"
    reprise >/dev/null 2>&1
    check 'assert stats["checkpoint_info"]["runs"] == 1'
}

@test "make status estimates by the journal where this run has no speed yet, and not by other settings' runs" {
    reprise >/dev/null 2>&1
    edit 'pairs[5]["text_description"] = "another caption"'
    rm "$work/progress"
    run reprise status
    [[ $output == *"to finish   about "*" for 0 MIDI files and "*" texts"* ]]
    [[ $output == *"runs        1, 1 of them to the end"* ]]
    run reprise status POOLING=cls
    [[ $output == *"no speed is known yet"* ]]
}

@test "a damaged journal: lines that do not have their check are passed over and counted, and the same dataset is built" {
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    cp "$work/journal" "$BATS_TEST_TMPDIR/journal"
    size=$(stat -c %s "$work/journal")
    for place in $(seq 0 64 "$size"); do
        head -c "$place" "$BATS_TEST_TMPDIR/journal" >"$work/journal"
        rm -r "$out"
        run reprise
        [ "$status" -eq 0 ] || { echo "cut at $place: $output"; return 1; }
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
        tail -n 2 "$work/journal" | python3 -c 'import json, sys; assert [json.loads(line).get("state") for line in sys.stdin] == [None, "complete"]'
    done
    sed 's/"total":12/"total":99/' "$BATS_TEST_TMPDIR/journal" >"$work/journal"
    run reprise status
    [[ $output == *"1 lines of $work/journal cannot be read"* ]]
    for damage in 'head -c 100000 /dev/zero' 'head -c 3000000 /dev/urandom' 'printf [[[[[[[[' 'yes {}'; do
        { $damage || true; } 2>/dev/null | head -c 5000000 >"$work/journal"
        rm -r "$out"
        run reprise
        [ "$status" -eq 0 ]
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    done
}

@test "a folder, a FIFO or a link in the journal's place: a warning, and the dataset is built" {
    for thing in 'mkdir' 'mkfifo' 'ln -s /dev/full' 'ln -s /nowhere'; do
        rm -rf "$work" "$out"
        mkdir "$work"
        $thing "$work/journal"
        run timeout 60 make -C "$root" --no-print-directory BUILD="${BUILD:-release}" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out"
        [ "$status" -eq 0 ]
        [[ $output == *"$work/journal: "* ]] || { echo "$thing: $output"; return 1; }
        check 'assert len(items) == 12'
    done
}
