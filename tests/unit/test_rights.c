/* SPDX-License-Identifier: MIT */
/*
 * Descriptors over Unix sockets, with plain sendmsg(2) and recvmsg(2) on the other side: both directions, where no message of ours would have them, and ends of
 * links that move to another process.
 */
#include <sys/socket.h>

#include "plain.h"

enum { SEQPACKET, LEN4BE };

static void with_socket(int over, unsigned how)
{
        char address[80];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, (over == SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, fds), 0);
        (void)snprintf(address, sizeof(address), "fd:%d%s", fds[0], over == SEQPACKET ? "" : "?framing=len4be");
        plain_fd = fds[1];
        plain_link = talk_open(address, how);
        assert_int_equal(ipw_link_caps(plain_link)->max_fds, 253);
}

static void plain_send(const void *data, size_t size, const int *fds, unsigned count)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(8 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { (void *)(uintptr_t)data, size };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (count) {
                h.msg_control = &control;
                h.msg_controllen = CMSG_SPACE(count * sizeof(int));
                control.header =
                        (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        }
        assert_int_equal(sendmsg(plain_fd, &h, 0), size);
}

/* The descriptor that comes with exactly these bytes; -1: none does. */
static int plain_recv(const void *data, size_t size)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        char room[64];
        struct iovec iov = { room, sizeof(room) };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int fd = -1;

        assert_int_equal(recvmsg(plain_fd, &h, MSG_CMSG_CLOEXEC), size);
        assert_memory_equal(room, data, size);
        assert_false(h.msg_flags & MSG_CTRUNC);
        if (h.msg_controllen)
                memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
        return fd;
}

/* Writing to one is read from the other; both are closed. */
static void assert_joined(int to, int from)
{
        char byte = 'x';

        assert_int_equal(write(to, "y", 1), 1);
        assert_int_equal(read(from, &byte, 1), 1);
        assert_int_equal(byte, 'y');
        (void)close(to);
        (void)close(from);
}

static const char *const hello[] = { [SEQPACKET] = "hello", [LEN4BE] = "\0\0\0\5hello" };
static const size_t hello_size[] = { [SEQPACKET] = 5, [LEN4BE] = 9 };

static void test_to_plain(void **state)
{
        for (int over = SEQPACKET; over <= LEN4BE; over++) {
                char word[] = "hello";
                int ends[2], fd;
                struct ipw_message m = { .data = word, .size = 5, .fds = &ends[0], .fd_count = 1 };

                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                with_socket(over, over == SEQPACKET ? IPW_PAIR : IPW_PUSH);
                assert_int_equal(ipw_send(plain_link, &m, 0), 5);
                m.fd_count = 0;
                assert_int_equal(ipw_send(plain_link, &m, 0), 5);
                (void)close(ends[0]);
                fd = plain_recv(hello[over], hello_size[over]);
                assert_true(fd >= 0);
                assert_int_equal(plain_recv(hello[over], hello_size[over]), -1);
                assert_joined(ends[1], fd);
                plain_close();
        }
}

static void test_from_plain(void **state)
{
        for (int over = SEQPACKET; over <= LEN4BE; over++) {
                char room[8];
                int ends[2], fd = -1;
                struct ipw_message m = { .data = room, .capacity = sizeof(room), .fds = &fd, .fd_room = 1 };

                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                with_socket(over, over == SEQPACKET ? IPW_PAIR : IPW_PULL);
                plain_send(hello[over], hello_size[over], NULL, 0);
                plain_send(hello[over], hello_size[over], ends, 1);
                (void)close(ends[0]);
                assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
                assert_int_equal(m.fd_count, 0);
                assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
                assert_int_equal(m.fd_count, 1);
                assert_joined(ends[1], fd);
                plain_close();
        }
}

/* A sender that puts them where no message begins, or cuts its message into writes: the message comes, those are closed and counted. */
static void test_out_of_place(void **state)
{
        char room[8];
        int fd = -1, given = STDIN_FILENO;
        struct ipw_message m = { .data = room, .capacity = sizeof(room), .fds = &fd, .fd_room = 1 };

        with_socket(LEN4BE, IPW_PULL);
        plain_send("\0\0\0\5he", 6, NULL, 0);
        assert_int_equal(ipw_recv(plain_link, &m, 0), -EAGAIN);
        plain_send("llo", 3, &given, 1);
        assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
        assert_int_equal(m.fd_count, 0);
        assert_int_equal(talk_stats(plain_link).fds_closed, 1);

        plain_send("\0\0", 2, &given, 1); /* its own, but byte by byte, and more in the middle */
        for (int i = 0; i < 7; i++) {
                assert_int_equal(ipw_recv(plain_link, &m, 0), -EAGAIN);
                plain_send(&"\0\5hello"[i], 1, &given, i == 3);
        }
        plain_send(hello[LEN4BE], hello_size[LEN4BE], NULL, 0);
        assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
        assert_int_equal(m.fd_count, 1);
        (void)close(fd);
        assert_int_equal(talk_stats(plain_link).fds_closed, 2);
        assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
        assert_int_equal(m.fd_count, 0);

        plain_send("\0\0\0\5he", 6, &given, 1); /* never whole */
        assert_int_equal(ipw_recv(plain_link, &m, 0), -EAGAIN);
        plain_hang_up();
        assert_int_equal(ipw_recv(plain_link, &m, 0), -EPIPE);
        plain_close();
}

