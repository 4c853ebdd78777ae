#!/usr/bin/env bats
# One broken file costs that file, says so, and never shifts its neighbours; any file name will do.

load dataset

@test "files that are corrupt, empty, missing, unreadable, not MIDI, folders, FIFOs or dangling links are quarantined, the others are right" {
    small_dataset 12
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    cd "$data/midi"
    files=(*)
    dd if=/dev/urandom of="${files[0]}" bs=1 seek=14 count=200 conv=notrunc status=none
    printf 'MTrk' | dd of="${files[0]}" bs=1 seek=0 conv=notrunc status=none # corrupt from the first byte on
    : >"${files[1]}"                                                        # empty
    rm "${files[2]}"                                                        # missing
    echo "This is no music." >"${files[3]}"                                 # not MIDI
    rm "${files[4]}" && mkdir "${files[4]}"                                 # a folder
    rm "${files[5]}" && mkfifo "${files[5]}"                                # a FIFO: reading it would wait for ever
    rm "${files[6]}" && ln -s nowhere "${files[6]}"                         # a dangling link
    truncate -s 60% "${files[7]}" 2>/dev/null || truncate -s $(($(stat -c %s "${files[7]}") * 6 / 10)) "${files[7]}"
    cd - >/dev/null
    run timeout 120 make -C "$root" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out" BATCH_SIZE=2 CHECKPOINT_INTERVAL=2
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check '
reference = json.load(open(out + "/../reference.json"))
assert items == reference[8:], "the others are as they were, in order"
assert [e["index"] for e in errors] == list(range(8)), errors
assert all(e["stage"] == "midi" and e["error"] for e in errors)
reasons = [e["error"] for e in errors]
assert "No such file" in reasons[2] and "folder" in reasons[4] and "FIFO" in reasons[5] and "No such file" in reasons[6], reasons
assert stats["total_paired_items"] == 12 and stats["processed_items"] == 4 and stats["midi_files_processed"] == 4 and stats["text_files_processed"] == 12
assert sum(f["count"] for f in stats["failures"]) == 8'
    # Each problem was said once, on one line, with the path.
    [ "$(grep -c "^midi2tok: $data/midi/0" <<<"$output")" -eq 8 ]
}

@test "an unreadable file is quarantined, and taken in once it can be read" {
    [ "$(id -u)" -ne 0 ] || skip "root reads everything"
    small_dataset 3
    chmod 000 "$data"/midi/01-*
    run reprise
    [ "$status" -eq 0 ]
    check 'assert len(items) == 2 and "Permission denied" in errors[0]["error"]'
    chmod 644 "$data"/midi/01-*
    reprise >/dev/null 2>&1
    check 'assert len(items) == 3 and not errors'
}

@test "a missing file is taken in once it is there" {
    small_dataset 4
    file=$(echo "$data"/midi/02-*)
    mv "$file" "$BATS_TEST_TMPDIR/elsewhere"
    reprise >/dev/null 2>&1
    check 'assert len(items) == 3 and len(errors) == 1'
    mv "$BATS_TEST_TMPDIR/elsewhere" "$file"
    reprise >/dev/null 2>&1
    check 'assert len(items) == 4 and not errors'
}

@test "a text that is empty, not UTF-8 or of 100,000 characters, and a text file that is missing" {
    small_dataset 8
    printf 'Caf\xe9 music, in Latin-1.' >"$data/latin1.txt"
    edit '
pairs[0]["text_description"] = ""
pairs[1]["text_description"] = " \t\n "
pairs[2]["text_description"] = "A long, long song. " * 5263
pairs[3]["text_file"] = "latin1.txt"; del pairs[3]["text_description"]
pairs[4]["text_file"] = "gone.txt"; del pairs[4]["text_description"]
pairs[5]["text_description"] = "half \ud800 a pair"
pairs[6]["text_description"] = "A zero \u0000 inside."'
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check '
assert [e["index"] for e in errors] == [0, 1, 3, 4, 5] and all(e["stage"] == "text" for e in errors), errors
assert "UTF-8" in errors[2]["error"] and "gone.txt" in errors[3]["error"] and "UTF-8" in errors[4]["error"], errors
assert [len(i["text_description"]) for i in items][0] == 99997 and items[1]["text_description"] == "A zero \0 inside."
assert all(len(i["text_features"]["embedding"]) == 384 for i in items)
assert stats["text_files_processed"] == 3'
}

@test "failures of one kind are one reason in the statistics, whatever the files are called" {
    small_dataset 5
    printf 'Caf\xe9' >"$data/latin1.txt"
    edit '
for i, name in enumerate(["gone 1.txt", "gone \"2\": really.txt", "latin1.txt"]): pairs[i]["text_file"] = name; del pairs[i]["text_description"]
pairs[3]["text_description"] = "a half \ud800 pair"'
    run reprise
    [ "$status" -eq 0 ]
    check '
reasons = [(f["stage"], f["reason"], f["count"]) for f in stats["failures"]]
assert sorted(reasons) == [("text", "text file: No such file or directory", 2), ("text", "the text is not UTF-8 at byte N", 2)], reasons
assert "gone 1.txt" in errors[0]["error"] and "really.txt" in errors[1]["error"]'
}

