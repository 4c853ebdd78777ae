#!/usr/bin/env bats
# An unknown value is an error that names the accepted ones; help and README know every variable.

load dataset

refused() {
    run reprise "$@"
    [ "$status" -ne 0 ]
    [ ! -e "$out/processed_data.json" ]
}

@test "unknown values are refused and the accepted ones named" {
    small_dataset 1
    refused TOKENIZER=REMY
    [[ $output == *REMY*REMI* ]]
    refused PRECISION=f8
    [[ $output == *f8*f32* ]]
    refused POOLING=sum
    [[ $output == *sum*cls*mean* ]]
    refused LOG_LEVEL=loud
    [[ $output == *loud*debug*info*warning*error*critical* ]]
    refused BUILD=fast
    [[ $output == *fast*release*debug*asan*tsan* ]]
    refused USE_GPU=yes
    [[ $output == *yes*"0 1"* ]]
    refused BATCH_SIZE=0
    [[ $output == *BATCH_SIZE=0* ]]
    refused CHECKPOINT_INTERVAL=ten
    [[ $output == *CHECKPOINT_INTERVAL=ten* ]]
    for name in "$BATS_TEST_TMPDIR/with space" -w ''; do
        refused WORK_DIR="$name"
        [[ $output == *"WORK_DIR=$name: must be one word"* ]]
    done
    for number in '' 0 -3 many 99999 '4 4'; do
        refused WORKERS="$number"
        [[ $output == *"WORKERS=$number: must be a whole number"* && ${#lines[@]} -eq 1 ]]
    done
    refused PRECISION="f32 bf16"
    [[ $output == *"f32 bf16: unknown"* ]]
    refused TOKENIZER="REMI'x"
    [[ $output == *"TOKENIZER=REMI'x: must not hold a quote"* ]]
    refused MODEL="$BATS_TEST_TMPDIR/none"
    [[ $output == *"$BATS_TEST_TMPDIR/none"*"make setup"* ]]
}

@test "an empty name, as an unset shell variable gives, is refused, by clean too" {
    small_dataset 1
    for name in INPUT OUTPUT_DIR MODEL CACHE_DIR; do
        run make -C "$root" --no-print-directory WORK_DIR="$work" OUTPUT_DIR="$out" "$name=" clean
        [ "$status" -eq 2 ]
        [[ $output == *"$name is empty"* ]]
    done
}

@test "USE_GPU=1 without a GPU: one clear warning, then the CPU" {
    small_dataset 2
    CUDA_VISIBLE_DEVICES='' run reprise USE_GPU=1
    [ "$status" -eq 0 ]
    [ "$(grep -c 'USE_GPU=1' <<<"$output")" = 1 ]
    check 'assert len(items) == 2'
}

@test "settings that change the results change them, and nothing else is made again" {
    small_dataset 3
    reprise >/dev/null 2>&1
    run reprise V=1 POOLING=cls
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" -ge 1 ]
    run reprise V=1
    [ "$(starts text2emb)" = 0 ]
    # LOG_LEVEL, WORKERS and FSYNC change no result.
    run reprise V=1 LOG_LEVEL=debug WORKERS=1 FSYNC=1
    [[ $output == *"Nothing to be done for 'all'"* ]]
}

@test "from prompt to prompt and back: each has its own dataset, whatever stands in it" {
    small_dataset 2
    local -A made
    for prompt in "query: " "it's a \"song\" of \$HOME: " 'passage: ' '' "query: "; do
        reprise PROMPT="$prompt" >/dev/null 2>&1
        sum=$(sha256sum <"$out/processed_data.json")
        [ "${made[=$prompt]:-$sum}" = "$sum" ]
        made[=$prompt]=$sum
    done
    [ "$(printf '%s\n' "${made[@]}" | sort -u | wc -l)" = 4 ]
}

@test "KERNELS in the environment reaches text2emb through make" {
    small_dataset 1
    KERNELS=none run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"KERNELS=none: not an instruction set"* ]]
    KERNELS=plain reprise >/dev/null 2>&1
    check 'assert len(items) == 1'
    # It may decide what a precision means, so the signature is asked for again: these compute bf16 in f32.
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/f32.json"
    PRECISION=bf16 reprise >/dev/null 2>&1
    KERNELS=plain PRECISION=bf16 reprise >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/f32.json"
}

@test "make help and README name every variable and goal" {
    run make -C "$root" --no-print-directory help
    [ "$status" -eq 0 ]
    mapfile -t variables < <(sed -n "/^# ---- the user's variables/,/^# File names/ s/^\([A-Z_]*\) ?\?:\?=.*/\1/p" "$root/Makefile")
    [ "${#variables[@]}" -gt 20 ]
    for name in "${variables[@]}" MIDI_CHECKPOINT TEXT_CHECKPOINT PROCESSING_CHECKPOINT all continue partial checkpoint import status why verify gc cache-gc restart clean \
        distclean setup demo test torture parity bench help; do
        grep -qw -- "$name" <<<"$output" || { echo "help does not name $name"; return 1; }
        grep -q -- "^| .*\`$name\`.*|.*|" "$root/README.md" || { echo "README has no row for $name"; return 1; }
    done
}

@test "every program: --help, --version, wrong usage is exit 2 with one line" {
    for program in plan midi2tok text2emb combine stats; do
        run "$programs/$program" --help
        [ "$status" -eq 0 ] && [[ $output == usage:* ]]
        run "$programs/$program" --version
        [ "$status" -eq 0 ] && [[ $output == "$program (Reprise) "* ]]
        run "$programs/$program"
        [ "$status" -eq 2 ] && [[ ${lines[0]} == "$program: "* ]]
        run "$programs/$program" --no-such-option a b
        [ "$status" -eq 2 ]
    done
    # OUT must be a file, and another one than IN.
    cp "$root/data/demo/midi/openmsx/chemistry_lab.mid" "$BATS_TEST_TMPDIR/a"
    ln "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
    for program in midi2tok tok2midi "text2emb --model $root/data/models/all-MiniLM-L6-v2"; do
        for out in - "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"; do
            # shellcheck disable=SC2086
            run "$programs"/$program "$BATS_TEST_TMPDIR/a" "$out"
            [ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 1 ]
            cmp "$BATS_TEST_TMPDIR/a" "$root/data/demo/midi/openmsx/chemistry_lab.mid"
        done
    done
    for program in midi2tok text2emb combine; do
        run "$programs/$program" --signature
        [ "$program" = text2emb ] || { [ "$status" -eq 0 ] && [[ $output =~ ^[0-9a-f]{32}$ ]]; }
    done
    run "$programs/text2emb" --model "$root/data/models/all-MiniLM-L6-v2" --signature
    [ "$status" -eq 0 ] && [[ $output =~ ^[0-9a-f]{32}$ ]]
}

@test "restart and clean remove what Reprise made, and nothing else" {
    small_dataset 3
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    echo mine >"$out/notes.txt"
    echo mine >"$work/notes.txt"
    run reprise V=1 restart
    [ "$status" -eq 0 ]
    [ "$(starts midi2tok)" -ge 1 ]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    run reprise clean
    [ "$status" -eq 0 ]
    [ "$(ls -A "$out")" = notes.txt ]
    [ "$(ls -A "$work")" = notes.txt ]
}

@test "plain make installs nothing: what is missing is named, with make setup" {
    CC=no-such-compiler run make -C "$root" --no-print-directory B="$BATS_TEST_TMPDIR/build" CC=no-such-compiler programs
    [ "$status" -ne 0 ]
    [[ $output == *"missing: no-such-compiler"*"make setup"* ]]
}
