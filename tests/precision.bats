#!/usr/bin/env bats
# PRECISION=bf16 and int8: close to f32 by the bounds that README names, a text's bits are its own, and a machine without the instructions says so.

bats_require_minimum_version 1.5.0

load text_model

embed() { "$program" --model "$model" "$@"; }

# The sets of instructions that a precision has on this machine.
sets_of() {
    local set
    for set in amx avx512_paired avx512 avx2; do
        KERNELS=$set embed --precision "$1" --signature >/dev/null 2>"$folder/said" && [ ! -s "$folder/said" ] && echo "$set"
    done
    true
}

close_to_f32() { # close_to_f32 FILE LEAST MEAN: cosines with sentence-transformers' embeddings in f32
    python3 - "$folder/$1" tests/fixtures/text2emb/embeddings.npy "$2" "$3" <<'END'
import array, math, sys
def rows(path):
    data = open(path, "rb").read()
    assert data[:8] == b"\x93NUMPY\x01\x00" and b"(24, 384)" in data[:128]
    values = array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])
    return [values[i : i + 384] for i in range(0, len(values), 384)]
cosines = [sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)) for a, b in zip(*map(rows, sys.argv[1:3]))]
print(min(cosines), sum(cosines) / len(cosines))
assert len(cosines) == 24 and min(cosines) >= float(sys.argv[3]) and sum(cosines) / len(cosines) >= float(sys.argv[4])
assert min(cosines) < 0.9999999, "that is f32"
END
}

@test "bf16: no cosine to the reference below 0.9999; int8: none below 0.99, and 0.998 on average" {
    for set in $(sets_of bf16); do
        KERNELS=$set embed --precision bf16 tests/fixtures/text2emb/texts.txt "$folder/bf16.npy"
        close_to_f32 bf16.npy 0.9999 0.9999
    done
    for set in $(sets_of int8); do
        KERNELS=$set embed --precision int8 tests/fixtures/text2emb/texts.txt "$folder/int8.npy"
        close_to_f32 int8.npy 0.99 0.998
    done
}

@test "a wide model, of whose layers the early ones are made with more precision: close to f32, and a text has the same bits alone" {
    python3 tests/gpu/make_model.py tiny-wide "$folder/wide"
    model=$folder/wide
    python3 tests/gpu/make_texts.py 40 mixed "$model" >"$folder/texts"
    sed -n 9p "$folder/texts" >"$folder/ninth"
    embed "$folder/texts" "$folder/wide.cpu"
    while read -r precision least most; do
        for set in $(sets_of "$precision"); do
            KERNELS=$set embed --precision "$precision" "$folder/texts" "$folder/wide.gpu"
            python3 tests/gpu/compare_npy.py "$least" "$most" "$folder/wide"
            KERNELS=$set embed --precision "$precision" "$folder/ninth" "$folder/ninth.npy"
            cmp <(tail -c 2304 "$folder/ninth.npy") <(tail -c +$((128 + 8 * 2304 + 1)) "$folder/wide.gpu" | head -c 2304)
        done
    done <<'END'
bf16 0.99999 1e-3
int8 0.9997 5e-3
END
}

@test "a text has the same bits alone, in any batch and in any order, in each precision and on every instruction set" {
    head -n 10 tests/fixtures/text2emb/texts.txt >"$folder/texts"
    tac "$folder/texts" >"$folder/backward"
    for precision in bf16 int8; do
        for set in $(sets_of "$precision"); do
            export KERNELS=$set
            embed --precision "$precision" "$folder/texts" "$folder/texts.npy"
            embed --precision "$precision" --batch-size 3 "$folder/backward" "$folder/backward.npy"
            for i in 1 7; do
                sed -n "${i}p" "$folder/texts" >"$folder/one"
                embed --precision "$precision" "$folder/one" "$folder/one$i.npy"
            done
            python3 - "$folder" <<'END'
import sys
def rows(name):
    data = open(f"{sys.argv[1]}/{name}.npy", "rb").read()[128:]
    return [data[i : i + 1536] for i in range(0, len(data), 1536)]
texts = rows("texts")
assert len(texts) == 10 and len(set(texts)) == 10
assert rows("backward")[::-1] == texts
assert rows("one1") == texts[:1] and rows("one7") == texts[6:7]
END
        done
    done
}

