/* SPDX-License-Identifier: MIT */
/*
 * Signals, ends of processes, ticks: one process receives every signal that can be received, another sends them all, each with its number as value, and then
 * watches a child that it stops, lets go on and kills, and takes some ticks of a timer.
 */
#include "tour_event.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "number.h"
#include "signal_facts.h"

enum { SENDER, RECEIVER, TICKS = 10, SIGNALS = 65 };
static const int64_t step = 15000000000; /* ns: no single step takes that long on a machine that works, however busy it is */

struct events_shared {
        struct duo_report report[2];
        struct tour_events seen;
};

struct events_job {
        struct events_shared *shared;
        pid_t receiver;
        int told[2]; /* the receiver writes a byte when it is ready, and one for each signal: CONT would discard a pending TSTP, and it the other way round */
};

static int is_receivable(int number)
{
        const struct signal_facts *f = signal_facts(number);

        return f && !f->fault && signal_is_catchable(number);
}

static struct ipw_link *open_or_fail(struct duo_report *report, const char *address, unsigned how)
{
        struct ipw_link *link;
        struct ipw_why why = { 0 };

        if (ipw_open(&link, address, how, step, &why) < 0)
                duo_fail(report, why.error, "%s", why.text);
        return link;
}

static struct ipw_signal take(struct duo_report *report, struct ipw_link *link)
{
        struct ipw_signal s = { 0 };
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };
        struct ipw_why why;

        if (ipw_recv(link, &m, step) < 0) {
                ipw_link_why(link, &why);
                duo_fail(report, 0, "%s", why.text);
        }
        return s;
}

static void send(struct duo_report *report, struct ipw_link *link, int number, int value)
{
        struct ipw_signal s = { .number = number, .value = value };
        struct ipw_message m = { .data = &s, .size = sizeof(s) };
        struct ipw_why why;

        if (ipw_send(link, &m, step) < 0) {
                ipw_link_why(link, &why);
                duo_fail(report, 0, "%s", why.text);
        }
}

static void tell(const struct events_job *j)
{
        if (write(j->told[1], "", 1) != 1)
                duo_fail(&j->shared->report[RECEIVER], 0, "the sender is gone");
}

static void be_told(const struct events_job *j)
{
        char byte;

        if (read(j->told[0], &byte, 1) != 1)
                duo_fail(&j->shared->report[SENDER], 0, "the receiver is gone");
}

static void receive(void *context)
{
        struct events_job *j = context;
        struct duo_report *report = &j->shared->report[RECEIVER];
        char address[1024] = "signal:", name[16], seen[SIGNALS] = { 0 };
        struct ipw_link *in;
        unsigned count = 0;
        sigset_t set;

        (void)sigemptyset(&set);
        for (int n = 1; n < SIGNALS; n++)
                if (is_receivable(n) && ipw_signal_name(n, name, sizeof(name)) > 0) {
                        (void)sigaddset(&set, n);
                        if (count++)
                                strcat(address, ",");
                        strcat(address, name);
                }
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        in = open_or_fail(report, address, IPW_PULL);
        (void)close(j->told[0]);
        tell(j);
        while (count) {
                struct ipw_signal s = take(report, in);

                if (s.number <= 0 || s.number >= SIGNALS || s.value != s.number)
                        continue; /* another process may send signals, too */
                count -= !seen[s.number];
                j->shared->seen.standard += !seen[s.number] && !signal_is_queued(s.number);
                j->shared->seen.real_time += !seen[s.number] && signal_is_queued(s.number);
                seen[s.number] = 1;
                tell(j);
        }
        (void)ipw_close(in);
}

static void watch_child(struct events_job *j)
{
        static const struct {
                int send, code;
        } steps[] = { { SIGSTOP, CLD_STOPPED }, { SIGCONT, CLD_CONTINUED }, { SIGKILL, CLD_KILLED } };
        struct duo_report *report = &j->shared->report[SENDER];
        char address[60];
        struct ipw_link *child, *to;
        pid_t parent = getpid(), pid = fork();

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                while (getppid() == parent)
                        (void)pause();
                _exit(1);
        }
        if (pid < 0)
                duo_fail(report, 0, "cannot start a process");
        (void)snprintf(address, sizeof(address), "signal:%d", (int)pid);
        to = open_or_fail(report, address, IPW_PUSH);
        (void)snprintf(address, sizeof(address), "child:%d?stops=1", (int)pid);
        child = open_or_fail(report, address, IPW_PULL);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                struct ipw_signal s;

                send(report, to, steps[i].send, 0);
                s = take(report, child);
                if (s.code != steps[i].code || s.pid != pid)
                        duo_fail(report, 0, "%s: signal %d was sent, and what came says code %d", address, steps[i].send, s.code);
                j->shared->seen.states++;
        }
        (void)ipw_close(child);
        (void)ipw_close(to);
}

static void send_all(void *context)
{
        struct events_job *j = context;
        struct duo_report *report = &j->shared->report[SENDER];
        char address[40];
        struct ipw_link *out, *timer;

        (void)close(j->told[1]);
        (void)snprintf(address, sizeof(address), "signal:%d", (int)j->receiver);
        be_told(j);
        out = open_or_fail(report, address, IPW_PUSH);
        for (int n = 1; n < SIGNALS; n++)
                if (is_receivable(n)) {
                        send(report, out, n, n);
                        be_told(j);
                }
        (void)ipw_close(out);
        watch_child(j);
        timer = open_or_fail(report, "timer:2ms", IPW_PULL);
        while (j->shared->seen.ticks < TICKS) {
                j->shared->seen.missed += take(report, timer).overrun;
                j->shared->seen.ticks++;
        }
        (void)ipw_close(timer);
}

void tour_events(struct tour *t, struct tour_events *out)
{
        struct events_job j = { .shared = mmap(NULL, sizeof(*j.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
        struct duo d = { .until = now() + step < t->until ? now() + step : t->until };

        *out = (struct tour_events){ .end = DUO_FAILED, .why = "no memory, no pipe or no process" };
        if (j.shared == MAP_FAILED)
                return;
        d.report = j.shared->report;
        if (pipe(j.told) == 0) {
                if (duo_start(&d, RECEIVER, receive, &j) == 0) {
                        j.receiver = d.pid[RECEIVER];
                        if (duo_start(&d, SENDER, send_all, &j) < 0)
                                d.until = 0;
                }
                (void)close(j.told[0]);
                (void)close(j.told[1]);
                j.shared->seen.end = duo_finish(&d, j.shared->seen.why);
                *out = j.shared->seen;
        }
        if (d.interrupted)
                t->interrupted = d.interrupted;
        (void)munmap(j.shared, sizeof(*j.shared));
}
