/* SPDX-License-Identifier: MIT */
/*
 * signal, child, timer: every call that they make fails once, with each of some errors. An operation then says so with a text or succeeds; nothing
 * leaks; an event that could not be taken is there for the next try.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "seam.h"
#include "talk.h"

static unsigned at, calls; /* the call that fails; how many were made */
static int error;
static bool failed;
static const struct sys_site *culprit;

static int before(struct sys_call *call)
{
        if (++calls != at || strcmp(call->site->call, "close") == 0 || strcmp(call->site->call, "munmap") == 0)
                return 0;
        failed = true;
        culprit = call->site;
        call->site->faults++;
        call->result = -error;
        return 1;
}

static void after(struct sys_call *call)
{
}

static const struct sys_hook hook = { before, after };

static bool watched(const struct sys_site *site)
{
        static const char *const files[] = { "child.c", "event.c", "signal.c", "timer.c" };

        for (size_t i = 0; i < COUNT_OF(files); i++)
                if (strstr(site->file, "mechanism/") && strcmp(strrchr(site->file, '/') + 1, files[i]) == 0)
                        return true;
        return false;
}

/* NULL: it failed, and because of the fault. */
static struct ipw_link *open_it(const char *address, unsigned how)
{
        struct ipw_link *link = NULL;
        struct ipw_why why = { 0 };
        int r = ipw_open(&link, address, how, 0, &why);

        if (r < 0 && (!failed || link || strlen(why.text) < 10))
                fail_msg("%s: %d: \"%s\"", address, r, why.text);
        return link;
}

/* At most one try fails. */
static struct ipw_signal take_it(struct ipw_link *in, size_t room)
{
        struct ipw_signal s = { 0 };
        struct ipw_message m = { .data = &s, .capacity = room };
        struct ipw_why why;

        for (int i = 0; i < 3; i++) {
                ssize_t n = ipw_recv(in, &m, IPW_MS(PATIENCE));

                if (n == (room < sizeof(s) ? -EMSGSIZE : (ssize_t)sizeof(s)))
                        return s;
                ipw_link_why(in, &why);
                if (!failed || strlen(why.text) < 10)
                        fail_msg("%zd: \"%s\"", n, why.text);
        }
        fail_msg("an event is lost: %s (%s)", culprit->call, culprit->meaning);
        return s;
}

static void drain(int number)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, number);
        while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) > 0)
                ;
}

static void play_receive(void)
{
        struct ipw_link *in = open_it("signal:USR1,CHLD", IPW_PULL);
        struct pollfd p;

        drain(SIGUSR1);
        if (!in)
                return;
        assert_int_equal(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 6 }), 0);
        if (ipw_pollfd(in, IPW_RECV, &p) == 0)
                assert_int_equal(poll(&p, 1, PATIENCE), 1);
        (void)take_it(in, 1);
        assert_int_equal(take_it(in, sizeof(struct ipw_signal)).value, 6);
        (void)ipw_close(in);
}

static void play_send(void)
{
        struct ipw_signal s = { .number = SIGRTMIN + 1, .value = 6 };
        struct ipw_message m = { .data = &s, .size = sizeof(s) };
        struct rlimit whole, none;
        struct ipw_link *out;
        struct ipw_why why;
        char address[40];
        ssize_t n;

        (void)snprintf(address, sizeof(address), "signal:%d", (int)getpid());
        out = open_it(address, IPW_PUSH);
        if (!out)
                return;
        n = ipw_send(out, &m, IPW_MS(PATIENCE));
        assert_true(n == sizeof(s) || failed);
        drain(SIGRTMIN + 1);
        assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &whole), 0);
        none = (struct rlimit){ 0, whole.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
        n = ipw_send(out, &m, 0);
        ipw_link_why(out, &why);
        (void)ipw_send(out, &m, IPW_MS(1)); /* how many calls that takes is a matter of time: nothing is counted behind it */
        assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &whole), 0);
        assert_true(n < 0 && strlen(why.text) > 10);
        drain(SIGRTMIN + 1);
        (void)ipw_close(out);
}

static void watch(const char *options, bool reaped)
{
        siginfo_t info;
        struct ipw_link *in;
        struct ipw_signal s;
        char address[60];
        pid_t pid = fork_child();

        if (pid == 0)
                _exit(3);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        (void)snprintf(address, sizeof(address), "child:%d%s", (int)pid, options);
        in = open_it(address, IPW_PULL);
        if (!in || reaped)
                assert_int_equal(reap(pid), 3);
        if (!in)
                return;
        s = take_it(in, sizeof(s));
        assert_int_equal(s.pid, pid);
        assert_int_equal(s.status, reaped ? -1 : 3);
        (void)ipw_close(in);
}

static void play_child(void)
{
        watch("", false);
}

static void play_stops(void)
{
        watch("?stops=1", false);
}

static void play_reaped(void)
{
        watch("", true);
}

static void play_timer(void)
{
        struct ipw_link *in = open_it("timer:1ms", IPW_PULL);

        if (!in)
                return;
        (void)take_it(in, sizeof(struct ipw_signal));
        (void)ipw_close(in);
}

static void test_sweep(void **state)
{
        static void (*const plays[])(void) = { play_receive, play_send, play_child, play_stops, play_reaped, play_timer };
        static const int errors[] = { EIO, ENOMEM, EMFILE };
        int first = open_descriptors();

        for (size_t p = 0; p < COUNT_OF(plays); p++)
                for (size_t e = 0; e < COUNT_OF(errors); e++) {
                        unsigned all = 0;

                        error = errors[e];
                        for (at = 0; at <= all; at++) { /* the first time nothing fails */
                                calls = 0;
                                failed = false;
                                sys_hook = &hook;
                                plays[p]();
                                sys_hook = NULL;
                                if (at == 0)
                                        all = calls;
                                if (open_descriptors() != first)
                                        fail_msg("a descriptor leaks after %s (%s)", culprit->call, culprit->meaning);
                        }
                }
}

/* Runs last: every place where these mechanisms make a call has failed. */
static void test_all_failed(void **state)
{
        unsigned n = 0;

        for (struct sys_site **site = __start_ipw_sites; site < __stop_ipw_sites; site++) {
                if (!watched(*site))
                        continue;
                n++;
                if (!(*site)->faults)
                        fail_msg("never failed: %s:%d, %s (%s)", (*site)->file, (*site)->line, (*site)->call, (*site)->meaning);
        }
        assert_true(n > 20);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep), cmocka_unit_test(test_all_failed) };
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigaddset(&set, SIGCHLD);
        (void)sigaddset(&set, SIGRTMIN + 1);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
