/* SPDX-License-Identifier: MIT */
/* mq+sysv: against programs that know only msgsnd(2) and msgrcv(2), at its limits, and with descriptors for what has none. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <time.h>

#include "seam.h"
#include "subject.h"

enum { NOBODY = 65534 };

static key_t key;         /* follows from the pid */
static char file[64];     /* for ftok(3) */
static char by_file[100]; /* "mq+sysv:" and that */

static void remove_key(key_t k)
{
        int id = msgget(k, 0);

        if (id >= 0)
                (void)msgctl(id, IPC_RMID, NULL);
}

static void clean(void)
{
        remove_key(key);
        if (access(file, F_OK) == 0)
                for (int project = 1; project < 256; project++)
                        remove_key(ftok(file, project));
        (void)unlink(file);
}

static int fresh(void **state)
{
        int fd;

        clean();
        fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        (void)close(fd);
        return fd < 0 ? -1 : 0;
}

static ssize_t send_text(struct ipw_link *link, const char *text, int64_t type, int64_t timeout)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)text, .size = strlen(text), .type = type };

        return ipw_send(link, &m, timeout);
}

static ssize_t send_size(struct ipw_link *link, size_t size, int64_t timeout)
{
        void *data = calloc(1, size + 1);
        struct ipw_message m = { .data = data, .size = size };
        ssize_t r = ipw_send(link, &m, timeout);

        free(data);
        return r;
}

static ssize_t receive(struct ipw_link *link, char *text, size_t room, int64_t selector, int64_t *type, int64_t timeout)
{
        struct ipw_message m = { .data = text, .capacity = room, .selector = selector };
        ssize_t r = ipw_recv(link, &m, timeout);

        if (r >= 0) {
                assert_int_equal(m.size, r);
                assert_int_equal(m.flags, IPW_HAS_TYPE);
                *type = m.type;
        }
        if (r == -EMSGSIZE)
                assert_true(m.size > room);
        return r;
}

/* The next message for `selector` must be this one. */
static void expect(struct ipw_link *link, int64_t selector, const char *text, int64_t type)
{
        char got[100];
        int64_t got_type = -1;
        ssize_t r = receive(link, got, sizeof(got) - 1, selector, &got_type, IPW_MS(PATIENCE));

        if (r < 0)
                fail_msg("selector %lld: %zd instead of '%s'", (long long)selector, r, text);
        got[r] = 0;
        assert_string_equal(got, text);
        assert_int_equal(got_type, type);
}

static void expect_nothing(struct ipw_link *link, int64_t selector)
{
        char got[100];
        int64_t type;

        assert_int_equal(receive(link, got, sizeof(got), selector, &type, 0), -EAGAIN);
}

struct plain {
        long type;
        char text[8192];
};

static int plain_queue(void)
{
        int id = msgget(key, IPC_CREAT | 0600);

        assert_true(id >= 0);
        return id;
}

static void plain_send(int id, const char *text, long type)
{
        struct plain m = { .type = type };

        memcpy(m.text, text, strlen(text));
        assert_int_equal(msgsnd(id, &m, strlen(text), 0), 0);
}

static void plain_expect(int id, const char *text, long type)
{
        struct plain m = { 0 };
        ssize_t n = msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT);

        assert_int_equal(n, strlen(text));
        assert_memory_equal(m.text, text, strlen(text));
        assert_int_equal(m.type, type);
}

static size_t queued(int id)
{
        struct msqid_ds ds;

        assert_int_equal(msgctl(id, IPC_STAT, &ds), 0);
        return ds.msg_qnum;
}

static int is_ready(struct pollfd p, int milliseconds)
{
        int r = poll(&p, 1, milliseconds);

        assert_true(r >= 0);
        return r;
}

static struct pollfd descriptor(struct ipw_link *link, unsigned direction)
{
        struct pollfd p = { .fd = -1 };

        assert_int_equal(ipw_pollfd(link, direction, &p), 0);
        assert_true(p.fd >= 0 && p.events == POLLIN);
        return p;
}

static int threads(void)
{
        DIR *tasks = opendir("/proc/self/task");
        int n = -2; /* . and .. */

        assert_non_null(tasks);
        while (readdir(tasks))
                n++;
        (void)closedir(tasks);
        return n;
}

/* Returns once as many threads beside this one sleep. */
static void await_sleeping_thread(int n)
{
        char path[300];
        struct dirent *entry;
        int sleeping, looks = 0;

        for (;;) {
                DIR *tasks = opendir("/proc/self/task");

                assert_non_null(tasks);
                sleeping = 0;
                while ((entry = readdir(tasks))) {
                        if (*entry->d_name == '.' || atoi(entry->d_name) == getpid())
                                continue;
                        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
                        sleeping += state_in(path) == 'S';
                }
                (void)closedir(tasks);
                if (sleeping >= n)
                        return;
                look_again(&looks, "a thread that sleeps");
        }
}

