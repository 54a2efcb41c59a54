/* SPDX-License-Identifier: MIT */
/* mq: against programs that know only mq_send(3) and mq_receive(3), at its limits, and with peers that are killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "seam.h"
#include "subject.h"

enum { DEPTH = 10, SIZE = 8192 };

static char name[64]; /* "/ipcway-test-PID"; the address has "mq:" before it */

static void clean(void)
{
        (void)mq_unlink(name);
}

static int fresh(void **state)
{
        clean();
        return 0;
}

static mqd_t plain(int flags)
{
        struct mq_attr attr = { .mq_maxmsg = DEPTH, .mq_msgsize = SIZE };
        mqd_t q = mq_open(name, flags | O_CREAT | O_NONBLOCK, 0600, &attr);

        if (q < 0)
                fail_msg("mq_open: %s", strerror(errno));
        return q;
}

static ssize_t send_text(struct ipw_link *link, const char *text, unsigned priority, int64_t timeout)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)text, .size = strlen(text), .priority = priority };

        return ipw_send(link, &m, timeout);
}

static void expect(struct ipw_link *link, const char *text, unsigned priority)
{
        char data[SIZE];
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        ssize_t n = ipw_recv(link, &m, 0);

        if (n != (ssize_t)strlen(text) || m.size != (size_t)n || memcmp(data, text, (size_t)n) != 0)
                fail_msg("'%s' did not come, but %zd", text, n);
        assert_true(m.flags & IPW_HAS_PRIORITY);
        assert_int_equal(m.priority, priority);
}

static void test_names(void **state)
{
        char longest[300] = "mq:/", text[300];

        talk_refuse("mq:jobs", IPW_PUSH, EINVAL, "mq:/jobs");
        talk_refuse("mq:", IPW_PUSH, EINVAL, "mq:/NAME");
        talk_refuse("mq:/", IPW_PUSH, EINVAL, "mq:/NAME");
        talk_refuse("mq:/.", IPW_PUSH, EINVAL, "mq:/NAME");
        talk_refuse("mq:/..", IPW_PUSH, EINVAL, "mq:/NAME");
        talk_refuse("mq:/a/b", IPW_PUSH, EINVAL, "one slash");
        talk_refuse("mq:/a#b", IPW_PUSH, EINVAL, "%23");
        memset(longest + 4, 'n', 256);
        talk_refuse(longest, IPW_PUSH, EINVAL, "255");
        longest[4 + 255] = 0;
        talk_refuse(longest, IPW_PUSH | IPW_EXISTING, ENOENT, "no such queue");
        (void)snprintf(text, sizeof(text), "%s?keep=0", address);
        talk_refuse(text, IPW_PUSH, EOPNOTSUPP, "keep=0");
        refuse_with("?until=last", IPW_PULL, EOPNOTSUPP, "until=last");
        refuse_with("?ack=disk", IPW_PUSH, EINVAL, "queued");
        refuse_with("?depth=0", IPW_PUSH, ERANGE, "1..65536");
        refuse_with("?priority=32768", IPW_PUSH, ERANGE, "0..32767");
        refuse_with("", IPW_PUB, EOPNOTSUPP, "PUSH PULL");
}

static void test_from_plain(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL);
        char large[SIZE], data[SIZE];
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        mqd_t q = plain(O_WRONLY);

        memset(large, 'L', sizeof(large));
        assert_int_equal(mq_send(q, "low", 3, 0), 0);
        assert_int_equal(mq_send(q, "high one", 8, 7), 0);
        assert_int_equal(mq_send(q, "high two", 8, 7), 0);
        assert_int_equal(mq_send(q, "", 0, 32767), 0);
        assert_int_equal(mq_send(q, large, sizeof(large), 1), 0);
        expect(in, "", 32767);
        expect(in, "high one", 7);
        expect(in, "high two", 7);
        assert_int_equal(ipw_recv(in, &m, 0), SIZE);
        assert_memory_equal(data, large, SIZE);
        expect(in, "low", 0);
        assert_int_equal(ipw_recv(in, &m, 0), -EAGAIN);
        assert_int_equal(ipw_recv(in, &m, IPW_MS(1)), -ETIMEDOUT);
        assert_int_equal(ipw_close(in), 0);
        (void)mq_close(q);
}

