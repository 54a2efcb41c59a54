/* SPDX-License-Identifier: MIT */
/* Results in files: what was saved comes back, and nothing else is taken for it. The argument is the program that makes a sample. */
#include "result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char dir[] = "/tmp/ipcway-result-XXXXXX", path[64], other[64];
static const char *sample;

static char *contents(const char *name, size_t *size)
{
        FILE *f = fopen(name, "r");
        char *bytes = calloc(1, 8 << 20);

        assert_non_null(f);
        assert_non_null(bytes);
        *size = fread(bytes, 1, (8 << 20) - 1, f);
        assert_int_equal(fclose(f), 0);
        return bytes;
}

static void put(const char *bytes, size_t size)
{
        FILE *f = fopen(other, "w");

        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
}

static void refuse(const char *bytes, size_t size, int error, unsigned wanted)
{
        struct bench_run *run = NULL;
        unsigned line = 0;

        put(bytes, size);
        assert_int_equal(bench_load(&run, other, &line), error);
        assert_null(run);
        if (error == -EBADMSG)
                assert_int_equal(line, wanted);
}

static void test_sample_comes_back(void **s)
{
        char command[4200], *before, *after;
        struct bench_run *run = NULL;
        size_t n, m, measured = 0;

        (void)snprintf(command, sizeof(command), "'%s' '%s'", sample, path);
        assert_int_equal(system(command), 0);
        assert_int_equal(bench_load(&run, path, NULL), 0);
        assert_true(run->complete && run->n > 100);
        assert_string_equal(run->machine.processor, "AMD EPYC");
        for (size_t i = 0; i < run->n; i++)
                measured += run->cells[i].latencies && bench_is_good(&run->cells[i]);
        assert_true(measured > 50);
        assert_int_equal(bench_save(run, other), 0);
        before = contents(path, &n);
        after = contents(other, &m);
        assert_int_equal(n, m);
        assert_memory_equal(before, after, n); /* byte for byte, histograms and all */
        free(before);
        free(after);
        bench_free(run);
}

static void test_texts_that_would_break_lines(void **s)
{
        struct bench_run run = { .n = 0 }, *back;
        struct bench_cell cell = bench_cell_empty();

        (void)snprintf(cell.address, sizeof(cell.address), "unix:/tmp/a\tb\nc");
        assert_int_equal(bench_append(&run, &cell), 0);
        assert_int_equal(bench_save(&run, other), 0);
        assert_int_equal(bench_load(&back, other, NULL), 0);
        assert_string_equal(back->cells[0].address, "unix:/tmp/a b c");
        assert_false(back->complete);
        assert_true(back->cells[0].p50.value < 0 && back->cells[0].latencies == NULL);
        bench_free(back);
        free(run.cells);
}

