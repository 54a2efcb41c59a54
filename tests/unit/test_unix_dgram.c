/* SPDX-License-Identifier: MIT */
/* unix+dgram: a short queue and those who wait for room in it, receivers that die, senders of other users, names. */
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "failing.h"

enum { SOMEBODY = 12345 };

static char folder[64], name[96], address[128], abstract[64];

static void clean(void)
{
        char path[128];

        (void)unlink(name);
        (void)snprintf(path, sizeof(path), "%s/ipcway/names", folder);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/ipcway", folder);
        (void)rmdir(path);
        (void)rmdir(folder);
}

static int fresh(void **state)
{
        sys_hook = NULL; /* a test that failed may have left its own */
        (void)unlink(name);
        *state = (void *)(intptr_t)open_descriptors();
        return 0;
}

static int after(void **state)
{
        return open_descriptors() == (int)(intptr_t)*state ? 0 : -1;
}

static const char *with(const char *options)
{
        static char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        return text;
}

/* What programs do that have never heard of this library. */
static int plain(const char *to, bool receives)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size;

        (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", to);
        if (*to == '@')
                sa.sun_path[0] = 0;
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to));
        if (fd < 0 || (receives ? bind(fd, (struct sockaddr *)&sa, size) : connect(fd, (struct sockaddr *)&sa, size)) < 0) {
                (void)close(fd);
                return -1;
        }
        return fd;
}

/* ---- the queue ----------------------------------------------------------------------------------------------------------------------------- */

static unsigned fill(struct ipw_link *out)
{
        unsigned count = 0;

        while (talk_send(out, "x", 1, 0) == 1)
                count++;
        return count;
}

/* Whoever waits for room sleeps, whether in poll or in the call, and wakes when there is some. */
static void test_waits_for_room(void **state)
{
        struct ipw_link *in = talk_open(address, IPW_PULL), *out = talk_open(address, IPW_PUSH), *other = talk_open(address, IPW_PUSH);
        unsigned count = fill(out);
        struct pollfd p;
        pid_t pid;

        assert_true(count >= ipw_link_caps(out)->depth && count > 0);
        assert_int_equal(talk_send(other, "y", 1, 0), -EAGAIN); /* one queue for all */
        assert_int_equal(ipw_pollfd(other, IPW_SEND, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(talk_send(other, "y", 1, IPW_MS(10)), -ETIMEDOUT);
        for (int endless = 0; endless < 2; endless++) {
                pid = fork_child();
                if (pid == 0) {
                        struct ipw_link *own = talk_open(address, IPW_PUSH);

                        CHILD_CHECK(talk_send(own, "z", 1, endless ? IPW_FOREVER : IPW_MS(PATIENCE)) == 1);
                        _exit(0);
                }
                await_sleep(pid);
                talk_expect(in, "x");
                assert_int_equal(reap(pid), 0);
        }
        for (unsigned i = 2; i < count; i++)
                talk_expect(in, "x");
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        assert_int_equal(p.revents, POLLOUT);
        talk_expect(in, "z");
        talk_expect(in, "z");
        talk_nothing(in, EAGAIN);
        ipw_close(other);
        ipw_close(out);
        ipw_close(in);
}

/* The receiver dies while a sender sleeps, and the sender learns of it, now and whenever it asks again. */
static void test_receiver_dies(void **state)
{
        for (int endless = 0; endless < 2; endless++) {
                struct ipw_link *out;
                struct ipw_message two[2] = { { .data = (char *)"x", .size = 1 }, { .data = (char *)"y", .size = 1 } };
                pid_t receiver = fork_child(), sender;

                if (receiver == 0) {
                        (void)talk_open(address, IPW_PULL);
                        for (;;)
                                (void)pause();
                }
                out = talk_open(address, IPW_PUSH);
                sender = fork_child();
                if (sender == 0) {
                        struct ipw_link *own = talk_open(address, IPW_PUSH);

                        (void)fill(own);
                        CHILD_CHECK(talk_send(own, "z", 1, endless ? IPW_FOREVER : IPW_MS(PATIENCE)) == -EPIPE);
                        _exit(0);
                }
                await_sleep(sender);
                (void)kill(receiver, SIGKILL);
                assert_int_equal(reap(receiver), -SIGKILL);
                assert_int_equal(reap(sender), 0);
                assert_int_equal(talk_send(out, "x", 1, 0), -EPIPE);
                talk_says(out, "the receiver is gone");
                assert_int_equal(talk_send(out, "x", 1, IPW_FOREVER), -EPIPE);
                assert_int_equal(ipw_send_many(out, two, 2, IPW_FOREVER), -EPIPE);
                ipw_close(out);
        }
}

static void test_messages(void **state)
{
        static char data[100000], got[100000];
        struct ipw_link *in = talk_open(with("?identity=1"), IPW_PULL), *out = talk_open(address, IPW_PUSH);
        struct ipw_message m = { .data = got, .capacity = 10 };

        talk_fill(data, sizeof(data), 1, 2);
        assert_int_equal(talk_send(out, "", 0, 0), 0);
        assert_int_equal(talk_send(out, data, sizeof(data), 0), sizeof(data));
        talk_expect(in, "");
        assert_int_equal(ipw_recv(in, &m, 0), -EMSGSIZE); /* kept, and its sender too */
        m.capacity = sizeof(got);
        assert_int_equal(ipw_recv(in, &m, 0), sizeof(data));
        assert_true(talk_good(got, sizeof(got)));
        assert_true(m.flags & IPW_HAS_SENDER && m.sender.source == 2 && m.sender.pid == getpid());
        ipw_close(out);
        talk_nothing(in, EAGAIN); /* no end */
        ipw_close(in);
}

static void test_descriptors_do_not_leak_in(void **state)
{
        struct ipw_link *in = talk_open(with("?identity=1"), IPW_PULL);
        int fd = plain(name, false), before = open_descriptors();
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec iov = { (char *)"x", 1 };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

        *CMSG_FIRSTHDR(&h) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(fd));
        assert_int_equal(sendmsg(fd, &h, 0), 1);
        talk_expect(in, "x");
        assert_int_equal(open_descriptors(), before);
        close(fd);
        ipw_close(in);
}

/* ---- who may send -------------------------------------------------------------------------------------------------------------------------- */

/* A message from another user, by a program that asks nobody. 0: it could send. */
static int send_as_somebody(const char *to)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                int fd;

                become(SOMEBODY);
                fd = plain(to, false);
                _exit(fd >= 0 && send(fd, "let me in", 9, MSG_NOSIGNAL) == 9 ? 0 : 2);
        }
        return reap(pid);
}