/* A thread that was joined is listed for a moment yet. */
static void await_threads(int n)
{
        for (int looks = 0; threads() != n;)
                look_again(&looks, "as many threads");
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static void test_types(void **state)
{
        struct ipw_link *out = open_with("?type=4", IPW_PUSH), *in = open_with("", IPW_PULL);
        struct ipw_link *low = open_with("?select=-5", IPW_PULL), *nine = open_with("?select=9", IPW_PULL);

        assert_int_equal(send_text(out, "four", 0, 0), 4);
        assert_int_equal(send_text(out, "nine", 9, 0), 4);
        assert_int_equal(send_text(out, "two", 2, 0), 3);
        assert_int_equal(send_text(out, "huge", INT64_MAX, 0), 4);
        assert_int_equal(send_text(out, "two again", 2, 0), 9);
        expect_nothing(in, 3);
        expect_nothing(in, -1);
        expect(low, 0, "two", 2); /* the lowest first, whatever the order sent */
        expect(low, 0, "two again", 2);
        expect(low, 0, "four", 4);
        expect_nothing(low, 0);
        expect(nine, 0, "nine", 9);
        expect_nothing(nine, 0);
        expect(nine, INT64_MIN, "huge", INT64_MAX); /* the message's selector counts, not the link's */
        expect_nothing(in, 0);
        assert_int_equal(send_text(out, "x", -3, 0), -EINVAL);
        talk_explains(out, EINVAL, "positive");
        expect_nothing(in, 0);
        ipw_close(out);
        ipw_close(in);
        ipw_close(low);
        ipw_close(nine);
}

static void test_plain_peers(void **state)
{
        int id = plain_queue();
        struct ipw_link *out = open_with("", IPW_PUSH), *in = open_with("", IPW_PULL);
        char ga[] = "ga", thered[] = "thered";
        struct iovec parts[] = { { ga, 2 }, { NULL, 0 }, { thered, 6 } };
        struct ipw_message gathered = { .iov = parts, .iov_count = 3, .type = 3 };

        plain_send(id, "hello", 7);
        plain_send(id, "", 8);
        expect(in, 0, "hello", 7);
        expect(in, 0, "", 8);
        assert_int_equal(send_text(out, "hi", 0, 0), 2);
        assert_int_equal(send_text(out, "", 5, 0), 0);
        assert_int_equal(ipw_send(out, &gathered, 0), 8);
        plain_expect(id, "hi", 1);
        plain_expect(id, "", 5);
        plain_expect(id, "gathered", 3);
        ipw_close(out);
        ipw_close(in);
}

static void test_many(void **state)
{
        struct ipw_link *out = open_with("?size=4096", IPW_PUSH), *in = open_with("", IPW_PULL);
        char texts[8][512] = { 0 }, got[8][512];
        struct ipw_message m[8] = { 0 }, n[8] = { 0 };

        for (unsigned i = 0; i < 8; i++) {
                memset(texts[i], (int)('a' + i), sizeof(texts[i]));
                m[i] = (struct ipw_message){ .data = texts[i], .size = sizeof(texts[i]), .type = i + 1 };
                n[i] = (struct ipw_message){ .data = got[i], .capacity = sizeof(got[i]) };
        }
        assert_int_equal(ipw_send_many(out, m, 5, 0), 5);
        assert_int_equal(ipw_send_many(out, m + 5, 3, 0), 3);
        assert_int_equal(ipw_send_many(out, m, 3, 0), -EAGAIN);
        n[6].capacity = 100; /* is told so by the next call */
        assert_int_equal(ipw_recv_many(in, n, 8, 0), 6);
        assert_int_equal(ipw_send_many(out, m, 8, 0), 7);
        assert_int_equal(ipw_recv_many(in, n + 6, 2, 0), -EMSGSIZE);
        assert_int_equal(n[6].size, 512);
        n[6].capacity = 512;
        assert_int_equal(ipw_recv_many(in, n + 6, 2, 0), 2);
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(n[i].size, 512);
                assert_int_equal(n[i].type, i + 1);
                assert_memory_equal(got[i], texts[i], 512);
        }
        ipw_close(out);
        ipw_close(in);
}

static void test_short_buffer(void **state)
{
        int id = plain_queue();
        struct ipw_link *in = open_with("", IPW_PULL);
        char few[4];
        int64_t type;

        plain_send(id, "long text", 5);
        plain_send(id, "another one", 6);
        plain_send(id, "low", 2);
        plain_send(id, "late", 5);
        assert_int_equal(receive(in, few, sizeof(few), 0, &type, 0), -EMSGSIZE);
        talk_explains(in, EMSGSIZE, "9 bytes");
        assert_int_equal(receive(in, few, sizeof(few), 5, &type, 0), -EMSGSIZE); /* the same one */
        assert_int_equal(queued(id), 3);
        assert_int_equal(receive(in, few, sizeof(few), 6, &type, 0), -EMSGSIZE); /* passes by it, and is kept too */
        assert_int_equal(queued(id), 2);
        expect(in, 2, "low", 2);
        expect(in, -5, "long text", 5); /* in hand comes first */
        expect(in, 5, "late", 5);
        expect(in, 0, "another one", 6);
        expect_nothing(in, 0);
        assert_int_equal(receive(in, NULL, 0, 0, &type, 0), -EAGAIN);
        plain_send(id, "", 3);
        assert_int_equal(receive(in, NULL, 0, 0, &type, 0), 0); /* no room is enough for nothing */
        ipw_close(in);
}

static void test_given_back(void **state)
{
        int id = plain_queue();
        struct ipw_link *in = open_with("", IPW_PULL);
        char few[4];
        int64_t type;

        plain_send(id, "too long for it", 5);
        assert_int_equal(receive(in, few, sizeof(few), 0, &type, 0), -EMSGSIZE);
        assert_int_equal(queued(id), 0);
        assert_int_equal(ipw_close(in), 0);
        plain_expect(id, "too long for it", 5);
}

static void test_sizes(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUSH), *in = open_with("", IPW_PULL);
        const struct ipw_caps *caps = ipw_link_caps(out);
        struct ipw_caps bound;
        char *room = malloc(caps->max_msg);
        int64_t type;

        assert_int_equal(caps->flags, IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS |
                                              IPW_CAP_MANY_RECEIVERS | IPW_CAP_TYPES | IPW_CAP_TIMED_BY_POLLING | IPW_CAP_POLL);
        assert_string_equal(caps->stack, "mq+sysv");
        assert_int_equal(caps->min_msg, 0);
        assert_int_equal(ipw_describe(address, &bound, NULL), 0);
        assert_true(bound.max_msg >= caps->max_msg && bound.flags == caps->flags);
        assert_non_null(room);
        assert_int_equal(send_size(out, caps->max_msg, 0), caps->max_msg);
        assert_int_equal(receive(in, room, caps->max_msg, 0, &type, 0), caps->max_msg);
        assert_int_equal(send_size(out, caps->max_msg + 1, IPW_FOREVER), -EMSGSIZE);
        talk_explains(out, EMSGSIZE, "kernel.msgmax");
        expect_nothing(in, 0);
        free(room);
        ipw_close(out);
        ipw_close(in);
}

