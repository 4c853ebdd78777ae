# What the tests of text2emb alone share: the program, the default model, and a folder of the test's own; from the root of the tree.

setup() {
    cd "$BATS_TEST_DIRNAME/.." || return
    program=build/${BUILD:-release}/text2emb
    model=data/models/all-MiniLM-L6-v2
    folder=$BATS_TEST_TMPDIR
}