/* Of a message of which half has gone nobody is given the descriptors twice. */
static void test_half_gone(void **state)
{
        enum { SIZE = 4 << 20 };
        char *data = calloc(1, SIZE);
        int given = STDIN_FILENO, fd = -1;
        char address[2][80];
        struct ipw_message m = { .data = data, .size = SIZE, .fds = &given, .fd_count = 1, .flags = IPW_DEFER },
                           last = { .data = data, .size = 1 };
        struct ipw_link *out;

        assert_int_equal(ipw_ends(address[0], address[1], "unix:?framing=len4be&max=16M", IPW_PUSH, NULL), 0);
        out = talk_open(address[0], IPW_PUSH);
        plain_link = talk_open(address[1], IPW_PULL);
        assert_int_equal(ipw_send(out, &m, 0), -EINPROGRESS);
        assert_int_equal(ipw_send(out, &last, 0), -EAGAIN);
        m = (struct ipw_message){ .data = data, .capacity = SIZE, .fds = &fd, .fd_room = 1 };
        while (ipw_recv(plain_link, &m, 0) != SIZE)
                (void)ipw_turn(out);
        assert_int_equal(m.fd_count, 1);
        (void)close(fd);
        assert_int_equal(ipw_send(out, &last, 0), 1);
        assert_int_equal(ipw_recv(plain_link, &m, 0), 1);
        assert_int_equal(m.fd_count, 0);
        assert_int_equal(ipw_close(out), 0);
        plain_close();
        free(data);
}

/* Ends of links go to a process that is there already, and is nobody's child who made them. */
static void test_ends_move(void **state)
{
        static const char *const kinds[] = { "pipe:", "pipe:?framing=line", "unix:", "unix+seqpacket:" };
        char to[64], from[64];
        int fds[2], count;
        pid_t pid;

        assert_int_equal(ipw_ends(to, from, "unix+seqpacket:", IPW_PUSH, NULL), 0);
        pid = fork_child();
        if (pid == 0) {
                char end[64];
                struct ipw_message m = { .data = end, .capacity = sizeof(end), .fds = fds, .fd_room = 2 };
                struct ipw_link *in, *moved;
                struct ipw_why why;

                ipw_end_drop(to);
                CHILD_CHECK(ipw_open(&in, from, IPW_PAIR, 0, &why) == 0);
                for (size_t i = 0; i < 2 * COUNT_OF(kinds); i++) {
                        CHILD_CHECK(ipw_recv(in, &m, IPW_MS(PATIENCE)) > 0);
                        CHILD_CHECK(ipw_end_moved(end, fds, m.fd_count) == 0);
                        CHILD_CHECK(ipw_open(&moved, end, i % 2 || i / 2 == 3 ? IPW_PAIR : IPW_PUSH, 0, &why) == 0);
                        CHILD_CHECK(talk_send(moved, "moved", 5, IPW_MS(PATIENCE)) == 5);
                        CHILD_CHECK(ipw_close(moved) == 0);
                }
                _exit(0);
        }
        ipw_end_drop(from);
        plain_link = talk_open(to, IPW_PAIR);
        for (size_t i = 0; i < 2 * COUNT_OF(kinds); i++) {
                char away[64], here[64];
                struct ipw_message m = { .data = away, .size = sizeof(away), .fds = fds };
                unsigned how = i % 2 || i / 2 == 3 ? IPW_PAIR : IPW_PUSH;
                struct ipw_link *in;

                assert_int_equal(ipw_ends(away, here, kinds[i / 2], how, NULL), 0);
                count = ipw_end_fds(away, fds);
                assert_int_equal(count, how == IPW_PAIR && i / 2 < 2 ? 2 : 1);
                m.fd_count = (uint32_t)count;
                assert_int_equal(ipw_send(plain_link, &m, IPW_MS(PATIENCE)), sizeof(away));
                ipw_end_drop(away);
                in = talk_open(here, how == IPW_PAIR ? IPW_PAIR : IPW_PULL);
                talk_expect(in, "moved");
                assert_int_equal(ipw_recv(in, &(struct ipw_message){ .data = away, .capacity = sizeof(away) }, IPW_MS(PATIENCE)), -EPIPE);
                (void)ipw_close(in);
        }
        assert_int_equal(reap(pid), 0);
        plain_close();
}

static void test_bad_ends(void **state)
{
        static const char *const bad[] = { "", "fd", "fd:", "fd:x", "fd:-1", "fd:1,", "fd:1,2,3", "fd:1x", "pipe:", "fd:99999999999" };
        char end[64] = "fd:3?framing=line", full[64];
        int fds[2] = { 1000000, 2000000 };

        for (size_t i = 0; i < COUNT_OF(bad); i++)
                assert_int_equal(ipw_end_fds(bad[i], fds), -EINVAL);
        assert_int_equal(ipw_end_moved(end, fds, 1), 0);
        assert_string_equal(end, "fd:1000000?framing=line");
        assert_int_equal(ipw_end_moved(end, fds, 2), -EINVAL);
        assert_int_equal(ipw_end_moved(end, fds, 0), -EINVAL);
        memset(full, 'x', sizeof(full));
        assert_int_equal(ipw_end_moved(full, fds, 1), -EINVAL); /* no text */
        (void)snprintf(full, sizeof(full), "fd:1?%058d", 0);
        assert_int_equal(ipw_end_moved(full, fds, 1), -ENAMETOOLONG);
        assert_int_equal(strncmp(full, "fd:1?", 5), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, plain_setup, plain_teardown)
                T(test_to_plain), T(test_from_plain), T(test_out_of_place), T(test_half_gone), T(test_ends_move), T(test_bad_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