static void test_to_plain(void **state)
{
        struct ipw_link *out = open_with("?priority=3", IPW_PUSH);
        struct iovec iov[] = { { (char[]){ "gath" }, 4 }, { NULL, 0 }, { (char[]){ "ered" }, 4 } };
        struct ipw_message gathered = { .iov = iov, .iov_count = 3, .priority = 1 }, empty = { 0 };
        mqd_t q = plain(O_RDONLY);
        char data[SIZE];
        unsigned priority;

        assert_int_equal(send_text(out, "usual", 0, 0), 5);
        assert_int_equal(send_text(out, "urgent", 32767, 0), 6);
        assert_int_equal(ipw_send(out, &gathered, 0), 8);
        assert_int_equal(ipw_send(out, &empty, 0), 0);
        assert_int_equal(mq_receive(q, data, sizeof(data), &priority), 6);
        assert_int_equal(priority, 32767);
        assert_int_equal(mq_receive(q, data, sizeof(data), &priority), 5);
        assert_int_equal(priority, 3);
        assert_int_equal(mq_receive(q, data, sizeof(data), &priority), 0);
        assert_int_equal(mq_receive(q, data, sizeof(data), &priority), 8);
        assert_memory_equal(data, "gathered", 8);
        assert_int_equal(priority, 1);
        assert_int_equal(ipw_close(out), 0);
        (void)mq_close(q);
}

static void test_facts(void **state)
{
        struct ipw_link *out = open_with("?depth=7&size=100", IPW_PUSH);
        const struct ipw_caps *caps = ipw_link_caps(out);
        struct ipw_caps upper;
        char data[101] = "";
        struct ipw_message m = { .data = data, .size = sizeof(data) };
        struct ipw_why why;

        assert_int_equal(caps->min_msg, 0);
        assert_int_equal(caps->max_msg, 100);
        assert_int_equal(caps->atomic_max, 100);
        assert_int_equal(caps->depth, 7);
        assert_int_equal(caps->max_priority, 32767);
        assert_string_equal(caps->stack, "mq");
        assert_int_equal(ipw_describe(address, &upper, NULL), 0);
        assert_int_equal(upper.flags, caps->flags);
        assert_true(upper.max_msg >= caps->max_msg && upper.depth >= caps->depth);
        assert_int_equal(ipw_send(out, &m, 0), -EMSGSIZE);
        ipw_link_why(out, &why);
        assert_non_null(strstr(why.text, "101"));
        assert_non_null(strstr(why.text, "100"));
        m = (struct ipw_message){ .data = data, .size = 100, .priority = 32768 };
        assert_int_equal(ipw_send(out, &m, 0), -EOPNOTSUPP);
        m.priority = 0;
        assert_int_equal(ipw_send(out, &m, 0), 100);
        assert_int_equal(ipw_close(out), 0);
}

/* A message that did not fit stays with the link, ahead of all others, and the descriptor says so although the queue is empty. */
static void test_short_buffer(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL);
        mqd_t q = plain(O_RDWR);
        char data[SIZE];
        struct ipw_message m = { .data = data, .capacity = 4 };
        struct mq_attr attr;
        struct pollfd p;

        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(ready(p), 0);
        assert_int_equal(mq_send(q, "five!", 5, 2), 0);
        assert_int_equal(ready(p), 1);
        for (int i = 0; i < 2; i++) {
                m.size = 0;
                assert_int_equal(ipw_recv(in, &m, IPW_FOREVER), -EMSGSIZE);
                assert_int_equal(m.size, 5);
                assert_int_equal(mq_getattr(q, &attr), 0);
                assert_int_equal(attr.mq_curmsgs, 0);
                assert_int_equal(ready(p), 1);
        }
        assert_int_equal(mq_send(q, "later", 5, 9), 0);
        m.capacity = 5;
        assert_int_equal(ipw_recv(in, &m, 0), 5);
        assert_memory_equal(data, "five!", 5);
        assert_int_equal(m.priority, 2);
        assert_int_equal(ready(p), 1);
        m.capacity = 0;
        assert_int_equal(ipw_recv(in, &m, 0), -EMSGSIZE);
        expect(in, "later", 9);
        assert_int_equal(ready(p), 0);
        assert_int_equal(mq_send(q, "", 0, 0), 0);
        m = (struct ipw_message){ 0 };
        assert_int_equal(ipw_recv(in, &m, 0), 0);
        assert_int_equal(ipw_close(in), 0);
        (void)mq_close(q);
}

