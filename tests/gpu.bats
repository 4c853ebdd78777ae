#!/usr/bin/env bats
# USE_GPU=1: the embeddings of the CPU, in any company, resumed after any end; without a GPU one warning, then the CPU. There is no GPU here: the kernels' own source and the
# library around them run on the host, with the runtime of tests/shim. `make test-gpu` runs on a device what is skipped here.

bats_require_minimum_version 1.5.0
load dataset

setup_file() {
    # A small model, and texts of words that it knows.
    export models=$BATS_FILE_TMPDIR
    local here=$BATS_TEST_DIRNAME/gpu
    python3 "$here/make_model.py" tiny "$models/tiny"
    python3 "$here/make_model.py" tiny-mpnet "$models/tiny-mpnet"
    python3 "$here/make_texts.py" 24 mixed "$models/tiny" 3 >"$models/texts"
}

# text2emb with the library of tests/shim beside it, where it looks for the one of CUDA.
emulate() {
    emulated=$BATS_TEST_TMPDIR/emulated
    mkdir -p "$emulated"
    cp "$programs/text2emb" "$programs/shim/libreprise_cuda.so" "$emulated/"
}

on_gpu() { "$emulated/text2emb" --gpu 0 --model "$@"; }
on_cpu() { "$programs/text2emb" --model "$@"; }

# reprise, on the emulated GPU, with the small model.
reprise_on_gpu() {
    reprise NVCC= USE_GPU=1 MODEL="$models/tiny" TEXT2EMB="$emulated/text2emb --model \"\$\$MODEL\" --precision f32 --batch-size 2 ${gpu_options:-}" "$@"
}

# A dataset of N texts of the small model's words, on music of the demo.
words_dataset() {
    small_dataset "$1"
    edit "
words = open('$models/texts').read().split()
for i, pair in enumerate(pairs): pair['text_description'] = ' '.join(words[7 * i : 7 * i + 3 + 5 * (i % 6)])"
}

# near A B COSINE DIFFERENCE: the rows of two .npy files.
near() {
    python3 - "$@" <<'END'
import array, math, sys
def rows(path):
    data = open(path, "rb").read()
    width = int(data[10:128].split(b"shape': (")[1].split(b",")[1].split(b")")[0])
    values = array.array("f", data[128:])
    return [values[i : i + width] for i in range(0, len(values), width)]
a, b = rows(sys.argv[1]), rows(sys.argv[2])
assert len(a) == len(b) > 0
cosine = min(sum(x * y for x, y in zip(p, q)) / math.sqrt(sum(x * x for x in p) * sum(y * y for y in q)) for p, q in zip(a, b))
difference = max(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q))
assert cosine >= float(sys.argv[3]) and difference <= float(sys.argv[4]), (cosine, difference)
END
}

@test "every kernel equals its reference in double precision, in whatever order a block's threads run" {
    "$programs/shim/check_kernels" --quick >"$BATS_TEST_TMPDIR/forward" || { cat "$BATS_TEST_TMPDIR/forward"; return 1; }
    # A race would show as another error.
    SHIM_ORDER=5 "$programs/shim/check_kernels" --quick >"$BATS_TEST_TMPDIR/shuffled"
    diff "$BATS_TEST_TMPDIR/forward" "$BATS_TEST_TMPDIR/shuffled"
}

@test "the packing plan: every token in its place, tiles cover each text once, what does not fit is refused" {
    "$programs/shim/check_packing"
}

@test "a text's bits are the same alone, among others, and where forward passes are kept as graphs" {
    "$programs/shim/time_forward" --quick
}