static void check_refused(const char *at, const char *to)
{
        struct ipw_link *in = talk_open(at, IPW_PULL), *out = talk_open(at, IPW_PUSH);
        char admitting[200], buffer[32];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

        assert_int_equal(send_as_somebody(to), 0);
        talk_nothing(in, EAGAIN);
        talk_says(in, "peer=uid:12345");
        for (int i = 0; i < 3; i++)
                assert_int_equal(send_as_somebody(to), 0);
        assert_int_equal(talk_send(out, "mine", 4, 0), 4);
        assert_int_equal(ipw_recv(in, &m, IPW_MS(PATIENCE)), 4);
        assert_false(m.flags & IPW_HAS_LOST); /* nothing that was for this receiver */
        assert_int_equal(talk_stats(in).dropped, 4);
        ipw_close(out);
        ipw_close(in);
        (void)snprintf(admitting, sizeof(admitting), "%s%cpeer=uid:%d", at, strchr(at, '?') ? '&' : '?', SOMEBODY);
        in = talk_open(admitting, IPW_PULL);
        assert_int_equal(send_as_somebody(to), 0);
        talk_expect(in, "let me in");
        ipw_close(in);
}

static void test_other_users(void **state)
{
        struct ipw_link *in;

        if (geteuid() != 0)
                skip();
        assert_return_code(chmod(folder, 0755), errno);
        if (!may_look(SOMEBODY, folder))
                skip();
        in = talk_open(address, IPW_PULL);
        assert_int_equal(send_as_somebody(name), 2); /* the mode says no */
        ipw_close(in);
        check_refused(with("?mode=0666"), name);
        check_refused(abstract, abstract + strlen("unix+dgram:"));
        assert_return_code(chmod(folder, 0700), errno);
}

