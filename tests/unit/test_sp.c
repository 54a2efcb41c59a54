/* SPDX-License-Identifier: MIT */
/*
 * framing=sp against the bytes themselves. What nngcat and nanocat put on the wire was written down once; here a plain socket plays their part.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "framing.h"
#include "plain.h"
#include "sp.h"

enum { UNIX, TCP };

#define HELLO_PAIR "\0SP\0\0\x10\0\0"
#define HELLO_PUSH "\0SP\0\0\x50\0\0"
#define HELLO_PULL "\0SP\0\0\x51\0\0"

/* ---- the codec ------------------------------------------------------------------------------------------------------------------------- */

static void test_hello(void **state)
{
        static const struct {
                unsigned kind;
                const char *bytes;
        } known[] = { { SP_PAIR, HELLO_PAIR }, { SP_PUSH, HELLO_PUSH }, { SP_PULL, HELLO_PULL }, { 0x30, "\0SP\0\0\x30\0\0" } };
        unsigned char bytes[SP_HELLO];
        unsigned kind = 0;

        for (size_t i = 0; i < COUNT_OF(known); i++) {
                sp_put(bytes, known[i].kind);
                assert_memory_equal(bytes, known[i].bytes, SP_HELLO);
                for (size_t have = 0; have < SP_HELLO; have++)
                        assert_int_equal(sp_get(bytes, have, &kind), 0);
                assert_int_equal(sp_get(bytes, SP_HELLO, &kind), 1);
                assert_int_equal(kind, known[i].kind);
        }
        for (size_t i = 0; i < SP_HELLO; i++) { /* any other byte is told as soon as it is there; but not in the kind */
                sp_put(bytes, SP_PUSH);
                bytes[i] ^= 0x20;
                assert_int_equal(sp_get(bytes, i + 1, &kind), i == 4 || i == 5 ? 0 : -EBADMSG);
        }
        assert_string_equal(sp_name(0x21), "sub");
        assert_string_equal(sp_name(0x99), "unknown");
}

/* ---- links ------------------------------------------------------------------------------------------------------------------------------- */

static void tcp_pair(int fds[2])
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(sa);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(listener >= 0);
        assert_int_equal(bind(listener, (struct sockaddr *)&sa, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
        fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[0], (struct sockaddr *)&sa, size), 0);
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[1] >= 0);
        (void)close(listener);
}

/* A link on one end of a connection, a plain descriptor on the other. */
static void with_socket(int over, const char *options, unsigned how)
{
        char address[80];
        int fds[2];

        if (over == TCP)
                tcp_pair(fds);
        else
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        (void)snprintf(address, sizeof(address), "fd:%d%s%s", fds[0], strstr(options, "framing=") ? "?" : "?framing=sp", options);
        plain_fd = fds[1];
        plain_link = talk_open(address, how);
}

/* Exactly these bytes come next, and have come. */
static void see(const char *bytes, size_t size)
{
        char buffer[64];

        assert_true(size <= sizeof(buffer));
        assert_int_equal(recv(plain_fd, buffer, size, MSG_WAITALL), size);
        assert_memory_equal(buffer, bytes, size);
        assert_int_equal(recv(plain_fd, buffer, 1, MSG_DONTWAIT), -1);
}

static void test_push(void **state)
{
        static const struct {
                int over;
                const char *hi, *empty;
                size_t header;
        } known[] = { { TCP, "\0\0\0\0\0\0\0\2hi", "\0\0\0\0\0\0\0\0", 8 }, { UNIX, "\1\0\0\0\0\0\0\0\2hi", "\1\0\0\0\0\0\0\0\0", 9 } };

        for (size_t i = 0; i < COUNT_OF(known); i++) {
                with_socket(known[i].over, "", IPW_PUSH);
                assert_string_equal(ipw_link_caps(plain_link)->stack, known[i].over == TCP ? "sp/tcp" : "sp/unix");
                see(HELLO_PUSH, 8); /* before anybody has called anything */
                assert_int_equal(talk_send(plain_link, "hi", 2, 0), -EAGAIN);
                talk_says(plain_link, "has not said yet what it is");
                plain_put(HELLO_PULL, 8);
                assert_int_equal(talk_send(plain_link, "hi", 2, IPW_MS(PATIENCE)), 2);
                see(known[i].hi, known[i].header + 2);
                assert_int_equal(talk_send(plain_link, "", 0, 0), 0);
                see(known[i].empty, known[i].header);
                plain_close();
        }
}

