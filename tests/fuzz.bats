#!/usr/bin/env bats
# What fuzzing has found stays mended: each finding is replayed, under ASan and UBSan where the compiler has them.

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    fixtures=$BATS_TEST_DIRNAME/fixtures/fuzz
}

@test "no target fails on its earlier findings" {
    run make -C "$root" --no-print-directory -j2 BUILD=asan fuzz-replay
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    for program in "$root"/build/asan/fuzz/*; do
        folder=$fixtures/${program##*/}
        [ -d "$folder" ] || continue
        # What is not freed at the end is kept on purpose: it serves the next input.
        run env ASAN_OPTIONS=detect_leaks=0 "$program" "$folder"/*
        [ "$status" -eq 0 ] || { echo "$output" | tail -40; return 1; }
    done
}

@test "every folder of findings is that of a target" {
    for folder in "$fixtures"/*/; do
        [ -f "$root/tests/fuzz/$(basename "$folder").c" ] || { echo "$folder"; return 1; }
        [ -n "$(ls -A "$folder")" ]
    done
}

@test "a target ends after FUZZ_RUNS runs where that is given, else after FUZZ_SECONDS" {
    recipe() { make -C "$root" --no-print-directory -n fuzz-pairs "$@" | grep -- -max_len; }
    [[ $(recipe FUZZ_RUNS=10000000) == *"pairs -runs=10000000 -max_len"* ]]
    [[ $(recipe FUZZ_SECONDS=7) == *"pairs -max_total_time=7 -max_len"* ]]
}