@test "f32 equals the CPU's to 1e-5, f16 and bf16 to their cosines; all architectures, poolings and heads of the CPU" {
    emulate
    for model in tiny tiny-mpnet; do
        on_cpu "$models/$model" "$models/texts" "$BATS_TEST_TMPDIR/cpu.npy"
        for precision in "f32 0.99999 1e-5" "f16 0.9999 1" "bf16 0.999 1"; do
            read -r name cosine difference <<<"$precision"
            on_gpu "$models/$model" --precision "$name" "$models/texts" "$BATS_TEST_TMPDIR/gpu.npy"
            near "$BATS_TEST_TMPDIR/cpu.npy" "$BATS_TEST_TMPDIR/gpu.npy" "$cosine" "$difference"
        done
    done
    for pooling in cls max mean_sqrt_len_tokens weightedmean lasttoken; do
        for device in cpu gpu; do
            "on_$device" "$models/tiny" --pooling "$pooling" --normalize 0 "$models/texts" "$BATS_TEST_TMPDIR/$device.npy"
        done
        near "$BATS_TEST_TMPDIR/cpu.npy" "$BATS_TEST_TMPDIR/gpu.npy" 0.99999 1e-4 # raw states are larger than 1
    done
    SHIM_CAPABILITY=75 on_gpu "$models/tiny" --precision f16 "$models/texts" "$BATS_TEST_TMPDIR/gpu.npy" # a device without the tensor cores that are used
    on_cpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/cpu.npy"
    near "$BATS_TEST_TMPDIR/cpu.npy" "$BATS_TEST_TMPDIR/gpu.npy" 0.9999 1
}

@test "a text has the same bits in any batch; and with memory for small batches alone" {
    emulate
    for precision in f32 f16; do
        on_gpu "$models/tiny" --precision "$precision" --batch-size 32 "$models/texts" "$BATS_TEST_TMPDIR/all.npy"
        on_gpu "$models/tiny" --precision "$precision" --batch-size 1 "$models/texts" "$BATS_TEST_TMPDIR/few.npy"
        cmp "$BATS_TEST_TMPDIR/all.npy" "$BATS_TEST_TMPDIR/few.npy"
    done
    on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/all.npy"
    # The workspace of the products takes 32 MiB, the weights 1.2 MB.
    SHIM_MEMORY=35300000 run --separate-stderr on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/halved.npy"
    [ "$status" -eq 0 ] || { echo "$stderr"; return 1; }
    [[ $stderr == *"the GPU has no memory for a batch of "*"out of memory (cudaErrorMemoryAllocation)); taking "* ]] || { echo "$stderr"; return 1; }
    cmp "$BATS_TEST_TMPDIR/all.npy" "$BATS_TEST_TMPDIR/halved.npy"
    # Not even for one text: an error that says where, and no output.
    SHIM_MEMORY=35000000 run -1 --separate-stderr on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/none.npy"
    [[ $stderr == *"kernels/cuda/encoder.c:"*": memory for "*": out of memory (cudaErrorMemoryAllocation)"* ]] || { echo "$stderr"; return 1; }
    [ ! -e "$BATS_TEST_TMPDIR/none.npy" ]
}

@test "what a device may refuse in the midst of a run: graphs, an algorithm for every number of rows, memory for a launch: the same bits" {
    emulate
    on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/all.npy"
    for refused in SHIM_GRAPHS=0 SHIM_ALGORITHMS=1 SHIM_LAUNCH=2 SHIM_LAUNCH=30; do
        env "$refused" "$emulated/text2emb" --gpu 0 --require-gpu --model "$models/tiny" --batch-size 1 "$models/texts" "$BATS_TEST_TMPDIR/refused.npy" 2>"$BATS_TEST_TMPDIR/messages"
        cmp "$BATS_TEST_TMPDIR/all.npy" "$BATS_TEST_TMPDIR/refused.npy"
        [[ $refused != SHIM_LAUNCH* ]] || grep -q "forward.c:.*out of memory (cudaErrorMemoryAllocation)); taking " "$BATS_TEST_TMPDIR/messages"
        rm "$BATS_TEST_TMPDIR/refused.npy"
    done
    # Without graphs that is said by the program which asks for them.
    SHIM_GRAPHS=0 run -1 "$programs/shim/time_forward" --quick
    [[ $output == *"(0 passes were graphs)"* ]]
}

