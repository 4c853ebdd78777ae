#!/usr/bin/env bats
# tok2midi makes of tokens the music that MidiTok makes of them, whatever file they come in; nothing is lost on the way, and no ids do harm.

bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    programs=$root/build/${BUILD:-release}
    golden=$root/tests/fixtures/tok2midi
    unset LOG_LEVEL PROGRESS_FILE
    cd "$BATS_TEST_TMPDIR" || return 1
}

# music MIDI: its notes, pedals, bends, tempos and time signatures, sorted; programs before what they play, d for drums; what only repeats is left out.
music() {
    "$programs/tests/midi_dump" "$1" | awk '
        /^format/ { print "division " $4 }
        /^(tempo|time-signature)/ && last[$1] != $3 { print; last[$1] = $3 }
        /^track channel/ { program = $3 == 9 ? "d" : $5 }
        /^note/ { print program " note " $2 " " $3 " " $5 " " $7 }
        /^(pedal|bend)/ { print program " " $0 }' | LC_ALL=C sort
}

# gives MUSIC MIDI: the file holds what the golden text says.
gives() {
    LC_ALL=C sort "$golden/$1.txt" >expected
    music "$2" >found
    diff expected found >differences || { echo "$1"; head -20 differences; return 1; }
}

# decoded NAME OPTION…: the golden tokens of that name give the golden music.
decoded() {
    local name=$1
    shift
    "$programs/tok2midi" "$@" "$golden/$name.json" song.mid
    gives "$name" song.mid
}

# refused REASON OPTION… IN: one line with this reason, exit status 1, no output.
refused() {
    local reason=$1
    shift
    rm -f out.mid
    run -1 --separate-stderr "$programs/tok2midi" "$@" out.mid
    [ -z "$output" ]
    # shellcheck disable=SC2154 # bats sets stderr
    [ "$stderr" = "tok2midi: ${*: -1}: not decoded: $reason" ] || { echo "$stderr"; return 1; }
    [ ! -e out.mid ]
}

@test "tokens of every tokenization give MidiTok's music" {
    local count=0
    while read -r -a setting; do
        # shellcheck disable=SC2154 # read sets setting
        case ${setting[0]} in trained-*) continue ;; esac
        decoded "${setting[@]}"
        count=$((count + 1))
    done <"$golden/settings.txt"
    [ "$count" -ge 25 ]
}

@test "trained models are applied and taken back: BPE, Unigram, WordPiece" {
    for name in trained-bpe trained-unigram trained-wordpiece trained-mmm; do
        "$programs/midi2tok" --config "$golden/$name.tokenizer.json" "$golden/song.mid" ids.json
        grep -q '"ids_encoded": \[\?true' ids.json
        # MidiTok gives the programs apart: only the ids are its own.
        diff <(grep -o '"ids": .*, "ids_encoded"' ids.json) <(grep -o '"ids": .*, "ids_encoded"' "$golden/$name.json") || return 1
        "$programs/tok2midi" --config "$golden/$name.tokenizer.json" ids.json song.mid
        gives "$name" song.mid
    done
}

@test "a trained model is saved with its tokenizer, and decides the signature of shards" {
    "$programs/midi2tok" --config "$golden/trained-bpe.tokenizer.json" --save-config same.json
    cmp same.json "$golden/trained-bpe.tokenizer.json"
    sed 's/"_model": *"[^"]*\(\\.[^"]*\)*"/"other":""/' "$golden/trained-bpe.tokenizer.json" >other.json
    one=$("$programs/midi2tok" --config "$golden/trained-bpe.tokenizer.json" --signature)
    two=$("$programs/midi2tok" --config other.json --signature)
    [ "$one" != "$two" ]
}

@test "the way back and forth again ends at the same ids" {
    for options in "--tokenizer REMI --no-programs" "--tokenizer TSD --no-programs" "--tokenizer CPWord" "--tokenizer Octuple" "--tokenizer MMM" \
        "--config $golden/trained-bpe.tokenizer.json" "--config $golden/trained-unigram.tokenizer.json" "--tokenizer AMT"; do
        # shellcheck disable=SC2086 # several words
        "$programs/midi2tok" $options "$golden/song.mid" first.json && "$programs/tok2midi" $options first.json song.mid &&
            "$programs/midi2tok" $options song.mid second.json
        cmp first.json second.json || { echo "$options"; return 1; }
    done
}

