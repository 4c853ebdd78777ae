#!/usr/bin/env bats
# make verify reads everything again and trusts no index: each fault is named, make ends with an error, and the next make mends it. What is sound, passes.

load dataset

setup() {
    small_dataset 16
    edit 'pairs[2]["midi_file"] = "not there.mid"'
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$out/errors.jsonl" "$BATS_TEST_TMPDIR"
}

# One byte of a file made another one, in place; the file keeps its time.
flip() { # FILE [POSITION: the middle]
    python3 - "$@" <<'END'
import os, sys
path = sys.argv[1]
status = os.stat(path)
with open(path, "r+b") as file:
    place = int(sys.argv[2]) if len(sys.argv) > 2 else status.st_size // 2
    file.seek(place)
    byte = file.read(1)
    file.seek(place)
    file.write(bytes([byte[0] ^ 0x20]))
os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
END
}

sums() {
    find "$work" "$out" "$data" -type f ! -path '*/plan/*' -exec sha256sum {} + | sort
}

# verify finds one fault, in this file, with these words.
one_fault() { # FILE WORDS
    run reprise verify
    [ "$status" -ne 0 ]
    [ "$(grep -c "^verify: " <<<"$(grep -v 'the next make puts the outputs together again' <<<"$output")")" = 1 ] || { echo "$1: $output"; return 1; }
    [[ $output == *"verify: $1: "*"$2"* ]] || { echo "$1: $output"; return 1; }
    [[ $output == *", "*": 1 fault"* ]]
}

