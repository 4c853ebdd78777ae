#!/usr/bin/env bats
# Malformed INPUT: non-zero exit with file, position and reason; the earlier output stays untouched.

load dataset

setup() {
    small_dataset 3
    reprise >/dev/null 2>&1
    (cd "$out" && sha256sum processed_data.json errors.jsonl processing_stats.json .record) >"$BATS_TEST_TMPDIR/before"
}

# refused PATTERN: INPUT comes from standard input.
refused() {
    cat >"$data/pairs.json"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"plan: $data/pairs.json: "*$1* ]] || { echo "$output"; return 1; }
    [ "${#lines[@]}" -eq 2 ] && [[ ${lines[1]} == *"nothing was done."* ]] || { echo "$output"; return 1; }
    (cd "$out" && sha256sum -c --quiet "$BATS_TEST_TMPDIR/before")
}

@test "bad JSON is refused with line, column and reason" {
    printf '[\n{"midi_file": "a.mi' | refused 'line 2, column 20: the file ends inside a string'
    printf '[{"midi_file":"a","text":"b"},]' | refused "line 1, column 31: ']' where a value should stand"
    printf '[{"midi_file":"a","text":"b"} {}]' | refused "line 1, column 31: '{' where ']' should stand"
    printf '[{"midi_file":"a","text":"b",}]' | refused "line 1, column 30: '}' where a key (a string) should stand"
    printf '[{"midi_file":"a","text":"tab\there"}]' | refused 'control character inside a string'
    printf '[{"midi_file":"a","text":"b","x":01}]' | refused 'a number must not begin with 0'
    printf '[{"midi_file":"a","text":"b","x":NaN}]' | refused 'NaN and Infinity are not JSON'
    printf '[{"midi_file":"a","text":"\\q"}]' | refused 'an escape'
    printf '[]\n[]' | refused 'line 2, column 1: something follows after the end of the pairs'
    printf '%0600d' 0 | tr 0 '[' | refused 'nested more than 512 deep'
    printf '' | refused 'the file is empty'
    printf 'midi,text\na.mid,hello' | refused 'line 1, column 1: neither a JSON list, nor an object, nor JSON lines'
}

@test "wrong types are refused with the pair's number" {
    printf '[{"midi_file":"a","text":"b"},\n7]' | refused 'line 2: pair 2: a pair must be an object'
    printf '[{"midi_file":5,"text":"b"}]' | refused 'line 1: pair 1: "midi_file" must be a string'
    printf '[{"midi_file":"a","text_description":null}]' | refused 'pair 1: "text_description" must be a string'
    printf '[{"midi_file":"a","text_file":[]}]' | refused 'pair 1: "text_file" must be a string'
    printf '{"pairs":5}' | refused '"pairs" must be a list'
}

@test "missing keys are refused, with the key's name" {
    printf '[{"text":"b"}]' | refused 'pair 1: no "midi_file"'
    printf '{"midi_file":"a","text":"b"}\n{"midi_file":"a"}\n' | refused 'line 2: pair 2: no "text_description" and no "text_file"'
    printf '[{"midi_file":"a","text":"b"}]' >"$data/pairs.json"
    run reprise MIDI_FIELD=location
    [ "$status" -ne 0 ]
    [[ $output == *'pair 1: no "location"'* ]]
}

@test "the goals that look, -n and -q end with the same two lines and an error" {
    for goal in status why verify gc partial checkpoint import restart -n -q; do
        echo 7 >"$data/pairs.json"
        run reprise $goal
        [ "$status" -eq 2 ]
        [[ $output == *"plan: $data/pairs.json: line 1, column 1: "*$'\n'*"nothing was done."* ]] || { echo "$output"; return 1; }
        [ "$goal" = restart ] || [ "${#lines[@]}" -eq 2 ]
        (cd "$out" && sha256sum -c --quiet "$BATS_TEST_TMPDIR/before")
    done
}

@test "an INPUT that is missing, unreadable, a folder or a FIFO is named" {
    rm "$data/pairs.json"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"plan: $data/pairs.json: No such file or directory"* ]]
    mkdir "$data/pairs.json"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"not a regular file (a folder)"* ]]
    rmdir "$data/pairs.json"
    mkfifo "$data/pairs.json"
    run timeout 120 make -C "$root" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out"
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    [[ $output == *"not a regular file (a FIFO)"* ]]
    (cd "$out" && sha256sum -c --quiet "$BATS_TEST_TMPDIR/before")
}