/* An abstract name that somebody else has taken gets nothing of ours. */
static void test_squatted_abstract_name(void **state)
{
        struct ipw_link *out = NULL;
        char admitting[200];
        int ready[2];
        char byte;
        pid_t pid;

        if (geteuid() != 0)
                skip();
        assert_return_code(pipe2(ready, O_CLOEXEC), errno);
        pid = fork_child();
        if (pid == 0) {
                become(SOMEBODY);
                CHILD_CHECK(plain(abstract + strlen("unix+dgram:"), true) >= 0 && write(ready[1], "", 1) == 1);
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        talk_refuse(abstract, IPW_PUSH, EPERM, "peer=uid:12345");
        (void)snprintf(admitting, sizeof(admitting), "%s?peer=uid:%d", abstract, SOMEBODY);
        out = talk_open(admitting, IPW_PUSH);
        assert_int_equal(talk_send(out, "x", 1, 0), 1);
        ipw_close(out);
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        close(ready[0]);
        close(ready[1]);
}

static void test_kernel_without_a_list(void **state)
{
        struct ipw_link *in = talk_open(abstract, IPW_PULL), *out;

        sys_hook = &failing_no_list;
        talk_refuse(abstract, IPW_PUSH, EPERM, "unix_diag");
        ipw_close(in);
        in = talk_open(address, IPW_PULL); /* a path does without */
        out = talk_open(address, IPW_PUSH);
        sys_hook = NULL;
        ipw_close(out);
        ipw_close(in);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
        struct ipw_link *in, *out;
        struct ipw_why why;
        int fd;

        talk_refuse(address, IPW_PUSH, EAGAIN, "nobody listens there yet");
        talk_refuse(address, IPW_PULL | IPW_EXISTING, ENOENT, "who receives makes the socket");
        talk_refuse(address, IPW_PUSH | IPW_FRESH, EINVAL, "IPW_FRESH");
        talk_refuse(with("?until=last"), IPW_PULL, EOPNOTSUPP, "until=last");
        talk_refuse("unix+dgram:", IPW_PULL, EINVAL, "name");
        talk_refuse("unix+dgram:@x?mode=0666", IPW_PULL, EINVAL, "mode=");
        fd = plain(name, true);
        assert_true(fd >= 0);
        talk_refuse(address, IPW_PULL, EADDRINUSE, "somebody has this name");
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        out = talk_open(address, IPW_PUSH); /* a socket that somebody is connected to is another case for the kernel's list */
        talk_refuse(address, IPW_PULL, EADDRINUSE, "somebody");
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        ipw_close(out);
        close(fd);
        in = talk_open(address, IPW_PULL); /* dead: replaced */
        talk_refuse(address, IPW_PULL, EADDRINUSE, "somebody");
        talk_refuse(address, IPW_PULL | IPW_FRESH, EEXIST, "exists");
        ipw_close(in);
        assert_int_equal(access(name, F_OK), -1);
        ipw_close(talk_open(with("?keep=1"), IPW_PULL));
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(ipw_remove(abstract, &why), -EOPNOTSUPP);
}

static void test_opening_fails_anywhere(void **state)
{
        char made[256];
        const struct {
                const char *at;
                unsigned how;
        } ends[] = { { made, IPW_PULL }, { address, IPW_PUSH }, { abstract, IPW_PULL }, { abstract, IPW_PUSH } };

        (void)snprintf(made, sizeof(made), "%s?identity=1&buffer=64K&mode=0640&group=%u", address, getegid());
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
                struct ipw_link *in = ends[i].how == IPW_PUSH ? talk_open(ends[i].at, IPW_PULL) : NULL;

                failing_opens(ends[i].at, ends[i].how, in ? NULL : name);
                (void)ipw_close(in);
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, after)
        const struct CMUnitTest tests[] = {
                TEST(waits_for_room),
                TEST(receiver_dies),
                TEST(messages),
                TEST(descriptors_do_not_leak_in),
                TEST(other_users),
                TEST(squatted_abstract_name),
                TEST(kernel_without_a_list),
                TEST(names),
                TEST(opening_fails_anywhere),
        };
        int failed;

        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-dgram-%d", (int)getpid());
        (void)snprintf(name, sizeof(name), "%s/socket", folder);
        (void)snprintf(address, sizeof(address), "unix+dgram:%s", name);
        (void)snprintf(abstract, sizeof(abstract), "unix+dgram:@ipcway-dgram-%d", (int)getpid());
        if (mkdir(folder, 0700) < 0 || setenv("XDG_RUNTIME_DIR", folder, 1) < 0)
                return 99;
        janitor_start(clean);
        failed = cmocka_run_group_tests_name("unix+dgram", tests, NULL, NULL);
        clean();
        return failed;
}
