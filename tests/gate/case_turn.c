/* SPDX-License-Identifier: MIT */
/* Who passes and who waits, while everybody lives. */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "cases.h"

/* It is what ipw_describe() says, as full as it was asked to be, and it comes and goes as `how` says. */
void case_facts(struct run *run)
{
        struct ipw_gate *g;
        struct ipw_why why;

        refused(run->address, IPW_EXISTING, ENOENT, "");
        g = open_gate(run, IPW_FRESH);
        EQUAL(ipw_gate_flags(g), run->flags);
        EQUAL(ipw_gate_value(g), run->row->most);
        refused(run->address, IPW_FRESH, EEXIST, "");
        EQUAL(ipw_gate_close(open_gate(run, IPW_EXISTING)), 0);
        refused(run->address, IPW_PUSH, EINVAL, "how");
        refused(run->address, IPW_FRESH | IPW_EXISTING, EINVAL, "how");
        EQUAL(ipw_gate_acquire(g, 2, 0), -EINVAL);
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(ipw_gate_close(NULL), 0);
        g = open_gate(run, 0); /* it is still there */
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(ipw_remove(run->address, &why), 0);
        EQUAL(ipw_remove(run->address, &why), -ENOENT);
        refused(run->address, IPW_EXISTING, ENOENT, "");
}

void case_mode(struct run *run)
{
        const mode_t masks[] = { 0077, 0000 };
        char address[340];

        for (int i = 0; i < 2; i++) {
                struct ipw_why why;

                (void)umask(masks[i]);
                (void)snprintf(address, sizeof(address), "%s%cmode=0640", run->address, strchr(run->address, '?') ? '&' : '?');
                EQUAL(ipw_gate_close(open_address(address, IPW_FRESH)), 0);
                EQUAL(plain_mode(run), 0640);
                EQUAL(ipw_remove(run->address, &why), 0);
                EQUAL(ipw_gate_close(open_gate(run, IPW_FRESH)), 0);
                EQUAL(plain_mode(run), 0600);
                EQUAL(ipw_remove(run->address, &why), 0);
        }
}

/* value[0]: how many are inside; value[1]: a plain counter that only an exclusive gate keeps right. */
static void pass_often(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        step_wait(1);
        for (int i = 0; i < 200; i++) {
                uint32_t before;

                EQUAL(ipw_gate_acquire(g, 0, i % 2 ? IPW_FOREVER : SOON), 0);
                CHECK(__atomic_add_fetch(&shared->value[0], 1, __ATOMIC_RELAXED) <= run->row->most, "more inside than there are permits");
                before = *(volatile uint32_t *)&shared->value[1];
                if (i % 8 == 0)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
                *(volatile uint32_t *)&shared->value[1] = before + 1;
                (void)__atomic_sub_fetch(&shared->value[0], 1, __ATOMIC_RELAXED);
                give(g);
        }
        EQUAL(ipw_gate_close(g), 0);
}

void case_exclusion(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        pid_t peers[4];

        for (int i = 0; i < 4; i++)
                peers[i] = peer(run, pass_often, NULL);
        step_to(1);
        for (int i = 0; i < 4; i++)
                peer_end(peers[i]);
        if (run->row->most == 1)
                EQUAL(shared->value[1], 800);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

static void share(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, IPW_SHARED, 0), 0);
        step_to(1);
        step_wait(2);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

void case_shared(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        pid_t pid;

        if (!(run->flags & IPW_GATE_SHARED)) {
                EQUAL(ipw_gate_acquire(g, IPW_SHARED, IPW_FOREVER), -EOPNOTSUPP);
                check_gate_why(g, EOPNOTSUPP, "shared");
                EQUAL(ipw_gate_value(g), run->row->most);
                EQUAL(ipw_gate_close(g), 0);
                return;
        }
        pid = peer(run, share, NULL);
        step_wait(1);
        EQUAL(ipw_gate_value(g), 0);
        EQUAL(ipw_gate_acquire(g, 0, 0), -EAGAIN);
        EQUAL(ipw_gate_acquire(g, 0, IPW_MS(5)), -ETIMEDOUT);
        EQUAL(ipw_gate_acquire(g, IPW_SHARED, 0), 0);
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), -EDEADLK);
        give(g);
        step_to(2);
        EQUAL(ipw_gate_acquire(g, 0, SOON), 0);
        peer_end(pid);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

static int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * (int64_t)SECOND + t.tv_nsec;
}

