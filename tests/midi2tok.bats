#!/usr/bin/env bats
# midi2tok gives MidiTok's ids for every Standard MIDI File, names what is wrong with any other, and in a shard no item moves its neighbours.

bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    midi2tok=$root/build/${BUILD:-release}/midi2tok
    plan=$root/build/${BUILD:-release}/plan
    golden=$root/tests/fixtures/midi2tok
    corpus=$root/../shared/corpus
    unset LOG_LEVEL PROGRESS_FILE
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck source=fixtures/midi2tok/files.bash
    . "$golden/files.bash"
}

# file HEX: the MIDI file under test.
file() {
    bytes "$1" >file.mid
}

# gives GOLDEN: the file under test is tokenized to what MidiTok gave for the golden file of that name.
gives() {
    "$midi2tok" file.mid ids.json
    cmp ids.json "$golden/$1.json"
    "$midi2tok" --no-programs file.mid ids.json
    cmp ids.json "$golden/$1.tracks.json"
}

# refused REASON: one line with this reason, exit status 1, no output.
refused() {
    rm -f ids.json
    run -1 --separate-stderr "$midi2tok" file.mid ids.json
    [ -z "$output" ]
    # shellcheck disable=SC2154 # bats sets stderr
    [ "$stderr" = "midi2tok: file.mid: not tokenized: $1" ] || { echo "$stderr"; return 1; }
    [ ! -e ids.json ]
}

# list PATH…: plan's list of these files, as one shard, in shard.midi.
list() {
    local number=0
    for path in "$@"; do
        printf '{"midi_file":"%s","text":"Text %d."}\n' "$path" $((number++))
    done >pairs.jsonl
    LOG_LEVEL=error "$plan" --tok "$midi2tok" --emb "$midi2tok" --piece "$midi2tok" pairs.jsonl work
    cp work/plan/*.midi shard.midi
}

# header SHARD: the safetensors header; records SHARD: the record of each item, a line each, as plain JSON.
header() {
    tail -c +9 "$1" | head -c "$(od -An -tu8 -N8 "$1")"
}
records() {
    header "$1" | grep -o '"items":"\[.*\]"' | sed 's/^"items":"\[//; s/\]"$//; s/},\\n{/},\n{/g; s/\\"/"/g; s/\\\\/\\/g' | sed 's/,$//'
}

# numbers SHARD TENSOR: its values, comma-separated.
numbers() {
    local type=d4 begin end
    read -r begin end < <(header "$1" | sed -E "s/.*\"$2\":\\{[^}]*\"data_offsets\":\\[([0-9]+),([0-9]+)\\].*/\\1 \\2/")
    [ "$2" = ids ] || type=d8
    begin=$((begin + 8 + $(od -An -tu8 -N8 "$1"))) end=$((end + 8 + $(od -An -tu8 -N8 "$1")))
    od -An -v -w$((end - begin + 8)) "-t$type" -j "$begin" -N $((end - begin)) "$1" | sed -E 's/^ +//; s/ +/, /g'
}

# -- tokens --