static void test_pull(void **state)
{
        for (int over = UNIX; over <= TCP; over++) {
                const char *bytes = over == UNIX ? HELLO_PUSH "\1\0\0\0\0\0\0\0\2hi\1\0\0\0\0\0\0\0\0"
                                                 : HELLO_PUSH "\0\0\0\0\0\0\0\2hi\0\0\0\0\0\0\0\0";
                size_t header = over == UNIX ? 9 : 8, size = 8 + 2 * header + 2;

                with_socket(over, "", IPW_PULL);
                see(HELLO_PULL, 8);
                for (size_t i = 0; i < size; i++) { /* byte by byte */
                        if (over == UNIX)
                                talk_nothing(plain_link, EAGAIN);
                        plain_put(bytes + i, 1);
                        if (i == 8 + header + 1)
                                talk_expect(plain_link, "hi");
                }
                talk_expect(plain_link, "");
                plain_put(bytes + 8, header + 1);
                plain_hang_up();
                assert_int_equal(talk_send(plain_link, "x", 1, 0), -EOPNOTSUPP);
                {
                        char buffer[8];
                        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

                        assert_int_equal(ipw_recv(plain_link, &m, IPW_MS(PATIENCE)), -EPIPE);
                }
                assert_int_equal(talk_stats(plain_link).discarded, 1);
                plain_close();
        }
}

static void test_pair(void **state)
{
        with_socket(UNIX, "", IPW_PAIR);
        see(HELLO_PAIR, 8);
        plain_put(HELLO_PAIR "\1\0\0\0\0\0\0\0\3you", 8 + 12);
        talk_expect(plain_link, "you");
        assert_int_equal(talk_send(plain_link, "me", 2, 0), 2);
        see("\1\0\0\0\0\0\0\0\2me", 11);
}

static void test_wrong_peers(void **state)
{
        static const struct {
                unsigned how;
                const char *bytes;
                size_t size;
                int error;
                const char *text;
        } known[] = {
                { IPW_PULL, "\0SP\0\0\x20\0\0", 8, EPROTO, "this side is pull and needs push on the other; that is pub (0x0020)" },
                { IPW_PUSH, HELLO_PUSH, 8, EPROTO,
                  "needs pull on the other; that is push (0x0050): open this one as its partner, or that one as pull" },
                { IPW_PAIR, "\0SP\0\0\x11\0\0", 8, EPROTO, "that is pair1" },
                { IPW_PULL, "\0SP\0\0\x50\0\1", 8, EBADMSG, "nanomsg and nng" },
                { IPW_PULL, "\377\0\0\0\0\0\0\0\1\177", 10, EBADMSG, "the greeting of ZeroMQ" },
                { IPW_PAIR, "GET / HTTP/1.0\r\n", 16, EBADMSG, "HTTP" },
                { IPW_PUSH, "hello\n", 6, EBADMSG,
                  "text (bytes 68 65 6c 6c 6f 0a); both sides need the same framing: lines, most likely; give this one framing=line" },
                { IPW_PULL, "ipw\1\5\0\0\0", 8, EBADMSG, "give this one framing=frame" },
        };

        for (size_t i = 0; i < COUNT_OF(known); i++)
                for (int over = UNIX; over <= TCP; over++) {
                        with_socket(over, "", known[i].how);
                        plain_put(known[i].bytes, known[i].size);
                        for (int times = 0; times < 2; times++) {
                                if (known[i].how == IPW_PUSH) {
                                        assert_int_equal(talk_send(plain_link, "x", 1, IPW_MS(PATIENCE)), -known[i].error);
                                } else {
                                        char buffer[8];
                                        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

                                        assert_int_equal(ipw_recv(plain_link, &m, IPW_MS(PATIENCE)), -known[i].error);
                                }
                                talk_says(plain_link, known[i].text);
                        }
                        plain_close();
                }
        with_socket(UNIX, "", IPW_PULL);
        plain_put("\0SP", 3);
        plain_hang_up();
        talk_nothing(plain_link, EPIPE);
        talk_says(plain_link, "closed before it said what it is");
}