static void test_full(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUSH), *in = open_with("", IPW_PULL);
        struct ipw_message many[32], got[32];
        char numbers[32], room[32];
        struct pollfd p;

        for (int i = 0; i < 32; i++) {
                numbers[i] = (char)i;
                many[i] = (struct ipw_message){ .data = &numbers[i], .size = 1 };
                got[i] = (struct ipw_message){ .data = &room[i], .capacity = 1 };
        }
        assert_int_equal(ipw_pollfd(out, IPW_SEND, &p), 0);
        assert_int_equal(ready(p), 1);
        assert_int_equal(ipw_send_many(out, many, 32, 0), DEPTH);
        assert_int_equal(ready(p), 0);
        assert_int_equal(ipw_send_many(out, &many[DEPTH], 1, 0), -EAGAIN);
        assert_int_equal(ipw_send(out, &many[DEPTH], IPW_MS(1)), -ETIMEDOUT);
        assert_int_equal(ipw_recv_many(in, got, 3, 0), 3);
        assert_int_equal(ready(p), 1);
        assert_int_equal(ipw_recv_many(in, got + 3, 29, IPW_FOREVER), DEPTH - 3);
        assert_memory_equal(room, numbers, DEPTH);
        assert_int_equal(ipw_recv_many(in, got, 3, 0), -EAGAIN);
        got[1].capacity = 0;
        assert_int_equal(ipw_send_many(out, many, 3, 0), 3);
        assert_int_equal(ipw_recv_many(in, got, 3, 0), 1);
        assert_int_equal(ipw_recv_many(in, &got[1], 2, 0), -EMSGSIZE);
        assert_int_equal(got[1].size, 1);
        assert_int_equal(ipw_close(out), 0);
        assert_int_equal(ipw_close(in), 0);
}

static void test_joining(void **state)
{
        struct ipw_link *first, *second;
        struct ipw_why why;

        refuse_with("", IPW_PUSH | IPW_EXISTING, ENOENT, "no such queue");
        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        assert_non_null(strstr(why.text, name));
        first = open_with("?depth=5&size=64", IPW_PULL | IPW_FRESH);
        refuse_with("", IPW_PUSH | IPW_FRESH, EEXIST, "already");
        refuse_with("?size=128", IPW_PUSH, EINVAL, "size=128");
        refuse_with("?size=128", IPW_PUSH, EINVAL, "size=64");
        refuse_with("?depth=6", IPW_PUSH, EINVAL, "depth=5");
        second = open_with("?depth=5&size=64", IPW_PUSH);
        assert_int_equal(send_text(second, "unread", 0, 0), 6);
        assert_int_equal(ipw_close(second), 0);
        assert_int_equal(ipw_close(first), 0);
        first = open_with("", IPW_PULL | IPW_EXISTING);
        expect(first, "unread", 0);
        assert_int_equal(ipw_close(first), 0);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(mq_open(name, O_RDONLY), -1);
}

