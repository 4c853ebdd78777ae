#!/usr/bin/env bats
# Building: both compilers accept every file without a warning (warnings are errors), flags are tracked, build modes never mix.

load dataset

build() {
    # (CUDA's compiler has warnings of its own, which are errors in every build; it takes a minute.)
    make -C "$root" --no-print-directory -j2 NVCC= B="$BATS_TEST_TMPDIR/build" "$@"
}

@test "gcc and clang build every program and test program without warnings" {
    run build CC=gcc BUILD=debug programs test-programs
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output != *warning* ]]
    run build CC=clang BUILD=debug programs test-programs
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output != *warning* ]]
}

@test "other flags rebuild what they touch, the same flags nothing" {
    build BUILD=debug "$BATS_TEST_TMPDIR/build/combine" >/dev/null
    run build BUILD=debug "$BATS_TEST_TMPDIR/build/combine"
    [[ $output != *CC* ]]
    run build BUILD=debug CFLAGS=-DANOTHER_FLAG "$BATS_TEST_TMPDIR/build/combine"
    [[ $output == *"CC "*tools/combine.c* ]]
}

@test "scripts are clean (shellcheck)" {
    command -v shellcheck >/dev/null || skip "shellcheck is not installed"
    cd "$root"
    mapfile -t scripts < <(git ls-files | xargs grep -lE '^#!/usr/bin/env bash')
    [ ${#scripts[@]} -ge 8 ]
    shellcheck -x "${scripts[@]}"
}
