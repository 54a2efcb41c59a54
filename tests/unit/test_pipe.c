/* SPDX-License-Identifier: MIT */
/* pipe: and fd:, with fragments, through the public header: sizes, many writers, writers that die, senders that give up, strange bytes. */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "seam.h"
#include "talk.h"

enum { PIECE = PIPE_BUF - 24 };

static struct ipw_link *receiver, *sender;
static char to[64], from[64];

static void ends(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };

        if (ipw_ends(to, from, address, how, &why) < 0)
                fail_msg("%s", why.text);
}

/* Both ends in this process. */
static void both(const char *address)
{
        ends(address, IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        sender = talk_open(to, IPW_PUSH);
}

static int fd_of(const char *end)
{
        return atoi(strchr(end, ':') + 1);
}

static int open_at_start;

static int setup(void **state)
{
        receiver = sender = NULL;
        open_at_start = open_descriptors();
        return 0;
}

static int teardown(void **state)
{
        if (sender)
                (void)ipw_close(sender);
        if (receiver)
                (void)ipw_close(receiver);
        return open_descriptors() == open_at_start ? 0 : -1;
}

static void test_texts(void **state)
{
        struct ipw_why why = { 0 };
        char a[64], b[64];

        talk_refuse("pipe:", IPW_PULL, EOPNOTSUPP, "ipw_ends()");
        talk_refuse("pipe:/tmp/x", IPW_PULL, EINVAL, "fifo:");
        talk_refuse("fd:", IPW_PULL, EINVAL, "number of a descriptor");
        talk_refuse("fd:3,3", IPW_PAIR, EINVAL, "number of a descriptor");
        talk_refuse("fd:99999999999", IPW_PULL, EINVAL, "number of a descriptor");
        talk_refuse("fd:777", IPW_PULL, EBADF, "inherited");
        talk_refuse("fd:777,778", IPW_PULL, EINVAL, "IPW_PAIR");
        assert_int_equal(ipw_ends(a, b, "pipe:?framing=frame&max=1073741824&writers=1&spin=1000000ns&ack=queued", IPW_PUSH, &why),
                         -ENAMETOOLONG);
        ends("pipe:", IPW_PUSH);
        talk_refuse(from, IPW_PUSH, EINVAL, "reading end");
        talk_refuse(from, IPW_PAIR, EINVAL, "fd:READ,WRITE");
        talk_refuse(to, IPW_PULL, EINVAL, "writing end");
        ipw_end_drop(to);
        ipw_end_drop(from);
        assert_int_equal(fcntl(fd_of(to), F_GETFD), -1);
}

static int same_pipe(int a, int b)
{
        struct stat one, two;

        return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Opening leaves what other processes share as it was: the flags of the inherited description. */
static void test_inherited_flags(void **state)
{
        struct stat st;
        int in, out;

        ends("pipe:?framing=line", IPW_PUSH);
        assert_non_null(strstr(to, "?framing=line"));
        in = dup(fd_of(from));
        out = dup(fd_of(to));
        assert_int_equal(fcntl(fd_of(from), F_GETFD), 0); /* crosses exec */
        receiver = talk_open(from, IPW_PULL);
        sender = talk_open(to, IPW_PUSH);
        for (int fd = 3; fd < 256; fd++) /* what the links hold does not cross exec */
                if (fd != in && fd != out && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && same_pipe(fd, in))
                        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(in, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_RDONLY);
        assert_int_equal(fcntl(out, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_WRONLY);
        assert_int_equal(talk_send(sender, "one", 3, 0), 3);
        talk_expect(receiver, "one");
        /* the sender's end is closed by its link; only our copy keeps the conversation going */
        (void)ipw_close(sender);
        sender = NULL;
        talk_nothing(receiver, EAGAIN);
        (void)close(out);
        talk_nothing(receiver, EPIPE);
        talk_nothing(receiver, EPIPE);
        (void)close(in);
}

static void test_second_receiver(void **state)
{
        char second[64];
        int copy;

        ends("pipe:", IPW_PUSH);
        copy = dup(fd_of(from));
        (void)snprintf(second, sizeof(second), "fd:%d", copy);
        receiver = talk_open(from, IPW_PULL);
        talk_refuse(second, IPW_PULL, EBUSY, "receives from it already");
        (void)ipw_close(receiver);
        receiver = talk_open(second, IPW_PULL);
        ipw_end_drop(to);
        talk_nothing(receiver, EPIPE);
}

static void test_framing_mismatch(void **state)
{
        char wrong[80];

        ends("pipe:", IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=line", to);
        talk_refuse(wrong, IPW_PUSH, EPROTO, "framing=frame");
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=auto", to);
        sender = talk_open(wrong, IPW_PUSH);
        assert_string_equal(ipw_link_caps(sender)->stack, "frame/pipe");
}

static void test_caps(void **state)
{
        const struct ipw_caps *caps;
        int size;

        ends("pipe:?max=1M", IPW_PUSH);
        size = fcntl(fd_of(to), F_GETPIPE_SZ);
        sender = talk_open(to, IPW_PUSH);
        ipw_end_drop(from);
        caps = ipw_link_caps(sender);
        assert_string_equal(caps->stack, "frame/pipe");
        assert_int_equal(caps->min_msg, 0);
        assert_int_equal(caps->max_msg, 1 << 20);
        assert_int_equal(caps->atomic_max, PIECE);
        assert_int_equal(caps->capacity, size);
        assert_int_equal(caps->flags, IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_MANY_SENDERS | IPW_CAP_POLL);
        assert_true(caps->max_batch > 100);
}

/* Every boundary: one child sends, the parent checks. */
static void test_sizes(void **state)
{
        static const size_t sizes[] = { 12,         13,           PIECE - 1,     PIECE,     PIECE + 1,     PIPE_BUF - 1,
                                        PIPE_BUF,   PIPE_BUF + 1, 2 * PIECE - 1, 2 * PIECE, 2 * PIECE + 1, 2 * PIPE_BUF,
                                        65536 - 24, 65536,        65537,         300000,    1 << 20 };
        enum { N = sizeof(sizes) / sizeof(*sizes) };
        char *buffer = malloc(1 << 20);
        struct ipw_message m = { .data = buffer, .capacity = 1 << 20 };
        pid_t pid;

        ends("pipe:?max=1M", IPW_PUSH);
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(from);
                sender = talk_open(to, IPW_PUSH);
                for (uint32_t i = 0; i < N; i++) {
                        talk_fill(buffer, sizes[i], 1, i);
                        CHILD_CHECK(talk_send(sender, buffer, sizes[i], i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)) == (ssize_t)sizes[i]);
                        CHILD_CHECK(talk_send(sender, "", 0, IPW_FOREVER) == 0);
                }
                CHILD_CHECK(talk_send(sender, buffer, (1 << 20) + 1, 0) == -EMSGSIZE);
                (void)ipw_close(sender);
                _exit(0);
        }
        ipw_end_drop(to);
        receiver = talk_open(from, IPW_PULL);
        for (uint32_t i = 0; i < N; i++) {
                m.capacity = sizes[i] - 1; /* too small: told, and kept */
                assert_int_equal(ipw_recv(receiver, &m, IPW_FOREVER), -EMSGSIZE);
                assert_int_equal(m.size, sizes[i]);
                assert_int_equal(ipw_recv(receiver, &m, 0), -EMSGSIZE);
                m.capacity = sizes[i];
                assert_int_equal(ipw_recv(receiver, &m, 0), sizes[i]);
                assert_true(talk_good(buffer, sizes[i]));
                assert_int_equal(get_le32(buffer + 4), i);
                m.capacity = 0;
                assert_int_equal(ipw_recv(receiver, &m, IPW_FOREVER), 0);
        }
        m.capacity = 1 << 20;
        assert_int_equal(ipw_recv(receiver, &m, IPW_FOREVER), -EPIPE);
        assert_int_equal(reap(pid), 0);
        assert_int_equal(talk_stats(receiver).received, 2 * N);
        assert_int_equal(talk_stats(receiver).dropped + talk_stats(receiver).discarded, 0);
        free(buffer);
}

/* Sends until it is killed, or `count` messages: who, number, checksum. */
static void chatter(uint32_t who, uint32_t count, size_t largest)
{
        unsigned char *buffer = malloc(largest);
        uint32_t x = who * 7919;

        sender = talk_open(to, IPW_PUSH);
        for (uint32_t i = 0; i < count; i++) {
                size_t size = TALK_HEAD + (x = x * 1103515245 + 12345) % (i % 3 ? largest - TALK_HEAD : 2000);

                talk_fill(buffer, size, who, i);
                CHILD_CHECK(talk_send(sender, buffer, size, IPW_FOREVER) == (ssize_t)size);
        }
        CHILD_CHECK(ipw_close(sender) == 0);
        _exit(0);
}

static void test_writers_interleave(void **state)
{
        enum { WRITERS = 3, EACH = 40, LARGEST = 300000 };
        unsigned char *buffer = malloc(LARGEST);
        struct ipw_message m = { .data = buffer, .capacity = LARGEST };
        uint32_t next[WRITERS] = { 0 };
        pid_t pids[WRITERS];
        unsigned got = 0;
        ssize_t n;

        ends("pipe:", IPW_PUSH);
        for (uint32_t i = 0; i < WRITERS; i++)
                if ((pids[i] = fork_child()) == 0) {
                        ipw_end_drop(from);
                        chatter(i, EACH, LARGEST);
                }
        ipw_end_drop(to);
        receiver = talk_open(from, IPW_PULL);
        while ((n = ipw_recv(receiver, &m, IPW_FOREVER)) >= 0) {
                assert_true(talk_good(buffer, (size_t)n));
                assert_true(get_le32(buffer) < WRITERS);
                assert_int_equal(get_le32(buffer + 4), next[get_le32(buffer)]++);
                got++;
        }
        assert_int_equal(n, -EPIPE);
        assert_int_equal(got, WRITERS * EACH);
        for (unsigned i = 0; i < WRITERS; i++)
                assert_int_equal(reap(pids[i]), 0);
        free(buffer);
}

static int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Writers are killed wherever they happen to be; what arrives is whole, in order, and nobody hangs. */
static void test_writers_killed(void **state)
{
        enum { WRITERS = 3, LARGEST = 300000, KILLS = 700 };
        unsigned char *buffer = malloc(LARGEST);
        struct ipw_message m = { .data = buffer, .capacity = LARGEST };
        uint32_t who[WRITERS], next[WRITERS] = { 0 }, births = 0, seed = (uint32_t)getpid();
        int64_t until = now() + 3000000000, kill_at = 0;
        pid_t pids[WRITERS] = { 0 };
        unsigned got = 0, kills = 0;
        ssize_t n;

        ends("pipe:", IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        while (kills < KILLS && now() < until) {
                for (unsigned i = 0; i < WRITERS; i++)
                        if (!pids[i]) {
                                who[i] = births++;
                                next[i] = 0;
                                if ((pids[i] = fork_child()) == 0)
                                        chatter(who[i], UINT32_MAX, LARGEST);
                        }
                if (now() >= kill_at) {
                        unsigned victim = (seed = seed * 1103515245 + 12345) >> 16;

                        kill_at = now() + 1000000 + (seed >> 8) % 4000000;
                        if (kills || got) {
                                victim %= WRITERS;
                                (void)kill(pids[victim], SIGKILL);
                                assert_int_equal(reap(pids[victim]), -SIGKILL);
                                pids[victim] = 0;
                                kills++;
                        }
                }
                n = ipw_recv(receiver, &m, IPW_MS(1));
                if (n == -ETIMEDOUT)
                        continue;
                assert_true(n >= TALK_HEAD);
                if (!talk_good(buffer, (size_t)n))
                        fail_msg("message %u is torn", got);
                got++;
                for (unsigned i = 0; i < WRITERS; i++)
                        if (get_le32(buffer) == who[i])
                                assert_int_equal(get_le32(buffer + 4), next[i]++);
        }
        for (unsigned i = 0; i < WRITERS; i++)
                if (pids[i]) {
                        (void)kill(pids[i], SIGKILL);
                        (void)reap(pids[i]);
                }
        while ((n = ipw_recv(receiver, &m, 0)) >= 0) {
                assert_true(talk_good(buffer, (size_t)n));
                got++;
        }
        assert_int_equal(n, -EAGAIN); /* our own inert end is still there, so it is not over */
        assert_true(kills > 20 && got > 20);
        assert_true(talk_stats(receiver).discarded > 0);
        assert_int_equal(talk_stats(receiver).dropped, 0);
        /* the dead do not count any more, and a newcomer is heard */
        sender = talk_open(to, IPW_PUSH);
        assert_int_equal(talk_send(sender, "alive", 5, 0), 5);
        talk_expect(receiver, "alive");
        print_message("%u kills, %u messages, %llu unfinished ones discarded\n", kills, got,
                      (unsigned long long)talk_stats(receiver).discarded);
        free(buffer);
}

/* A writer that finished and then died: what it finished arrives, although the reader was asked about the dead first. */
static void test_dies_after_finishing(void **state)
{
        char *buffer = calloc(1, 50000);
        struct ipw_message m = { .data = buffer, .capacity = 50000 };
        pid_t pid;

        ends("pipe:", IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        pid = fork_child();
        if (pid == 0) {
                sender = talk_open(to, IPW_PUSH);
                talk_fill(buffer, 50000, 4, 2);
                CHILD_CHECK(talk_send(sender, buffer, 50000, 0) == 50000);
                CHILD_CHECK(talk_send(sender, buffer, 50000, 0) == -EAGAIN); /* begun, given up */
                _exit(0);
        }
        assert_int_equal(reap(pid), 0);
        assert_int_equal(ipw_recv(receiver, &m, 0), 50000);
        assert_true(talk_good(buffer, 50000));
        assert_int_equal(ipw_recv(receiver, &m, 0), -EAGAIN);
        assert_int_equal(talk_stats(receiver).discarded, 1);
        ipw_end_drop(to);
        free(buffer);
}

static void test_give_up(void **state)
{
        enum { SIZE = 200000 };
        unsigned char *large = malloc(SIZE), *back = malloc(SIZE);
        struct ipw_message m = { .data = large, .size = SIZE };
        struct ipw_message in = { .data = back, .capacity = SIZE };

        both("pipe:");
        talk_fill(large, SIZE, 1, 1);
        /* not delivered, now or later */
        assert_int_equal(ipw_send(sender, &m, 0), -EAGAIN);
        talk_says(sender, "does not fit at once");
        assert_int_equal(ipw_send(sender, &m, IPW_MS(2)), -ETIMEDOUT);
        assert_int_equal(talk_stats(sender).sent, 0);
        assert_int_equal(ipw_flush(sender, 0), 0);
        talk_nothing(receiver, EAGAIN);
        assert_int_equal(talk_send(sender, "small", 5, 0), 5);
        talk_expect(receiver, "small");
        assert_int_equal(talk_stats(receiver).discarded, 1);

        /* accepted: never resent, and finished before anything else */
        m.flags = IPW_DEFER;
        assert_int_equal(ipw_send(sender, &m, 0), -EINPROGRESS);
        memset(large, 0, SIZE); /* the link has its own copy */
        assert_int_equal(talk_stats(sender).unsettled, 1);
        assert_int_equal(ipw_flush(sender, 0), -EAGAIN);
        assert_int_equal(talk_send(sender, "after", 5, 0), -EAGAIN);
        while (ipw_recv(receiver, &in, 0) == -EAGAIN)
                assert_int_equal(ipw_turn(sender), 0);
        assert_int_equal(in.size, SIZE);
        assert_true(talk_good(back, SIZE));
        assert_int_equal(ipw_flush(sender, 0), 0);
        assert_int_equal(talk_stats(sender).unsettled, 0);
        assert_int_equal(talk_send(sender, "after", 5, 0), 5);
        talk_expect(receiver, "after");

        /* accepted, and then the receiver goes */
        assert_int_equal(ipw_send(sender, &m, 0), -EINPROGRESS);
        (void)ipw_close(receiver);
        receiver = NULL;
        assert_int_equal(ipw_flush(sender, IPW_FOREVER), -EPIPE);
        assert_int_equal(ipw_flush(sender, IPW_FOREVER), -EPIPE);
        assert_int_equal(ipw_close(sender), 1);
        sender = NULL;
        free(large);
        free(back);
}

/* A large message moves on across several sends of no patience. */
static void test_piece_by_piece(void **state)
{
        enum { SIZE = 200000 };
        unsigned char *large = malloc(SIZE), *back = malloc(SIZE);
        struct ipw_message in = { .data = back, .capacity = SIZE };
        pid_t pid;

        ends("pipe:", IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        pid = fork_child();
        if (pid == 0) {
                (void)ipw_close(receiver);
                sender = talk_open(to, IPW_PUSH);
                talk_fill(large, SIZE, 1, 1);
                CHILD_CHECK(talk_send(sender, large, SIZE, IPW_MS(PATIENCE)) == SIZE);
                _exit(0);
        }
        ipw_end_drop(to);
        assert_int_equal(ipw_recv(receiver, &in, IPW_MS(PATIENCE)), SIZE);
        assert_true(talk_good(back, SIZE));
        assert_int_equal(reap(pid), 0);
        free(large);
        free(back);
}

static void test_strange_bytes(void **state)
{
        static const struct {
                const char *bytes;
                size_t size;
                const char *says;
        } rows[] = {
                { "hello\n", 6, "looks like text" },
                { "\0SP\0\0\x10\0\0", 8, "nanomsg" },
                { "GET / HTTP/1.1\r\n", 16, "HTTP" },
                { "ipw\002", 4, "another version" },
                { "ipw\001\377\377\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24, "wrong fields" },
                { "\1\2\3\4", 4, "something else" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                ends("pipe:", IPW_PUSH);
                receiver = talk_open(from, IPW_PULL);
                assert_int_equal(write(fd_of(to), rows[i].bytes, rows[i].size), rows[i].size);
                talk_nothing(receiver, EBADMSG);
                talk_says(receiver, rows[i].says);
                talk_says(receiver, "framing=line");
                assert_int_equal(write(fd_of(to), rows[i].bytes, rows[i].size), rows[i].size);
                talk_nothing(receiver, EBADMSG); /* for good */
                (void)ipw_close(receiver);
                ipw_end_drop(to);
        }
        receiver = NULL;
}

/* What comes in single bytes, and an end in the middle. */
static void test_torn(void **state)
{
        static const char whole[] = "ipw\001\003\000\001\000\001\000\000\000\001\000\000\000\001\000\000\000\000\000\000\000abc";

        ends("pipe:", IPW_PUSH);
        receiver = talk_open(from, IPW_PULL);
        for (size_t i = 0; i < sizeof(whole) - 1; i++) {
                talk_nothing(receiver, EAGAIN);
                assert_int_equal(write(fd_of(to), whole + i, 1), 1);
        }
        talk_expect(receiver, "abc");
        assert_int_equal(write(fd_of(to), whole, 25), 25);
        ipw_end_drop(to);
        talk_nothing(receiver, EPIPE);
        assert_int_equal(talk_stats(receiver).discarded, 1);
        talk_nothing(receiver, EPIPE);
        assert_int_equal(talk_stats(receiver).discarded, 1);
}

/* An earlier receiver took half of a fragment with it: the next one goes on with the first whole one, and tells. */
static void test_successor(void **state)
{
        char buffer[100];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

        ends("pipe:", IPW_PUSH);
        sender = talk_open(to, IPW_PUSH);
        for (int i = 0; i < 3; i++)
                assert_int_equal(talk_send(sender, i == 0 ? "first" : i == 1 ? "second" : "third", 5 + (i == 1), 0), 5 + (i == 1));
        assert_int_equal(read(fd_of(from), buffer, 27), 27);
        receiver = talk_open(from, IPW_PULL);
        assert_int_equal(ipw_recv(receiver, &m, 0), 6);
        assert_memory_equal(buffer, "second", 6);
        assert_true(m.flags & IPW_HAS_LOST);
        assert_int_equal(m.lost, 1);
        talk_expect(receiver, "third");
        talk_nothing(receiver, EAGAIN);
}

static void test_too_large(void **state)
{
        char buffer[100];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
        char narrow[80];

        ends("pipe:", IPW_PUSH);
        (void)snprintf(narrow, sizeof(narrow), "%s?max=4", from);
        receiver = talk_open(narrow, IPW_PULL);
        sender = talk_open(to, IPW_PUSH);
        assert_int_equal(talk_send(sender, "12345", 5, 0), 5);
        talk_nothing(receiver, EAGAIN);
        assert_int_equal(talk_stats(receiver).dropped, 1);
        assert_int_equal(talk_send(sender, "1234", 4, 0), 4);
        assert_int_equal(ipw_recv(receiver, &m, 0), 4);
        assert_int_equal(m.lost, 1);
        assert_true(m.flags & IPW_HAS_LOST);
        assert_int_equal(talk_send(sender, "1234", 4, 0), 4);
        assert_int_equal(ipw_recv(receiver, &m, 0), 4);
        assert_int_equal(m.lost, 0);
        assert_false(m.flags & IPW_HAS_LOST);
}

static void test_many(void **state)
{
        enum { N = 200 };
        char texts[N][8], room[N][8];
        struct ipw_message out[N] = { 0 }, in[N] = { 0 };
        ssize_t n;

        both("pipe:");
        for (int i = 0; i < N; i++) {
                out[i] = (struct ipw_message){ .data = texts[i], .size = (size_t)snprintf(texts[i], 8, "m%d", i) };
                in[i] = (struct ipw_message){ .data = room[i], .capacity = 8 };
        }
        assert_int_equal(ipw_send_many(sender, out, N, 0), N);
        n = ipw_recv_many(receiver, in, N, 0);
        assert_int_equal(n, N);
        for (int i = 0; i < N; i++) {
                assert_int_equal(in[i].size, out[i].size);
                assert_memory_equal(room[i], texts[i], out[i].size);
        }
        /* until the pipe is full: what was counted arrives, nothing else does */
        while ((n = ipw_send_many(sender, out, N, 0)) == N)
                ;
        assert_true(n == -EAGAIN || (n > 0 && n < N));
        for (uint64_t left = talk_stats(sender).sent - N; left > 0; left -= (uint64_t)n) {
                n = ipw_recv_many(receiver, in, N, 0);
                assert_true(n > 0);
        }
        talk_nothing(receiver, EAGAIN);
}

/* The descriptor tells of messages that were read ahead. */
static void test_pollfd(void **state)
{
        struct pollfd fd, send_fd;

        both("pipe:");
        assert_int_equal(ipw_pollfd(receiver, IPW_RECV, &fd), 0);
        assert_int_equal(ipw_pollfd(sender, IPW_SEND, &send_fd), 0);
        assert_int_equal(poll(&send_fd, 1, 0), 1);
        talk_nothing(receiver, EAGAIN); /* clears it */
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_int_equal(talk_send(sender, "one", 3, 0), 3);
        assert_int_equal(talk_send(sender, "two", 3, 0), 3);
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_expect(receiver, "one");
        assert_int_equal(poll(&fd, 1, 0), 1); /* the pipe is empty; the link is not */
        talk_expect(receiver, "two");
        talk_nothing(receiver, EAGAIN);
        assert_int_equal(poll(&fd, 1, 0), 0);
        (void)ipw_close(sender);
        sender = NULL;
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_nothing(receiver, EPIPE);
        assert_int_equal(poll(&fd, 1, 0), 1);
}

static void test_pair(void **state)
{
        char buffer[100];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
        pid_t pid;

        ends("pipe:", IPW_PAIR);
        talk_refuse("pipe:?framing=auto", IPW_PAIR, EOPNOTSUPP, "ipw_ends");
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(from);
                sender = talk_open(to, IPW_PAIR);
                CHILD_CHECK(ipw_recv(sender, &m, IPW_FOREVER) == 4);
                CHILD_CHECK(memcmp(buffer, "ping", 4) == 0);
                CHILD_CHECK(talk_send(sender, "pong", 4, IPW_FOREVER) == 4);
                CHILD_CHECK(ipw_recv(sender, &m, IPW_FOREVER) == -EPIPE);
                _exit(0);
        }
        ipw_end_drop(to);
        receiver = talk_open(from, IPW_PAIR);
        assert_int_equal(talk_send(receiver, "ping", 4, IPW_FOREVER), 4);
        talk_expect(receiver, "pong");
        (void)ipw_close(receiver);
        receiver = NULL;
        assert_int_equal(reap(pid), 0);
}

/* ---- SIGPIPE ------------------------------------------------------------------------------------------------------------------------- */

static int no_flag(struct sys_call *call)
{
        if (strcmp(call->site->call, "pwritev2") != 0)
                return 0;
        call->result = -EOPNOTSUPP; /* as a kernel before 6.18 says it */
        return 1;
}
static void nothing(struct sys_call *call)
{
}
static const struct sys_hook old_kernel = { .before = no_flag, .after = nothing };

/* Without the signal ignored, without a handler: a send into nowhere is an error and nothing more, and others' SIGPIPE stay. */
static void send_into_nowhere(int pending)
{
        sigset_t set, is;

        CHILD_CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
        both("pipe:");
        CHILD_CHECK(talk_send(sender, "first", 5, 0) == 5);
        (void)ipw_close(receiver);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGPIPE);
        if (pending) {
                (void)sigprocmask(SIG_BLOCK, &set, NULL);
                (void)raise(SIGPIPE);
        }
        for (int i = 0; i < 3; i++)
                CHILD_CHECK(talk_send(sender, "nowhere", 7, i ? IPW_FOREVER : 0) == -EPIPE);
        (void)sigpending(&is);
        CHILD_CHECK(sigismember(&is, SIGPIPE) == pending);
        (void)sigprocmask(SIG_BLOCK, NULL, &is);
        CHILD_CHECK(sigismember(&is, SIGPIPE) == pending);
        _exit(7);
}

static void test_sigpipe(void **state)
{
        for (int i = 0; i < 4; i++) {
                pid_t pid = fork_child();

                if (pid == 0) {
                        if (i & 1)
                                sys_hook = &old_kernel;
                        send_into_nowhere(i >> 1);
                }
                assert_int_equal(reap(pid), 7);
        }
}

static void test_gone_receiver(void **state)
{
        both("pipe:");
        (void)ipw_close(receiver);
        receiver = NULL;
        assert_int_equal(talk_send(sender, "x", 1, 0), -EPIPE);
        talk_says(sender, "not delivered");
}

/* A descriptor of this process's own, standard input: taken over, and something harmless left in its place. */
static void test_standard_input(void **state)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                struct stat st;
                int fds[2];

                CHILD_CHECK(pipe(fds) == 0 && dup2(fds[0], 0) == 0 && close(fds[0]) == 0);
                receiver = talk_open("fd:0?framing=line", IPW_PULL);
                CHILD_CHECK(write(fds[1], "hello\nlast", 10) == 10 && close(fds[1]) == 0);
                talk_expect(receiver, "hello");
                talk_expect(receiver, "last");
                talk_nothing(receiver, EPIPE);
                CHILD_CHECK(fstat(0, &st) == 0 && S_ISCHR(st.st_mode));
                _exit(0);
        }
        assert_int_equal(reap(pid), 0);
}

/* A seqpacket socket is taken over too; other things are refused by name. */
static void test_sockets(void **state)
{
        char one[64], other[64];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        (void)snprintf(one, sizeof(one), "fd:%d", fds[0]);
        (void)snprintf(other, sizeof(other), "fd:%d?framing=line", fds[1]);
        talk_refuse(other, IPW_PAIR, EOPNOTSUPP, "framing=");
        sender = talk_open(one, IPW_PAIR);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1);
        *strchr(other, '?') = 0;
        receiver = talk_open(other, IPW_PAIR);
        assert_int_equal(talk_send(sender, "there", 5, 0), 5);
        talk_expect(receiver, "there");
        assert_int_equal(talk_send(receiver, "back", 4, 0), 4);
        talk_expect(sender, "back");
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
        (void)snprintf(one, sizeof(one), "fd:%d", fds[0]);
        talk_refuse(one, IPW_PAIR, EOPNOTSUPP, "seqpacket");
        (void)close(fds[0]);
        (void)close(fds[1]);
        fds[0] = socket(AF_UNIX, SOCK_STREAM, 0); /* connected ones are test_stream_socket's */
        (void)snprintf(one, sizeof(one), "fd:%d", fds[0]);
        talk_refuse(one, IPW_PAIR, ENOTCONN, "not connected");
        (void)close(fds[0]);
        fds[0] = open("/dev/null", O_RDWR);
        (void)snprintf(one, sizeof(one), "fd:%d", fds[0]);
        talk_refuse(one, IPW_PULL, EOPNOTSUPP, "only pipes");
        (void)close(fds[0]);
}

/* Short reads and writes at every step: the bytes are the same. */
static unsigned step;
static int one_byte(struct sys_call *call)
{
        if (call->size && *call->size > 1 && ++step % 2)
                *call->size = 1 + step % 7;
        return 0;
}
static const struct sys_hook short_counts = { .before = one_byte, .after = nothing };

static void test_short_counts(void **state)
{
        enum { SIZE = 20000 };
        unsigned char *large = malloc(SIZE), *back = malloc(SIZE);
        struct ipw_message in = { .data = back, .capacity = SIZE };
        struct ipw_message many[5];

        both("pipe:");
        sys_hook = &short_counts;
        for (uint32_t i = 0; i < 20; i++) {
                size_t size = i % 2 ? SIZE : 100;

                talk_fill(large, size, 1, i);
                assert_int_equal(talk_send(sender, large, size, 0), size);
                assert_int_equal(ipw_recv(receiver, &in, 0), size);
                assert_true(talk_good(back, size));
                for (unsigned k = 0; k < 5; k++)
                        many[k] = (struct ipw_message){ .data = large, .size = 100 };
                assert_int_equal(ipw_send_many(sender, many, 5, 0), 5);
                for (unsigned k = 0; k < 5; k++) {
                        assert_int_equal(ipw_recv(receiver, &in, 0), 100);
                        assert_memory_equal(back, large, 100);
                }
        }
        sys_hook = NULL;
        free(large);
        free(back);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_texts),
                T(test_inherited_flags),
                T(test_second_receiver),
                T(test_framing_mismatch),
                T(test_caps),
                T(test_sizes),
                T(test_writers_interleave),
                T(test_writers_killed),
                T(test_dies_after_finishing),
                T(test_give_up),
                T(test_piece_by_piece),
                T(test_strange_bytes),
                T(test_torn),
                T(test_successor),
                T(test_too_large),
                T(test_many),
                T(test_pollfd),
                T(test_pair),
                T(test_sigpipe),
                T(test_gone_receiver),
                T(test_standard_input),
                T(test_short_counts),
                T(test_sockets),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
