/* SPDX-License-Identifier: MIT */
/* framing=line, raw and auto, over a pipe, with plain read(2) and write(2) on the other side. */
#include <limits.h>
#include <poll.h>

#include "delimiter.h"
#include "talk.h"

static struct ipw_link *link_;
static int plain = -1; /* the other end */
static int open_at_start;

static int setup(void **state)
{
        link_ = NULL;
        open_at_start = open_descriptors();
        return 0;
}

static int teardown(void **state)
{
        if (link_)
                (void)ipw_close(link_);
        if (plain >= 0)
                (void)close(plain);
        plain = -1;
        return open_descriptors() == open_at_start ? 0 : -1;
}

/* A link on one end of a pipe, a plain descriptor on the other. */
static void with_plain(const char *options, unsigned how)
{
        char address[64];
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        (void)snprintf(address, sizeof(address), "fd:%d?%s", fds[how == IPW_PUSH], options);
        plain = fds[how != IPW_PUSH];
        link_ = talk_open(address, how);
}

static void put(const char *bytes)
{
        assert_int_equal(write(plain, bytes, strlen(bytes)), strlen(bytes));
}

static void see(const char *bytes)
{
        char buffer[8192];
        ssize_t n = read(plain, buffer, sizeof(buffer));

        assert_int_equal(n, strlen(bytes));
        assert_memory_equal(buffer, bytes, (size_t)n);
}

static void test_codec(void **state)
{
        char ab[] = "ab", cd[] = "c\nd";
        struct iovec iov[3] = { { ab, 2 }, { NULL, 0 }, { cd, 3 } };
        struct ipw_message m = { .iov = iov, .iov_count = 3 };

        assert_int_equal(delimiter_find('\n', "a\nb\n", 0, 4), 1);
        assert_int_equal(delimiter_find('\n', "a\nb\n", 2, 4), 3);
        assert_int_equal(delimiter_find('\n', "abc", 0, 3), 3);
        assert_int_equal(delimiter_find('\n', NULL, 0, 0), 0);
        assert_int_equal(delimiter_find('\n', "a\n", 2, 2), 2);
        assert_int_equal(delimiter_within('\n', &m), 3);
        m.iov_count = 2;
        assert_int_equal(delimiter_within('\n', &m), -1);
        m = (struct ipw_message){ 0 };
        assert_int_equal(delimiter_within('\n', &m), -1);
}

static void test_from_plain(void **state)
{
        with_plain("framing=line", IPW_PULL);
        assert_string_equal(ipw_link_caps(link_)->stack, "line/pipe");
        put("one\ntwo\n\nthr");
        talk_expect(link_, "one");
        talk_expect(link_, "two");
        talk_expect(link_, "");
        talk_nothing(link_, EAGAIN);
        put("ee\nlast");
        talk_expect(link_, "three");
        talk_nothing(link_, EAGAIN);
        (void)close(plain);
        plain = -1;
        talk_expect(link_, "last"); /* without its newline */
        talk_nothing(link_, EPIPE);
        talk_nothing(link_, EPIPE);
}

static void test_byte_by_byte(void **state)
{
        static const char text[] = "first\n\nsecond\n";

        with_plain("framing=line", IPW_PULL);
        for (size_t i = 0; text[i]; i++) {
                assert_int_equal(write(plain, text + i, 1), 1);
                if (text[i] != '\n')
                        talk_nothing(link_, EAGAIN);
                else
                        talk_expect(link_, i == 5 ? "first" : i == 6 ? "" : "second");
        }
}

static void test_to_plain(void **state)
{
        char large[PIPE_BUF + 1], gath[] = "gath", ered[] = "ered";
        struct iovec iov[2] = { { gath, 4 }, { ered, 4 } };
        struct ipw_message m = { .iov = iov, .iov_count = 2 };
        char *back = malloc(PIPE_BUF + 1);

        memset(large, 'x', sizeof(large));
        with_plain("framing=line", IPW_PUSH);
        assert_int_equal(talk_send(link_, "hello", 5, 0), 5);
        see("hello\n");
        assert_int_equal(talk_send(link_, "", 0, 0), 0);
        see("\n");
        assert_int_equal(ipw_send(link_, &m, 0), 8);
        see("gathered\n");
        assert_int_equal(talk_send(link_, "two\nlines", 9, 0), -EINVAL);
        talk_says(link_, "at byte 3");
        assert_int_equal(talk_send(link_, large, PIPE_BUF, 0), -EMSGSIZE);
        talk_says(link_, "writers=1");
        assert_int_equal(talk_send(link_, large, PIPE_BUF - 1, 0), PIPE_BUF - 1);
        assert_int_equal(read(plain, back, PIPE_BUF + 1), PIPE_BUF);
        assert_int_equal(back[PIPE_BUF - 1], '\n');
        free(back);
}

