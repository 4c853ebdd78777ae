#!/usr/bin/env bats
# midi2tok takes MIDI in every wrapping by what the bytes are, whatever the file is called: RMID, gzip, ABC; what it cannot take it names; --lenient salvages.

bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    midi2tok=$root/build/${BUILD:-release}/midi2tok
    midi_dump=$root/build/${BUILD:-release}/tests/midi_dump
    plan=$root/build/${BUILD:-release}/plan
    unset LOG_LEVEL PROGRESS_FILE
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck source=fixtures/midi2tok/files.bash
    . "$root/tests/fixtures/midi2tok/files.bash"
    bytes "$(midi 0 0060 "$melody")" >plain.mid
    "$midi2tok" plain.mid plain.json
    # An empty folder with no programs in it, and one with an abc2midi made of a script.
    mkdir empty fake
}

# programs: where midi2tok looks for abc2midi, if not in PATH.

# same FILE: it gives the tokens of plain.mid.
same() {
    rm -f out.json
    env PATH="${programs:-$PATH}" "$midi2tok" "$1" out.json
    cmp out.json plain.json
}

# refused FILE REASON: one line with this reason, no output.
refused() {
    rm -f out.json
    run -1 --separate-stderr env PATH="${programs:-$PATH}" "$midi2tok" "$1" out.json
    # shellcheck disable=SC2154 # bats sets stderr
    [ "$stderr" = "midi2tok: $1: not tokenized: $2" ] || { echo "$stderr"; return 1; }
    [ ! -e out.json ]
}