/* One cell with a histogram, and one thing wrong at a time. */
static void test_what_is_refused(void **s)
{
        static const struct {
                const char *good, *bad;
                unsigned line;
        } rows[] = {
                { "ipcway-bench", "ipcway-brunch", 1 },
                { "complete", "compleat", 1 },
                { "machine", "machines", 2 },
                { "\t2\t1\t77", "\t-2\t1\t77", 2 },
                { "\tdefault\t", "\tdefect\t", 3 },
                { "\tpipe:\t", "\tpi\x1b[2J:\t", 3 },
                { "5 4 6", "5 4 nan", 3 },
                { "5 4 6", "5 4 inf", 3 },
                { "5 4 6", "5 6 4", 3 },
                { "5 4 6", "5 4", 3 },
                { "100:1", "100:2", 3 },
                { "100:1", "99999:1", 3 },
                { "100:1", "4:1", 3 },
                { "100:1", "100:-1", 3 },
                { "5:2 100:1", "100:1 5:2", 3 },
                { "3 5 100", "3 7 100", 3 },
                { "3 5 100", "3 5 101", 3 },
                { "100:1", "100:1 101:18446744073709551615", 3 },
                { "end\t1", "end\t2", 4 },
                { "end\t1\n", "end\t1\nend\t1\n", 5 },
                { "end\t1\n", "", 4 },
                { "end\t1\n", "end\t1", 4 },
                { "\t64\t", "\t64K\t", 3 },
                { "\t64\t", "\t99999999999999999999\t", 3 },
        };
        struct bench_run run = { .complete = 1, .machine = { .processors = 2, .sockets = 1, .when = 77 } };
        struct bench_cell cell = bench_cell_empty();
        char *text;
        size_t n;

        (void)snprintf(cell.address, sizeof(cell.address), "pipe:");
        cell.size = 64;
        cell.p50 = (struct bench_figure){ 5, 4, 6 };
        cell.latencies = calloc(1, sizeof(*cell.latencies));
        bench_histogram_add(cell.latencies, 5, 2);
        bench_histogram_add(cell.latencies, 100, 1);
        assert_int_equal(bench_append(&run, &cell), 0);
        assert_int_equal(bench_save(&run, path), 0);
        text = contents(path, &n);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char *at = strstr(text, rows[i].good), bad[8192];

                if (!at)
                        fail_msg("'%s' is not in the file", rows[i].good);
                refuse(bad, (size_t)snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - text), text, rows[i].bad, at + strlen(rows[i].good)),
                       -EBADMSG, rows[i].line);
        }
        for (size_t cut = 0; cut < n; cut++) { /* cut off anywhere */
                struct bench_run *back = NULL;

                put(text, cut);
                assert_int_equal(bench_load(&back, other, NULL), -EBADMSG);
                assert_null(back);
        }
        text[strlen("ipcway-bench\t")] = '2';
        refuse(text, n, -EPROTONOSUPPORT, 0);
        free(text);
        free(run.cells[0].latencies);
        free(run.cells);
}

static void test_what_is_no_file(void **s)
{
        struct bench_run *run = NULL;

        assert_int_equal(bench_load(&run, "/nowhere/at/all", NULL), -ENOENT);
        assert_int_equal(bench_load(&run, dir, NULL), -EISDIR);
        (void)unlink(other);
        assert_int_equal(mkfifo(other, 0600), 0);
        assert_int_equal(bench_load(&run, other, NULL), -EINVAL); /* and does not wait for a writer */
        assert_int_equal(bench_save(&(struct bench_run){ 0 }, "/nowhere/at/all"), -ENOENT);
        assert_null(run);
}

static void test_where_the_last_run_is(void **s)
{
        char place[32];

        (void)setenv("HOME", "/home/me", 1);
        (void)setenv("XDG_CACHE_HOME", "/c", 1);
        assert_int_equal(bench_cache_path(place, sizeof(place)), 0);
        assert_string_equal(place, "/c/ipcway/bench");
        assert_int_equal(bench_cache_path(place, strlen("/c/ipcway/bench")), -ENAMETOOLONG);
        (void)setenv("XDG_CACHE_HOME", "relative", 1);
        assert_int_equal(bench_cache_path(place, sizeof(place)), 0);
        assert_string_equal(place, "/home/me/.cache/ipcway/bench");
        (void)unsetenv("HOME");
        assert_int_equal(bench_cache_path(place, sizeof(place)), -ENOENT);
}

static int open_dir(void **s)
{
        if (!mkdtemp(dir))
                return -1;
        (void)snprintf(path, sizeof(path), "%s/one", dir);
        (void)snprintf(other, sizeof(other), "%s/other", dir);
        return 0;
}

static int close_dir(void **s)
{
        (void)unlink(path);
        (void)unlink(other);
        return rmdir(dir); /* nothing half written stayed in it */
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sample_comes_back),     cmocka_unit_test(test_texts_that_would_break_lines),
                cmocka_unit_test(test_what_is_refused),       cmocka_unit_test(test_what_is_no_file),
                cmocka_unit_test(test_where_the_last_run_is),
        };

        sample = argc > 1 ? argv[1] : "sample";
        return cmocka_run_group_tests(tests, open_dir, close_dir);
}