static void test_short_buffer(void **state)
{
        char buffer[20];
        struct ipw_message m = { .data = buffer, .capacity = 4 };

        with_plain("framing=line", IPW_PULL);
        put("longer\nnext\n");
        assert_int_equal(ipw_recv(link_, &m, 0), -EMSGSIZE);
        assert_int_equal(m.size, 6);
        assert_int_equal(ipw_recv(link_, &m, 0), -EMSGSIZE);
        m.capacity = 6;
        assert_int_equal(ipw_recv(link_, &m, 0), 6);
        assert_memory_equal(buffer, "longer", 6);
        m.capacity = 4;
        assert_int_equal(ipw_recv(link_, &m, 0), 4);
}

/* A line beyond max= is passed over to its newline, in whatever pieces it comes, and counted once. */
static void test_too_long(void **state)
{
        char buffer[20];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

        with_plain("framing=line&max=5", IPW_PULL);
        put("12345\n123456\nab\n");
        talk_expect(link_, "12345");
        assert_int_equal(ipw_recv(link_, &m, 0), 2);
        assert_int_equal(m.lost, 1);
        assert_true(m.flags & IPW_HAS_LOST);
        put("1234567");
        talk_nothing(link_, EAGAIN);
        put("89");
        talk_nothing(link_, EAGAIN);
        put("0\ncd\n");
        assert_int_equal(ipw_recv(link_, &m, 0), 2);
        assert_int_equal(m.lost, 1);
        assert_int_equal(talk_stats(link_).dropped, 2);
        put("1234567");
        (void)close(plain);
        plain = -1;
        talk_nothing(link_, EPIPE);
        assert_int_equal(talk_stats(link_).dropped, 3);
}

/* Lines far longer than what is read ahead, both ways, with one writer. */
static void test_long_lines(void **state)
{
        enum { SIZE = 300000, LINES = 5 };
        char *buffer = malloc(SIZE + 1), to[64], from[64];
        struct ipw_message m = { .data = buffer, .capacity = SIZE };
        pid_t pid;

        assert_int_equal(ipw_ends(to, from, "pipe:?framing=line&writers=1", IPW_PUSH, NULL), 0);
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(from);
                link_ = talk_open(to, IPW_PUSH);
                for (int i = 0; i < LINES; i++) {
                        memset(buffer, 'a' + i, SIZE);
                        CHILD_CHECK(talk_send(link_, buffer, (size_t)(SIZE - i), i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)) == SIZE - i);
                }
                CHILD_CHECK(ipw_close(link_) == 0);
                _exit(0);
        }
        ipw_end_drop(to);
        link_ = talk_open(from, IPW_PULL);
        for (int i = 0; i < LINES; i++) {
                assert_int_equal(ipw_recv(link_, &m, IPW_FOREVER), SIZE - i);
                for (size_t k = 0; k < m.size; k++)
                        if (buffer[k] != 'a' + i)
                                fail_msg("line %d differs at %zu", i, k);
        }
        assert_int_equal(ipw_recv(link_, &m, IPW_FOREVER), -EPIPE);
        assert_int_equal(reap(pid), 0);
        free(buffer);
}

/* A line that has begun cannot be taken back: the link accepts it, whatever the caller asked for. */
static void test_begun_is_accepted(void **state)
{
        enum { SIZE = 200000 };
        char *large = malloc(SIZE), *back = malloc(SIZE + 100);
        size_t got = 0;
        ssize_t n;

        memset(large, 'y', SIZE);
        with_plain("framing=line&writers=1", IPW_PUSH);
        assert_int_equal(talk_send(link_, large, SIZE, IPW_MS(1)), -EINPROGRESS);
        memset(large, 'n', SIZE);
        assert_int_equal(talk_stats(link_).unsettled, 1);
        assert_int_equal(talk_send(link_, "next", 4, 0), -EAGAIN);
        do {
                while ((n = read(plain, back + got, SIZE + 100 - got)) > 0)
                        got += (size_t)n;
                n = ipw_flush(link_, 0);
        } while (n == -EAGAIN);
        assert_int_equal(n, 0);
        assert_int_equal(talk_send(link_, "next", 4, 0), 4);
        while ((n = read(plain, back + got, SIZE + 100 - got)) > 0)
                got += (size_t)n;
        assert_int_equal(got, SIZE + 1 + 5);
        for (size_t i = 0; i < SIZE; i++)
                if (back[i] != 'y')
                        fail_msg("byte %zu is not what was sent", i);
        assert_memory_equal(back + SIZE, "\nnext\n", 6);
        free(large);
        free(back);
}

