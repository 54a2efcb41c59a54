/* SPDX-License-Identifier: MIT */
/*
 * Takes a picture of a recorded machine and compares it with what is to be said of it.
 *      replay MACHINE EXPECTED     0: the same; 1: shows both; 77: what was recorded means nothing to a machine of another kind
 *      replay MACHINE              prints it
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "snapshot.h"

static char *whole(const char *path, size_t *size)
{
        enum { LARGEST = 1 << 20 };
        char *text = malloc(LARGEST);
        FILE *f = fopen(path, "rb");

        if (!f || !text)
                err(2, "%s", path);
        *size = fread(text, 1, LARGEST - 1, f);
        text[*size] = 0;
        (void)fclose(f);
        return text;
}

static void show_difference(const char *expected, const char *found)
{
        size_t line = 1, begin = 0;

        for (size_t i = 0; expected[i] && expected[i] == found[i]; i++)
                if (expected[i] == '\n') {
                        line++;
                        begin = i + 1;
                }
        fprintf(stderr, "line %zu is to be\n%.*s\nand is\n%.*s\n", line, (int)strcspn(expected + begin, "\n"), expected + begin,
                (int)strcspn(found + begin, "\n"), found + begin);
}

int main(int argc, char **argv)
{
        char *recorded, *found = NULL, *expected;
        struct ipw_probe *p = NULL;
        struct machine machine;
        struct ipw_why why;
        size_t size;
        int status = 0;
        FILE *f;

        if (argc < 2)
                errx(2, "usage: replay MACHINE [EXPECTED]");
#if !defined(__x86_64__) || !defined(__LP64__)
        return 77; /* numbers of system calls, and what lies in memory, are those of one kind of machine */
#endif
        recorded = whole(argv[1], &size);
        machine_read(&machine, recorded, size);
        if (probe_take(&p, &machine.source, IPW_PROBE_OBJECTS, &why) < 0)
                errx(1, "%s: %s", argv[1], why.text);
        f = open_memstream(&found, &size);
        if (!f)
                err(2, "room for words");
        machine_print(p, f);
        (void)fclose(f);
        if (argc == 2) {
                printf("%s", found);
        } else {
                expected = whole(argv[2], &size);
                status = strcmp(found, expected) != 0;
                if (status) {
                        show_difference(expected, found);
                        fprintf(stderr, "\nall of it:\n%s", found);
                }
                free(expected);
        }
        ipw_probe_free(p);
        machine_free(&machine);
        free(recorded);
        free(found);
        return status;
}