@test "a run begun on the CPU continues on the GPU with nothing redone, and the other way round" {
    emulate
    words_dataset 12
    reprise MODEL="$models/tiny" >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm "$(find "$work/emb" -name '*.emb' | sort | head -1)"
    rm -r "$out" "$work/pieces"
    finished >"$BATS_TEST_TMPDIR/before"
    run reprise_on_gpu V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ $output != *"USE_GPU=1:"* && $output == *"--gpu 0 --part 0/1"* ]]
    finished >"$BATS_TEST_TMPDIR/after"
    [ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ]
    python3 - "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json" <<'END'
import json, sys
a, b = (json.load(open(path)) for path in sys.argv[1:])
for x, y in zip(a, b):
    p, q = x["text_features"].pop("embedding"), y["text_features"].pop("embedding")
    assert x == y and max(abs(u - v) for u, v in zip(p, q)) <= 1e-5
assert len(a) == len(b) == 12
END
    run reprise MODEL="$models/tiny" V=1
    [ "$(starts text2emb)" -eq 0 ]
}

@test "several GPUs share the shards; a missing one is made alone" {
    emulate
    words_dataset 14
    SHIM_DEVICES=3 LOG_LEVEL=debug run reprise_on_gpu V=1 -j4
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(grep -c -- '--gpu [0-2] --part [0-2]/3' <<<"$output")" -eq 3 ]
    [ "$(grep -cE 'the GPU was busy ([1-9][0-9]?|100) % of [0-9.]+ s' <<<"$output")" -eq 3 ] || { echo "$output"; return 1; }
    check 'assert len(items) == 14 and not errors'
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$out" "$work"
    reprise_on_gpu >/dev/null 2>&1
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
}

@test "SIGKILL at random moments, and make again: byte for byte, nothing finished is made again" {
    emulate
    words_dataset 24
    reprise_on_gpu -j2 >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
    rm -r "$work" "$out"
    length=$(milliseconds_of reprise_on_gpu -j2)
    export -f reprise_on_gpu
    export emulated
    RANDOM=11
    for round in 1 2 3 4 5 6; do
        rm -rf "$work" "$out"
        killed_after $((RANDOM % length)) reprise_on_gpu -j2
        finished >"$BATS_TEST_TMPDIR/before"
        run reprise_on_gpu -j2
        [ "$status" -eq 0 ] || { echo "round $round: $output"; return 1; }
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/reference.json"
        finished >"$BATS_TEST_TMPDIR/after"
        [ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ] || { echo "round $round: made again"; return 1; }
        [ -z "$(temporary_files)" ]
    done
}

