/* SPDX-License-Identifier: MIT */
/* file: against programs that know only write(2) and read(2), on full disks, and with writers that are killed in the middle of a line. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "seam.h"
#include "subject.h"

enum { LARGE = 1 << 20 };

static char folder[64];
static char path[80], other[80]; /* folder/lines, folder/other */
static char room[LARGE + 2];

static void clean(void)
{
        (void)unlink(path);
        (void)unlink(other);
        (void)rmdir(other);
        (void)rmdir(folder);
}

static int fresh(void **state)
{
        clean();
        return mkdir(folder, 0700);
}

/* What `echo -n TEXT >> FILE` does. */
static void echo(const char *text)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(close(fd), 0);
}

/* What `cat` shows. */
static void expect_content(const char *text, size_t size)
{
        int fd = open(path, O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(read(fd, room, sizeof(room)), size);
        assert_memory_equal(room, text, size);
        assert_int_equal(close(fd), 0);
}

static ssize_t send_text(struct ipw_link *link, const char *text)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)text, .size = strlen(text) };

        return ipw_send(link, &m, IPW_FOREVER);
}

static void expect(struct ipw_link *link, const char *text)
{
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };
        ssize_t n = ipw_recv(link, &m, 0);

        if (n != (ssize_t)strlen(text) || m.size != (size_t)n || memcmp(room, text, (size_t)n) != 0)
                fail_msg("'%s' did not come, but %zd", text, n);
}

static void expect_error(struct ipw_link *link, int error)
{
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };

        assert_int_equal(ipw_recv(link, &m, 0), -error);
}

static uint64_t discarded(struct ipw_link *link)
{
        struct ipw_stats stats;

        assert_int_equal(ipw_link_stats(link, &stats), 0);
        return stats.discarded;
}

static void test_names(void **state)
{
        char text[200];

        talk_refuse("file:", IPW_PUB, EINVAL, "file:PATH");
        talk_refuse("file:/tmp/", IPW_PUB, EINVAL, "file:PATH");
        talk_refuse("file:/tmp/..", IPW_PUB, EINVAL, "file:PATH");
        talk_refuse("file:a#b", IPW_PUB, EINVAL, "%23");
        refuse_with("?keep=0", IPW_PUB, EOPNOTSUPP, "keep=0");
        refuse_with("?until=last", IPW_SUB, EOPNOTSUPP, "until=last");
        refuse_with("?max=1", IPW_SUB, ERANGE, "2..1G");
        refuse_with("?from=middle", IPW_SUB, EINVAL, "start|end");
        refuse_with("", IPW_PUSH, EOPNOTSUPP, "PUB SUB");
        refuse_with("", IPW_PULL, EOPNOTSUPP, "PUB SUB");
        refuse_with("", IPW_SUB | IPW_EXISTING, ENOENT, "no such file");
        (void)snprintf(text, sizeof(text), "file:%s/none/lines", folder);
        talk_refuse(text, IPW_PUB, ENOENT, "folder");
        assert_int_equal(chdir(folder), 0);
        talk_refuse("file:lines", IPW_PUB | IPW_EXISTING, ENOENT, "no such file");
}