static void test_small_queue(void **state)
{
        struct ipw_link *out = open_with("?size=100", IPW_PUSH), *in = open_with("?size=100", IPW_PULL);
        char room[100];
        int64_t type;

        assert_int_equal(ipw_link_caps(out)->max_msg, 100);
        assert_int_equal(ipw_link_caps(out)->capacity, 100);
        assert_int_equal(send_size(out, 101, IPW_FOREVER), -EMSGSIZE); /* by itself it would sleep for ever */
        talk_explains(out, EMSGSIZE, "size=");
        assert_int_equal(send_size(out, 100, IPW_FOREVER), 100);
        assert_int_equal(send_size(out, 1, 0), -EAGAIN);
        assert_int_equal(send_size(out, 0, 0), 0); /* an empty one takes no room */
        assert_int_equal(send_size(out, 1, IPW_MS(5)), -ETIMEDOUT);
        assert_int_equal(receive(in, room, sizeof(room), 0, &type, 0), 100);
        assert_int_equal(receive(in, room, sizeof(room), 0, &type, IPW_MS(5)), 0);
        assert_int_equal(receive(in, room, sizeof(room), 0, &type, IPW_MS(5)), -ETIMEDOUT);
        ipw_close(out);
        ipw_close(in);
}

static void set_bytes(int id, msglen_t bytes)
{
        struct msqid_ds ds;

        assert_int_equal(msgctl(id, IPC_STAT, &ds), 0);
        ds.msg_qbytes = bytes;
        assert_int_equal(msgctl(id, IPC_SET, &ds), 0);
}

static void test_limits_that_change(void **state)
{
        struct ipw_link *out = open_with("?size=1000", IPW_PUSH), *in = open_with("", IPW_PULL);
        int id = plain_queue();
        char room[4096];
        int64_t type;
        struct plain large = { .type = 1 };

        set_bytes(id, 500);
        assert_int_equal(send_size(out, 600, IPW_FOREVER), -EMSGSIZE);
        talk_explains(out, EMSGSIZE, "500 bytes");
        assert_int_equal(send_size(out, 600, 0), -EMSGSIZE);
        set_bytes(id, 4096);
        assert_int_equal(msgsnd(id, &large, 4000, 0), 0); /* more than the receiver had reason to expect */
        assert_int_equal(receive(in, room, sizeof(room), 0, &type, IPW_MS(PATIENCE)), 4000);
        assert_int_equal(msgsnd(id, &large, 4000, 0), 0);
        assert_int_equal(receive(in, room, 100, 0, &type, 0), -EMSGSIZE);
        assert_int_equal(receive(in, room, sizeof(room), 0, &type, 0), 4000);
        ipw_close(out);
        ipw_close(in);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------------- */

static void test_sleeping_sides(void **state)
{
        struct ipw_link *in = open_with("?size=64", IPW_PULL);
        pid_t child = fork_child();

        if (child == 0) {
                struct ipw_link *out = open_with("", IPW_PUSH);

                for (int i = 0; i < 8; i++)
                        if (send_size(out, 64, IPW_FOREVER) != 64) /* sleeps in msgsnd from the second on */
                                _exit(1);
                ipw_close(out);
                _exit(0);
        }
        await_sleep(child);
        for (int i = 0; i < 8; i++) {
                char room[64];
                int64_t type;

                assert_int_equal(receive(in, room, sizeof(room), 0, &type, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)), 64);
        }
        assert_int_equal(reap(child), 0);
        ipw_close(in);
}

/* A receiver in each way of waiting, and a sender in each, when the queue is removed. */
static void removed_under(unsigned how, int64_t timeout, const char *options, int with_descriptor)
{
        struct ipw_link *keep = open_with("?size=64", IPW_PUSH);
        pid_t child;

        if ((how & IPW_ROLE) == IPW_PUSH)
                assert_int_equal(send_size(keep, 64, 0), 64);
        child = fork_child();
        if (child == 0) {
                struct ipw_link *link = open_with(options, how);
                struct ipw_why why = { 0 };
                struct pollfd p;
                char room[64];
                int64_t type;
                ssize_t r;

                if (with_descriptor && ipw_pollfd(link, IPW_RECV, &p) < 0)
                        _exit(3);
                r = (how & IPW_ROLE) == IPW_PUSH ? send_size(link, 64, timeout) : receive(link, room, 64, 0, &type, timeout);
                ipw_link_why(link, &why);
                ipw_close(link);
                _exit(r != -EIDRM ? 1 : strstr(why.text, "was removed") ? 0 : 2);
        }
        await_sleep(child);
        assert_int_equal(ipw_remove(address, NULL), 0);
        assert_int_equal(reap(child), 0);
        assert_int_equal(send_size(keep, 1, IPW_FOREVER), -EIDRM);
        talk_explains(keep, EIDRM, "was removed");
        ipw_close(keep);
}

static void test_removed(void **state)
{
        removed_under(IPW_PULL, IPW_FOREVER, "", 0);
        removed_under(IPW_PULL, IPW_MS(PATIENCE), "", 0);
        removed_under(IPW_PULL | IPW_WAKEABLE, IPW_FOREVER, "", 0);
        removed_under(IPW_PULL, IPW_FOREVER, "?spin=1ms", 0);
        removed_under(IPW_PULL, IPW_FOREVER, "", 1);
        removed_under(IPW_PULL, IPW_MS(PATIENCE), "", 1);
        removed_under(IPW_PUSH, IPW_FOREVER, "", 0);
        removed_under(IPW_PUSH, IPW_MS(PATIENCE), "", 0);
}