@test "a text on which the program crashes, and one on which it loops, cost those texts; a list that is damaged costs its shard" {
    [ "${BUILD:-release}" = release ] || skip "a preloaded library and sanitizers do not go together"
    gcc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/die.so" "$root/tests/fault/die_of_marker.c"
    emulate
    words_dataset 10
    edit 'pairs[2]["text_description"] += " DIE-SEGV"; pairs[7]["text_description"] += " DIE-LOOP"; pairs[4]["text_description"] = ""'
    LD_PRELOAD=$BATS_TEST_TMPDIR/die.so run reprise_on_gpu ITEM_TIMEOUT=0.5
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    check '
assert {e["index"] for e in errors} == {2, 4, 7} and len(items) == 7, errors
assert "Segmentation fault" in errors[0]["error"] and "empty text" in errors[1]["error"] and "ITEM_TIMEOUT" in errors[2]["error"], errors'
    rm -r "$work" "$out"
    edit 'pairs[2]["text_description"] = pairs[7]["text_description"] = "bana"'
    reprise_on_gpu >/dev/null 2>&1
    shards=$(find "$work/emb" -name '*.emb' | wc -l)
    list=$(find "$work/plan" -name '*.text' | sort | head -1)
    name=$(basename "$list" .text)
    sed -i '1s/bana/banx/; 1s/"\([a-z]\)\([a-z]\)/"\2\1/' "$list"
    signature=$(basename "$(find "$work/emb" -mindepth 1 -type d)")
    basename -s .text "$work"/plan/*.text >"$BATS_TEST_TMPDIR/names"
    run -1 --separate-stderr on_gpu "$models/tiny" --batch-size 2 --expect "$signature" --shards "$BATS_TEST_TMPDIR/names" "$work/plan" "$BATS_TEST_TMPDIR/again/emb/$signature"
    [[ $stderr == *"$name.text: line "*"the list is damaged"* ]] || { echo "$stderr"; return 1; }
    [ "$(find "$BATS_TEST_TMPDIR/again" -name '*.emb' | wc -l)" -eq $((shards - 1)) ]
}

@test "no GPU: one warning and the CPU; REQUIRE_GPU=1, and a precision that only a GPU has: an error" {
    emulate
    words_dataset 6
    SHIM_DEVICES=0 run reprise_on_gpu
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(grep -c 'USE_GPU=1: no GPU can be used: .*cudaErrorNoDevice.*; the texts are embedded on the CPU' <<<"$output")" = 1 ] || { echo "$output"; return 1; }
    check 'assert len(items) == 6'
    SHIM_DEVICES=0 run reprise_on_gpu
    [[ $output != *"USE_GPU=1:"* ]] # nothing is to be done
    rm -r "$work" "$out"
    SHIM_DEVICES=0 gpu_options=--require-gpu run reprise_on_gpu REQUIRE_GPU=1
    [ "$status" -ne 0 ]
    [[ $output == *"USE_GPU=1: no GPU can be used: "* ]]
    [ -z "$(find "$work" -name '*.emb')" ]
    SHIM_DEVICES=0 run -1 --separate-stderr on_gpu "$models/tiny" --precision f16 "$models/texts" "$BATS_TEST_TMPDIR/none.npy"
    [[ $stderr == *"the CPU does not compute in PRECISION=f16"* ]]
    rm "$emulated/libreprise_cuda.so"
    run -0 --separate-stderr on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/cpu.npy"
    [ "$stderr" = "text2emb: USE_GPU=1: no GPU can be used: built without CUDA; the texts are embedded on the CPU" ]
    echo "no library" >"$emulated/libreprise_cuda.so"
    run -0 --separate-stderr on_gpu "$models/tiny" "$models/texts" "$BATS_TEST_TMPDIR/cpu.npy"
    [[ $stderr == *"no GPU can be used: "*"libreprise_cuda.so"*"; the texts"* ]]
}

@test "f16 and bf16 have signatures of their own, f32 the CPU's" {
    emulate
    f32=$(on_cpu "$models/tiny" --signature)
    [ "$(on_gpu "$models/tiny" --signature)" = "$f32" ]
    [ "$( (echo "$f32"; on_gpu "$models/tiny" --precision f16 --signature; on_gpu "$models/tiny" --precision bf16 --signature) | sort -u | wc -l)" -eq 3 ]
}

@test "the library is built for every family of devices from sm_70 on that the compiler knows, needs no CUDA to be looked at, and shows one symbol" {
    library=$programs/libreprise_cuda.so
    [ -e "$library" ] || skip "no CUDA compiler here"
    [ "$(nm -D --defined-only "$library" | grep -c ' T ')" -eq 1 ]
    nm -D --defined-only "$library" | grep -q ' T reprise_cuda$'
    readelf -SW "$library" | grep -q '\.nv_fatbin'
    # text2emb loads it, and says what this machine lacks, unless there is a device.
    run --separate-stderr "$programs/text2emb" --model "$models/tiny" --gpus
    [ "$status" -eq 0 ]
    [[ $output -gt 0 || $stderr == *"no GPU can be used: kernels/cuda/encoder.c:"*"looking for devices: "* ]] || { echo "$stderr"; return 1; }
}

@test "on a device: kernels against references, speed, races" {
    skip "what only a device can show is shown by 'make test-gpu' and 'make bench-gpu'"
}