static void test_kinds(void **state)
{
        struct ipw_link *link;
        struct ipw_why why;

        assert_int_equal(symlink(other, path), 0);
        refuse_with("", IPW_PUB, ELOOP, "symbolic link");
        refuse_with("", IPW_SUB, ELOOP, "symbolic link");
        assert_int_equal(ipw_remove(address, &why), -ELOOP);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(access(other, F_OK), -1);
        assert_int_equal(mkfifo(path, 0600), 0);
        refuse_with("", IPW_PUB, EINVAL, "no plain file");
        refuse_with("", IPW_SUB, EINVAL, "no plain file");
        assert_int_equal(ipw_remove(address, &why), -EINVAL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        refuse_with("", IPW_PUB, EINVAL, "no plain file");
        refuse_with("", IPW_SUB, EINVAL, "no plain file");
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        link = open_with("", IPW_PUB | IPW_FRESH);
        refuse_with("", IPW_PUB | IPW_FRESH, EEXIST, "already");
        assert_int_equal(ipw_close(link), 0);
        link = open_with("", IPW_SUB | IPW_EXISTING);
        assert_int_equal(ipw_close(link), 0);
        if (geteuid() == 0) {
                assert_int_equal(chown(path, 12345, 54321), 0);
                refuse_with("", IPW_PUB, EPERM, "peer=uid:12345");
                assert_int_equal(ipw_remove(address, &why), -EPERM);
                link = open_with("?peer=group:54321", IPW_PUB);
                assert_int_equal(ipw_close(link), 0);
                assert_int_equal(chown(path, 0, 0), 0);
        }
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_mode(void **state)
{
        mode_t before = umask(0777);
        struct ipw_link *link = open_with("?mode=0640", IPW_PUB);
        struct stat st;

        umask(before);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(ipw_close(link), 0);
        assert_int_equal(unlink(path), 0);
        refuse_with("?group=nobody-has-this-name", IPW_PUB, ENOENT, "no such group");
        assert_int_equal(access(path, F_OK), -1);
}

static void test_from_plain(void **state)
{
        struct ipw_link *in = open_with("", IPW_SUB), *second, *end;

        expect_error(in, EAGAIN);
        echo("one\n\nthree\nfo");
        expect(in, "one");
        expect(in, "");
        expect(in, "three");
        expect_error(in, EAGAIN);
        end = open_with("?from=end", IPW_SUB);
        expect_error(end, EAGAIN);
        echo("ur\nfive\n");
        expect(in, "four");
        expect(in, "five");
        expect_error(in, EAGAIN);
        expect(end, "four"); /* finished since */
        expect(end, "five");
        second = open_with("", IPW_SUB);
        expect(second, "one");
        assert_int_equal(ipw_close(end), 0);
        end = open_with("?from=end", IPW_SUB);
        echo("six\n");
        expect(end, "six");
        expect(in, "six");
        assert_int_equal(ipw_close(in), 0);
        assert_int_equal(ipw_close(second), 0);
        assert_int_equal(ipw_close(end), 0);
}

static void test_to_plain(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        struct iovec iov[] = { { (char[]){ "gath" }, 4 }, { NULL, 0 }, { (char[]){ "ered" }, 4 } };
        struct ipw_message m = { .iov = iov, .iov_count = 3 }, empty = { 0 }, zeros = { .data = (char[]){ "a\0b\r" }, .size = 4 };

        assert_int_equal(send_text(out, "line"), 4);
        assert_int_equal(ipw_send(out, &m, 0), 8);
        assert_int_equal(ipw_send(out, &empty, 0), 0);
        assert_int_equal(ipw_send(out, &zeros, 0), 4);
        expect_content("line\ngathered\n\na\0b\r\n", 20);
        expect(in, "line");
        expect(in, "gathered");
        expect(in, "");
        assert_int_equal(ipw_recv(in, &(struct ipw_message){ .data = room, .capacity = 4 }, 0), 4);
        assert_memory_equal(room, "a\0b\r", 4);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* Half a line that somebody left is closed off, not glued to the next and not destroyed; readers pass over it. */
static void test_half_line(void **state)
{
        struct ipw_link *out, *in = open_with("", IPW_SUB);

        echo("half");
        out = open_with("", IPW_PUB);
        assert_int_equal(send_text(out, "whole"), 5);
        expect_content("half\x18\nwhole\n", 12);
        expect(in, "whole");
        assert_int_equal(discarded(in), 1);
        echo("\x18"); /* died in the middle of closing off */
        assert_int_equal(send_text(out, "again"), 5);
        expect(in, "again");
        expect_error(in, EAGAIN);
        assert_int_equal(discarded(in), 2);
        echo("well\n");
        assert_int_equal(send_text(out, "done"), 4);
        expect(in, "well");
        expect(in, "done");
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

static void test_no_line(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB);
        struct ipw_message many[] = { { .data = (char[]){ "a" }, .size = 1 },
                                      { .data = (char[]){ "b" }, .size = 1 },
                                      { .data = (char[]){ "c\n" }, .size = 2 },
                                      { .data = (char[]){ "d" }, .size = 1 } };

        assert_int_equal(send_text(out, "two\nlines"), -EINVAL);
        talk_explains(out, EINVAL, "newline");
        assert_int_equal(send_text(out, "void\x18"), -EINVAL);
        talk_explains(out, EINVAL, "0x18");
        assert_int_equal(send_text(out, "\x18 fine"), 6);
        assert_int_equal(ipw_send_many(out, many, 4, 0), 2);
        assert_int_equal(ipw_send_many(out, many + 2, 2, 0), -EINVAL);
        expect_content("\x18 fine\na\nb\n", 11);
        assert_int_equal(ipw_close(out), 0);
}

static void test_sizes(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB), *small = open_with("?max=100", IPW_SUB);
        char *large = malloc(LARGE);
        struct ipw_message m = { .data = large, .size = LARGE }, got = { .data = room, .capacity = 3 };

        assert_non_null(large);
        memset(large, 'x', LARGE);
        assert_int_equal(ipw_link_caps(out)->max_msg, LARGE - 1);
        assert_int_equal(ipw_link_caps(out)->min_msg, 0);
        assert_int_equal(ipw_send(out, &m, 0), -EMSGSIZE);
        m.size = LARGE - 1;
        assert_int_equal(ipw_send(out, &m, 0), LARGE - 1);
        assert_int_equal(send_text(out, "after"), 5);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(ipw_recv(in, &got, IPW_FOREVER), -EMSGSIZE);
                assert_int_equal(got.size, LARGE - 1);
        }
        got.capacity = LARGE - 1;
        assert_int_equal(ipw_recv(in, &got, 0), LARGE - 1);
        assert_memory_equal(room, large, LARGE - 1);
        expect(in, "after");
        expect_error(small, EBADMSG);
        expect_error(small, EBADMSG);
        talk_explains(small, EBADMSG, "max=100");
        assert_int_equal(ipw_close(small), 0);
        assert_int_equal(truncate(path, 0), 0);
        memset(large + 99, '\n', 1);
        memset(large + 200, '\n', 2);
        large[202] = 0;
        echo(large); /* 99 bytes, then 100 */
        small = open_with("?max=100", IPW_SUB);
        got.capacity = 99;
        assert_int_equal(ipw_recv(small, &got, 0), 99);
        expect_error(small, EBADMSG);
        assert_int_equal(ipw_close(small), 0);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
        free(large);
}

static void test_many_at_once(void **state)
{
        enum { COUNT = 3000 };
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        static struct ipw_message m[COUNT];
        static char data[COUNT][8];
        ssize_t sent = 0, r;

        for (int i = 0; i < COUNT; i++)
                m[i] = (struct ipw_message){ .data = data[i], .size = (size_t)snprintf(data[i], sizeof(data[i]), "%d", i) };
        for (; sent < COUNT; sent += r) {
                r = ipw_send_many(out, m + sent, COUNT - (size_t)sent, 0);
                assert_true(r > 0);
        }
        for (int i = 0; i < COUNT; i++)
                m[i] = (struct ipw_message){ .data = data[i], .capacity = sizeof(data[i]) };
        assert_int_equal(ipw_recv_many(in, m, COUNT, 0), COUNT);
        for (int i = 0; i < COUNT; i++) {
                char number[8];

                assert_int_equal(m[i].size, snprintf(number, sizeof(number), "%d", i));
                assert_memory_equal(data[i], number, m[i].size);
        }
        expect_error(in, EAGAIN);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* A line says who wrote it, as which of its lines, how long it is, and is filled accordingly. */
static size_t make_line(char *line, unsigned writer, unsigned number, size_t size)
{
        int n = snprintf(line, size, "%u %u %zu ", writer, number, size);

        memset(line + n, 'a' + (int)((writer + number) % 26), size - (size_t)n);
        return size;
}

static void check_line(const char *line, size_t size, unsigned *writer, unsigned *number)
{
        size_t claimed;
        int n;

        assert_int_equal(sscanf(line, "%u %u %zu %n", writer, number, &claimed, &n), 3);
        assert_int_equal(claimed, size);
        line += n;
        size -= (size_t)n;
        if (size && (*line != 'a' + (int)((*writer + *number) % 26) || memcmp(line, line + 1, size - 1) != 0))
                fail_msg("writer %u, line %u is not whole", *writer, *number);
}

static ssize_t next_line(struct ipw_link *in, unsigned *writer, unsigned *number, int64_t timeout)
{
        struct ipw_message m = { .data = room, .capacity = sizeof(room) - 1 };
        ssize_t n = ipw_recv(in, &m, timeout);

        if (n >= 0) {
                room[n] = 0;
                check_line(room, (size_t)n, writer, number);
        }
        return n;
}

static void write_lines(unsigned writer, unsigned count, size_t least, size_t most)
{
        struct ipw_link *out = open_with("", IPW_PUB | IPW_EXISTING);
        char *line = malloc(most);
        unsigned random = writer + 1;

        for (unsigned i = 0; i < count; i++) {
                random = random * 1103515245 + 12345;

                struct ipw_message m = { .data = line, .size = make_line(line, writer, i, least + (random >> 8) % (most - least)) };

                if (ipw_send(out, &m, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)) != (ssize_t)m.size)
                        _exit(1);
        }
        _exit(0);
}

/* Four of ours, and a plain program that appends without any lock. Two readers, each sees all. */
static void test_writers_at_once(void **state)
{
        enum { COUNT = 500, WRITERS = 5 };
        struct ipw_link *in[2] = { open_with("", IPW_SUB), open_with("", IPW_SUB) };
        unsigned next[2][WRITERS] = { 0 }, writer, number;
        pid_t children[WRITERS];

        for (unsigned w = 0; w < WRITERS; w++) {
                children[w] = fork_child();
                if (children[w] == 0 && w < 4)
                        write_lines(w, COUNT, 30, 5000);
                if (children[w] == 0) {
                        int fd = open(path, O_WRONLY | O_APPEND);
                        char line[301];

                        for (unsigned i = 0; i < COUNT; i++) {
                                (void)make_line(line, w, i, 300);
                                line[300] = '\n';
                                if (write(fd, line, 301) != 301)
                                        _exit(1);
                        }
                        _exit(0);
                }
        }
        for (int i = 0; i < WRITERS * COUNT * 2; i++) {
                assert_true(next_line(in[i % 2], &writer, &number, IPW_MS(PATIENCE)) >= 0);
                assert_true(writer < WRITERS);
                assert_int_equal(number, next[i % 2][writer]++);
        }
        for (int w = 0; w < WRITERS; w++)
                assert_int_equal(reap(children[w]), 0);
        expect_error(in[0], EAGAIN);
        assert_int_equal(discarded(in[0]), 0);
        assert_int_equal(ipw_close(in[0]), 0);
        assert_int_equal(ipw_close(in[1]), 0);
}

/* Killed at any moment, in the middle of lines of many pages. Nobody waits for the dead, and nothing half is delivered. */
static void test_killed_writers(void **state)
{
        struct ipw_link *in = open_with("", IPW_SUB), *out = open_with("", IPW_PUB);
        unsigned writer, number;

        for (unsigned round = 0; round < 100; round++) {
                pid_t child = fork_child();
                unsigned next = 0, last = 0;
                off_t read = 0;
                struct stat st;
                ssize_t n;
                int status;

                if (child == 0)
                        write_lines(round, 12, 100000, 500000);
                for (unsigned i = 0; i < round % 4; i++) {
                        n = next_line(in, &writer, &number, IPW_MS(PATIENCE));
                        assert_true(n >= 0);
                        read += n + 1;
                        assert_int_equal(writer, round);
                        assert_int_equal(number, next++);
                }
                do { /* until the next line has begun to appear */
                        assert_int_equal(stat(path, &st), 0);
                } while (st.st_size <= read && sched_yield() == 0);
                assert_int_equal(kill(child, SIGKILL), 0);
                status = reap(child);
                assert_true(status == -SIGKILL || status == 0); /* or had written all its lines */
                (void)make_line(room, 9999, round, 40);
                assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = room, .size = 40 }, IPW_MS(PATIENCE)), 40);
                while (!last) {
                        assert_true(next_line(in, &writer, &number, 0) >= 0);
                        last = writer == 9999;
                        assert_int_equal(number, last ? round : next++);
                }
                expect_error(in, EAGAIN);
                assert_int_equal(truncate(path, 0), 0);
                expect_error(in, EAGAIN); /* has seen that */
        }
        print_message("%llu half lines were passed over\n", (unsigned long long)discarded(in));
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* ---- other programs' locks, sizes and names ---------------------------------------------------------------------------------------- */