static void on_signal(int number)
{
}

static void test_signals(void **state)
{
        struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART }; /* msgrcv is never restarted */
        struct ipw_link *out = open_with("", IPW_PUSH);
        pid_t child = fork_child();

        if (child == 0) {
                struct ipw_link *in = open_with("", IPW_PULL), *signals = open_with("", IPW_PULL | IPW_SIGNALS);
                char room[8];
                int64_t type;

                (void)sigaction(SIGUSR1, &act, NULL);
                if (receive(in, room, sizeof(room), 0, &type, IPW_FOREVER) != 2)
                        _exit(1);
                if (receive(signals, room, sizeof(room), 0, &type, IPW_FOREVER) != -EINTR)
                        _exit(2);
                if (receive(signals, room, sizeof(room), 0, &type, IPW_MS(PATIENCE)) != -EINTR)
                        _exit(3);
                ipw_close(in);
                ipw_close(signals);
                _exit(0);
        }
        await_sleep(child);
        for (int i = 0; i < 20; i++) {
                await_sleep(child);
                assert_int_equal(kill(child, SIGUSR1), 0);
        }
        assert_int_equal(send_text(out, "on", 0, 0), 2);
        for (siginfo_t ended = { 0 }; ended.si_pid != child; (void)sched_yield()) { /* until it has said -EINTR twice */
                (void)kill(child, SIGUSR1);
                assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        }
        assert_int_equal(reap(child), 0);
        ipw_close(out);
}

static void *interrupt(void *link)
{
        (void)ipw_interrupt(link);
        return NULL;
}

static void test_interrupt(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL | IPW_WAKEABLE);
        struct pollfd p;
        char room[8];
        int64_t type;

        for (int i = 0; i < 2; i++) { /* without and with a descriptor */
                pthread_t thread;

                assert_int_equal(pthread_create(&thread, NULL, interrupt, in), 0);
                assert_int_equal(receive(in, room, sizeof(room), 0, &type, IPW_FOREVER), -ECANCELED);
                (void)pthread_join(thread, NULL);
                p = descriptor(in, IPW_RECV);
                assert_true(p.fd >= 0);
        }
        ipw_close(in);
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------------------- */

static void test_pollfd(void **state)
{
        int id = plain_queue(), descriptors = open_descriptors();
        struct ipw_link *in = open_with("?select=-5", IPW_PULL);
        struct pollfd p;
        pid_t child;

        plain_send(id, "already there", 1);
        await_threads(1);
        p = descriptor(in, IPW_RECV);
        await_threads(2);
        assert_int_equal(descriptor(in, IPW_RECV).fd, p.fd);
        assert_int_equal(is_ready(p, 0), 1);
        expect(in, 0, "already there", 1);
        expect_nothing(in, 0);
        await_sleeping_thread(1);
        assert_int_equal(is_ready(p, 0), 0);
        for (int i = 0; i < 50; i++) {
                plain_send(id, "one", 2);
                plain_send(id, "two", 2);
                assert_int_equal(is_ready(p, PATIENCE), 1);
                expect(in, 0, "one", 2);
                assert_int_equal(is_ready(p, PATIENCE), 1); /* level-triggered */
                expect(in, 0, "two", 2);
                expect_nothing(in, 0);
        }
        plain_send(id, "not ours", 9);
        expect_nothing(in, 0);
        await_sleeping_thread(1);
        assert_int_equal(is_ready(p, 0), 0);
        expect(in, 9, "not ours", 9);
        await_threads(1); /* who receives has the queue */
        expect_nothing(in, 0);
        plain_send(id, "ours", 5);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        expect(in, 0, "ours", 5);
        expect_nothing(in, 0);
        child = fork_child();
        if (child == 0) {
                await_sleep(getppid());
                plain_send(id, "late", 9);
                _exit(0);
        }
        expect(in, 9, "late", 9); /* what the descriptor does not speak of can be waited for all the same */
        assert_int_equal(reap(child), 0);
        ipw_close(in);
        await_threads(1);
        assert_int_equal(open_descriptors(), descriptors);
}

static void test_pollfd_empty(void **state)
{
        int id = plain_queue();
        struct ipw_link *in = open_with("", IPW_PULL);
        struct pollfd p = descriptor(in, IPW_RECV);

        for (int i = 0; i < 100; i++) {
                expect_nothing(in, 0);
                if (i % 2)
                        await_sleeping_thread(1);
                plain_send(id, "", 3); /* this one the thread takes, or not */
                plain_send(id, "after", 3);
                if (i % 4 < 2)
                        assert_int_equal(is_ready(p, PATIENCE), 1);
                expect(in, 0, "", 3);
                expect(in, 0, "after", 3);
        }
        expect_nothing(in, 0);
        plain_send(id, "", 7);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        assert_int_equal(queued(id), 0);
        expect_nothing(in, 6);
        assert_int_equal(is_ready(p, 0), 1);
        expect(in, 7, "", 7);
        expect_nothing(in, 0);
        await_sleeping_thread(1);
        plain_send(id, "", 8);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        ipw_close(in); /* what the thread has taken goes back */
        plain_expect(id, "", 8);
}

/* Closing at any moment of the hand-over loses nothing. */
static void test_pollfd_close(void **state)
{
        int id = plain_queue();

        for (int i = 0; i < 300; i++) {
                struct ipw_link *in = open_with("", IPW_PULL);
                struct pollfd p = descriptor(in, IPW_RECV);

                assert_true(p.fd >= 0);
                expect_nothing(in, 0);
                if (i % 2)
                        await_sleeping_thread(1);
                plain_send(id, "", 4);
                for (int spin = 0; spin < i % 30; spin++)
                        (void)sched_yield();
                ipw_close(in);
                plain_expect(id, "", 4);
        }
}