static void test_wrong_messages(void **state)
{
        static const struct {
                const char *bytes;
                size_t size;
                const char *text;
        } known[] = {
                { "\2\0\0\0\0\0\0\0\2hi", 11, "(bytes 02 00 00 00" },
                { "\1\377\377\377\377\377\377\377\377", 9, "18446744073709551615 bytes" },
                { "\1\200\0\0\0\0\0\0\0", 9, "9223372036854775808 bytes" },
                { "\1\0\0\0\0\0\x10\0\1", 9, "1048577 bytes" },
        };

        for (size_t i = 0; i < COUNT_OF(known); i++) {
                with_socket(UNIX, "&max=1M", IPW_PULL);
                plain_put(HELLO_PUSH "\1\0\0\0\0\0\0\0\4good", 8 + 13);
                plain_put(known[i].bytes, known[i].size);
                talk_expect(plain_link, "good");
                talk_nothing(plain_link, EBADMSG);
                talk_says(plain_link, known[i].text);
                talk_nothing(plain_link, EBADMSG);
                plain_close();
        }
}

/* The greeting has a limit. The clock is not waited for: the limit is moved. */
static ssize_t tiny_read(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        return -EAGAIN;
}
static ssize_t tiny_write(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        return (ssize_t)iov->iov_len;
}
static int tiny_watch(struct stream *s, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = plain_fd, .events = direction == IPW_RECV ? POLLIN : POLLOUT };
        return 0;
}
static void tiny_close(struct stream *s, int inherited)
{
}

static void test_limit(void **state)
{
        static const struct stream_ops tiny = { .read = tiny_read, .write = tiny_write, .watch = tiny_watch, .close = tiny_close };
        struct stream s = { .ops = &tiny, .name = "tiny", .ways = IPW_SEND, .sp = STREAM_SP_TCP };
        struct ipw_message m = { .data = (char[]){ "x" }, .size = 1 };
        struct ipw_why why = { 0 };
        struct pollfd fd;
        struct link *l;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        plain_fd = fds[0];
        assert_int_equal(sp_open(&s, NULL, IPW_PUSH, (struct framing_options){ .max = 1000, .alone = true }, &l, &why), 0);
        assert_int_equal(l->ops->send(l, &m, 1, 0), -EAGAIN);
        assert_int_equal(l->stranger, 1);
        l->stranger_until = 1; /* long ago */
        assert_int_equal(l->ops->pollfd(l, IPW_SEND, &fd), 0);
        assert_int_equal(poll(&fd, 1, PATIENCE), 1); /* and a loop is told */
        assert_int_equal(l->ops->turn(l), -EPROTO);
        assert_int_equal(l->ops->send(l, &m, 1, 0), -EPROTO);
        assert_int_equal(l->ops->why(l, IPW_SEND, EPROTO, &why), 0);
        assert_non_null(strstr(why.text, "for 10 s"));
        assert_int_equal(poll(&fd, 1, 0), 1);
        l->ops->close(l, 0);
        (void)close(fds[1]);
        assert_int_equal(sp_open(&s, NULL, IPW_REQ, (struct framing_options){ .max = 1000 }, &l, &why), -EOPNOTSUPP);
}

