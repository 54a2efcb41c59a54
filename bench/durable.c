/* SPDX-License-Identifier: MIT */
/*
 * What a durable log may cost, against the same work by hand and against SQLite as a queue.
 *
 *      durable [--quick] [DIRECTORY]       the directory lies on the filesystem to be measured; standard: the current one
 *
 * The two sides of a comparison take turns, ROUNDS times; each round gives one ratio, and a bar is judged by the end of the 95 % interval of their median that
 * speaks against us. Bars of ack=disk are judged only where a bare fdatasync(2) takes 100 us or more: on others there is nothing to share.
 * It is no table of the engine: what is compared is what a disk, a lock or a database does with what nobody receives, and each side begins with a log of its own.
 * Exit status as bars.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_SQLITE
#include <sqlite3.h>
#endif

#include "statistics.h"

enum { ROUNDS = 31, PAGE = 4096, SMALL = 64, BATCH = 256, WRITERS = 16 };

static char dir[300], address[400], path[400];
static unsigned char data[PAGE];
static unsigned rounds = ROUNDS, scale = 10;
static int quick, worst;
static pid_t owner;
static uint32_t table[8][256];

static double now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void tidy(void)
{
        struct ipw_why why;
        static const char *const names[] = { "raw", "queue", "queue-wal", "queue-shm" };

        (void)snprintf(address, sizeof(address), "log:%s/log", dir);
        (void)ipw_remove(address, &why);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                (void)unlink(path);
        }
}

static void leave(void)
{
        if (getpid() != owner)
                return; /* a writer that failed */
        tidy();
        (void)rmdir(dir);
}

/* ---- by hand --------------------------------------------------------------------------------------------------------------------------- */