/* A kept message is as good as one in the queue. */
static void test_pollfd_kept(void **state)
{
        int id = plain_queue();
        struct ipw_link *in = open_with("", IPW_PULL);
        struct pollfd p = descriptor(in, IPW_RECV);
        char few[2];
        int64_t type;

        expect_nothing(in, 0);
        plain_send(id, "many", 4);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        assert_int_equal(receive(in, few, sizeof(few), 0, &type, 0), -EMSGSIZE);
        assert_int_equal(is_ready(p, 0), 1);
        expect_nothing(in, 5);
        assert_int_equal(is_ready(p, 0), 1);
        expect(in, 0, "many", 4);
        expect_nothing(in, 0);
        ipw_close(in);
}

/* Waits of all kinds go on working once there is a descriptor: nothing is missed, empty or not, and the order holds. */
static void test_pollfd_never_misses(void **state)
{
        enum { MESSAGES = 3000 };
        struct ipw_link *in = open_with("", IPW_PULL);
        pid_t child = fork_child();
        struct pollfd p;

        if (child == 0) {
                struct ipw_link *out = open_with("", IPW_PUSH);
                unsigned seed = 7;

                for (int i = 0; i < MESSAGES; i++) {
                        char text[16] = "";

                        if (i % 3)
                                (void)snprintf(text, sizeof(text), "%d", i);
                        if (send_text(out, text, i + 1, IPW_FOREVER) < 0)
                                _exit(1);
                        for (int n = rand_r(&seed) % 4; n == 1; n = rand_r(&seed) % 3)
                                (void)sched_yield();
                }
                ipw_close(out);
                _exit(0);
        }
        p = descriptor(in, IPW_RECV);
        for (int i = 0; i < MESSAGES;) {
                char got[16], text[16] = "";
                int64_t type, timeout = i % 11 == 5 ? IPW_FOREVER : i % 11 == 7 ? IPW_MS(PATIENCE) : 0;
                ssize_t r;

                if (timeout == 0 && i % 11 != 9 && !is_ready(p, PATIENCE))
                        fail_msg("missed message %d", i);
                r = receive(in, got, sizeof(got) - 1, 0, &type, timeout);
                if (r == -EAGAIN)
                        continue;
                assert_true(r >= 0);
                got[r] = 0;
                if (i % 3)
                        (void)snprintf(text, sizeof(text), "%d", i);
                assert_int_equal(type, i + 1);
                assert_string_equal(got, text);
                i++;
        }
        assert_int_equal(reap(child), 0);
        expect_nothing(in, 0);
        ipw_close(in);
}

static void test_pollfd_removed(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL);
        struct pollfd p = descriptor(in, IPW_RECV);
        char room[8];
        int64_t type;

        expect_nothing(in, 0);
        await_sleeping_thread(1);
        assert_int_equal(ipw_remove(address, NULL), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(is_ready(p, PATIENCE), 1); /* for ever, so that nobody sleeps on it */
                assert_int_equal(receive(in, room, sizeof(room), 0, &type, 0), -EIDRM);
        }
        ipw_close(in);
}

static void test_pollfd_fork(void **state)
{
        int id = plain_queue();
        struct ipw_link *in = open_with("", IPW_PULL);
        struct pollfd p = descriptor(in, IPW_RECV);
        char few[1];
        int64_t type;
        pid_t child;

        plain_send(id, "kept", 2);
        assert_int_equal(receive(in, few, sizeof(few), 0, &type, 0), -EMSGSIZE);
        expect_nothing(in, 9);
        child = fork_child();
        if (child == 0) {
                int ok = receive(in, few, sizeof(few), 0, &type, 0) == -ESTALE && ipw_pollfd(in, IPW_RECV, &p) == -ESTALE;

                ipw_close(in); /* joins no thread, gives nothing back */
                _exit(ok && open_descriptors() && fcntl(p.fd, F_GETFD) < 0 ? 0 : 1);
        }
        assert_int_equal(reap(child), 0);
        assert_int_equal(queued(id), 0);
        expect(in, 0, "kept", 2);
        expect_nothing(in, 0);
        await_sleeping_thread(1);
        child = fork_child();
        if (child == 0) {
                ipw_close(in); /* while the parent's thread watches */
                _exit(0);
        }
        assert_int_equal(reap(child), 0);
        plain_send(id, "for the parent", 1);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        expect(in, 0, "for the parent", 1);
        ipw_close(in);
}