/* A descriptor got before the greeting serves after it, in both directions. */
static void test_pollfd(void **state)
{
        struct pollfd in, out;

        with_socket(UNIX, "", IPW_PAIR);
        assert_int_equal(ipw_pollfd(plain_link, IPW_RECV, &in), 0);
        assert_int_equal(ipw_pollfd(plain_link, IPW_SEND, &out), 0);
        talk_nothing(plain_link, EAGAIN);
        assert_int_equal(poll(&in, 1, 0), 0);
        assert_int_equal(poll(&out, 1, 0), 0); /* there is room, but nobody to send to */
        plain_put(HELLO_PAIR, 8);
        assert_int_equal(poll(&in, 1, 0), 1);
        assert_int_equal(poll(&out, 1, 0), 1);
        assert_int_equal(ipw_turn(plain_link), 0);
        assert_int_equal(poll(&out, 1, 0), 1); /* room */
        talk_nothing(plain_link, EAGAIN);
        assert_int_equal(poll(&in, 1, 0), 0);
        plain_put("\1\0\0\0\0\0\0\0\1a\1\0\0\0\0\0\0\0\1b", 20);
        assert_int_equal(poll(&in, 1, 0), 1);
        talk_expect(plain_link, "a");
        assert_int_equal(poll(&in, 1, 0), 1);
        talk_expect(plain_link, "b");
        talk_nothing(plain_link, EAGAIN);
        assert_int_equal(poll(&in, 1, 0), 0);
        while (talk_send(plain_link, "0123456789abcdef", 16, 0) == 16)
                ;
        assert_int_equal(poll(&out, 1, 0), 0); /* no room */
}

static void *send_one(void *context)
{
        return (void *)(intptr_t)talk_send(context, "from a thread", 13, IPW_FOREVER);
}

/* The receiver takes the greeting while the sender sleeps for it in another thread: the sender wakes. */
static void test_two_threads(void **state)
{
        for (int i = 0; i < 20; i++) {
                pthread_t thread;
                void *result;

                with_socket(UNIX, "", IPW_PAIR);
                assert_int_equal(pthread_create(&thread, NULL, send_one, plain_link), 0);
                if (i % 2)
                        (void)sched_yield();
                plain_put(HELLO_PAIR, 8);
                talk_nothing(plain_link, EAGAIN);
                assert_int_equal(pthread_join(thread, &result), 0);
                assert_int_equal((intptr_t)result, 13);
                see(HELLO_PAIR "\1\0\0\0\0\0\0\0\15from a thread", 8 + 9 + 13);
                plain_close();
        }
}

/* Both ends ours, messages of all sizes, in batches. */
static void test_ours(void **state)
{
        enum { MESSAGES = 40, LARGEST = 1 << 20 };
        char *buffer = malloc(LARGEST), to[64], from[64];
        pid_t pid;

        assert_int_equal(ipw_ends(to, from, "unix:?framing=sp", IPW_PUSH, NULL), 0);
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(from);
                plain_link = talk_open(to, IPW_PUSH);
                for (uint32_t i = 0; i < MESSAGES; i++) {
                        size_t size = i % 5 ? TALK_HEAD + 37 * i : LARGEST - i;

                        talk_fill(buffer, size, 1, i);
                        CHILD_CHECK(talk_send(plain_link, buffer, size, IPW_FOREVER) == (ssize_t)size);
                }
                CHILD_CHECK(ipw_close(plain_link) == 0);
                _exit(0);
        }
        ipw_end_drop(to);
        plain_link = talk_open(from, IPW_PULL);
        for (uint32_t i = 0; i < MESSAGES; i++) {
                struct ipw_message m = { .data = buffer, .capacity = LARGEST };

                assert_int_equal(ipw_recv(plain_link, &m, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)),
                                 i % 5 ? TALK_HEAD + 37 * i : LARGEST - i);
                assert_true(talk_good(buffer, m.size));
        }
        {
                struct ipw_message m = { .data = buffer, .capacity = LARGEST };

                assert_int_equal(ipw_recv(plain_link, &m, IPW_FOREVER), -EPIPE);
        }
        assert_int_equal(reap(pid), 0);
        free(buffer);
}

/* ---- a receiver that looks at what comes ------------------------------------------------------------------------------------------------------ */

