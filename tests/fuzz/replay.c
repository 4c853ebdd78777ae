/* Runs a fuzz target on files, without libFuzzer: for the findings of earlier runs. Reads them by itself, because in some targets the library's files are in memory. */
#include "target.h"

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size_t count = fread(bytes, 1, sizeof bytes, file);
        REQUIRE(!ferror(file) && feof(file));
        fclose(file);
        fprintf(stderr, "%s\n", argv[i]);
        uint8_t *exact = fuzz_copy(bytes, count);
        LLVMFuzzerTestOneInput(exact, count);
        free(exact);
    }
    return 0;
}