# The next make mends it, with the same bytes; then verify passes.
is_mended() {
    run reprise V=1
    [ "$status" -eq 0 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/processed_data.json"
    cmp "$out/errors.jsonl" "$BATS_TEST_TMPDIR/errors.jsonl"
    made=$output
    run reprise verify
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    output=$made
}

@test "a sound dataset has no faults, and nothing is changed by looking" {
    sums >"$BATS_TEST_TMPDIR/sums"
    run reprise verify
    [ "$status" -eq 0 ]
    [ "$output" = "verified: 16 MIDI files, 16 texts, 12 shards, 6 pieces, 3 outputs: no faults" ]
    diff "$BATS_TEST_TMPDIR/sums" <(sums)
}

@test "a shard with one bit changed anywhere, cut, emptied, or in the place of another" {
    tok=("$work"/tok/*/*.tok) emb=("$work"/emb/*/*.emb)
    flip "${tok[0]}"
    one_fault "${tok[0]}" damaged
    is_mended
    [ "$(starts midi2tok) $(starts text2emb)" = "1 0" ]
    flip "${emb[0]}" 3 # in its header's length
    one_fault "${emb[0]}" "set aside"
    is_mended
    flip "${emb[1]}" "$(($(stat -c %s "${emb[1]}") - 1))"
    one_fault "${emb[1]}" damaged
    is_mended
    truncate -s -1 "${tok[1]}"
    one_fault "${tok[1]}" "set aside"
    is_mended
    : >"${emb[2]}"
    one_fault "${emb[2]}" "set aside"
    is_mended
    cp "${tok[3]}" "${tok[2]}"
    one_fault "${tok[2]}" misplaced
    is_mended
}

@test "a piece with one bit changed, cut, or in the place of another" {
    pieces=("$work"/pieces/*.piece)
    flip "${pieces[0]}"
    one_fault "${pieces[0]}" damaged
    is_mended
    [ "$(starts midi2tok) $(starts text2emb) $(grep -c '/combine --tok' <<<"$output")" = "0 0 1" ]
    truncate -s 100 "${pieces[1]}"
    one_fault "${pieces[1]}" damaged
    is_mended
    cp "${pieces[2]}" "${pieces[3]}"
    one_fault "${pieces[3]}" misplaced
    is_mended
}

@test "an output with one bit changed, cut, longer, or gone, is named with the place" {
    size=$(stat -c %s "$out/processed_data.json")
    flip "$out/processed_data.json" 5000
    one_fault "$out/processed_data.json" "is not what the finished pieces give, from byte 5001 on"
    is_mended
    truncate -s -1 "$out/processed_data.json"
    one_fault "$out/processed_data.json" "from byte $size on"
    is_mended
    echo >>"$out/errors.jsonl"
    one_fault "$out/errors.jsonl" "is not what the finished pieces give"
    is_mended
    sed -i 's/not there/not hare/' "$out/errors.jsonl"
    one_fault "$out/errors.jsonl" "is not what the finished pieces give"
    is_mended
    sed -i 's/"processed_items": 15/"processed_items": 51/' "$out/processing_stats.json"
    one_fault "$out/processing_stats.json" "does not count the pairs and items that there are"
    is_mended
    echo '{' >"$out/processing_stats.json"
    one_fault "$out/processing_stats.json" ""
    is_mended
    for file in processed_data.json errors.jsonl processing_stats.json; do
        rm "$out/$file"
        one_fault "$out/$file" "No such file"
        is_mended
    done
    echo " " >>"$out/processing_stats.json"
    one_fault "$out" "do not have the sizes that are recorded"
    is_mended
}

@test "a MIDI file that changed behind the index's back is found, and the index that misled it goes" {
    midi=$(echo "$data"/midi/05-*)
    # No plan in between: the lists say what was there before, as an index does on a file system that keeps no good times.
    flip "$midi"
    run "$programs/verify" --output "$out" "$work" "$(head -1 "$out/.record")"
    [ "$status" -ne 0 ]
    [[ $output == *"verify: $midi: its contents are not those that the plan knows; run make"* ]]
    [ -z "$(ls "$work"/plan/*.index 2>/dev/null)" ]
    reprise >/dev/null 2>&1
    run reprise verify
    [ "$status" -eq 0 ]
    # The quarantined one can be read now; one that could be read is gone.
    cp "$midi" "$data/not there.mid"
    rm "$midi"
    run "$programs/verify" --output "$out" "$work" "$(head -1 "$out/.record")"
    [[ $output == *"not there.mid: can be read now; run make"* ]]
    [[ $output == *"$midi: No such file or directory; run make"* ]]
}

@test "several faults at once are all named" {
    tok=("$work"/tok/*/*.tok) pieces=("$work"/pieces/*.piece)
    flip "${tok[0]}"
    flip "${tok[1]}"
    flip "${pieces[5]}"
    flip "$out/processed_data.json" 0
    run reprise verify
    [ "$status" -ne 0 ]
    for file in "${tok[0]}" "${tok[1]}" "${pieces[5]}"; do
        [[ $output == *"verify: $file: "* ]]
    done
    [[ $output == *": 3 faults"* ]]
    is_mended
}

@test "outputs of an earlier state, and none at all, are a fault; after make they are not" {
    edit 'pairs[3]["text_description"] = "Something else."'
    one_fault "$out" "the outputs are those of earlier inputs or settings; run make"
    reprise >/dev/null 2>&1
    reprise verify
    rm -r "$out"
    one_fault "$out" "no outputs are recorded as complete; run make"
    [ ! -e "$out" ]
}

@test "a finished dataset without shards or without any work file is no fault" {
    rm -r "$work/tok" "$work/emb"
    run reprise verify
    [ "$status" -eq 0 ]
    [[ $output == *"not there: 12 shards, 0 pieces; the outputs are complete without them"* ]]
    rm -r "$work"
    run reprise verify
    [ "$status" -eq 0 ]
    [[ $output == *"not there: 12 shards, 6 pieces; the outputs could not be compared with them"* ]]
}

@test "beside a running build verify finds nothing wrong with what is finished" {
    rm -r "$work" "$out"
    reprise -j1 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    make=$!
    for _ in 1 2 3; do
        run reprise verify
        [ "$(grep -c '^verify: ' <<<"$output")" -le 1 ] # the outputs are not made yet
    done
    wait "$make"
    run reprise verify
    [ "$status" -eq 0 ]
}
