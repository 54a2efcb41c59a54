/* SPDX-License-Identifier: MIT */
/* child and timer: what the kernel tells of processes and of time. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "talk.h"

static struct ipw_link *watch_child(pid_t pid, const char *options)
{
        char address[60];

        (void)snprintf(address, sizeof(address), "child:%d%s", (int)pid, options);
        return talk_open(address, IPW_PULL);
}

static struct ipw_signal take(struct ipw_link *in)
{
        struct ipw_signal s = { 0 };
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };

        assert_int_equal(ipw_recv(in, &m, IPW_MS(PATIENCE)), sizeof(s));
        return s;
}

static pid_t sleeper(void)
{
        pid_t pid = fork_child();

        while (pid == 0)
                (void)pause();
        return pid;
}

static void expect_child(struct ipw_link *in, pid_t pid, int code, int status)
{
        struct ipw_signal s = take(in);

        assert_int_equal(s.number, SIGCHLD);
        assert_int_equal(s.pid, pid);
        assert_int_equal(s.code, code);
        assert_int_equal(s.status, status);
}

static void expect_reaped(pid_t pid)
{
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

static void test_exited(void **state)
{
        pid_t pid = fork_child();
        struct ipw_link *in;

        if (pid == 0)
                _exit(42);
        in = watch_child(pid, "");
        expect_child(in, pid, CLD_EXITED, 42);
        talk_nothing(in, EPIPE);
        talk_nothing(in, EPIPE);
        expect_reaped(pid);
        (void)ipw_close(in);
}

static void test_killed(void **state)
{
        pid_t pid = sleeper();
        struct ipw_link *in = watch_child(pid, "");
        struct pollfd p;

        talk_nothing(in, EAGAIN);
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(kill(pid, SIGSTOP), 0); /* without stops=1 no event */
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(kill(pid, SIGUSR1), 0);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        expect_child(in, pid, CLD_KILLED, SIGUSR1);
        assert_int_equal(poll(&p, 1, 0), 1); /* the end */
        talk_nothing(in, EPIPE);
        (void)ipw_close(in);
}

static void test_stops(void **state)
{
        pid_t pid = sleeper();
        struct ipw_link *in = watch_child(pid, "?stops=1");

        talk_nothing(in, EAGAIN);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(kill(pid, SIGSTOP), 0);
                expect_child(in, pid, CLD_STOPPED, SIGSTOP);
                assert_int_equal(kill(pid, SIGCONT), 0);
                expect_child(in, pid, CLD_CONTINUED, SIGCONT);
                talk_nothing(in, EAGAIN);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        expect_child(in, pid, CLD_KILLED, SIGKILL);
        talk_nothing(in, EPIPE);
        expect_reaped(pid);
        (void)ipw_close(in);
}

static void test_closed_unseen(void **state)
{
        pid_t pid = sleeper();
        struct ipw_link *in = watch_child(pid, "?stops=1");

        (void)ipw_close(in);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(reap(pid), -SIGKILL); /* still ours to reap */
}

/* Somebody else in this program waits for it: that it ended is still told, and that nobody knows how. */
static void test_reaped_by_others(void **state)
{
        pid_t pid = sleeper();
        struct ipw_link *in = watch_child(pid, "");

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(reap(pid), -SIGKILL);
        expect_child(in, pid, 0, -1);
        talk_nothing(in, EPIPE);
        (void)ipw_close(in);
}