static void test_pollfd_send(void **state)
{
        struct ipw_link *out = open_with("?size=64", IPW_PUSH);
        struct pollfd p = descriptor(out, IPW_SEND);
        int id = plain_queue();

        assert_int_equal(is_ready(p, PATIENCE), 1);
        assert_int_equal(send_size(out, 64, 0), 64);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        for (int i = 0; i < 4; i++) {
                assert_int_equal(send_size(out, 64, 0), -EAGAIN);
                assert_int_equal(is_ready(p, PATIENCE), 1); /* ticks */
        }
        assert_int_equal(send_size(out, 64, 0), -EAGAIN);
        assert_int_equal(msgrcv(id, &(struct plain){ 0 }, 8192, 0, 0), 64);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        assert_int_equal(send_size(out, 64, 0), 64);
        assert_int_equal(is_ready(p, PATIENCE), 1);
        ipw_close(out);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

static void expect_key(const char *text, key_t expected, const char *options_kept)
{
        struct ipw_link *link = NULL;
        struct ipw_why why = { 0 };
        char shown[160], wanted[160];

        if (ipw_open(&link, text, IPW_PUSH, 0, &why) < 0)
                fail_msg("%s", why.text);
        (void)snprintf(wanted, sizeof(wanted), "mq+sysv:0x%x%s", (unsigned)expected, options_kept);
        (void)ipw_link_address(link, shown, sizeof(shown));
        assert_string_equal(shown, wanted);
        assert_true(msgget(expected, 0) >= 0);
        ipw_close(link);
        assert_int_equal(ipw_remove(text, &why), 0);
        assert_int_equal(msgget(expected, 0), -1);
}

static void test_names(void **state)
{
        char text[300];

        (void)snprintf(text, sizeof(text), "%s#A", by_file);
        expect_key(text, ftok(file, 'A'), "");
        (void)snprintf(text, sizeof(text), "%s#65", by_file);
        expect_key(text, ftok(file, 65), "");
        (void)snprintf(text, sizeof(text), "%s#5?type=3", by_file);
        expect_key(text, ftok(file, 5), "?type=3");
        (void)snprintf(text, sizeof(text), "%s#255", by_file);
        expect_key(text, ftok(file, 255), "");
        (void)snprintf(text, sizeof(text), "%s#%%25", by_file);
        expect_key(text, ftok(file, '%'), "");
        (void)snprintf(text, sizeof(text), "mq+sysv:%u", (unsigned)key);
        expect_key(text, key, "");
        (void)snprintf(text, sizeof(text), "mq+sysv:0X%X", (unsigned)key);
        expect_key(text, key, "");
}

static void test_id(void **state)
{
        int id = plain_queue();
        struct ipw_link *out = NULL;
        char text[64], shown[64];

        (void)snprintf(text, sizeof(text), "mq+sysv:id=%d", id);
        assert_int_equal(ipw_open(&out, text, IPW_PUSH, 0, NULL), 0);
        (void)ipw_link_address(out, shown, sizeof(shown));
        assert_string_equal(shown, text);
        assert_int_equal(send_text(out, "by id", 0, 0), 5);
        plain_expect(id, "by id", 1);
        ipw_close(out);
        talk_refuse(text, IPW_PUSH | IPW_FRESH, EINVAL, "use a key");
        assert_int_equal(ipw_remove(text, NULL), 0);
        assert_int_equal(ipw_remove(text, NULL), -ENOENT);
        talk_refuse(text, IPW_PUSH, ENOENT, "no queue has this id");
}

static void test_bad_names(void **state)
{
        static const struct {
                const char *text, *part;
        } rows[] = {
                { "mq+sysv:", "PATH#PROJ" },
                { "mq+sysv:/etc/hostname", "/etc/hostname#A" },
                { "mq+sysv:#A", "path" },
                { "mq+sysv:/tmp#", "exactly one character" },
                { "mq+sysv:/tmp#AB", "exactly one character" },
                { "mq+sysv:/tmp#0", "1 to 255" },
                { "mq+sysv:/tmp#00", "1 to 255" },
                { "mq+sysv:/tmp#256", "1 to 255" },
                { "mq+sysv:/tmp#99999999999999999999", "1 to 255" },
                { "mq+sysv:/tmp#-1", "exactly one character" },
                { "mq+sysv:/tmp#\xc3\xa9", "exactly one character" },
                { "mq+sysv:0", "IPC_PRIVATE" },
                { "mq+sysv:0x0", "IPC_PRIVATE" },
                { "mq+sysv:0x100000000", "32 bits" },
                { "mq+sysv:99999999999999999999", "32 bits" },
                { "mq+sysv:0x", "PATH#PROJ" },
                { "mq+sysv:12K", "PATH#PROJ" },
                { "mq+sysv:-1", "PATH#PROJ" },
                { "mq+sysv:id=", "ipcs" },
                { "mq+sysv:id=-1", "ipcs" },
                { "mq+sysv:id=2147483648", "ipcs" },
                { "mq+sysv:id=x", "ipcs" },
        };
        char text[300];

        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct ipw_address *a = NULL;
                struct ipw_why why = { 0 };

                talk_refuse(rows[i].text, IPW_PULL, EINVAL, rows[i].part);
                assert_int_equal(ipw_address_parse(&a, rows[i].text, &why), -EINVAL);
                assert_null(a);
                assert_int_equal(ipw_remove(rows[i].text, &why), -EINVAL);
        }
        (void)unlink(file);
        (void)snprintf(text, sizeof(text), "%s#A", by_file);
        talk_refuse(text, IPW_PULL, ENOENT, file);
        talk_refuse(text, IPW_PULL, ENOENT, "touch");
        assert_int_equal(ipw_remove(text, NULL), -ENOENT);
}

static void test_bad_options(void **state)
{
        refuse_with("?keep=0", IPW_PULL, EOPNOTSUPP, "ipcway remove");
        refuse_with("?until=last", IPW_PULL, EOPNOTSUPP, "does not say who uses");
        refuse_with("?type=0", IPW_PUSH, ERANGE, "1..");
        refuse_with("?type=9223372036854775808", IPW_PUSH, ERANGE, "type");
        refuse_with("?select=x", IPW_PULL, EINVAL, "select");
        refuse_with("?size=0", IPW_PULL, ERANGE, "size");
        refuse_with("?ack=disk", IPW_PULL, EINVAL, "queued");
        refuse_with("?group=no-such-group-here", IPW_PULL, ENOENT, "no-such-group-here");
        refuse_with("", IPW_PAIR | IPW_DIAL, EOPNOTSUPP, "PUSH PULL");
        refuse_with("", IPW_SUB, EOPNOTSUPP, "PUSH PULL");
        assert_int_equal(msgget(key, 0), -1); /* nothing was left behind */
        ipw_close(open_with("?keep=1&until=forever&select=-9223372036854775808", IPW_PULL));
}

/* ---- making, joining, removing ------------------------------------------------------------------------------------------------------- */