static void test_mode(void **state)
{
        mode_t before = umask(0777);
        gid_t group = geteuid() == 0 ? 12 : getegid();
        struct ipw_link *link;
        char options[40];
        struct stat st;
        mqd_t q;

        (void)snprintf(options, sizeof(options), "?mode=0640&group=%u", group);
        link = open_with(options, IPW_PULL);
        umask(before);
        q = mq_open(name, O_RDONLY);
        assert_int_equal(fstat(q, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(st.st_gid, group);
        (void)mq_close(q);
        assert_int_equal(ipw_close(link), 0);
        clean();
        refuse_with("?group=nobody-has-this-name", IPW_PULL, ENOENT, "no such group");
        assert_int_equal(mq_open(name, O_RDONLY), -1); /* not left behind */
}

static void test_owner(void **state)
{
        struct ipw_link *link;
        struct ipw_why why;
        mqd_t q;

        if (geteuid() != 0)
                skip();
        q = plain(O_RDWR);
        assert_int_equal(fchown(q, 12345, 54321), 0);
        refuse_with("", IPW_PUSH, EPERM, "peer=uid:12345");
        refuse_with("?peer=uid:12346", IPW_PUSH, EPERM, "peer=uid:12345");
        refuse_with("?peer=group:54320", IPW_PUSH, EPERM, "user 12345");
        assert_int_equal(ipw_remove(address, &why), -EPERM);
        link = open_with("?peer=uid:12345", IPW_PUSH);
        assert_int_equal(ipw_close(link), 0);
        link = open_with("?peer=group:54321", IPW_PUSH);
        assert_int_equal(ipw_close(link), 0);
        (void)mq_close(q);
}

static void test_limits(void **state)
{
        struct rlimit queues, files, small;

        assert_int_equal(getrlimit(RLIMIT_MSGQUEUE, &queues), 0);
        small = queues;
        small.rlim_cur = 4711;
        assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &small), 0);
        refuse_with("", IPW_PULL, EMFILE, "4711 (RLIMIT_MSGQUEUE)");
        assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &queues), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        small = files;
        small.rlim_cur = 0;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
        refuse_with("", IPW_PULL, EMFILE, "RLIMIT_NOFILE");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
        refuse_with("?depth=65536&size=16M", IPW_PULL, EINVAL, "fs.mqueue.msg_max");
        assert_int_equal(mq_open(name, O_RDONLY), -1);
}

/* What is said to be possible is, and one more is not. A child, for it gives its rights away for good; limits of who has them all are the kernel's. */
static void check_most(int privileged)
{
        struct __user_cap_header_struct who = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
        struct ipw_caps most;
        struct ipw_link *link;
        struct ipw_why why;
        const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
        char text[200];

        (void)setrlimit(RLIMIT_MSGQUEUE, &all); /* other tests make queues, too */
        if (!privileged)
                CHILD_CHECK(syscall(SYS_capset, &who, none) == 0);
        for (int more = 0; more <= 1; more++) {
                CHILD_CHECK(ipw_describe(address, &most, NULL) == 0);
                (void)snprintf(text, sizeof(text), "%s?size=%zu", address, most.max_msg + (size_t)more);
                CHILD_CHECK(ipw_open(&link, text, IPW_PULL | IPW_FRESH, 0, &why) == 0 ? !more : more);
                if (!more)
                        CHILD_CHECK(ipw_close(link) == 0);
                clean();
                (void)snprintf(text, sizeof(text), "%s?depth=%zu", address, (size_t)most.depth + (size_t)more);
                CHILD_CHECK(ipw_open(&link, text, IPW_PULL | IPW_FRESH, 0, &why) == 0 ? !more : more);
                if (!more)
                        CHILD_CHECK(ipw_close(link) == 0);
                clean();
        }
}

static void test_most(void **state)
{
        for (int privileged = 0; privileged <= 1; privileged++) {
                pid_t pid = fork_child();

                if (pid == 0) {
                        check_most(privileged);
                        _exit(0);
                }
                assert_int_equal(reap(pid), 0);
        }
}

static void on_signal(int number)
{
}

/* Both sides sleep in the kernel; signals and a busy queue must not lose or double a thing. */
static void test_sleeping(void **state)
{
        struct sigaction act = { .sa_handler = on_signal }, old;
        struct ipw_link *in = open_with("?depth=2", IPW_PULL);
        pid_t child, parent = getpid();
        uint32_t number;
        struct ipw_message m = { .data = &number, .capacity = sizeof(number) };

        assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
        child = fork_child();
        if (child == 0) {
                struct ipw_link *out = open_with("", IPW_PUSH);

                for (uint32_t i = 0; i < 500; i++) {
                        struct ipw_message s = { .data = &i, .size = sizeof(i) };

                        if (i % 50 == 0)
                                await_sleep(parent);
                        (void)kill(parent, SIGUSR1);
                        if (ipw_send(out, &s, IPW_FOREVER) != sizeof(i))
                                _exit(1);
                }
                _exit(0);
        }
        for (uint32_t i = 0; i < 500; i++) {
                if (i % 50 == 25)
                        await_sleep(child);
                assert_int_equal(ipw_recv(in, &m, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)), sizeof(number));
                assert_int_equal(number, i);
        }
        assert_int_equal(reap(child), 0);
        assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
        assert_int_equal(ipw_close(in), 0);
}