# record FILE [OPTION…]: the record that a shard of this file has, as plain JSON.
record() {
    printf '{"midi_file":"%s","text":"A text."}\n' "$1" >pairs.jsonl
    rm -rf work
    LOG_LEVEL=error "$plan" --tok "$midi2tok" --emb "$midi2tok" --piece "$midi2tok" pairs.jsonl work
    "$midi2tok" "${@:2}" work/plan/*.midi shard.tok
    tail -c +9 shard.tok | head -c "$(od -An -tu8 -N8 shard.tok)" | grep -o '"items":"\[.*\]"' | sed 's/^"items":"\[//; s/\]"$//; s/\\"/"/g; s/\\\\/\\/g'
}

# -- wrappings --

@test "the name of a file does not matter" {
    for name in song.kar song.rmi song.gz song.abc song.txt 'a name'; do
        cp plain.mid "$name"
        same "$name"
    done
}

@test "gzip data is unpacked: at every level, in several members, with rubbish behind" {
    for level in 1 9; do
        gzip -$level -c plain.mid >packed.mid
        same packed.mid
    done
    { head -c 40 plain.mid | gzip -c; tail -c +41 plain.mid | gzip -c; echo rubbish; } >members.gz
    same members.gz
    bytes "52494646 ffff0000 524d4944 64617461 $(printf '%02x000000' "$(wc -c <plain.mid)")" | cat - plain.mid | gzip -c >wrapped.rmi
    same wrapped.rmi
}

@test "damaged gzip data is refused, and so is a bomb, in little memory" {
    gzip -c plain.mid >whole.gz
    head -c 60 whole.gz >cut.gz
    refused cut.gz "gzip: the data ends early: it is truncated"
    { head -c $(($(wc -c <whole.gz) - 8)) whole.gz; printf 'xxxxxxxx'; } >check.gz
    refused check.gz "gzip: incorrect data check"
    head -c 100000000 /dev/zero | gzip -9 >bomb.gz
    [ "${BUILD:-release}" = asan ] || ulimit -v 65536
    refused bomb.gz "gzip: unpacks to more than $(($(wc -c <bomb.gz) * 100)) bytes: refused, it could be a bomb"
    printf 'not MIDI' | gzip -c >text.gz
    refused text.gz "unpacked: not a MIDI file (it does not begin with MThd)"
}

@test "a packed file has a key of its own, and the record of what it holds" {
    gzip -nc plain.mid >plain.mid.gz
    plain=$(record plain.mid) packed=$(record plain.mid.gz)
    [ "${plain%%,*}" != "${packed%%,*}" ]
    [ "${plain#*,}" = "${packed#*,}" ]
}

# -- ABC --

@test "ABC notation becomes MIDI through abc2midi: the first tune, also packed or with a preamble" {
    command -v abc2midi >/dev/null || skip "abc2midi (package abcmidi) is not installed"
    printf 'X:1\nT:First\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n' >tune.abc
    abc2midi tune.abc -o tune.mid >/dev/null
    "$midi2tok" tune.mid plain.json
    same tune.abc
    gzip -c tune.abc >tune.gz
    same tune.gz
    { printf '\xef\xbb\xbf%%abc-2.1\nA preamble.\n\n'; cat tune.abc; printf '\nX:2\nT:Second\nK:C\nccc|\n'; } >book.abc
    same book.abc
    [[ $(record tune.abc) == *'"notes":8,'*'"title":"First"'* ]]
    [ -z "$(find . /tmp -maxdepth 1 -newer tune.abc -name '*abc2midi*' 2>/dev/null)" ]
}

@test "without abc2midi an ABC file is quarantined with the package's name" {
    printf 'X:1\nK:C\nCDEF|\n' >tune.abc
    programs=$PWD/empty refused tune.abc "ABC notation needs the program abc2midi (Debian package abcmidi), which is not installed"
}

# keys FOLDER: those that plan gives the files when abc2midi is looked for there.
keys() {
    rm -rf work/plan/*.midi
    PATH="$1" LOG_LEVEL=error "$plan" --tok "$midi2tok" --emb "$midi2tok" --piece "$midi2tok" pairs.jsonl work
    cut -d'"' -f2,4 work/plan/*.midi
}

@test "another abc2midi makes the tokens of ABC and gzip data anew, and no others" {
    printf 'X:1\nK:C\nCDEF|\n' >tune.abc
    gzip -c plain.mid >packed.mid
    printf '{"midi_file":"%s","text":"A text."}\n' plain.mid tune.abc packed.mid >pairs.jsonl
    without=$(keys "$PWD/empty")
    [ "$without" = "$(keys "$PWD/empty")" ]
    printf '#!/bin/sh\n' >fake/abc2midi
    chmod +x fake/abc2midi
    with=$(keys "$PWD/fake")
    echo '# another version' >>fake/abc2midi
    newer=$(keys "$PWD/fake")
    for pair in "$without $with" "$without $newer" "$with $newer"; do
        [ "$(comm -12 <(sort <<<"${pair%%" "*}") <(sort <<<"${pair##*" "}"))" = "$(grep plain.mid <<<"$without")" ]
    done
    # What the plan saw is what must be there when the files are read.
    run -1 env PATH="$PWD/empty" LOG_LEVEL=error "$midi2tok" work/plan/*.midi shard.tok
    [[ $output == *"tune.abc: changed during the run; run make again"* ]] && [[ $output != *plain.mid* ]]
    PATH=$PWD/fake LOG_LEVEL=critical "$midi2tok" work/plan/*.midi shard.tok
}

@test "an abc2midi that fails, dies, writes nothing or rubbish costs the file" {
    printf 'X:1\nK:C\nCDEF|\n' >tune.abc
    fails() { # SCRIPT REASON
        printf '#!/bin/sh\n%s\n' "$1" >fake/abc2midi
        chmod +x fake/abc2midi
        programs=$PWD/fake refused tune.abc "$2"
    }
    fails 'exit 3' "ABC: abc2midi failed, exit status 3"
    fails 'echo "Error in line-char 3-1 : Bad"; exit 1' "ABC: abc2midi failed, exit status 1: Error in line-char 3-1 : Bad"
    fails 'kill -SEGV $$' "ABC: abc2midi died of it (Segmentation fault)"
    fails 'exit 0' "ABC: abc2midi made no MIDI of it"
    fails 'echo rubbish >"$3"' "ABC: abc2midi's MIDI: not a MIDI file (it does not begin with MThd)"
    # What it is given is the file, as it is; nothing of the caller's is open, and the caller's input is not read.
    printf '#!/bin/sh\nread -r line && exit 9\n/bin/cat "$1" >"%s/seen"\n/bin/cat "%s/plain.mid" >"$3"\n' "$PWD" "$PWD" >fake/abc2midi
    programs=$PWD/fake same tune.abc <plain.mid
    cmp seen tune.abc
}

@test "ABC that includes a file is refused: a file's tokens depend on its bytes alone" {
    printf '#!/bin/sh\n' >fake/abc2midi
    chmod +x fake/abc2midi
    printf 'X:1\nK:C\n%%%%abc-include /etc/passwd\nCDEF|\n' >tune.abc
    programs=$PWD/fake refused tune.abc "ABC: it includes another file (abc-include)"
}

@test "text that is no ABC is no MIDI file either" {
    printf 'Dear reader,\nX: marks the spot.\n' >letter.txt
    refused letter.txt "not a MIDI file (it does not begin with MThd)"
    printf 'K:C\nX:1\n\0' >zero.abc
    refused zero.abc "not a MIDI file (it does not begin with MThd)"
}

# -- lenient --

@test "--lenient takes the complete events before a cut, wherever it is, and marks the record" {
    bytes "$(midi 0 0060 "$melody")" >whole.mid
    size=$(wc -c <whole.mid)
    before=0
    for ((cut = 23; cut < size; cut++)); do
        head -c "$cut" whole.mid >cut.mid
        "$midi_dump" --lenient cut.mid >dump
        grep -q "^damaged byte 14: the file is truncated" dump
        notes=$(grep -c '^note ' dump || true)
        [ "$notes" -ge "$before" ]
        before=$notes
    done
    [ "$before" = 7 ]
    head -c 40 whole.mid >cut.mid
    run -1 "$midi2tok" cut.mid out.json
    "$midi2tok" --lenient cut.mid out.json
    [[ $(record cut.mid --lenient) == *'"notes":2,'*'"damage":"byte 14: the file is truncated: a chunk of '* ]]
    [[ $(record whole.mid --lenient) != *damage* ]]
}

@test "--lenient goes on with the next track behind a damaged one" {
    bytes "$(midi 1 0060 "00 903c40 60 3c00 00 90ffff 00 3e40 60 3e00" "$melody")" >torn.mid
    run -1 "$midi2tok" torn.mid out.json
    "$midi_dump" --lenient torn.mid >dump
    grep -qx "damaged byte 31: a note's pitch or velocity is above 127" dump
    [ "$(grep -c '^note ' dump)" = 8 ]
    grep -qx 'chunks 2' dump
}

@test "--lenient refuses what holds nothing: no header, no notes before the fault" {
    printf 'MThd' >head.mid
    run -1 "$midi2tok" --lenient head.mid out.json
    bytes "$(midi 0 0060 "00 90ffff")" >none.mid
    run -0 record none.mid --lenient
    [[ $output == *'"error":"no notes before byte 24: a note'\''s pitch or velocity is above 127"'* ]]
    gzip -c plain.mid | head -c 60 >cut.gz
    [[ $(record cut.gz --lenient) == *'"damage":"gzip: the data ends early: it is truncated"'* ]]
}

@test "--lenient is part of the signature, and LENIENT=1 of make's command" {
    [ "$("$midi2tok" --signature)" != "$("$midi2tok" --lenient --signature)" ]
    run make -C "$root" --no-print-directory LENIENT=2 help
    [ "$status" -ne 0 ]
    [[ $output == *"LENIENT=2: unknown; it is one of 0 1"* ]]
}

# -- the record --

@test "the record: tempos, names, polyphony, signatures, texts" {
    bytes "$(midi 1 0060 "00 ff030548656c6c6f 00 ff02024d65 00 ff580403021808 00 ff590201 01 00 ff510307a120 60 ff51030f4240 60 ff590202 00 00 ff06055665727365 00 ff0702676f" \
        "00 ff030150 00 903c40 00 904040 00 994040 60 803c00 00 804000 00 894000 00 c018 00 9040 40 60 8040 00 00 ff0503 4c61e9 00 ff0501 0d 00 ff0502 6c61 00 ff0103 ff41 00")" >rich.mid
    record=$(record rich.mid)
    for member in '"duration":1.5,"tempo":120,"instruments":[-1,0,24],"notes":4,"time_signature":"3/4","title":"Hello"' '"mean_tempo":80,' \
        '"instrument_names":["Drums","Acoustic Grand Piano","Acoustic Guitar (nylon)"],"drums":true,"polyphony":3,' \
        '"time_signatures":[{"time":0,"signature":"3/4"}]' '"key_signatures":[{"time":0,"key":"E minor"},{"time":1.5,"key":"D major"}]' \
        '"track_names":["Hello","P"]' '"lyrics":"Laé\nla"' '"texts":["go","ÿA"]' '"copyrights":["Me"]' '"markers":["Verse"]'; do
        [[ $record == *"$member"* ]] || { echo "$record"; echo "lacks $member"; return 1; }
    done
    [[ $record != *'"cut"'* ]]
}

@test "karaoke files have their lyrics in text events" {
    bytes "$(midi 1 0060 "00 ff010e 404b4d494449204b4152414f4b45 00 ff0106 405453 6f6e67 00 ff0103 5c4f68 00 ff0104 206d7920 00 ff0103 2f6e6f $melody")" >song.kar
    [[ $(record song.kar) == *'"lyrics":"Oh my \nno","texts":["@KMIDI KARAOKE","@TSong"]'* ]] || { record song.kar; return 1; }
}

@test "a record is bounded: long lyrics, texts and lists are cut, and it says which" {
    text=$(printf '61%.0s' {1..120})
    long=$(printf "00 ff0178 $text %.0s" {1..100}) sung=$(printf "00 ff0578 $text %.0s" {1..100})
    names=$(printf '00 ff5902%02x00 ' $(yes '1 2 3' | head -50))
    bytes "$(midi 0 0060 "00 ff018200 $(printf 'c3a9%.0s' {1..128}) 00 ff018300 $(printf 'c3a9%.0s' {1..192}) $long $sung $names $melody")" >long.mid
    record=$(record long.mid)
    [ "${#record}" -lt 30000 ]
    [[ $record == *'"cut":["key_signatures","lyrics","texts"]'* ]]
    lyrics=${record#*'"lyrics":"'} lyrics=${lyrics%%'"'*}
    [ "${#lyrics}" = 8192 ]
    texts=${record#*'"texts":["'} texts=${texts%%']'*}
    [ "$(tr -cd , <<<"$texts" | wc -c)" = 63 ]
    [ "${texts%%'"'*}" = "$(printf 'é%.0s' {1..128})" ]
}