static void test_join_or_create(void **state)
{
        struct ipw_link *out;
        struct ipw_why why = { 0 };
        struct msqid_ds ds;

        refuse_with("", IPW_PULL | IPW_EXISTING, ENOENT, "no queue with key");
        out = open_with("?mode=0640&group=1&size=2048", IPW_PUSH | IPW_FRESH);
        assert_int_equal(msgctl(msgget(key, 0), IPC_STAT, &ds), 0);
        assert_int_equal(ds.msg_perm.mode & 0777, 0640);
        assert_int_equal(ds.msg_perm.gid, 1);
        assert_int_equal(ds.msg_qbytes, 2048);
        refuse_with("", IPW_PULL | IPW_FRESH, EEXIST, "exists");
        refuse_with("?size=4096", IPW_PULL, EINVAL, "2048");
        refuse_with("?size=4096", IPW_PULL, EINVAL, "4096");
        ipw_close(open_with("?size=2048", IPW_PULL | IPW_EXISTING));
        ipw_close(out);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        assert_non_null(strstr(why.text, "ipcs"));
        ipw_close(open_with("", IPW_PULL));
        assert_int_equal(msgctl(msgget(key, 0), IPC_STAT, &ds), 0);
        assert_int_equal(ds.msg_perm.mode & 0777, 0600);
}

/* Several at once with one address: all must have the same queue, with the size asked for, while another keeps removing it. */
static void test_create_race(void **state)
{
        enum { OPENERS = 4, ROUNDS = 200 };
        pid_t children[OPENERS];

        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < OPENERS; i++) {
                        children[i] = fork_child();
                        if (children[i] == 0) {
                                for (int n = 0; n < ROUNDS; n++) {
                                        struct ipw_link *link = open_with("?size=3000", IPW_PUSH);
                                        int good = ipw_link_caps(link)->capacity == 3000;

                                        ipw_close(link);
                                        if (!good)
                                                _exit(1);
                                        if (round == 1 && i == 0 && ipw_remove(address, NULL) < 0)
                                                _exit(2);
                                }
                                _exit(0);
                        }
                }
                for (int i = 0; i < OPENERS; i++)
                        assert_int_equal(reap(children[i]), 0);
        }
}

static void test_owner(void **state)
{
        struct msqid_ds ds;
        int id;

        if (geteuid() != 0)
                skip(); /* only root can make what belongs to another */
        id = plain_queue();
        assert_int_equal(msgctl(id, IPC_STAT, &ds), 0);
        ds.msg_perm.uid = NOBODY;
        assert_int_equal(msgctl(id, IPC_SET, &ds), 0);
        refuse_with("", IPW_PULL, EPERM, "uid 65534");
        refuse_with("", IPW_PULL, EPERM, "peer=uid:65534");
        refuse_with("?peer=uid:1", IPW_PULL, EPERM, "peer=uid:65534");
        refuse_with("?peer=group:1", IPW_PULL, EPERM, "peer=uid:65534");
        refuse_with("?peer=group:no-such-group", IPW_PULL, ENOENT, "no-such-group");
        ds.msg_perm.gid = 1; /* proves nothing: the owner may choose it */
        assert_int_equal(msgctl(id, IPC_SET, &ds), 0);
        refuse_with("?peer=group:1", IPW_PULL, EPERM, "peer=uid:65534");
        assert_int_equal(ipw_remove(address, NULL), -EPERM);
        ipw_close(open_with("?peer=uid:65534", IPW_PULL));
        ipw_close(open_with("?peer=group:65534", IPW_PULL)); /* nogroup, the group of nobody */
}

/* As another user: whose queue that is, what may not be done with it, and how large one's own may be. */
static void test_as_nobody(void **state)
{
        pid_t child;

        if (geteuid() != 0)
                skip();
        ipw_close(open_with("?mode=0640", IPW_PULL));
        child = fork_child();
        if (child == 0) {
                char other[64];

                become(NOBODY);
                refuse_with("", IPW_PULL, EACCES, "permissions");
                (void)snprintf(other, sizeof(other), "mq+sysv:0x%x?size=1G", (unsigned)key + 1);
                talk_refuse(other, IPW_PULL, EPERM, "kernel.msgmnb");
                _exit(msgget(key + 1, 0) < 0 ? 0 : 2);
        }
        assert_int_equal(reap(child), 0);
        assert_int_equal(ipw_remove(address, NULL), 0);
        ipw_close(open_with("?mode=0666", IPW_PULL));
        child = fork_child();
        if (child == 0) {
                struct ipw_why why = { 0 };
                struct ipw_link *out;

                become(NOBODY);
                out = open_with("", IPW_PUSH); /* root's: trusted */
                if (send_text(out, "from nobody", 0, 0) != 11)
                        _exit(1);
                ipw_close(out);
                _exit(ipw_remove(address, &why) == -EPERM && strstr(why.text, "uid 0") ? 0 : 2);
        }
        assert_int_equal(reap(child), 0);
}

/* ---- faults -------------------------------------------------------------------------------------------------------------------------- */

/* Fails the call number `fault_at` of this thread once, and counts them; other threads pass. */
static int fault_at, fault_count, fault_error;
static pthread_t fault_thread;

static int fault_before(struct sys_call *call)
{
        if (!pthread_equal(pthread_self(), fault_thread) || strcmp(call->site->call, "close") == 0 || fault_count++ != fault_at)
                return 0;
        call->result = -fault_error;
        return 1;
}

static void fault_after(struct sys_call *call)
{
}