static void test_guess(void **state)
{
        for (int over = UNIX; over <= TCP; over++) {
                const char *bytes = over == UNIX ? HELLO_PUSH "\1\0\0\0\0\0\0\0\2hi" : HELLO_PUSH "\0\0\0\0\0\0\0\2hi";

                with_socket(over, "framing=auto", IPW_PULL);
                for (size_t i = 0; i < 8; i++) { /* byte by byte */
                        talk_nothing(plain_link, EAGAIN);
                        assert_int_equal(recv(plain_fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), -1); /* nothing is said until it is known */
                        plain_put(bytes + i, 1);
                }
                talk_nothing(plain_link, EAGAIN);
                assert_string_equal(ipw_link_caps(plain_link)->stack, over == TCP ? "sp/tcp" : "sp/unix");
                see(HELLO_PULL, 8);
                plain_put(bytes + 8, over == UNIX ? 11 : 10);
                talk_expect(plain_link, "hi");
                plain_hang_up();
                talk_nothing(plain_link, EPIPE);
                plain_close();
        }
}

static void test_guess_the_others(void **state)
{
        static const char zmtp[] = { (char)255, 0, 0, 0, 0, 0, 0, 0, 1, 127 };

        with_socket(UNIX, "framing=auto", IPW_PULL);
        plain_put("GET / HTTP/1.1\n", 15);
        talk_expect(plain_link, "GET / HTTP/1.1");
        assert_string_equal(ipw_link_caps(plain_link)->stack, "line/unix");
        plain_close();
        with_socket(UNIX, "framing=auto", IPW_PULL);
        plain_put("ipw\1\2\0\0\0\1\2\3\4\1\0\0\0\1\0\0\0\0\0\0\0hi", 26);
        talk_expect(plain_link, "hi");
        assert_string_equal(ipw_link_caps(plain_link)->stack, "frame/unix");
        plain_close();
        with_socket(UNIX, "framing=auto", IPW_PULL); /* the same kind as ours */
        plain_put(HELLO_PULL, 8);
        talk_nothing(plain_link, EPROTO);
        talk_says(plain_link, "needs push on the other; that is pull");
        plain_close();
        with_socket(UNIX, "framing=auto", IPW_PULL);
        plain_put(zmtp, 6);
        talk_nothing(plain_link, EAGAIN);
        plain_put(zmtp + 6, 4);
        talk_nothing(plain_link, EBADMSG);
        talk_says(plain_link, "looks like the greeting of ZeroMQ (bytes ff 00");
        talk_nothing(plain_link, EBADMSG);
        plain_close();
        with_socket(UNIX, "framing=auto", IPW_PULL); /* what could have been a greeting, and ended */
        plain_put("\0SP", 3);
        plain_hang_up();
        talk_nothing(plain_link, EPIPE);
        plain_close();
}

/* A socket that was given, and nothing said of it. */
static void test_standard(void **state)
{
        char address[80];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        (void)snprintf(address, sizeof(address), "fd:%d", fds[0]);
        plain_fd = fds[1];
        plain_link = talk_open(address, IPW_PUSH);
        assert_string_equal(ipw_link_caps(plain_link)->stack, "sp/unix");
        see(HELLO_PUSH, 8);
        plain_close();
}

static void test_no_pipe(void **state)
{
        char address[80];
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        (void)snprintf(address, sizeof(address), "fd:%d?framing=sp", fds[0]);
        talk_refuse(address, IPW_PULL, EOPNOTSUPP, "framing=sp needs a stream socket");
        (void)close(fds[0]);
        (void)close(fds[1]);
        talk_refuse("fifo:/tmp/none?framing=sp", IPW_PULL, EINVAL, "framing=sp");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, plain_setup, plain_teardown)
                cmocka_unit_test(test_hello), T(test_push),           T(test_pull),    T(test_pair),
                T(test_wrong_peers),          T(test_wrong_messages), T(test_limit),   T(test_pollfd),
                T(test_two_threads),          T(test_ours),           T(test_no_pipe), T(test_guess),
                T(test_guess_the_others),     T(test_standard),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
