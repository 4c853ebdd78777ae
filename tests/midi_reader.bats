#!/usr/bin/env bats
# The reader gives pedals and pitch bends to the tracks that symusic 0.6.0 gives them to. What is expected here is what symusic said of the same bytes;
# make parity compares the two on mutated files.

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    midi_dump=$root/build/${BUILD:-release}/tests/midi_dump
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck source=fixtures/midi2tok/files.bash
    . "$root/tests/fixtures/midi2tok/files.bash"
    first='00 903c40 60 803c00' fourth='00 933c40 60 833c00'
}

# gives TRACK-HEX LINE…: of such a file tracks, pedals and bends are these lines.
gives() {
    bytes "$(midi 1 0060 "$1")" >file.mid
    "$midi_dump" file.mid | grep -E '^(track|pedal|bend) ' >dump || true
    printf '%s\n' "${@:2}" | diff - dump
}

@test "a pedal is down from 64 on, and belongs to the track in which it is lifted" {
    gives "$first 10 b0407f 10 b04040 20 b0403f 10 b04000" 'track channel 0 program 0 notes 1' 'pedal 112 48'
    gives "$first 10 b0407f 00 b04000 10 b0407f 10 b04000" 'track channel 0 program 0 notes 1' 'pedal 112 0' 'pedal 128 16'
    gives "$first 10 b0407f" 'track channel 0 program 0 notes 1'
    gives "$first 10 b0407f 00 c005 10 b04000 $first" 'track channel 0 program 0 notes 1' 'track channel 0 program 5 notes 1' 'pedal 112 16'
}

@test "what comes before a channel's first note belongs to the track that the channel makes next" {
    gives "00 b0407f $first 00 c005 10 b04000 10 e00040 00 c006 $first" \
        'track channel 0 program 0 notes 1' 'track channel 0 program 6 notes 1' 'pedal 0 112' 'bend 128 0'
    gives "10 e00040 10 b0407f 10 b04000 $fourth" "track channel 3 program 0 notes 1"
}

@test "in each chunk the pedals of all channels but the first count as pressed from the beginning, symusic's fault" {
    gives "10 b04000 $first" 'track channel 0 program 0 notes 1'
    gives "10 b34000 $fourth" 'track channel 3 program 0 notes 1' 'pedal 0 16'
    gives "$fourth 10 b34040 20 b34000 10 b34040 10 b34000" 'track channel 3 program 0 notes 1' 'pedal 0 144' 'pedal 160 16'
}

@test "pitch bends in file order, from -8192 to 8191; a low byte above 127 is no fault" {
    gives "10 e00041 00 e00040 00 e00000 $first 00 e07f7f 00 e08001" \
        'track channel 0 program 0 notes 1' 'bend 16 128' 'bend 16 0' 'bend 16 -8192' 'bend 112 8191' 'bend 112 -8064'
}
