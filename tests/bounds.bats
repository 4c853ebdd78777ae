#!/usr/bin/env bats
# No file takes more than its share: work grows with a file's size and no faster, whatever there is much of; a file of 1 MB takes at most 64 MB of memory and a
# second of processor time.

bats_require_minimum_version 1.5.0

KINDS="notes tempos signatures keys texts overlaps pedals bends programs endless tracks empty-tracks mixed"

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    build=$root/build/${BUILD:-release}
    unset LOG_LEVEL PROGRESS_FILE
    cd "$BATS_TEST_TMPDIR" || return 1
}

# tokenizations: those that midi2tok has.
tokenizations() {
    for name in REMI REMIPlus TSD MIDILike Structured CPWord Octuple MuMIDI MMM PerTok AMT; do
        ! "$build/midi2tok" --tokenizer $name --signature >/dev/null 2>&1 || echo $name
    done
}

# list FILE…: plan's list of these files, in shard.midi.
list() {
    printf '{"midi_file":"%s","text":"A text."}\n' "$@" >pairs.jsonl
    rm -rf work
    LOG_LEVEL=error "$build/plan" --tok "$build/midi2tok" --emb "$build/midi2tok" --piece "$build/midi2tok" pairs.jsonl work
    cp work/plan/*.midi shard.midi
}

# instructions KIND COUNT [OPTION…]: how many are executed to tokenize such a file into a shard, record included.
instructions() {
    "$build/tests/heavy_midi" "$1" "$2" heavy.mid
    list heavy.mid
    rm -f count.*
    LOG_LEVEL=critical valgrind --tool=callgrind --callgrind-out-file=count.%p "$build/midi2tok" "${@:3}" shard.midi heavy.tok 2>/dev/null
    sed -n 's/^summary: //p' count.* | awk '{ sum += $1 } END { print sum }'
}

# grows KIND COUNT [OPTION…]: twice as much of it takes no more than twice the work, and a bit for the growth of memory.
grows() {
    local one two
    : "${none:=$(instructions notes 1 "${@:3}")}"
    one=$(instructions "$1" "$2" "${@:3}") two=$(instructions "$1" $((2 * $2)) "${@:3}")
    # What is copied when memory grows comes in steps; a quadratic part shows as a factor near 4.
    awk -v none="$none" -v one="$one" -v two="$two" 'BEGIN { exit !(none > 0 && one > none && two - none <= 2.6 * (one - none)) }' ||
        { echo "$*: $none for nothing, $one for $2, $two for twice as many"; return 1; }
}

@test "twice as much of anything takes no more than twice the work" {
    command -v valgrind >/dev/null || skip "valgrind is not installed"
    [ "${BUILD:-release}" = release ] || skip "counted in the release build"
    for kind in $KINDS; do
        grows "$kind" 4000
    done
}

@test "nor in any other tokenization" {
    command -v valgrind >/dev/null || skip "valgrind is not installed"
    [ "${BUILD:-release}" = release ] || skip "counted in the release build"
    for name in $(tokenizations); do
        [ "$name" = REMI ] || grows mixed 3000 --tokenizer "$name"
    done
}

@test "a file of 1 MB takes at most 64 MB, and a second of processor time" {
    [ "${BUILD:-release}" = release ] || skip "measured in the release build"
    for kind in $KINDS bars; do
        case $kind in
        empty-tracks) count=65535 ;;
        tracks) count=52000 ;;
        *) # as many as make 1 MB
            "$build/tests/heavy_midi" "$kind" 10000 heavy.mid
            count=$((10000 * 1000000 / $(wc -c <heavy.mid)))
            ;;
        esac
        "$build/tests/heavy_midi" "$kind" "$count" "$kind.mid"
        [ "$(wc -c <"$kind.mid")" -le 1048576 ]
    done
    for kind in $KINDS bars; do
        list "$kind.mid"
        for name in $(tokenizations); do
            read -r memory time < <(LOG_LEVEL=critical "$build/tests/peak" "$build/midi2tok" --tokenizer "$name" shard.midi heavy.tok)
            [ "$memory" -le 65536 ] || { echo "$name, $kind: $memory KB"; return 1; }
            [ "$time" -le 1000 ] || { echo "$name, $kind: $time ms"; return 1; }
        done
    done
}

@test "100,000 tempos, 1,000,000 notes, 65,535 tracks and 10,000 overlapping notes are tokenized in a second each" {
    [ "${BUILD:-release}" = release ] || skip "measured in the release build"
    "$build/tests/heavy_midi" tempos 100000 tempos.mid
    "$build/tests/heavy_midi" notes 1000000 notes.mid
    "$build/tests/heavy_midi" tracks 65535 tracks.mid
    "$build/tests/heavy_midi" overlaps 10000 overlaps.mid
    list ./*.mid
    run --separate-stderr env ITEM_TIMEOUT=1 "$build/midi2tok" shard.midi heavy.tok
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2154 # bats sets stderr
    [ -z "$stderr" ]
}