@test "with cls and lasttoken pooling the row that is used is that of the whole layer, to rounding" {
    head -n 6 tests/fixtures/text2emb/texts.txt >"$folder/texts"
    for precision in f32 bf16 int8; do
        embed --precision "$precision" --pooling cls --normalize 1 "$folder/texts" "$folder/cls.npy"
        embed --precision "$precision" --pooling lasttoken --normalize 1 "$folder/texts" "$folder/last.npy"
        # Texts that are one token between [CLS] and [SEP] aside, the two rows differ; each is close to the one in f32.
        [ "$precision" != f32 ] || cp "$folder/cls.npy" "$folder/cls.f32"
        [ "$precision" != f32 ] || cp "$folder/last.npy" "$folder/last.f32"
        python3 - "$folder" <<'END'
import array, sys
def rows(name):
    values = array.array("f", open(f"{sys.argv[1]}/{name}", "rb").read()[128:])
    return [values[i : i + 384] for i in range(0, len(values), 384)]
def cosine(a, b):
    return sum(x * y for x, y in zip(a, b))
for name in "cls", "last":
    assert all(cosine(a, b) > 0.99 for a, b in zip(rows(f"{name}.npy"), rows(f"{name}.f32")))
assert all(cosine(a, b) < 0.999999 for a, b in zip(rows("cls.npy"), rows("last.npy")))
END
    done
}

@test "a machine without the instructions says so in one line and computes in the next higher precision, under that one's signature" {
    head -n 2 tests/fixtures/text2emb/texts.txt >"$folder/texts"
    export KERNELS=plain
    embed "$folder/texts" "$folder/f32.npy"
    for precision in bf16 int8; do
        run -0 --separate-stderr embed --precision "$precision" "$folder/texts" "$folder/out.npy"
        [ "$stderr" = "text2emb: PRECISION=$precision: this machine has no instructions for it, so it computes in f32" ]
        cmp "$folder/f32.npy" "$folder/out.npy"
        [ "$(embed --precision "$precision" --signature 2>/dev/null)" = "$(embed --signature)" ]
    done
    # No CPU computes in f16 here, and bf16 would be less exact than what was asked for.
    unset KERNELS
    embed "$folder/texts" "$folder/f32.npy"
    run -0 --separate-stderr embed --precision f16 "$folder/texts" "$folder/out.npy"
    [ "$stderr" = "text2emb: PRECISION=f16: this machine has no instructions for it, so it computes in f32" ]
    cmp "$folder/f32.npy" "$folder/out.npy"
}

@test "each precision has a signature of its own; others are refused by name" {
    signatures=$(for precision in f32 $(sets_of bf16 | sed 's/.*/bf16/;q') $(sets_of int8 | sed 's/.*/int8/;q'); do embed --precision "$precision" --signature; done)
    [ "$(sort -u <<<"$signatures")" = "$(sort <<<"$signatures")" ]
    run -2 --separate-stderr embed --precision fp8 --signature
    [[ $stderr == *"PRECISION=fp8: unknown; accepted: f32"* && $stderr == *bf16* && $stderr == *int8* ]]
}

@test "every kernel in reduced precision equals a reference, on every instruction set" {
    "build/${BUILD:-release}/tests/kernels_reduced"
}

@test "tiles (AMX) that the system does not let a process use are not used" {
    head -n 2 tests/fixtures/text2emb/texts.txt >"$folder/texts"
    KERNELS=amx embed "$folder/texts" "$folder/tiles.npy" 2>/dev/null || skip "no AMX here"
    gcc -shared -fPIC -D_GNU_SOURCE -o "$folder/refuse.so" tests/fault/refuse_tiles.c -ldl
    KERNELS=avx512 embed "$folder/texts" "$folder/vectors.npy"
    LD_PRELOAD=$folder/refuse.so embed "$folder/texts" "$folder/refused.npy"
    cmp "$folder/vectors.npy" "$folder/refused.npy"
    run ! cmp -s "$folder/vectors.npy" "$folder/tiles.npy"
    LD_PRELOAD=$folder/refuse.so KERNELS=amx run -1 --separate-stderr embed "$folder/texts" "$folder/out.npy"
    [[ $stderr == *"KERNELS=amx: not an instruction set of this machine"* ]]
}
