#!/usr/bin/env bats
# Every tokenization, with MidiTok's defaults and with any options, gives MidiTok's ids; configurations go to and from MidiTok's tokenizer.json unchanged.

bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    build=$root/build/${BUILD:-release}
    midi2tok=$build/midi2tok
    golden=$root/tests/fixtures/midi2tok
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck source=fixtures/midi2tok/files.bash
    . "$golden/files.bash"
    write_golden_files .
    write_effect_files .
}

@test "token files are MidiTok's, byte for byte, for every tokenization, by default, without programs and with options of all kinds" {
    local tokenizers=0 files=0 wrong=0
    while IFS=$'\t' read -r line hashes; do
        read -ra options <<<"$line"
        "$midi2tok" "${options[@]}" --save-config tokenizer.json
        for hash in $hashes; do
            "$midi2tok" "${options[@]}" "${hash%=*}.mid" ids.json || true
            [ "$(sha256sum <ids.json)" = "${hash#*=}  -" ] || { echo "${hash%=*}: ${line::300}"; wrong=$((wrong + 1)); }
            # The saved configuration says the same.
            "$midi2tok" --config tokenizer.json "${hash%=*}.mid" again.json || true
            cmp ids.json again.json || { echo "saved, ${hash%=*}: ${line::300}"; wrong=$((wrong + 1)); }
            files=$((files + 1))
        done
        tokenizers=$((tokenizers + 1))
    done <"$golden/tokenizations.tsv"
    echo "$files token files of $tokenizers tokenizers, $wrong wrong"
    [ "$tokenizers" -ge 60 ] && [ "$files" -ge 350 ] && [ "$wrong" = 0 ]
}

@test "AMT: the earlier system's 125 ids" {
    "$midi2tok" --tokenizer AMT melody.mid ids.json
    # c4 d4 e4 f4 and a chord; half a second is four shifts.
    [ "$(cat ids.json)" = '{"ids": [43, 108, 43, 124, 124, 124, 124, 45, 92, 45, 124, 124, 124, 124, 47, 123, 47, 124, 124, 124, 124, 48, 108, 48, 124, 124, 124, 124, 43, 112, 43, 47, 112, 47, 50, 112, 50], "ids_encoded": false}' ]
}

@test "AMT: notes that start together are in the order in which the earlier system saw them end, by the first chunk's tempos" {
    # Pitch 38 at 0 and again at 24 ticks, with 47; the first end of 38 ends both. Pitch 60 lasts no time and never was. A tempo in the second chunk counts for nothing.
    printf 'MThd\0\0\0\6\0\1\0\2\0\x60MTrk\0\0\0\x24\0\x90\x26\x50\x18\x90\x26\x50\0\x90\x2f\x50\5\x80\x26\0\x13\x80\x2f\0\0\x80\x26\0\0\x90\x3c\x50\0\x80\x3c\0\0\xff\x2f\0' >ends.mid
    printf 'MTrk\0\0\0\x0b\0\xff\x51\3\x01\x00\x00\0\xff\x2f\0' >>ends.mid
    "$midi2tok" --tokenizer AMT ends.mid ids.json
    [ "$(cat ids.json)" = '{"ids": [21, 112, 21, 124, 21, 112, 21, 30, 112, 30], "ids_encoded": false}' ]
}

@test "several vocabularies: a shard's ids have a column for each, and items are copied from finished shards with them" {
    printf '{"midi_file":"%s","text":"t"}\n' melody.mid effects.mid >pairs.jsonl
    for tokenizer in Octuple CPWord MuMIDI; do
        LOG_LEVEL=error "$build/plan" --tok "$midi2tok" --emb "$midi2tok" --piece "$midi2tok" pairs.jsonl work
        "$midi2tok" --tokenizer $tokenizer work/plan/*.midi $tokenizer.tok
        rows=$(head -c 2000 $tokenizer.tok | grep -ao '"ids":{[^}]*}' | sed 's/.*"shape":\[//; s/\].*//')
        case $tokenizer in Octuple) columns=7 ;; CPWord) columns=7 ;; MuMIDI) columns=5 ;; esac
        [ "${rows#*,}" = "$columns" ]
        echo "$PWD/$tokenizer.tok" >reuse
        "$midi2tok" --tokenizer $tokenizer --reuse reuse work/plan/*.midi copied.tok
        cmp $tokenizer.tok copied.tok
    done
}

@test "what is wrong in a configuration is named, exit status 2" {
    wrong() {
        run -2 --separate-stderr "$midi2tok" "${@:2}" melody.mid ids.json
        # shellcheck disable=SC2154 # bats sets stderr
        [ "$stderr" = "midi2tok: $1; see midi2tok --help" ] || { echo "$stderr"; return 1; }
    }
    wrong "--set num_velocities: a whole number from 1 to 127 is needed" --set num_velocities=0
    wrong "--set velocities: no field of a TokenizerConfig" --set velocities=1
    wrong "--set pitch_range: a list of two pitches from 0 to 127, the lower one first, is needed" --set "pitch_range=[60,20]"
    wrong 'beat_res: the ranges must ascend and not overlap' --set 'beat_res={"0_4":8,"2_12":4}'
    wrong "beat_res_rest: a finer resolution than that of beat_res" --set use_rests=true --set 'beat_res={"0_4":4}'
    wrong "time_signature_range: the denominator 4 is needed" --set 'time_signature_range={"8":[6]}'
    wrong "--set base_tokenizer: one of REMI, TSD, MIDILike is needed" --tokenizer MMM --set base_tokenizer=Octuple
    echo '[1]' >t.json
    wrong "TOKENIZER_CONFIG=t.json: no JSON object" --config t.json
    echo '{"config":{"pitch_ranges":[1,2]},"tokenization":"REMI"}' >t.json
    wrong "TOKENIZER_CONFIG=t.json: pitch_ranges: no field of a TokenizerConfig" --config t.json
    echo '{"config":{},"tokenization":"BEAT"}' >t.json
    wrong "TOKENIZER_CONFIG=t.json: BEAT: unknown; accepted: REMI REMIPlus TSD MIDILike Structured CPWord Octuple MuMIDI MMM PerTok AMT" --config t.json
    echo '{"config":{"use_programs":1},"tokenization":"TSD"}' >t.json
    wrong "TOKENIZER_CONFIG=t.json: use_programs: true or false is needed" --config t.json
    # Of versions before: fields that are missing have their defaults; notes beside the fields are ignored.
    echo '{"config":{"nb_velocities":16,"additional_params":{"remark":"x"}},"tokenization":"TSD","has_bpe":false}' >t.json
    "$midi2tok" --config t.json melody.mid ids.json
    "$midi2tok" --tokenizer TSD --no-programs --set num_velocities=16 melody.mid same.json
    cmp ids.json same.json
}

@test "a bar number or a time signature that the vocabulary lacks quarantines the file, not the run" {
    run -1 --separate-stderr "$midi2tok" --tokenizer REMI --set max_bar_embedding=2 effects.mid ids.json
    [[ $stderr == *"effects.mid: not tokenized: the vocabulary lacks a token for what the file holds" ]]
    "$midi2tok" --tokenizer REMI --set max_bar_embedding=4 melody.mid ids.json
}
