#!/usr/bin/env bats
# Every file of the MIDI conformance suite, and every broken file of the corpus, gives what the specification says: fixtures/conformance.tsv, which was made by a second
# reader written from the specification (parity/spec_reader.py) and looked through by hand.

setup_file() {
    [ -d "$BATS_TEST_DIRNAME/../../shared/corpus/conformance" ] || skip "the corpus (../shared/corpus) is not here"
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    corpus=$root/../shared/corpus
    table=$BATS_TEST_DIRNAME/fixtures/conformance.tsv
    midi_dump=$root/build/${BUILD:-release}/tests/midi_dump
}

# What midi_dump says of a file, in the table's columns behind the name.
row() {
    "$midi_dump" "$@" | awk '
        $1 == "refused" { refused = 1 }
        $1 == "format" { format = $2 }
        $1 == "chunks" { chunks = $2 }
        $1 == "note" { if (notes++ < 8) first = first (first ? " " : "") $2 "+" $3 ":" $5; if ($2 + $3 > last) last = $2 + $3 }
        $1 == "track" && $7 > 0 { plays[$3 == 9 ? "drums" : $5] = 1 }
        $1 == "tempo" { tempos++ }
        $1 == "time-signature" { times++ }
        $1 == "key-signature" { keys++ }
        /^(text|copyright|track-name|instrument-name|lyric|marker|cue-point) / { texts++ }
        END {
            OFS = "\t"
            if (refused) { print "refused"; exit }
            for (program in plays) instruments++
            print "accepted", format, chunks, notes + 0, first ? first : "-", last + 0, instruments + 0, tempos + 0, times + 0, keys + 0, texts + 0
        }'
}

@test "the table has a row for each file, and each file gives what its row says" {
    wrong=0 rows=0
    while IFS=$'\t' read -r file verdict rest; do
        [ "$file" != file ] || continue
        rows=$((rows + 1))
        case $verdict in
        refused:*) expected=refused ;;
        *) expected=$verdict$'\t'$rest ;;
        esac
        given=$(row "$corpus/$file")
        [ "$given" = "$expected" ] || { printf '%s\n  is        %s\n  should be %s\n' "$file" "$given" "$expected"; wrong=$((wrong + 1)); }
    done <"$table"
    [ "$wrong" = 0 ]
    [ "$rows" = "$(find "$corpus/conformance" "$corpus/broken" -type f | wc -l)" ]
    [ "$rows" -ge 84 ]
}

@test "read leniently, an accepted file gives the same and a truncated one its notes before the cut" {
    while IFS=$'\t' read -r file verdict _; do
        [ "$verdict" = accepted ] || continue
        [ "$(row "$corpus/$file")" = "$(row --lenient "$corpus/$file")" ] || { echo "$file"; return 1; }
    done <"$table"
    # The suite's file without its last byte, which is the end of its end-of-track event: the scale is all there.
    cut=$(find "$corpus/conformance" -name '*corrupt-file-missing-byte*')
    "$midi_dump" --lenient "$cut" | grep -q '^damaged byte 14: the file is truncated'
    [ "$("$midi_dump" --lenient "$cut" | grep -c '^note ')" = 8 ]
}