/* Everything once. Returns whether all went well. */
static int whole_life(void)
{
        struct ipw_link *out = NULL, *in = NULL;
        struct ipw_why why = { 0 };
        struct pollfd p;
        char text[160], room[64], few[1];
        int64_t type;
        int good = 0;

        (void)snprintf(text, sizeof(text), "%s?size=512&mode=0640", address);
        if (ipw_open(&out, text, IPW_PUSH, 0, &why) < 0 || ipw_open(&in, address, IPW_PULL, 0, &why) < 0) {
                if (!*why.text)
                        fail_msg("no text for a failed open");
                goto end;
        }
        good = ipw_pollfd(in, IPW_RECV, &p) == 0 && receive(in, room, sizeof(room), 0, &type, 0) == -EAGAIN &&
               send_text(out, "hello", 0, IPW_MS(PATIENCE)) == 5 &&
               receive(in, few, sizeof(few), 0, &type, IPW_MS(PATIENCE)) == -EMSGSIZE &&
               receive(in, room, sizeof(room), 0, &type, IPW_MS(PATIENCE)) == 5 &&
               receive(in, room, sizeof(room), 0, &type, IPW_MS(2)) == -ETIMEDOUT && ipw_pollfd(out, IPW_SEND, &p) == 0 &&
               send_size(out, 512, 0) == 512 && send_size(out, 1, 0) == -EAGAIN;
end:
        ipw_close(in);
        ipw_close(out);
        good &= ipw_remove(address, &why) == 0;
        return good;
}

static void test_faults(void **state)
{
        static const struct sys_hook hook = { fault_before, fault_after };
        static const int errors[] = { EIO, ENOMEM, EINTR, EIDRM, EAGAIN };
        int descriptors = open_descriptors(), unharmed = 0;

        fault_thread = pthread_self();
        for (size_t e = 0; e < COUNT_OF(errors); e++) {
                fault_error = errors[e];
                for (fault_at = 0;; fault_at++) {
                        fault_count = 0;
                        sys_hook = &hook;
                        unharmed += whole_life();
                        sys_hook = NULL;
                        remove_key(key);
                        assert_int_equal(open_descriptors(), descriptors);
                        await_threads(1);
                        if (fault_count <= fault_at)
                                break;
                }
        }
        assert_true(unharmed >= (int)COUNT_OF(errors)); /* the last one of each had no fault */
}

/* The thread's calls fail, each for the first time in turn: at worst the descriptor is ready for nothing. */
static int thread_before(struct sys_call *call)
{
        if (pthread_equal(pthread_self(), fault_thread) || __atomic_fetch_add(&fault_count, 1, __ATOMIC_RELAXED) != fault_at)
                return 0;
        call->result = -EIO;
        return 1;
}

static void test_pollfd_faults(void **state)
{
        static const struct sys_hook hook = { thread_before, fault_after };
        int id = plain_queue();

        fault_thread = pthread_self();
        for (fault_at = 0; fault_at < 6; fault_at++) {
                struct ipw_link *in;
                struct pollfd p;

                fault_count = 0;
                sys_hook = &hook;
                in = open_with("", IPW_PULL);
                p = descriptor(in, IPW_RECV);
                for (int i = 0; i < 3; i++) {
                        const char *text = i % 2 ? "full" : "";

                        expect_nothing(in, 0);
                        plain_send(id, text, 3);
                        for (char got[8];;) {
                                int64_t type;
                                ssize_t r;

                                assert_int_equal(is_ready(p, PATIENCE), 1);
                                r = receive(in, got, sizeof(got), 0, &type, 0);
                                if (r == -EAGAIN)
                                        continue;
                                assert_int_equal(r, strlen(text));
                                break;
                        }
                }
                ipw_close(in);
                sys_hook = NULL;
                assert_int_equal(queued(id), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_types, fresh),
                cmocka_unit_test_setup(test_plain_peers, fresh),
                cmocka_unit_test_setup(test_many, fresh),
                cmocka_unit_test_setup(test_short_buffer, fresh),
                cmocka_unit_test_setup(test_given_back, fresh),
                cmocka_unit_test_setup(test_sizes, fresh),
                cmocka_unit_test_setup(test_small_queue, fresh),
                cmocka_unit_test_setup(test_limits_that_change, fresh),
                cmocka_unit_test_setup(test_sleeping_sides, fresh),
                cmocka_unit_test_setup(test_removed, fresh),
                cmocka_unit_test_setup(test_signals, fresh),
                cmocka_unit_test_setup(test_interrupt, fresh),
                cmocka_unit_test_setup(test_pollfd, fresh),
                cmocka_unit_test_setup(test_pollfd_empty, fresh),
                cmocka_unit_test_setup(test_pollfd_close, fresh),
                cmocka_unit_test_setup(test_pollfd_kept, fresh),
                cmocka_unit_test_setup(test_pollfd_never_misses, fresh),
                cmocka_unit_test_setup(test_pollfd_removed, fresh),
                cmocka_unit_test_setup(test_pollfd_fork, fresh),
                cmocka_unit_test_setup(test_pollfd_send, fresh),
                cmocka_unit_test_setup(test_names, fresh),
                cmocka_unit_test_setup(test_id, fresh),
                cmocka_unit_test_setup(test_bad_names, fresh),
                cmocka_unit_test_setup(test_bad_options, fresh),
                cmocka_unit_test_setup(test_join_or_create, fresh),
                cmocka_unit_test_setup(test_create_race, fresh),
                cmocka_unit_test_setup(test_owner, fresh),
                cmocka_unit_test_setup(test_as_nobody, fresh),
                cmocka_unit_test_setup(test_faults, fresh),
                cmocka_unit_test_setup(test_pollfd_faults, fresh),
        };
        int failed;

        key = (key_t)(0x6d000000u | ((unsigned)getpid() & 0x7fffff) << 1);
        (void)snprintf(address, sizeof(address), "mq+sysv:0x%x", (unsigned)key);
        (void)snprintf(file, sizeof(file), "/tmp/ipcway-test-%d", (int)getpid());
        (void)snprintf(by_file, sizeof(by_file), "mq+sysv:%s", file);
        janitor_start(clean);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return failed;
}