@test "duplicate pairs stay, each in its place" {
    small_dataset 3
    edit 'pairs[:] = [pairs[0], pairs[1], pairs[0], pairs[0], pairs[2], pairs[1]] * 4'
    run reprise
    [ "$status" -eq 0 ]
    check '
assert len(items) == 24
for n, i in enumerate(items):
    assert i == items[{0: 0, 1: 1, 2: 0, 3: 0, 4: 4, 5: 1}[n % 6]]'
}

@test "file names with spaces, quotes, \$, #, :, %, a newline, backslashes, UTF-8 and bytes that are no UTF-8" {
    small_dataset 1
    python3 - "$data" <<'END'
import json, os, shutil, sys
data = sys.argv[1]
pair = json.load(open(f"{data}/pairs.json"))[0]
names = ["with space.mid", "quote'single.mid", 'quote"double.mid', "dollar$HOME$(x)$$.mid", "hash#mark.mid", "co:lon.mid", "per%cent.mid", "new\nline.mid",
         "back\\slash.mid", "Größe 音楽 🎵.mid", "-n.mid", "semi;colon & pipe|.mid", "tab\there.mid", "star*?[x].mid", "no-utf8-\udcff\udcfe.mid", "~.mid"]
for name in names:
    shutil.copyfile(f"{data}/{pair['midi_file']}", f"{data}/{name}")
json.dump([dict(pair, midi_file=name) for name in names], open(f"{data}/pairs.json", "w"))
END
    run reprise
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check '
assert len(items) == 16 and not errors
assert items[7]["midi_file"] == "new\nline.mid" and items[14]["midi_metadata"]["file_name"] == "no-utf8-\udcff\udcfe.mid"
assert all(i["midi_tokens"] == items[0]["midi_tokens"] and i["sequence_length"] == len(i["midi_tokens"]) > 0 for i in items)'
}

@test "INPUT, OUTPUT_DIR and MODEL with odd names" {
    small_dataset 2
    odd="$BATS_TEST_TMPDIR/odd \$HOME 'q' \"d\" #1: 50%"
    mkdir -p "$odd"
    cp -r "$data/midi" "$odd/midi"
    cp "$data/pairs.json" "$odd/the pairs.json"
    ln -s "$root/data/models/all-MiniLM-L6-v2" "$odd/model"
    run make -C "$root" INPUT="$odd/the pairs.json" OUTPUT_DIR="$odd/out put" MODEL="$odd/model" WORK_DIR="$work"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ -s "$odd/out put/processed_data.json" ]
    run make -C "$root" INPUT="$odd/the pairs.json" OUTPUT_DIR="$odd/out put" MODEL="$odd/model" WORK_DIR="$work"
    [[ $output == *"Nothing to be done"* ]]
    run make -C "$root" INPUT="$odd/the pairs.json" OUTPUT_DIR="$odd/out put" WORK_DIR="$work" clean
    [ "$status" -eq 0 ]
    [ ! -e "$odd/out put" ]
}

@test "INPUT and OUTPUT_DIR that look like options" {
    small_dataset 2
    tree=$BATS_TEST_TMPDIR/tree
    mkdir "$tree"
    ln -s "$root"/* "$data/midi" "$tree"
    cp "$data/pairs.json" "$tree/-pairs.json"
    run make -C "$tree" --no-print-directory BUILD="${BUILD:-release}" INPUT=-pairs.json OUTPUT_DIR=--out WORK_DIR="$work"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ -s "$tree/--out/processed_data.json" ]
    rm "$work"/pieces/* "$tree/--out/processed_data.json"
    for goal in partial status why verify checkpoint import gc clean; do
        run make -C "$tree" --no-print-directory BUILD="${BUILD:-release}" INPUT=-pairs.json OUTPUT_DIR=--out WORK_DIR="$work" $goal
        [[ $output != *option* ]] || { echo "$output"; return 1; }
    done
    [ "$(cd "$tree/--out" && echo *)" = "midi_checkpoint.json processing_checkpoint.json text_checkpoint.json" ]
}

@test "STRICT=1: everything else is done, then the run fails" {
    small_dataset 4
    rm "$data"/midi/01-*
    run reprise STRICT=1
    [ "$status" -ne 0 ]
    [[ $output == *"STRICT=1: 1 quarantined"* ]]
    check 'assert len(items) == 3'
    run reprise STRICT=1 # still so when there is nothing else to do
    [ "$status" -ne 0 ]
    run reprise
    [ "$status" -eq 0 ]
}