void case_timeouts(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        pid_t pid = holder(run);
        int64_t start;

        EQUAL(ipw_gate_acquire(g, 0, 0), -EAGAIN);
        check_gate_why(g, EAGAIN, NULL);
        for (int64_t timeout = 1; timeout <= IPW_MS(30); timeout = timeout * 30 + 7) {
                start = now();
                EQUAL(ipw_gate_acquire(g, 0, timeout), -ETIMEDOUT);
                CHECK(now() - start >= timeout, "it gave up after %lld of %lld ns", (long long)(now() - start), (long long)timeout);
        }
        check_gate_why(g, ETIMEDOUT, NULL);
        step_to(2);
        EQUAL(ipw_gate_acquire(g, 0, SOON), 0);
        give(g);
        peer_end(pid);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

static void wait_for_it(struct run *run, void *timeout)
{
        struct ipw_gate *g = open_gate(run, 0);

        EQUAL(ipw_gate_acquire(g, 0, *(const int64_t *)timeout), 0);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

/* Whoever sleeps for it, for ever or for a while, gets it. */
void case_waiting(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        static int64_t timeouts[] = { IPW_FOREVER, 10 * (int64_t)SECOND };

        for (int i = 0; i < 2; i++) {
                pid_t pid;

                take_all(run, g);
                pid = peer(run, wait_for_it, &timeouts[i]);
                until_asleep(pid);
                give(g);
                peer_end(pid);
                for (unsigned k = 1; k < run->row->most; k++)
                        give(g);
        }
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

/* Who did not take it: either may give it, and then there is one more, or is refused. */
void case_release(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0), *other = open_gate(run, 0);

        if (!run->row->processes)
                take(other);
        if (run->flags & IPW_GATE_ANYBODY) {
                give(g);
                EQUAL(ipw_gate_value(g), run->row->most);
                give(g);
                EQUAL(ipw_gate_value(g), run->row->most + 1);
        } else {
                EQUAL(ipw_gate_release(g), -EPERM);
                check_gate_why(g, EPERM, NULL);
                if (!run->row->processes)
                        EQUAL(ipw_gate_value(g), run->row->most - 1);
        }
        EQUAL(ipw_gate_close(other), 0);
        EQUAL(ipw_gate_close(g), 0);
}

void case_value(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0), *watcher = open_gate(run, 0);

        for (unsigned i = 0; i < run->row->most; i++) {
                EQUAL(ipw_gate_value(g), run->row->most - i);
                take(g);
        }
        EQUAL(ipw_gate_value(g), 0);
        if (!run->row->processes)
                EQUAL(ipw_gate_value(watcher), 0);
        for (unsigned i = 0; i < run->row->most; i++) {
                give(g);
                EQUAL(ipw_gate_value(g), i + 1);
                EQUAL(ipw_gate_value(watcher), i + 1);
        }
        EQUAL(ipw_gate_close(watcher), 0);
        EQUAL(ipw_gate_close(g), 0);
}

/* Twice by one handle: a lock says so at once instead of waiting for itself, a semaphore has just one permit fewer. */
void case_twice(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        int full = strcmp(run->row->scheme, "lock") == 0 ? -EDEADLK : -EAGAIN;

        take_all(run, g);
        EQUAL(ipw_gate_acquire(g, 0, 0), full);
        if (full == -EDEADLK) {
                EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), -EDEADLK);
                check_gate_why(g, EDEADLK, "this handle holds");
        }
        give_all(run, g);
        take_all(run, g);
        give_all(run, g);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

/* Two handles of one process are two, unless the lock belongs to the process. Closing gives back what the kernel knows to be held. */
void case_handles(struct run *run)
{
        struct ipw_gate *one = open_gate(run, 0), *other = open_gate(run, 0);

        take_all(run, one);
        EQUAL(ipw_gate_acquire(other, 0, 0), run->row->processes ? 0 : -EAGAIN);
        if (run->row->processes)
                give(other);
        EQUAL(ipw_gate_close(one), 0);
        EQUAL(ipw_gate_acquire(other, 0, 0), run->flags & IPW_GATE_FREED ? 0 : -EAGAIN);
        EQUAL(ipw_gate_close(other), 0);
}

void case_descriptors(struct run *run)
{
        int before = count_fds();

        for (int i = 0; i < 20; i++) {
                struct ipw_gate *g = open_gate(run, 0);

                take(g);
                give(g);
                EQUAL(ipw_gate_close(g), 0);
        }
        EQUAL(count_fds(), before);
}

static void nothing(int number)
{
        (void)number;
}

static void disturb(struct run *run, void *argument)
{
        pid_t whom = *(pid_t *)argument;

        (void)run;
        for (;;) {
                (void)kill(whom, SIGUSR1);
                (void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
        }
}

/* Signals that a handler takes: the wait goes on, or ends, as was asked. */
void case_signals(struct run *run)
{
        struct sigaction action = { .sa_handler = nothing };
        struct ipw_gate *g = open_gate(run, 0), *ended = open_gate(run, IPW_SIGNALS);
        pid_t me = getpid(), storm, pid;

        CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction: %s", strerror(errno));
        pid = holder(run);
        storm = peer(run, disturb, &me);
        EQUAL(ipw_gate_acquire(g, 0, IPW_MS(30)), -ETIMEDOUT);
        EQUAL(ipw_gate_acquire(ended, 0, IPW_FOREVER), -EINTR);
        EQUAL(ipw_gate_acquire(ended, 0, SOON), -EINTR);
        step_to(2);
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), 0);
        peer_kill(storm);
        peer_end(pid);
        give(g);
        EQUAL(ipw_gate_close(ended), 0);
        EQUAL(ipw_gate_close(g), 0);
}