/* A checksum as a good programmer has it: the processor's instruction, else eight bytes at a time. */
static void make_table(void)
{
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = i;

                for (int k = 0; k < 8; k++)
                        c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
                table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
                for (int k = 1; k < 8; k++)
                        table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(const unsigned char *p, size_t n)
{
        uint64_t c = UINT32_MAX, v;

        for (; n >= 8; n -= 8, p += 8) {
                memcpy(&v, p, 8);
                c = __builtin_ia32_crc32di(c, v);
        }
        return (uint32_t)c;
}
#endif

static uint32_t checksum(const unsigned char *p, size_t n)
{
        uint32_t c = UINT32_MAX;

#if defined(__x86_64__)
        if (__builtin_cpu_supports("sse4.2"))
                return by_instruction(p, n);
#endif
        for (; n >= 8; n -= 8, p += 8) {
                uint64_t v;

                memcpy(&v, p, 8);
                v ^= c;
                c = 0;
                for (int k = 0; k < 8; k++)
                        c ^= table[7 - k][v >> 8 * k & 255];
        }
        return c;
}

static int raw_file(void)
{
        int fd;

        (void)snprintf(path, sizeof(path), "%s/raw", dir);
        fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
                err(3, "%s", path);
        return fd;
}

static double bare_write(unsigned n)
{
        int fd = raw_file();
        double start = now();

        for (unsigned i = 0; i < n; i++)
                if (write(fd, data, PAGE) != PAGE)
                        err(3, "write");
        start = now() - start;
        (void)close(fd);
        return start / n;
}

static double careful_write(unsigned n)
{
        int fd = raw_file();
        volatile uint32_t sum = 0;
        double start = now();

        for (unsigned i = 0; i < n; i++) {
                struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
                struct stat st;

                if (fcntl(fd, F_OFD_SETLKW, &lock) < 0 || fstat(fd, &st) < 0)
                        err(3, "lock");
                sum = sum + checksum(data, PAGE);
                if (write(fd, data, PAGE) != PAGE)
                        err(3, "write");
                lock.l_type = F_UNLCK;
                if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                        err(3, "unlock");
        }
        start = now() - start;
        (void)close(fd);
        return start / n;
}

static double bare_sync(unsigned n)
{
        int fd = raw_file();
        double start = now(), all = 0;

        for (unsigned i = 0; i < n; i++) {
                if (write(fd, data, SMALL) != SMALL)
                        err(3, "write");
                start = now();
                if (fdatasync(fd) < 0)
                        err(3, "fdatasync");
                all += now() - start;
        }
        (void)close(fd);
        return all / n;
}

/* ---- ours ------------------------------------------------------------------------------------------------------------------------------ */

static struct ipw_link *open_log(const char *options)
{
        struct ipw_link *l;
        struct ipw_why why;

        (void)snprintf(address, sizeof(address), "log:%s/log%s", dir, options);
        if (ipw_open(&l, address, IPW_PUB, IPW_FOREVER, &why) < 0)
                errx(3, "%s", why.text);
        return l;
}

/* Seconds for a message, in a new log. */
static double sends(const char *options, unsigned n, size_t size)
{
        struct ipw_message m = { .data = data, .size = size };
        struct ipw_link *l;
        double start;

        tidy();
        l = open_log(options);
        start = now();
        for (unsigned i = 0; i < n; i++)
                if (ipw_send(l, &m, IPW_FOREVER) < 0)
                        errx(3, "a send failed");
        start = now() - start;
        (void)ipw_close(l);
        return start / n;
}

static double alone(unsigned n)
{
        return sends("?writers=1", n, PAGE);
}

static double among_many(unsigned n)
{
        return sends("", n, PAGE);
}

static double batches(unsigned n)
{
        static struct ipw_message m[BATCH];
        struct ipw_link *l;
        unsigned done = 0;
        double start;

        for (unsigned i = 0; i < BATCH; i++)
                m[i] = (struct ipw_message){ .data = data, .size = SMALL };
        tidy();
        l = open_log("");
        start = now();
        while (done < n) {
                ssize_t k = ipw_send_many(l, m, BATCH, IPW_FOREVER);

                if (k < 0)
                        errx(3, "a send failed");
                done += (unsigned)k;
        }
        start = now() - start;
        (void)ipw_close(l);
        return start / done;
}

static double one_to_disk(unsigned n)
{
        return sends("?ack=disk", n, SMALL);
}

static void write_to_disk(unsigned n, int ready, int go)
{
        struct ipw_message m = { .data = data, .size = SMALL };
        struct ipw_link *l = open_log("?ack=disk");
        char byte = 0;

        if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
                _exit(3);
        for (unsigned i = 0; i < n; i++)
                if (ipw_send(l, &m, IPW_FOREVER) < 0)
                        _exit(3);
        if (write(ready, &byte, 1) != 1)
                _exit(3);
        (void)ipw_close(l);
        _exit(0);
}

/* From each of them, or one has failed. */
static void await_writers(int ready)
{
        char byte;

        for (int w = 0; w < WRITERS; w++)
                if (read(ready, &byte, 1) != 1)
                        errx(3, "a writer failed");
}

/* As many processes, each waiting for each of its messages. Neither their beginning nor their end counts. */
static double many_to_disk(unsigned n)
{
        int go[2], ready[2], status;
        double start;

        tidy();
        if (pipe(go) < 0 || pipe(ready) < 0)
                err(3, "pipe");
        for (int w = 0; w < WRITERS; w++) {
                pid_t pid = fork();

                if (pid < 0)
                        err(3, "fork");
                if (pid == 0) {
                        (void)close(go[1]);
                        (void)close(ready[0]);
                        write_to_disk(n, ready[1], go[0]);
                }
        }
        (void)close(go[0]);
        (void)close(ready[1]);
        await_writers(ready[0]);
        start = now();
        (void)close(go[1]);
        await_writers(ready[0]);
        start = now() - start;
        (void)close(ready[0]);
        while (wait(&status) > 0)
                if (status != 0)
                        errx(3, "a writer failed");
        return start / n / WRITERS;
}

#ifdef WITH_SQLITE
static void sql(sqlite3 *db, const char *text)
{
        char *why = NULL;

        if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
                errx(3, "sqlite: %s: %s", text, why ? why : "?");
}

/* One table, one row for each record, each durable before the next: journal in WAL mode, synced. */
/*
 * One record a transaction, on disk when the call returns, as ack=disk has it. One writer, for SQLite lets no two in at a time: with more of them each waits for
 * the syncs of the others.
 */
static double sqlite_queue(unsigned n)
{
        sqlite3_stmt *insert;
        sqlite3 *db;
        double start;

        tidy();
        (void)snprintf(path, sizeof(path), "%s/queue", dir);
        if (sqlite3_open(path, &db) != SQLITE_OK)
                errx(3, "sqlite: %s", path);
        sql(db, "PRAGMA journal_mode=WAL");
        sql(db, "PRAGMA synchronous=FULL");
        sql(db, "CREATE TABLE queue (sequence INTEGER PRIMARY KEY, payload BLOB)");
        if (sqlite3_prepare_v2(db, "INSERT INTO queue (payload) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
                errx(3, "sqlite: prepare");
        start = now();
        for (unsigned i = 0; i < n; i++) {
                (void)sqlite3_bind_blob(insert, 1, data, SMALL, SQLITE_STATIC);
                if (sqlite3_step(insert) != SQLITE_DONE)
                        errx(3, "sqlite: insert");
                (void)sqlite3_reset(insert);
        }
        start = now() - start;
        (void)sqlite3_finalize(insert);
        (void)sqlite3_close(db);
        return start / n;
}
#endif

/* ---- judging --------------------------------------------------------------------------------------------------------------------------- */

static void say(const char *name, double mean, double low, double high, const char *sign, double bar, int holds)
{
        printf("%-52s %8.2f  %7.2f to %7.2f  %s %5.2f  %s\n", name, mean, low, high, sign, bar, holds ? "holds" : "short");
        if (!holds && !quick)
                worst = 1;
}

/* How many times as long `ours` takes; with `faster` the other way round, how many times as fast it is. */
static void compare(const char *name, double (*theirs)(unsigned), double (*ours)(unsigned), unsigned n, unsigned m, double bar, int faster)
{
        double ratio[ROUNDS], a, b;

        for (unsigned i = 0; i < rounds; i++) {
                a = theirs(n);
                b = ours(m);
                ratio[i] = faster ? a / b : b / a;
        }
        interval(ratio, rounds, &a, &b);
        say(name, median(ratio, rounds), a, b, faster ? ">=" : "<=", bar, faster ? a >= bar : b <= bar);
}

static void recover(unsigned megabytes)
{
        struct ipw_message m = { .data = data, .size = PAGE };
        struct ipw_link *l;
        double start;

        tidy();
        l = open_log("?segment=4G&writers=1");
        for (unsigned i = 0; i < megabytes * (1 << 20) / PAGE; i++)
                if (ipw_send(l, &m, IPW_FOREVER) < 0)
                        errx(3, "a send failed");
        (void)ipw_close(l);
        start = now();
        l = open_log("");
        start = (now() - start) * 1024 / megabytes;
        (void)ipw_close(l);
        say("seconds to recover 1 GiB in the page cache", start, start, start, "<=", 2, start <= 2);
}

int main(int argc, char **argv)
{
        double sync, rate;
        unsigned each;
        int at = 1;

        if (at < argc && strcmp(argv[at], "--quick") == 0)
                quick = 1, rounds = 3, scale = 1, at++;
        if (argc > at + 1 || (at < argc && argv[at][0] == '-')) {
                fputs("usage: durable [--quick] [DIRECTORY]\n", stderr);
                return 2;
        }
        make_table();
        memset(data, 'x', sizeof(data));
        (void)snprintf(dir, sizeof(dir), "%s/ipcway-durable-XXXXXX", at < argc ? argv[at] : ".");
        if (!mkdtemp(dir))
                err(3, "%s", dir);
        owner = getpid();
        (void)atexit(leave);
        sync = bare_sync(10 * scale);
        printf("%u rounds%s; a bare fdatasync takes %.0f us here\n", rounds, quick ? ", short ones: the verdicts are for show" : "",
               sync * 1e6);
        (void)fflush(stdout); /* or each process that is forked has it, too */
        compare("4 KiB alone, times a bare write", bare_write, alone, 100 * scale, 100 * scale, 1.4, 0);
        compare("4 KiB among many, times lock+fstat+checksum+write", careful_write, among_many, 100 * scale, 100 * scale, 1.15, 0);
        rate = 1e-6 / batches(100000 * scale);
        say("64 B in batches, million a second", rate, rate, rate, ">=", 1, rate >= 1);
        if (sync < 100e-6) {
                printf("ack=disk: not judged, a sync costs too little here\n");
        } else {
                (void)fflush(stdout);
                each = (unsigned)(4e-3 * scale / sync);
                each = each < 2 * scale ? 2 * scale : each;
                compare("ack=disk, 16 writers, times as fast as one", one_to_disk, many_to_disk, each, each, 5, 1);
#ifdef WITH_SQLITE
                (void)fflush(stdout);
                compare("ack=disk, 16 writers, times as fast as SQLite's queue", sqlite_queue, many_to_disk, each, each, 5, 1);
#else
                printf("SQLite: not here\n");
#endif
        }
        recover(quick ? 16 : 1024);
        return worst;
}
