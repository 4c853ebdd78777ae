#!/usr/bin/env bats
# Every form of INPUT gives the same dataset; other fields are carried through unchanged.

load dataset

setup() {
    small_dataset 6
    edit 'for i, p in enumerate(pairs): p["id"] = 9007199254740993 + i; p["tags"] = ["a", {"b": 1.50}]'
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

# same_as PYTHON: rewrites INPUT from `pairs` by statements that set `text`, then expects the same output.
same_as() {
    cp "$data/pairs.json" "$BATS_TEST_TMPDIR/pairs.json"
    python3 - "$data/pairs.json" "$1" <<'END'
import json, sys
path, statements = sys.argv[1:]
pairs = json.load(open(path))
exec(statements)
open(path, "w").write(text)
END
    shift
    rm -rf "$out"
    run reprise "$@"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    cp "$BATS_TEST_TMPDIR/pairs.json" "$data/pairs.json"
}

@test "a list, an object with pairs, JSON lines, a byte order mark, escapes" {
    same_as 'text = json.dumps(pairs)'
    same_as 'text = json.dumps({"processing_options": {"pairs_like": [1]}, "pairs": pairs})'
    same_as 'text = json.dumps({"pairs": pairs, "processing_options": {"x": 2}}, indent=3)'
    same_as 'text = "\n".join(json.dumps(p) for p in pairs)'
    same_as 'text = "\n\n".join(json.dumps(p, ensure_ascii=False) for p in pairs) + "\r\n"'
    same_as 'text = "\ufeff" + json.dumps(pairs)'
}

@test "other names of the keys: midi_path and text, or the user's own" {
    same_as 'text = json.dumps([{"midi_path" if k == "midi_file" else "text" if k == "text_description" else k: v for k, v in p.items()} for p in pairs])'
    same_as 'text = json.dumps([{"loc" if k == "midi_file" else "cap" if k == "text_description" else k: v for k, v in p.items()} for p in pairs])' MIDI_FIELD=loc TEXT_FIELD=cap
    same_as 'text = json.dumps([{"$loc" if k == "midi_file" else "cap (en)'"'"'s" if k == "text_description" else k: v for k, v in p.items()} for p in pairs])' 'MIDI_FIELD=$loc' "TEXT_FIELD=cap (en)'s"
}

@test "texts in files of their own" {
    same_as '
for i, p in enumerate(pairs):
    open(f"{path}.{i}.txt", "w").write(p["text_description"] + "\n")
text = json.dumps([{"text_file" if k == "text_description" else k: f"pairs.json.{i}.txt" if k == "text_description" else v for k, v in p.items()} for i, p in enumerate(pairs)])'
    # With what editors on Windows put around them.
    same_as '
for i, p in enumerate(pairs):
    open(f"{path}.{i}.txt", "w").write("\ufeff" + p["text_description"] + "\r\n")
text = json.dumps([{"text_file" if k == "text_description" else k: f"pairs.json.{i}.txt" if k == "text_description" else v for k, v in p.items()} for i, p in enumerate(pairs)])'
}

@test "paths relative to INPUT's folder, to the current folder, and absolute" {
    run python3 - "$BATS_TEST_TMPDIR/reference.json" <<<'import json, sys; assert len(json.load(open(sys.argv[1]))) == 6'
    [ "$status" -eq 0 ]
    edit "pairs[0]['midi_file'] = '$data/' + pairs[0]['midi_file']"
    reprise >/dev/null 2>&1
    check "assert len(items) == 6; assert items[0]['midi_file'].startswith('/'); assert items[0]['midi_metadata']['file_path'] == items[0]['midi_file']"
    # Relative to the current folder, which is the project's when make runs.
    edit "pairs[0]['midi_file'] = 'data/demo/midi/openmsx/chemistry_lab.mid'"
    reprise >/dev/null 2>&1
    check "assert len(items) == 6; assert items[0]['midi_metadata']['file_name'] == 'chemistry_lab.mid'"
}

@test "an output can be the next INPUT: its own results are not carried along" {
    cp "$out/processed_data.json" "$data/pairs.json"
    rm -rf "$out"
    run reprise
    [ "$status" -eq 0 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

@test "an INPUT in whose place the output would go is refused" {
    cp "$out/processed_data.json" "$data"
    run reprise INPUT="$data/processed_data.json" OUTPUT_DIR="$data"
    [ "$status" -eq 2 ]
    [[ $output == *"INPUT=$data/processed_data.json: the output would take its place"* ]]
    cmp "$out/processed_data.json" "$data/processed_data.json"
}

@test "no pairs at all: an empty dataset" {
    echo '[]' >"$data/pairs.json"
    rm -rf "$out"
    run reprise
    [ "$status" -eq 0 ]
    check 'assert items == [] and errors == [] and stats["total_paired_items"] == 0'
}