static void test_pollfd(void **state)
{
        struct pollfd fd;

        with_plain("framing=line", IPW_PULL);
        assert_int_equal(ipw_pollfd(link_, IPW_RECV, &fd), 0);
        talk_nothing(link_, EAGAIN);
        assert_int_equal(poll(&fd, 1, 0), 0);
        put("one\ntwo\n");
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_expect(link_, "one");
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_expect(link_, "two");
        talk_nothing(link_, EAGAIN);
        assert_int_equal(poll(&fd, 1, 0), 0);
}

static void test_raw(void **state)
{
        char buffer[8];
        struct ipw_message m = { .data = buffer, .capacity = 4 };

        with_plain("framing=raw", IPW_PULL);
        assert_true(ipw_link_caps(link_)->flags & IPW_CAP_BYTES);
        put("abcdef");
        assert_int_equal(ipw_recv(link_, &m, 0), 4);
        assert_memory_equal(buffer, "abcd", 4);
        assert_int_equal(ipw_recv(link_, &m, 0), 2);
        talk_nothing(link_, EAGAIN);
        m.capacity = 0;
        assert_int_equal(ipw_recv(link_, &m, 0), -EMSGSIZE);
        (void)close(plain);
        plain = -1;
        talk_nothing(link_, EPIPE);
}

static void test_raw_to_plain(void **state)
{
        with_plain("framing=raw", IPW_PUSH);
        assert_int_equal(talk_send(link_, "", 0, 0), -EMSGSIZE);
        assert_int_equal(talk_send(link_, "a\nb", 3, 0), 3);
        see("a\nb");
}

static void test_auto_is_line(void **state)
{
        struct pollfd fd;

        with_plain("framing=auto", IPW_PULL);
        assert_string_equal(ipw_link_caps(link_)->stack, "auto/pipe");
        assert_int_equal(ipw_pollfd(link_, IPW_RECV, &fd), 0);
        talk_nothing(link_, EAGAIN);
        assert_int_equal(poll(&fd, 1, 0), 0);
        put("ip"); /* as ours begin */
        talk_nothing(link_, EAGAIN);
        put(" is a word\nand\n");
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_expect(link_, "ip is a word");
        assert_string_equal(ipw_link_caps(link_)->stack, "line/pipe");
        assert_int_equal(poll(&fd, 1, 0), 1);
        talk_expect(link_, "and");
        talk_nothing(link_, EAGAIN);
        assert_int_equal(poll(&fd, 1, 0), 0);
}

static void test_auto_at_the_end(void **state)
{
        with_plain("framing=auto", IPW_PULL);
        put("ip");
        (void)close(plain);
        plain = -1;
        talk_expect(link_, "ip");
        talk_nothing(link_, EPIPE);
        (void)ipw_close(link_);
        with_plain("framing=auto", IPW_PULL);
        (void)close(plain);
        plain = -1;
        talk_nothing(link_, EPIPE);
}

static void test_auto_is_frame(void **state)
{
        char to[64], from[64];
        struct ipw_link *sender;

        assert_int_equal(ipw_ends(to, from, "pipe:?framing=auto", IPW_PUSH, NULL), 0);
        link_ = talk_open(from, IPW_PULL);
        sender = talk_open(to, IPW_PUSH); /* sees that the receiver takes either, and so takes ours */
        assert_string_equal(ipw_link_caps(sender)->stack, "frame/pipe");
        assert_int_equal(talk_send(sender, "a\nb", 3, 0), 3);
        assert_int_equal(talk_send(sender, "c", 1, 0), 1);
        talk_expect(link_, "a\nb");
        assert_string_equal(ipw_link_caps(link_)->stack, "frame/pipe");
        talk_expect(link_, "c");
        (void)ipw_close(sender);
        talk_nothing(link_, EPIPE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_codec),           T(test_from_plain),    T(test_byte_by_byte),
                T(test_to_plain),        T(test_short_buffer),  T(test_too_long),
                T(test_long_lines),      T(test_raw),           T(test_begun_is_accepted),
                T(test_pollfd),          T(test_raw_to_plain),  T(test_auto_is_line),
                T(test_auto_at_the_end), T(test_auto_is_frame),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