@test "ids and token files are MidiTok's, byte for byte, with programs and without" {
    mkdir golden
    write_golden_files golden
    for path in golden/*.mid; do
        cp "$path" file.mid
        gives "$(basename "$path" .mid)"
    done
}

@test "running status goes on across meta and system events" {
    file "$(midi 0 0060 '00 903c40 60 3c00 00 ff0103616263 00 3e01 00 f00301f702 60 3e00 00 f6 00 f8 00 407f 60 4000 00 f2 1234 00 4142 60 4100
        00 3c50 00 4050 00 4350 8300 3c00 00 4000 00 4300')"
    gives melody
}

@test "F0 and F7 events are skipped by their length" {
    file "$(midi 0 0060 "00 f705 904080f02f 00 f000 00 f78148 $(printf '90%.0s' {1..200}) 00 f700 $melody")"
    gives melody
}

@test "a quantity may have four bytes, not five" {
    file "$(midi 0 0060 "80808000 ff0100 $melody")"
    gives melody
    file "$(midi 0 0060 "00 ff01 80808000 $melody")"
    gives melody
    file "$(midi 0 0060 "8080808000 ff0100 $melody")"
    refused "byte 22: a variable-length quantity has more than 4 bytes"
}

@test "RMID wrappers, longer headers and unknown chunks are stepped through" {
    plain=$(midi 0 0060 "$melody")
    file "52494646 ffff0000 524d4944 4c495354 03000000 41424300 64617461 46000000 $plain 44495350 02000000 6162"
    gives melody
    file "4d546864 00000009 0000 0001 0060 aabbcc ${plain:28}"
    gives melody
    file "${plain:0:28} $(chunk 58464948 0102030405) ${plain:28}"
    gives melody
    file "52494646 ffff0000 524d4944 4c495354 04000000 41424344"
    refused "a RIFF RMID file without a data chunk"
}

@test "what follows the last track is ignored, and fewer tracks than announced are enough" {
    plain=$(midi 0 0060 "$melody")
    file "$plain 0000 4d54726b 00"
    gives melody
    file "${plain:0:20} 0005 ${plain:24} 1a"
    gives melody
    file "${plain:0:20} 0003 ${plain:24} $(chunk 58464948 01)"
    gives melody
}

@test "a missing end-of-track event and tracks of no bytes are accepted, events behind an end of track are not read" {
    file "4d546864 00000006 0001 0003 0060 $(chunk 4d54726b '') $(chunk 4d54726b "$melody") $(chunk 4d54726b '')"
    gives melody
    file "$(midi 0 0060 "$melody 00ff2f00 0090ffff")"
    gives melody
}

@test "tempos, time and key signatures that mean nothing are left out, and the tokens are those of the file without them" {
    local options=(--tokenizer TSD --set use_tempos=true --set use_key_signatures=true)
    file "$(midi 0 0060 "00 ff590202ff $melody")" # as in a published file; MidiTok fails on it
    "$midi2tok" "${options[@]}" file.mid ids.json
    file "$(midi 0 0060 "$melody")"
    "$midi2tok" "${options[@]}" file.mid without.json
    cmp ids.json without.json
    for event in 510105 5103000000 580104 58040002180a 58040408180a 590102 59020800 5902f801 59020002; do
        file "$(midi 0 0060 "00 ff$event $melody")"
        "$midi2tok" "${options[@]}" file.mid ids.json
        cmp ids.json without.json || { echo "$event"; return 1; }
    done
    for event in 5103050000 580403021808 59020200 59020201 5902f901; do # (these mean something)
        file "$(midi 0 0060 "00 ff$event $melody")"
        "$midi2tok" "${options[@]}" file.mid ids.json
        run ! cmp -s ids.json without.json
    done
}

@test "SMPTE division: a quarter note is half a second, and tempos change no time" {
    bytes "$(midi 0 01f4 "$melody")" >beats.mid
    bytes "$(midi 0 e728 "00 ff510307a121 $melody")" >smpte.mid # 25 frames of 40 ticks
    "$midi2tok" beats.mid beats.json
    "$midi2tok" smpte.mid smpte.json
    cmp beats.json smpte.json
    list beats.mid smpte.mid
    "$midi2tok" shard.midi shard.tok
    [ "$(records shard.tok | grep -c '"duration":0.768,')" = 2 ] # 768 ticks of a thousandth of a second
    file "$(midi 0 e828 "$melody")"
    "$midi2tok" file.mid ids.json
    file "$(midi 0 8001 "$melody")"
    refused "byte 12: an SMPTE division of neither 24, 25, 29 nor 30 frames, or of no ticks per frame"
    file "$(midi 0 e700 "$melody")"
    refused "byte 12: an SMPTE division of neither 24, 25, 29 nor 30 frames, or of no ticks per frame"
}

# -- files that cannot be tokenized --

@test "data bytes above 127 are refused with their place" {
    file "$(midi 0 0060 '00 908040')"
    refused "byte 24: a note's pitch or velocity is above 127"
    file "$(midi 0 0060 '00 803cff')"
    refused "byte 24: a note's pitch or velocity is above 127"
    file "$(midi 0 0060 '00 b00780')"
    refused "byte 24: a controller's number or value is above 127"
    file "$(midi 0 0060 '00 c080')"
    refused "byte 24: a program number is above 127"
    file "$(midi 0 0060 '00 e00080')"
    refused "byte 24: a pitch bend is above its range"
    file "$(midi 0 0060 '00 f4')"
    refused "byte 23: an undefined status byte"
    file "$(midi 0 0060 '00 3c40')"
    refused "byte 23: a data byte stands where an event must begin"
}

@test "headers that make no sense are refused" {
    file ""
    refused "an empty file"
    file "00"
    refused "not a MIDI file (it does not begin with MThd)"
    file "$(midi 3 0060 "$melody")"
    refused "byte 8: the format is not 0, 1 or 2"
    file "$(midi 0 0000 "$melody")"
    refused "byte 12: the division is 0 ticks per quarter note"
    file "4d546864 00000005 0000 0001 00600000"
    refused "byte 4: the header's length is below 6 or beyond the file"
    file "4d546864 ffffffff 0000 0001 00600000"
    refused "byte 4: the header's length is below 6 or beyond the file"
}

@test "a file cut anywhere is refused, with the byte where the fault stands" {
    bytes "$(midi 0 0060 "$conductor $piano_one")" >whole.mid
    size=$(wc -c <whole.mid)
    for ((cut = 1; cut < size; cut++)); do
        [ "$cut" != 14 ] || continue # a header, and no track: a whole file of less than it announces
        head -c "$cut" whole.mid >file.mid
        run -1 --separate-stderr "$midi2tok" file.mid ids.json
        case $cut in
        [123]) [[ $stderr == *"not a MIDI file"* ]] ;;
        ? | 1[0-3]) [[ $stderr == *"byte 0: the file ends inside its header: it is truncated" ]] ;;
        1? | 2[01]) [[ $stderr == *"byte 14: the file ends inside a track's header: it is truncated" ]] ;;
        *) [[ $stderr == *"byte 14: the file is truncated: a chunk of $((size - 22)) bytes begins here, $((cut - 22)) are left" ]] ;;
        esac || { echo "$cut: $stderr"; return 1; }
    done
}

@test "a track that ends inside an event is refused" {
    for tail in '00 9040' '00' '81' '00 ff' '00 ff01' '00 ff0105 6162' '00 f002 01' '00 f1' '00 c0'; do
        bytes "4d546864 00000006 0000 0001 0060 $(chunk 4d54726b "$melody $tail")" >file.mid
        run -1 --separate-stderr "$midi2tok" file.mid ids.json
        [[ $stderr =~ byte\ [0-9]+:\ (the\ track\ ends\ inside|an\ event\'s\ length\ reaches\ beyond) ]] || { echo "$tail: $stderr"; return 1; }
    done
}

@test "absurd times are refused, not filled with bars" {
    gap='ffffff7f 903c40 00 3c00'
    file "$(midi 0 0060 "$gap $gap $gap $gap $gap $gap $gap $gap ffffff7f 3c40")"
    refused "byte 102: the time is beyond 2147483647 ticks"
    file "$(midi 0 0001 "$gap")"
    refused "a note lies too far behind the beginning"
    file "$(midi 0 0008 "$gap")"
    refused "the music is spread over too many empty bars"
    file "$(midi 0 0001 "$melody ffffff7f ff5804 03021808")"
    refused "a time signature lies too far behind the beginning"
}

@test "what is no file is refused, and an earlier output stays" {
    echo earlier >ids.json
    for path in missing.mid . /dev/null; do
        run -1 --separate-stderr "$midi2tok" "$path" ids.json
        [[ $stderr == "midi2tok: $path: not tokenized: "* ]]
    done
    [ "$(cat ids.json)" = earlier ]
    file "$(midi 0 0060 "$melody")"
    run -1 --separate-stderr "$midi2tok" file.mid /dev/null/ids.json
    [[ $stderr == "midi2tok: /dev/null/ids.json: "* ]]
    [ "$(find . -name '.reprise-*')" = "" ]
}

# -- the program --

@test "wrong usage is named, exit status 2" {
    wrong() {
        run -2 --separate-stderr "$midi2tok" "${@:2}"
        [ "$stderr" = "midi2tok: $1; see midi2tok --help" ] || { echo "$stderr"; return 1; }
    }
    wrong "IN and OUT are needed"
    wrong "IN and OUT are needed" file.mid
    wrong "IN and OUT are needed" file.mid ids.json more
    wrong "OUT is a file; nothing is written to the terminal" file.mid -
    wrong "TOKENIZER=remi: unknown; accepted: REMI REMIPlus TSD MIDILike Structured CPWord Octuple MuMIDI MMM PerTok AMT" --tokenizer remi file.mid ids.json
    wrong "BATCH_SIZE=0: a whole number from 1 to 1048576 is needed" --batch-size 0 file.mid ids.json
    run -2 "$midi2tok" --unknown file.mid ids.json
    LOG_LEVEL=loud run -2 "$midi2tok" file.mid ids.json
}

@test "--help and --version answer; a signature is the hash of what decides the output, and of nothing else" {
    run -0 "$midi2tok" --help
    [[ $output == "usage: midi2tok [options] IN OUT"* ]]
    run -0 "$midi2tok" --version
    [[ $output == "midi2tok (Reprise) "* ]]
    run -0 "$midi2tok" --signature
    [[ $output =~ ^[0-9a-f]{32}$ ]]
    signature=$output
    [ "$("$midi2tok" --signature --tokenizer REMI --batch-size 7)" = "$signature" ]
    [ "$("$midi2tok" --no-programs --signature)" != "$signature" ]
}

# -- shards --

@test "a shard holds each file's ids and record in order; broken and missing files keep their place and shift nobody" {
    mkdir golden
    write_golden_files golden
    bytes "$(midi 0 0060 "$melody" | head -c 100)" >broken.mid
    bytes "$(midi 0 0060 "$conductor")" >empty.mid
    list golden/melody.mid broken.mid golden/mixed.mid missing.mid empty.mid golden/silent.mid golden/lyric.mid
    run -0 --separate-stderr "$midi2tok" --batch-size 4 shard.midi shard.tok
    [ "${#stderr_lines[@]}" = 4 ]
    [[ ${stderr_lines[0]} == *"broken.mid: not tokenized: byte 14: the file is truncated"* ]]
    [[ ${stderr_lines[1]} == *"missing.mid: not tokenized: No such file or directory" ]]
    [[ ${stderr_lines[2]} == *"empty.mid: not tokenized: no notes" ]]
    [[ ${stderr_lines[3]} == *"silent.mid: not tokenized: no notes from pitch 21 to 109 (drums: 27 to 88)" ]]

    counts=() ids=
    for name in melody - mixed - - - lyric; do
        if [ $name = - ]; then
            counts+=(0)
        else
            flat=$(sed 's/{"ids": \[//; s/\], .*//' "$golden/$name.json")
            counts+=("$(wc -w <<<"$flat")")
            ids+=${ids:+, }$flat
        fi
    done
    offsets=0 sum=0
    for count in "${counts[@]}"; do
        offsets+=", $((sum += count))"
    done
    [ "$(numbers shard.tok ids)" = "$ids" ]
    [ "$(numbers shard.tok offsets)" = "$offsets" ]

    [ "$(records shard.tok | wc -l)" = 7 ]
    diff <(records shard.tok | grep -o '^{"key":"[0-9a-f]*"') <(grep -o '^\["[0-9a-f]*"' shard.midi | sed 's/\[/{"key":/')
    records shard.tok | sed -n 1p | grep -qF ',"duration":4,"tempo":120,"instruments":[0],"notes":7,"time_signature":"4/4","mean_tempo":120,'
    records shard.tok | sed -n 3p | grep -qF '"tempo":120,"instruments":[-1,0,44,48],"notes":21,"time_signature":"4/4","title":"Piece",'
    records shard.tok | sed -n 5p | grep -qF ',"error":"no notes"}'
    header shard.tok | grep -qF "\"signature\":\"$("$midi2tok" --signature)\""
    header shard.tok | grep -qF '"format":"reprise tok 1"'
}