@test "ids come bare, or as an item of a dataset, of lines, or of a shard" {
    ids=$(sed 's/^{"ids": \(.*\), "ids_encoded.*/\1/' "$golden/REMI.json")
    echo "$ids" >bare.json
    printf '[\n{"midi_file":"a.mid","midi_tokens":[4]},\n{"midi_file":"b.mid","midi_tokens":%s}]\n' "$ids" >data.json
    printf '{"midi_tokens":[4]}\n{"midi_tokens":%s}\n' "$ids" >lines.jsonl
    "$programs/tok2midi" bare.json song.mid && gives REMI song.mid
    "$programs/tok2midi" --item 1 data.json song.mid && gives REMI song.mid
    "$programs/tok2midi" --item 1 lines.jsonl song.mid && gives REMI song.mid
    refused "no item 2: it holds 2, counted from 0" --item 2 data.json
    refused "a list of items: which one, from 0, must be said (--item)" data.json
    printf '{"last_processed_idx":0,"processed_data":[{"tokens":[4]}]}' >checkpoint.json
    refused "a list of items: which one, from 0, must be said (--item)" checkpoint.json
    printf '{"midi_file":"%s","text":"A text."}\n' "$golden/none.mid" "$golden/song.mid" >pairs.jsonl
    LOG_LEVEL=critical "$programs/plan" --tok "$programs/midi2tok" --emb "$programs/midi2tok" --piece "$programs/midi2tok" pairs.jsonl work
    cp work/plan/*.midi list.midi
    LOG_LEVEL=critical "$programs/midi2tok" list.midi shard.tok
    "$programs/tok2midi" --item 1 shard.tok song.mid && gives REMI song.mid
    refused "a shard of many items: which one, from 0, must be said (--item)" shard.tok
    run -1 "$programs/tok2midi" --item 0 shard.tok out.mid
    [[ $output == *"item 0 has no tokens: "* ]]
}

@test "with a list a track, each keeps its instrument: in a dataset, a shard and a checkpoint as in a token file" {
    "$programs/midi2tok" --tokenizer REMI --no-programs --save-config tracks.json
    "$programs/midi2tok" --config tracks.json "$golden/song.mid" file.json
    "$programs/tok2midi" --config tracks.json file.json song.mid
    music song.mid >expected
    [ "$(grep -c . expected)" -gt 20 ]
    printf '{"midi_file":"%s","text":"A text."}\n' "$golden/song.mid" >pairs.jsonl
    LOG_LEVEL=critical "$programs/plan" --tok "$programs/midi2tok --config tracks.json" --emb "$programs/midi2tok" --piece "$programs/midi2tok" pairs.jsonl work
    "$programs/midi2tok" --config tracks.json work/plan/*.midi shard.tok
    "$programs/tok2midi" --config tracks.json --item 0 shard.tok song.mid
    music song.mid | cmp - expected
    python3 - file.json <<'END'
import json, sys
file = json.load(open(sys.argv[1]))
json.dump([{"midi_tokens": file["ids"], "midi_metadata": {"notes": 3, "programs": file["programs"]}}], open("data.json", "w"))
record = {"file_path": "a.mid", "tokens": file["ids"], "metadata": {"programs": file["programs"]}}
json.dump({"reprise": {"kind": "midi"}, "processed_data": [{"file_path": "none.mid", "tokens": [[4]]}, record], "total_files": 2}, open("checkpoint.json", "w"), indent=1)
END
    for item in "0 data.json" "1 checkpoint.json"; do
        # shellcheck disable=SC2086 # the number and the file
        "$programs/tok2midi" --config tracks.json --item $item song.mid
        music song.mid | cmp - expected
    done
    refused "no item 2: it holds 2, counted from 0" --config tracks.json --item 2 checkpoint.json
}

@test "a note within another of its pitch keeps both its ends" {
    # Position 0: pitch 60 for a beat; position 2, inside of it: pitch 60 for an eighth of a beat.
    pitch=$((60 - 21 + 5))
    echo "[4, 190, $pitch, 100, 133, 192, $pitch, 101, 126]" >nested.json
    "$programs/tok2midi" --no-programs nested.json song.mid
    [ "$(music song.mid | grep -c ' note ')" -eq 2 ]
    music song.mid | grep -q '^0 note 0 16 60 '
    music song.mid | grep -q '^0 note 4 2 60 '
}

@test "a drum kit and the instruments' names are in the file" {
    "$programs/tok2midi" --no-programs "$golden/REMI-tracks.json" song.mid
    "$programs/tests/midi_dump" song.mid >dump
    grep -q '^track channel 9 program 8 ' dump
    grep -q 'Acoustic Grand Piano$' dump
}

@test "what is no token, or nested in another way, is refused with its place" {
    echo '[4, 190, 9999]' >ids.json
    refused "token 2: the id 9999: the vocabulary has 486" ids.json
    echo '[4, -1]' >ids.json
    refused "token 1: the id -1: the vocabulary has 486" ids.json
    echo '[[4], [4]]' >ids.json
    refused "2 sequences, where this tokenizer makes one of all tracks" ids.json
    echo '[[4, 5]]' >ids.json
    refused "a token of 2 ids, where this tokenizer's have 7" --tokenizer Octuple ids.json
    echo '[4, [5]]' >ids.json
    refused "lists of ids are nested unevenly" ids.json
    echo '[4, 1.5]' >ids.json
    refused "1.5: where a token's id must stand" ids.json
    echo '{"id": [4]}' >ids.json
    refused 'no "ids", "midi_tokens" or "tokens" in it' ids.json
    echo '{"ids": [4], "programs": [[200, false]]}' >ids.json
    refused "200: where a program from -1 to 127 must stand" ids.json
    head -c 50000 /dev/zero | tr '\0' '[' >ids.json
    run -1 "$programs/tok2midi" ids.json out.mid
    [[ $output == *"nested more than 512 deep"* ]]
    refused "No such file or directory" none.json
    [ ! -e out.mid ]
}

@test "ids of any order make music or a reason, and absurd times are refused" {
    # 5 million bars of 4/4, 64 ticks each, go beyond what a delta time holds.
    { printf '[4'; yes ', 4' | head -n 5000000 | tr -d '\n'; printf ']'; } >bars.json
    refused "token 4194304: a time beyond what a MIDI file can hold (268435455 ticks)" bars.json
    awk 'BEGIN { srand(7); printf "[4"; for (i = 0; i < 100000; i++) printf ",%d", rand() * 486; print "]" }' >any.json
    "$programs/tok2midi" any.json song.mid
    "$programs/tests/midi_dump" song.mid >dump
    [ "$(grep -c '^note' dump)" -gt 100 ]
    awk 'BEGIN { srand(8); printf "["; for (i = 0; i < 20000; i++) printf "%s[%d,%d,%d,%d,%d,%d,%d]", i ? "," : "", rand() * 155, rand() * 100, rand() * 64,
        rand() * 36, rand() * 68, rand() * 133, rand() * 13; print "]" }' >rows.json
    "$programs/tok2midi" --tokenizer Octuple rows.json song.mid
    "$programs/tests/midi_dump" song.mid >dump
}

@test "an earlier file stays where decoding fails, and wrong usage is told" {
    echo old >out.mid
    echo '[9999]' >ids.json
    run -1 "$programs/tok2midi" ids.json out.mid
    [ "$(cat out.mid)" = old ]
    run -2 "$programs/tok2midi" ids.json
    [ "$output" = "tok2midi: IN and OUT are needed; see tok2midi --help" ]
    run -2 "$programs/tok2midi" --tokenizer Nothing ids.json out.mid
    run -2 "$programs/tok2midi" --item x ids.json out.mid
    run -0 "$programs/tok2midi" --help
    [[ $output == usage:* ]]
}