struct numbered {
        uint32_t writer, number, bytes[60]; /* all bytes[] equal number */
};

static void write_numbered(uint32_t writer, uint32_t count)
{
        struct ipw_link *out = open_with("", IPW_PUSH | IPW_EXISTING);

        for (uint32_t i = 0; i < count; i++) {
                struct numbered s = { .writer = writer, .number = i };
                struct ipw_message m = { .data = &s, .size = sizeof(s) };

                for (size_t b = 0; b < COUNT_OF(s.bytes); b++)
                        s.bytes[b] = i;
                if (ipw_send(out, &m, IPW_FOREVER) != sizeof(s))
                        _exit(1);
        }
        _exit(0);
}

static uint32_t read_numbered(struct ipw_link *in, struct numbered *s, int64_t timeout)
{
        struct ipw_message m = { .data = s, .capacity = sizeof(*s) };
        ssize_t n = ipw_recv(in, &m, timeout);

        if (n < 0)
                return (uint32_t)n;
        assert_int_equal(n, sizeof(*s));
        for (size_t b = 0; b < COUNT_OF(s->bytes); b++)
                assert_int_equal(s->bytes[b], s->number);
        return 0;
}

static void test_four_writers(void **state)
{
        enum { COUNT = 1000 };
        struct ipw_link *in = open_with("", IPW_PULL);
        uint32_t next[4] = { 0 };
        pid_t children[4];
        struct numbered s;

        for (uint32_t w = 0; w < 4; w++) {
                children[w] = fork_child();
                if (children[w] == 0)
                        write_numbered(w, COUNT);
        }
        for (int i = 0; i < 4 * COUNT; i++) {
                assert_int_equal(read_numbered(in, &s, IPW_MS(PATIENCE)), 0);
                assert_true(s.writer < 4);
                assert_int_equal(s.number, next[s.writer]++);
        }
        for (int w = 0; w < 4; w++)
                assert_int_equal(reap(children[w]), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* Senders and receivers killed at any moment, asleep or not: what comes is whole and in order. */
static void test_killed_peers(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL);
        struct numbered s;

        for (uint32_t round = 0; round < 100; round++) {
                pid_t child = fork_child();
                uint32_t next = 0;

                if (child == 0)
                        write_numbered(round, UINT32_MAX);
                for (uint32_t i = 0; i < round % 20; i++) {
                        assert_int_equal(read_numbered(in, &s, IPW_MS(PATIENCE)), 0);
                        assert_int_equal(s.number, next++);
                }
                if (round % 3 == 0)
                        await_sleep(child); /* in its send, on a full queue */
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(reap(child), -SIGKILL);
                while (read_numbered(in, &s, 0) == 0) {
                        assert_int_equal(s.writer, round);
                        assert_int_equal(s.number, next++);
                }
        }
        for (uint32_t round = 0; round < 50; round++) {
                pid_t child = fork_child();
                struct ipw_link *out;

                if (child == 0) {
                        in = open_with("", IPW_PULL);
                        (void)read_numbered(in, &s, IPW_FOREVER);
                        _exit(1);
                }
                await_sleep(child);
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(reap(child), -SIGKILL);
                out = open_with("", IPW_PUSH);
                assert_int_equal(send_text(out, "for the living", 0, 0), 14);
                expect(in, "for the living", 0);
                assert_int_equal(ipw_close(out), 0);
        }
        assert_int_equal(ipw_close(in), 0);
}

/* Whatever is left behind by partial draining and small buffers, the descriptor never sleeps on a message. */
static void test_pollfd_never_misses(void **state)
{
        enum { COUNT = 3000 };
        struct ipw_link *in = open_with("", IPW_PULL);
        struct numbered s;
        struct ipw_message m = { .data = &s };
        uint32_t next = 0, random = 1;
        struct pollfd p;
        pid_t child;

        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        child = fork_child();
        if (child == 0)
                write_numbered(0, COUNT);
        while (next < COUNT) {
                assert_int_equal(poll(&p, 1, PATIENCE), 1);
                random = random * 1103515245 + 12345;
                for (uint32_t burst = random >> 16 & 7; burst && next < COUNT; burst--) {
                        m.capacity = burst & 1 ? sizeof(s) : 3;
                        ssize_t n = ipw_recv(in, &m, 0);

                        if (n == -EAGAIN)
                                break;
                        if (n == -EMSGSIZE) {
                                assert_int_equal(m.size, sizeof(s));
                                continue;
                        }
                        assert_int_equal(n, sizeof(s));
                        assert_int_equal(s.number, next++);
                }
        }
        assert_int_equal(ready(p), 0);
        assert_int_equal(reap(child), 0);
        assert_int_equal(ipw_close(in), 0);
}

/* ---- every call fails in turn ------------------------------------------------------------------------------------------------------ */

static int countdown, fault;

static int fail_before(struct sys_call *call)
{
        if (strcmp(call->site->call, "close") == 0 || strcmp(call->site->call, "munmap") == 0 ||
            strcmp(call->site->call, "mq_unlink") == 0 || --countdown != 0)
                return 0;
        call->result = -fault;
        return 1;
}

static void fail_after(struct sys_call *call)
{
}

static void test_faults(void **state)
{
        static const struct sys_hook hook = { fail_before, fail_after };
        static const int faults[] = { ENOMEM, EINTR, EACCES, EMFILE, ENOSYS };
        int before = open_descriptors();
        char text[160];

        (void)snprintf(text, sizeof(text), "%s?mode=0620&group=%d", address, (int)getegid());
        for (size_t f = 0; f < COUNT_OF(faults); f++) {
                int failed = 0, r;

                for (int n = 1;; n++) {
                        struct ipw_link *link = NULL;
                        struct ipw_why why = { 0 };

                        countdown = n;
                        fault = faults[f];
                        sys_hook = &hook;
                        r = ipw_open(&link, text, IPW_PULL, 0, &why);
                        sys_hook = NULL;
                        if (r == 0 && countdown > 0) { /* nothing was left to fail */
                                assert_int_equal(ipw_close(link), 0);
                                break;
                        }
                        failed++;
                        if (r == 0 || n > 100)
                                fail_msg("call %d failed, and the answer was %d: %s", n, r, why.text);
                        assert_true(why.error == -r && *why.text);
                        assert_int_equal(open_descriptors(), before);
                        if (!strstr(why.text, "make a handle")) /* of the core, which opens first; then a named queue is there to stay */
                                assert_int_equal(mq_open(name, O_RDONLY), -1);
                        clean();
                }
                assert_true(failed >= 8);
                clean();
        }
        assert_int_equal(open_descriptors(), before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_names, fresh),
                cmocka_unit_test_setup(test_from_plain, fresh),
                cmocka_unit_test_setup(test_to_plain, fresh),
                cmocka_unit_test_setup(test_facts, fresh),
                cmocka_unit_test_setup(test_short_buffer, fresh),
                cmocka_unit_test_setup(test_full, fresh),
                cmocka_unit_test_setup(test_joining, fresh),
                cmocka_unit_test_setup(test_mode, fresh),
                cmocka_unit_test_setup(test_owner, fresh),
                cmocka_unit_test_setup(test_limits, fresh),
                cmocka_unit_test_setup(test_most, fresh),
                cmocka_unit_test_setup(test_sleeping, fresh),
                cmocka_unit_test_setup(test_four_writers, fresh),
                cmocka_unit_test_setup(test_killed_peers, fresh),
                cmocka_unit_test_setup(test_pollfd_never_misses, fresh),
                cmocka_unit_test_setup(test_faults, fresh),
        };
        int r;

        (void)snprintf(name, sizeof(name), "/ipcway-test-%d", (int)getpid());
        (void)snprintf(address, sizeof(address), "mq:%s", name);
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}