/* A grandchild is none of ours. */
static void test_foreign(void **state)
{
        int to[2], from[2];
        struct ipw_link *in;
        pid_t parent, pid;
        char address[60], byte;

        assert_int_equal(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
        parent = fork_child();
        if (parent == 0) {
                pid = sleeper();
                CHILD_CHECK(write(from[1], &pid, sizeof(pid)) == sizeof(pid));
                CHILD_CHECK(read(to[0], &byte, 1) == 1);
                CHILD_CHECK(kill(pid, SIGKILL) == 0 && reap(pid) == -SIGKILL);
                _exit(0);
        }
        assert_int_equal(read(from[0], &pid, sizeof(pid)), sizeof(pid));
        (void)snprintf(address, sizeof(address), "child:%d?stops=1", (int)pid);
        talk_refuse(address, IPW_PULL, EOPNOTSUPP, "parent alone");
        in = watch_child(pid, "");
        talk_nothing(in, EAGAIN);
        assert_int_equal(write(to[1], "x", 1), 1);
        expect_child(in, pid, 0, -1);
        talk_nothing(in, EPIPE);
        assert_int_equal(reap(parent), 0);
        talk_refuse(address, IPW_PULL, ESRCH, "no such process");
        (void)ipw_close(in);
        for (int i = 0; i < 2; i++) {
                (void)close(to[i]);
                (void)close(from[i]);
        }
}

static int thread_ends[2];

static void *live(void *argument)
{
        pid_t tid = (pid_t)syscall(SYS_gettid);
        char byte;

        while (write(thread_ends[1], &tid, sizeof(tid)) < 0)
                ;
        (void)read(*(int *)argument, &byte, 1);
        return NULL;
}

static void test_child_names(void **state)
{
        struct ipw_link *in = NULL;
        struct ipw_why why = { 0 };
        char address[40];
        pthread_t thread;
        int until[2];
        pid_t tid;

        talk_refuse("child:", IPW_PULL, EINVAL, "child:PID");
        talk_refuse("child:x", IPW_PULL, EINVAL, "child:PID");
        talk_refuse("child:1#2", IPW_PULL, EINVAL, "child:PID");
        talk_refuse("child:0", IPW_PULL, EINVAL, "1 to");
        talk_refuse("child:2147483647", IPW_PULL, ESRCH, "no such process");
        talk_refuse("child:1", IPW_PUSH, EOPNOTSUPP, "PULL");

        assert_int_equal(pipe2(thread_ends, O_CLOEXEC) | pipe2(until, O_CLOEXEC), 0);
        assert_int_equal(pthread_create(&thread, NULL, live, &until[0]), 0);
        assert_int_equal(read(thread_ends[0], &tid, sizeof(tid)), sizeof(tid));
        (void)snprintf(address, sizeof(address), "child:%d", (int)tid);
        assert_true(ipw_open(&in, address, IPW_PULL, 0, &why) < 0);
        if (!strstr(why.text, "one thread"))
                fail_msg("%s", why.text);
        assert_int_equal(close(until[1]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        (void)close(until[0]);
        (void)close(thread_ends[0]);
        (void)close(thread_ends[1]);
}

/* ---- timers ------------------------------------------------------------------------------------------------------------------------ */

static void test_ticks(void **state)
{
        struct ipw_link *in = talk_open("timer:1ms", IPW_PULL);
        struct ipw_signal s;

        for (int i = 0; i < 5; i++) {
                s = take(in);
                assert_int_equal(s.number, 0);
                assert_int_equal(s.code, SI_TIMER);
        }
        (void)ipw_close(in);
}

/* Who comes late gets one event, and the number of the others. */
static void test_missed(void **state)
{
        struct ipw_link *in = talk_open("timer:1ms", IPW_PULL), *later = talk_open("timer:10ms?once=1", IPW_PULL);
        struct ipw_signal s;
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };

        (void)take(later); /* meanwhile ten ticks go by */
        assert_int_equal(ipw_recv(in, &m, 0), sizeof(s));
        assert_true(s.overrun >= 8);
        assert_true(m.flags & IPW_HAS_LOST);
        assert_int_equal(m.lost, s.overrun);
        assert_int_equal(talk_stats(in).dropped, s.overrun);
        (void)ipw_close(later);
        (void)ipw_close(in);
}

static void test_once(void **state)
{
        struct ipw_link *in = talk_open("timer:2ms?once=1", IPW_PULL);
        struct pollfd p;

        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        assert_int_equal(take(in).overrun, 0);
        assert_int_equal(poll(&p, 1, 0), 1); /* the end */
        talk_nothing(in, EPIPE);
        (void)ipw_close(in);
}

static void test_timer_names(void **state)
{
        static const char *const none[] = { "timer:", "timer:0", "timer:-1s", "timer:soon", "timer:1s#2", "timer:5 minutes" };

        for (size_t i = 0; i < COUNT_OF(none); i++)
                talk_refuse(none[i], IPW_PULL, EINVAL, "timer:500ms");
        talk_refuse("timer:1s", IPW_PUSH, EOPNOTSUPP, "PULL");
        (void)ipw_close(talk_open("timer:24h", IPW_PULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exited),
                cmocka_unit_test(test_killed),
                cmocka_unit_test(test_stops),
                cmocka_unit_test(test_closed_unseen),
                cmocka_unit_test(test_reaped_by_others),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_child_names),
                cmocka_unit_test(test_ticks),
                cmocka_unit_test(test_missed),
                cmocka_unit_test(test_once),
                cmocka_unit_test(test_timer_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