static void test_locked(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        struct ipw_message m = { .data = (char[]){ "line" }, .size = 4 };
        int ends[2];
        pid_t child;
        char byte;

        assert_int_equal(pipe(ends), 0);
        child = fork_child();
        if (child == 0) { /* a plain program with a plain lock */
                struct flock whole = { .l_type = F_WRLCK };
                int fd = open(path, O_RDWR);

                if (fcntl(fd, F_SETLKW, &whole) < 0 || write(ends[1], "", 1) != 1)
                        _exit(1);
                (void)pause();
                _exit(1);
        }
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(ipw_send(out, &m, 0), -EAGAIN);
        talk_explains(out, EAGAIN, "lock");
        assert_int_equal(ipw_send(out, &m, IPW_MS(2)), -ETIMEDOUT);
        expect_error(in, EAGAIN);
        for (int endless = 0; endless < 2; endless++) { /* a writer that waits goes on when the holder dies */
                pid_t writer = fork_child();

                if (writer == 0) {
                        out = open_with("", IPW_PUB);
                        _exit(ipw_send(out, &m, endless ? IPW_FOREVER : IPW_MS(PATIENCE)) != 4);
                }
                await_sleep(writer);
                if (endless) {
                        assert_int_equal(kill(child, SIGKILL), 0);
                        assert_int_equal(reap(child), -SIGKILL);
                        assert_int_equal(reap(writer), 0);
                } else {
                        assert_int_equal(kill(writer, SIGKILL), 0);
                        assert_int_equal(reap(writer), -SIGKILL);
                }
        }
        expect(in, "line");
        expect_error(in, EAGAIN);
        assert_int_equal(ipw_send(out, &m, 0), 4);
        assert_int_equal(close(ends[0]) | close(ends[1]), 0);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

static void test_cut_short(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        struct pollfd p;

        assert_int_equal(send_text(out, "a rather long first line"), 24);
        expect(in, "a rather long first line");
        expect_error(in, EAGAIN);
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(truncate(path, 0), 0);
        echo("new\n");
        assert_int_equal(ready(p), 1);
        expect(in, "new");
        assert_int_equal(truncate(path, 0), 0);
        echo("cut short, and longer than before\n"); /* already when the reader looks */
        expect(in, "cut short, and longer than before");
        assert_int_equal(truncate(path, 0), 0);
        expect_error(in, EAGAIN);
        echo("new\n");
        expect(in, "new");
        assert_int_equal(send_text(out, "more"), 4);
        expect(in, "more");
        expect_error(in, EAGAIN);
        expect_content("new\nmore\n", 9);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

static void test_replaced(void **state)
{
        for (int way = 0; way < 3; way++) {
                struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
                struct pollfd p;

                assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
                expect_error(in, EAGAIN);
                assert_int_equal(send_text(out, "last"), 4);
                expect(in, "last");
                expect_error(in, EAGAIN);
                assert_int_equal(ready(p), 0);
                assert_int_equal(send_text(out, "words"), 5);
                if (way == 0)
                        assert_int_equal(unlink(path), 0);
                else
                        assert_int_equal(rename(path, other), 0);
                if (way == 2)
                        echo("of another file\n");
                assert_int_equal(send_text(out, "to nobody"), -ESTALE);
                talk_explains(out, ESTALE, "open it again");
                assert_int_equal(ready(p), 1);
                expect(in, "words");
                assert_int_equal(ready(p), 1);
                expect_error(in, ESTALE);
                expect_error(in, ESTALE);
                talk_explains(in, ESTALE, "open it again");
                assert_int_equal(ipw_close(out), 0);
                assert_int_equal(ipw_close(in), 0);
                (void)unlink(path);
                (void)unlink(other);
        }
}

/* ---- full disks -------------------------------------------------------------------------------------------------------------------- */

/* The next write moves no more than so many bytes. */
static ssize_t shorten_to = -1;

static int shorten_before(struct sys_call *call)
{
        if (strcmp(call->site->call, "write") == 0 && *call->size > 0 && shorten_to >= 0) {
                *call->size = MIN(*call->size, (size_t)shorten_to);
                shorten_to = -1;
        }
        return 0;
}

static void after_nothing(struct sys_call *call)
{
}

static void test_half_written(void **state)
{
        static const struct sys_hook hook = { shorten_before, after_nothing };
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        struct ipw_message three[] = { { .data = (char[]){ "one" }, .size = 3 }, { 0 }, { .data = (char[]){ "three" }, .size = 5 } };

        assert_int_equal(send_text(out, "first"), 5);
        expect(in, "first");
        for (ssize_t n = 1; n < 5; n++) {
                sys_hook = &hook;
                shorten_to = n;
                assert_int_equal(send_text(out, "line"), -ENOSPC);
                sys_hook = NULL;
                talk_explains(out, ENOSPC, "no space");
                expect_content("first\n", 6);
                expect_error(in, EAGAIN);
        }
        for (ssize_t n = 1; n < 11; n++) {
                ssize_t whole = n < 4 ? 0 : n < 5 ? 1 : 2;

                sys_hook = &hook;
                shorten_to = n;
                assert_int_equal(ipw_send_many(out, three, 3, 0), whole ? whole : -ENOSPC);
                sys_hook = NULL;
                if (whole > 0)
                        expect(in, "one");
                if (whole > 1)
                        expect(in, "");
                expect_error(in, EAGAIN);
        }
        for (ssize_t n = 1; n < 7; n++) { /* behind half a line of somebody else, which must stay */
                assert_int_equal(truncate(path, 0), 0);
                expect_error(in, EAGAIN);
                echo("half");
                sys_hook = &hook;
                shorten_to = n;
                assert_int_equal(send_text(out, "line"), -ENOSPC);
                sys_hook = NULL;
                expect_content("half\x18\n", n < 2 ? 4 : 6);
                assert_int_equal(send_text(out, "line"), 4);
                expect(in, "line");
        }
        assert_int_equal(discarded(in), 6);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

static void test_size_limit(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB);
        struct rlimit before, small;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = before;
        small.rlim_cur = 20;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(send_text(out, "nine byte"), 9);
        assert_int_equal(send_text(out, "and so ten"), -EFBIG); /* SIGXFSZ would end this program */
        talk_explains(out, EFBIG, "RLIMIT_FSIZE");
        assert_int_equal(send_text(out, "nine more"), 9);
        assert_int_equal(send_text(out, ""), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(send_text(out, "and on"), 6);
        expect_content("nine byte\nnine more\nand on\n", 27);
        assert_int_equal(ipw_close(out), 0);
}

/* On a disk of 16 pages of its own. Exit 77: this machine does not let us have one. */
static void test_full_disk(void **state)
{
        pid_t child = fork_child();
        int status;

        if (child == 0) {
                struct ipw_link *out, *in;
                unsigned writer, number, n = 0;
                ssize_t r;

                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("ipcway-test", folder, "tmpfs", 0, "size=65536") < 0)
                        _exit(77);
                out = open_with("", IPW_PUB);
                in = open_with("", IPW_SUB);
                for (size_t size = 5000; size >= 50; size = r < 0 ? size / 3 : size) { /* ever smaller ones, until nothing fits */
                        (void)make_line(room, 1, n, size);
                        r = ipw_send(out, &(struct ipw_message){ .data = room, .size = size }, 0);
                        assert_true(r == (ssize_t)size || r == -ENOSPC);
                        n += r >= 0;
                        while (next_line(in, &writer, &number, 0) >= 0)
                                assert_int_equal(number, n - 1);
                }
                assert_true(n > 10);
                assert_int_equal(discarded(in), 0);
                assert_int_equal(ipw_close(in), 0);
                in = open_with("", IPW_SUB);
                for (unsigned i = 0; i < n; i++) {
                        assert_true(next_line(in, &writer, &number, 0) >= 0);
                        assert_int_equal(number, i);
                }
                expect_error(in, EAGAIN);
                _exit(0);
        }
        status = reap(child);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------------------------- */

static void test_sleeping_reader(void **state)
{
        struct ipw_link *in = open_with("", IPW_SUB);
        unsigned writer, number;
        pid_t parent = getpid(), child;

        for (unsigned i = 0; i < 20; i++) {
                child = fork_child();
                if (child == 0) {
                        await_sleep(parent);
                        write_lines(i, 1, 100, 101);
                }
                assert_int_equal(next_line(in, &writer, &number, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)), 100);
                assert_int_equal(writer, i);
                assert_int_equal(reap(child), 0);
        }
        assert_int_equal(ipw_close(in), 0);
}

static void test_pollfd_never_misses(void **state)
{
        enum { COUNT = 4000 };
        struct ipw_link *in = open_with("", IPW_SUB);
        struct ipw_message m = { .data = room };
        unsigned next = 0, random = 1, writer, number;
        struct pollfd p;
        pid_t child;

        echo("already there\n");
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(ready(p), 1);
        expect(in, "already there");
        expect_error(in, EAGAIN);
        assert_int_equal(ready(p), 0);
        assert_int_equal(ipw_pollfd(in, IPW_SEND, &p), -EOPNOTSUPP);
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        child = fork_child();
        if (child == 0)
                write_lines(0, COUNT, 30, 400);
        while (next < COUNT) {
                assert_int_equal(poll(&p, 1, PATIENCE), 1);
                random = random * 1103515245 + 12345;
                for (unsigned burst = random >> 16 & 15; burst && next < COUNT; burst--) {
                        m.capacity = burst & 1 ? sizeof(room) - 1 : 3;

                        ssize_t n = ipw_recv(in, &m, 0);

                        if (n == -EAGAIN)
                                break;
                        if (n == -EMSGSIZE)
                                continue;
                        room[n] = 0;
                        check_line(room, (size_t)n, &writer, &number);
                        assert_int_equal(number, next++);
                }
        }
        expect_error(in, EAGAIN);
        assert_int_equal(ready(p), 0);
        assert_int_equal(reap(child), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* ---- every call of opening fails in turn ------------------------------------------------------------------------------------------- */

static int countdown, fault;

static int fail_before(struct sys_call *call)
{
        if (strcmp(call->site->call, "close") == 0 || strcmp(call->site->call, "munmap") == 0 ||
            strcmp(call->site->meaning, "leave nothing half made") == 0 ||
            strcmp(call->site->meaning, "has somebody written already") == 0 || --countdown != 0)
                return 0;
        call->result = -fault;
        return 1;
}

static void test_faults(void **state)
{
        static const struct sys_hook hook = { fail_before, after_nothing };
        static const int faults[] = { ENOMEM, EINTR, EACCES, EMFILE, ENOSPC };
        int before = open_descriptors();
        char text[160];

        (void)snprintf(text, sizeof(text), "%s?mode=0660&group=%d&from=end", address, (int)getegid());
        for (size_t f = 0; f < 2 * COUNT_OF(faults); f++) {
                for (int n = 1;; n++) {
                        struct ipw_link *link = NULL;
                        struct ipw_why why = { 0 };
                        int r;

                        countdown = n;
                        fault = faults[f / 2];
                        sys_hook = &hook;
                        r = ipw_open(&link, text, f % 2 ? IPW_PUB : IPW_SUB, 0, &why);
                        sys_hook = NULL;
                        if (r == 0 && countdown > 0) { /* nothing was left to fail */
                                assert_true(n > 10);
                                assert_int_equal(ipw_close(link), 0);
                                break;
                        }
                        if (r == 0 || n > 100)
                                fail_msg("call %d failed, and the answer was %d: %s", n, r, why.text);
                        assert_true(why.error == -r && *why.text);
                        assert_int_equal(open_descriptors(), before);
                        if (!strstr(why.text, "make a handle")) /* of the core, which opens first; then a named file is there to stay */
                                assert_int_equal(access(path, F_OK), -1);
                        (void)unlink(path);
                }
                (void)unlink(path);
        }
        assert_int_equal(open_descriptors(), before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_names, fresh),
                cmocka_unit_test_setup(test_kinds, fresh),
                cmocka_unit_test_setup(test_mode, fresh),
                cmocka_unit_test_setup(test_from_plain, fresh),
                cmocka_unit_test_setup(test_to_plain, fresh),
                cmocka_unit_test_setup(test_half_line, fresh),
                cmocka_unit_test_setup(test_no_line, fresh),
                cmocka_unit_test_setup(test_sizes, fresh),
                cmocka_unit_test_setup(test_many_at_once, fresh),
                cmocka_unit_test_setup(test_writers_at_once, fresh),
                cmocka_unit_test_setup(test_killed_writers, fresh),
                cmocka_unit_test_setup(test_locked, fresh),
                cmocka_unit_test_setup(test_cut_short, fresh),
                cmocka_unit_test_setup(test_replaced, fresh),
                cmocka_unit_test_setup(test_half_written, fresh),
                cmocka_unit_test_setup(test_size_limit, fresh),
                cmocka_unit_test_setup(test_full_disk, fresh),
                cmocka_unit_test_setup(test_sleeping_reader, fresh),
                cmocka_unit_test_setup(test_pollfd_never_misses, fresh),
                cmocka_unit_test_setup(test_faults, fresh),
        };
        int r;

        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-file-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "%s/lines", folder);
        (void)snprintf(other, sizeof(other), "%s/other", folder);
        (void)snprintf(address, sizeof(address), "file:%s", path);
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}