@test "without programs a shard says where each track's list begins" {
    mkdir golden
    write_golden_files golden
    list golden/lyric.mid missing.mid golden/silent.mid golden/mixed.mid
    LOG_LEVEL=error "$midi2tok" --no-programs shard.midi shard.tok
    [ "$(numbers shard.tok item_sequences)" = "0, 1, 1, 1, 6" ]
    [ "$(numbers shard.tok offsets)" = "0, 12, 12, 12, 156" ]
    [ "$(numbers shard.tok sequence_offsets)" = "0, 12, 62, 100, 116, 132, 156" ]
    lists=$(sed 's/{"ids": \[\[//; s/\]\], .*//; s/\], \[/, /g' "$golden/lyric.tracks.json" "$golden/mixed.tracks.json" | paste -sd, | sed 's/,/, /g; s/  / /g')
    [ "$(numbers shard.tok ids)" = "$lists" ]
}

@test "the same list gives the same bytes, and an empty list an empty shard" {
    mkdir golden
    write_golden_files golden
    list golden/*.mid
    "$midi2tok" shard.midi one.tok
    "$midi2tok" --batch-size 1 shard.midi two.tok
    cmp one.tok two.tok
    : >shard.midi
    "$midi2tok" shard.midi none.tok
    [ "$(numbers none.tok offsets)" = 0 ]
    [ "$(records none.tok)" = "" ]
}

@test "a file that changed since the plan fails the shard, after all others were looked at" {
    mkdir golden
    write_golden_files golden
    list golden/*.mid
    echo more >>golden/eighths.mid
    rm golden/lyric.mid
    LOG_LEVEL=error run -1 --separate-stderr "$midi2tok" shard.midi shard.tok
    [ "${#stderr_lines[@]}" = 2 ]
    [[ ${stderr_lines[0]} == *"golden/eighths.mid: changed during the run; run make again" ]]
    [[ ${stderr_lines[1]} == *"golden/lyric.mid: changed during the run: No such file or directory; run make again" ]]
    [ ! -e shard.tok ]
}

@test "items that a finished shard holds are copied, with the same bytes as if computed; others are not" {
    mkdir golden
    write_golden_files golden
    list golden/*.mid
    for options in "" --no-programs; do
        # shellcheck disable=SC2086
        LOG_LEVEL=error "$midi2tok" $options shard.midi whole.tok
        { sed -n 2,4p shard.midi; sed -n 1p shard.midi; } >part.midi
        # shellcheck disable=SC2086
        "$midi2tok" $options part.midi part.tok
        echo garbage >damaged.tok
        printf '%s\n' missing.tok damaged.tok part.tok >shards
        # shellcheck disable=SC2086
        LOG_LEVEL=critical "$midi2tok" $options --reuse shards shard.midi again.tok
        cmp whole.tok again.tok
    done
    # The first four files need not even be there; the others must be.
    sed -n 1,4p shard.midi >first.midi
    "$midi2tok" --no-programs --reuse shards first.midi one.tok
    rm golden/*.mid
    "$midi2tok" --no-programs --reuse shards first.midi two.tok
    cmp one.tok two.tok
    run -1 "$midi2tok" --no-programs --reuse shards shard.midi again.tok
    # Made with other settings: nothing is copied.
    run -1 "$midi2tok" --reuse shards first.midi three.tok
}

@test "a shard list that is damaged is refused" {
    echo '["00","file.mid"]' >shard.midi
    run -1 --separate-stderr "$midi2tok" shard.midi shard.tok
    [[ $stderr == "midi2tok: shard.midi: "* ]]
    [ ! -e shard.tok ]
}

@test "metadata: duration through the tempo map, first tempo, drums as -1, a title in Latin-1" {
    # 1 quarter at 120, 2 at 60, then half a quarter at 240 of a note that began before; silence follows.
    bytes "$(midi 1 0060 '00 ff030443616ee9 60 ff51030f4240 8140 ff510303d090 9c00 ff0100' '00 c501 00 953c40 8250 853c00 00 9930 40 10 893000')" >timed.mid
    bytes "$(midi 1 0060 "60 ff5103000000 00 ff5102 0102 00 ff5103 0a2c2a 00 ff5801 03 00 ff5804 03081808 00 ff5804 05031808 $melody")" >late.mid
    list timed.mid late.mid
    "$midi2tok" shard.midi shard.tok
    records shard.tok | sed -n 1p | grep -qF '"duration":2.6666'
    records shard.tok | sed -n 1p | grep -qF '"tempo":60,"instruments":[-1,1],"notes":2,"time_signature":"4/4","title":"Cané",'
    records shard.tok | sed -n 2p | grep -qF '"tempo":90'
    records shard.tok | sed -n 2p | grep -qF '"time_signature":"5/8",'
}

@test "metadata: a text is cut only where more than white space and control characters are lost" {
    local long
    long=$(printf '61%.0s' {1..256})
    bytes "$(midi 1 0060 "00 ff038203${long}200d00 00 ff068201${long}20 00 ff018202${long}0062 00 ff028201${long}63 $melody")" >padded.mid
    list padded.mid
    "$midi2tok" shard.midi shard.tok
    records shard.tok | grep -qF '"cut":["texts","copyrights"]'
}

# -- real files --

@test "the corpus: every valid file is tokenized, conformance and broken files are accepted or refused as they should be" {
    [ -d "$corpus/valid" ] || skip "the corpus is not here"
    tokenized() { # FOLDER: how many of its files are tokenized
        find "$corpus/$1" -type f | LC_ALL=C sort | sed 's/.*/"&"/; s/"\(.*\)"/{"midi_file":"\1","text":"t"}/' >pairs.jsonl
        rm -rf work
        LOG_LEVEL=error "$plan" --tok "$midi2tok" --emb "$midi2tok" --piece "$midi2tok" --batch-size 1000 pairs.jsonl work
        for options in "" --no-programs; do
            # shellcheck disable=SC2086
            LOG_LEVEL=error "$midi2tok" $options work/plan/*.midi corpus.tok
        done
        echo "$(records corpus.tok | wc -l) $(records corpus.tok | grep -c '"error":')"
    }
    [ "$(tokenized valid)" = "236 1" ]
    [ "$(records corpus.tok | grep -cF '"error":"no notes from pitch 21 to 109 (drums: 27 to 88)"')" = 1 ]
    [ "$(tokenized conformance)" = "72 20" ]
    [ "$(records corpus.tok | grep -cF '"error":"no notes"')" = 12 ]
    # Of the broken ones symusic reads 7; 5 of those have no notes. The RMID file is sound, and symusic reads no RMID.
    [ "$(tokenized broken)" = "12 9" ]
    [ "$(records corpus.tok | grep -cF '"error":"no notes"')" = 5 ]
}
