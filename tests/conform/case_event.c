/* SPDX-License-Identifier: MIT */
/*
 * Rows whose messages the kernel makes (ipw_mechanism.events): nobody chooses their bytes, so the cases about payloads cannot be. All else is promised
 * to them as well. What makes an event happen uses the kernel's own calls alone, so each of these cases has a plain program as its other side.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "cases.h"
#include "suite.h"

enum { STATUS = 7 };

/* How to make one event happen, and what must come of it. */
struct source {
        const char *scheme;
        void (*prepare)(struct run *); /* before a link: what its address names is there */
        void (*rouse)(unsigned number);
        void (*check)(const struct ipw_signal *, unsigned number);
};

static pid_t self, child;
static int child_goes[2] = { -1, -1 };

static int the_signal(void)
{
        return SIGRTMIN + 7;
}

static void prepare_signal(struct run *run)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, the_signal());
        CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
        strcpy(run->pull, run->address);
        strcpy(run->push, run->address);
}

static void rouse_signal(unsigned number)
{
        CHECK(sigqueue(self, the_signal(), (union sigval){ .sival_int = (int)number }) == 0, "sigqueue: %s", strerror(errno));
}

static void check_signal(const struct ipw_signal *s, unsigned number)
{
        EQUAL(s->number, the_signal());
        EQUAL(s->code, SI_QUEUE);
        EQUAL(s->value, number);
        EQUAL(s->uid, getuid());
}

/* A process that sleeps until it is told to end; and for addresses with a {pid}. */
static void prepare_child(struct run *run)
{
        char *at = strstr(run->address, "{pid}"), byte;

        CHECK(at, "the sample of a row of processes has no {pid}: %s", run->address);
        if (child > 0) {
                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
                (void)close(child_goes[1]);
        }
        CHECK(pipe(child_goes) == 0, "pipe");
        child = fork();
        CHECK(child >= 0, "fork");
        if (child == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)close(child_goes[1]);
                _exit(read(child_goes[0], &byte, 1) == 1 ? STATUS : 1);
        }
        (void)close(child_goes[0]);
        (void)snprintf(run->pull, sizeof(run->pull), "%.*s%d%s", (int)(at - run->address), run->address, (int)child, at + strlen("{pid}"));
        strcpy(run->push, run->pull);
}

static void rouse_child(unsigned number)
{
        CHECK(write(child_goes[1], "x", 1) == 1, "the child cannot be told to end");
}

static void check_child(const struct ipw_signal *s, unsigned number)
{
        EQUAL(s->number, SIGCHLD);
        EQUAL(s->code, CLD_EXITED);
        EQUAL(s->pid, child);
        EQUAL(s->status, STATUS);
}

/* It happens by itself; the quiet one is far off. */
static void prepare_timer(struct run *run)
{
        strcpy(run->pull, run->address);
        (void)snprintf(run->push, sizeof(run->push), "timer:1h%s", strstr(run->address, "?") ? strstr(run->address, "?") : "");
}

static void rouse_timer(unsigned number)
{
}

static void check_timer(const struct ipw_signal *s, unsigned number)
{
        EQUAL(s->number, 0);
        EQUAL(s->code, SI_TIMER);
}

static const struct source sources[] = {
        { "signal", prepare_signal, rouse_signal, check_signal },
        { "child", prepare_child, rouse_child, check_child },
        { "timer", prepare_timer, rouse_timer, check_timer },
};

static const struct source *source_of(const struct run *run)
{
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
                if (strcmp(sources[i].scheme, run->row->mechanism->scheme) == 0)
                        return &sources[i];
        fail(__FILE__, __LINE__, "no way is known to make an event happen on %s: add it to case_event.c", run->row->name);
}

void event_prepare(struct run *run)
{
        self = getpid();
        source_of(run)->prepare(run);
        strcpy(run->address, run->pull);
}

/* Where something comes, or where for now nothing does. */
static struct ipw_link *open_one(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_link *l = NULL;
        int r = ipw_open(&l, address, IPW_PULL | how, 0, &why);

        CHECK(r == 0, "ipw_open(\"%s\"): %s: %s", address, result_name(r), why.text);
        return l;
}

static struct ipw_link *open_fresh(struct run *run, unsigned how, bool quiet)
{
        struct run again = *run;

        (void)snprintf(again.address, sizeof(again.address), "%s", run->row->sample);
        source_of(run)->prepare(&again);
        return open_one(quiet ? again.push : again.pull, how);
}

static void take_one(struct run *run, struct ipw_link *l, unsigned number, int64_t timeout)
{
        struct ipw_signal s;
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };
        ssize_t n = ipw_recv(l, &m, timeout);

        CHECK(n == sizeof(s) && m.size == sizeof(s), "event %u: %s", number, result_name(n));
        source_of(run)->check(&s, number);
}

static bool is_single(const struct ipw_link *l)
{
        return ipw_link_caps(l)->flags & IPW_CAP_ENDS;
}

void case_event_facts(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, true);
        const struct ipw_caps *caps = ipw_link_caps(l);
        struct ipw_address *a = NULL;
        char text[400], again[400];
        struct ipw_why why;

        EQUAL(caps->flags & ~run->bound.flags, 0);
        EQUAL(caps->min_msg, sizeof(struct ipw_signal));
        EQUAL(caps->max_msg, sizeof(struct ipw_signal));
        CHECK(caps->atomic_max == caps->max_msg && caps->max_batch >= 1, "sizes make no sense");
        CHECK(caps->stack[0] && !(caps->flags & IPW_CAP_BYTES), "the stack is \"%s\"", caps->stack);
        (void)ipw_link_address(l, text, sizeof(text));
        CHECK(ipw_address_parse(&a, text, &why) == 0, "the address as opened is none: \"%s\"", text);
        (void)ipw_address_print(a, again, sizeof(again));
        CHECK(strcmp(text, again) == 0, "\"%s\" prints as \"%s\"", text, again);
        ipw_address_free(a);
        EQUAL(try_put(run, l, NAMED, 1, 1, 0), -EOPNOTSUPP);
        check_why(l, EOPNOTSUPP, "receive");
        EQUAL(ipw_accept(l, &l, 0), -EOPNOTSUPP);
        (void)ipw_close(l);
}

void case_event_roles(struct run *run)
{
        struct ipw_why why = { 0 };
        struct ipw_link *l = NULL;
        char a[64], b[64];

        for (unsigned role = 1; role <= IPW_REP; role++) {
                if (role == IPW_PULL)
                        continue;
                EQUAL(ipw_open(&l, run->pull, role, 0, &why), -EOPNOTSUPP);
                CHECK(strlen(why.text) > 10 && !l, "the text is only \"%s\"", why.text);
        }
        EQUAL(ipw_open(&l, run->pull, IPW_PULL | IPW_LISTEN, 0, &why), -EINVAL);
        EQUAL(ipw_open(&l, run->pull, IPW_PULL | IPW_DIAL, 0, &why), -EINVAL);
        EQUAL(ipw_ends(a, b, run->pull, IPW_PUSH, &why), -EOPNOTSUPP);
        EQUAL(ipw_remove(run->pull, &why), -EOPNOTSUPP);
        CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
}

static void rouse_parent(struct run *run, void *argument)
{
        until_asleep(self);
        source_of(run)->rouse(1);
}

void case_event_timeouts(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, true);
        struct timespec from, to;
        int64_t spent;
        pid_t pid;

        EQUAL(try_get(l, 0), -EAGAIN);
        check_why(l, EAGAIN, NULL);
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        EQUAL(try_get(l, IPW_MS(20)), -ETIMEDOUT);
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        spent = (to.tv_sec - from.tv_sec) * (int64_t)SECOND + to.tv_nsec - from.tv_nsec;
        CHECK(spent >= IPW_MS(20), "a wait of 20 ms ended after %lld ns", (long long)spent);
        check_why(l, ETIMEDOUT, NULL);
        (void)ipw_close(l);
        l = open_fresh(run, 0, false); /* endless, and an event ends it */
        pid = peer(run, rouse_parent, NULL);
        take_one(run, l, 1, IPW_FOREVER);
        peer_end(pid);
        (void)ipw_close(l);
}

/* Too little room keeps it; with enough it comes, once. */
void case_event_short(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, false);
        struct ipw_signal s;
        struct ipw_message small = { .data = &s, .capacity = sizeof(s) - 1 }, right = { .data = &s, .capacity = sizeof(s) };

        source_of(run)->rouse(3);
        EQUAL(ipw_recv(l, &small, SOON), -EMSGSIZE);
        EQUAL(small.size, sizeof(s));
        check_why(l, EMSGSIZE, "kept");
        EQUAL(ipw_recv(l, &small, 0), -EMSGSIZE);
        EQUAL(ipw_recv_many(l, &right, 1, 0), 1);
        source_of(run)->check(&s, 3);
        if (is_single(l))
                EQUAL(ipw_recv(l, &right, SOON), -EPIPE);
        (void)ipw_close(l);
}

void case_event_order(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, false);
        struct ipw_stats stats;

        if (!(ipw_link_caps(l)->flags & IPW_CAP_RELIABLE) || is_single(l))
                skip("IPW_CAP_RELIABLE");
        for (unsigned i = 0; i < 100; i++)
                source_of(run)->rouse(i);
        for (unsigned i = 0; i < 100; i++)
                take_one(run, l, i, 0);
        EQUAL(try_get(l, 0), -EAGAIN);
        EQUAL(ipw_link_stats(l, &stats), 0);
        EQUAL(stats.received, 100);
        EQUAL(stats.received_bytes, 100 * sizeof(struct ipw_signal));
        (void)ipw_close(l);
}

void case_event_end(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, false);

        if (!is_single(l))
                skip("IPW_CAP_ENDS");
        source_of(run)->rouse(1);
        take_one(run, l, 1, SOON);
        EQUAL(try_get(l, SOON), -EPIPE);
        check_why(l, EPIPE, NULL);
        EQUAL(try_get(l, 0), -EPIPE);
        (void)ipw_close(l);
}

void case_event_interrupt(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, true);

        EQUAL(ipw_interrupt(l), -EOPNOTSUPP);
        (void)ipw_close(l);
        l = open_fresh(run, IPW_WAKEABLE, true);
        EQUAL(ipw_interrupt(l), 0); /* before the wait: the next one */
        EQUAL(try_get(l, IPW_FOREVER), -ECANCELED);
        EQUAL(try_get(l, IPW_MS(1)), -ETIMEDOUT);
        interrupt_sleeper(run, l, IPW_RECV);
        (void)ipw_close(l);
        l = open_fresh(run, IPW_WAKEABLE, false); /* and events go on to come */
        source_of(run)->rouse(2);
        take_one(run, l, 2, SOON);
        (void)ipw_close(l);
}

static volatile sig_atomic_t rung;

static void ring(int number)
{
        rung++;
}

/* Other signals than those received interrupt no wait, unless it is asked for. */
void case_event_signals(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, true);
        struct sigaction action = { .sa_handler = ring };
        struct itimerval every = { { 0, 300 }, { 0, 300 } };

        CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
        EQUAL(try_get(l, IPW_MS(20)), -ETIMEDOUT);
        CHECK(rung > 0, "no signal came");
        (void)ipw_close(l);
        l = open_fresh(run, IPW_SIGNALS, true);
        EQUAL(try_get(l, IPW_FOREVER), -EINTR);
        EQUAL(try_get(l, SOON), -EINTR);
        (void)ipw_close(l);
}

void case_event_pollfd(struct run *run)
{
        struct ipw_link *l = open_fresh(run, 0, true);
        struct ipw_signal s;
        struct pollfd p;
        ssize_t n;

        EQUAL(ipw_pollfd(l, 3, &p), -EINVAL);
        EQUAL(ipw_pollfd(l, IPW_SEND, &p), -EOPNOTSUPP);
        EQUAL(ipw_pollfd(l, IPW_RECV, &p), 0);
        EQUAL(try_get(l, 0), -EAGAIN);
        CHECK(ipw_link_caps(l)->flags & IPW_CAP_TIMED_BY_POLLING || poll(&p, 1, 0) == 0, "poll says ready with nothing there");
        (void)ipw_close(l);
        l = open_fresh(run, 0, false);
        EQUAL(ipw_pollfd(l, IPW_RECV, &p), 0);
        source_of(run)->rouse(5);
        do { /* it may be ready for nothing, then one try clears it */
                CHECK(poll(&p, 1, 10000) == 1, "poll misses an event");
                n = ipw_recv(l, &(struct ipw_message){ .data = &s, .capacity = 1 }, 0);
        } while (n == -EAGAIN);
        EQUAL(n, -EMSGSIZE);
        CHECK(poll(&p, 1, 0) == 1, "poll misses an event that is kept");
        take_one(run, l, 5, 0);
        if (is_single(l)) {
                CHECK(poll(&p, 1, 10000) == 1, "poll misses the end");
                EQUAL(try_get(l, 0), -EPIPE);
        } else {
                source_of(run)->rouse(6);
                CHECK(poll(&p, 1, 10000) == 1, "poll misses the next event");
                take_one(run, l, 6, 0);
        }
        EQUAL(ipw_turn(l), 0);
        (void)ipw_close(l);
}

static void try_inherited(struct run *run, void *argument)
{
        struct ipw_link *l = argument;
        struct ipw_signal s;
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };
        struct ipw_stats stats;
        struct pollfd p;

        EQUAL(ipw_recv(l, &m, 0), -ESTALE);
        EQUAL(ipw_recv(l, &m, IPW_FOREVER), -ESTALE);
        EQUAL(ipw_pollfd(l, IPW_RECV, &p), -ESTALE);
        EQUAL(ipw_turn(l), -ESTALE);
        EQUAL(ipw_interrupt(l), -ESTALE);
        EQUAL(ipw_link_stats(l, &stats), -ESTALE);
        check_why(l, ESTALE, "parent");
        EQUAL(ipw_close(l), 0);
}

void case_event_fork(struct run *run)
{
        struct ipw_link *l = open_fresh(run, IPW_WAKEABLE, false);
        struct pollfd p;

        EQUAL(ipw_pollfd(l, IPW_RECV, &p), 0);
        peer_end(peer(run, try_inherited, l));
        source_of(run)->rouse(1);
        CHECK(poll(&p, 1, 10000) == 1, "a child's close harmed the parent's descriptor");
        take_one(run, l, 1, SOON);
        EQUAL(ipw_close(l), 0);
}

void case_event_exec(struct run *run)
{
        int before = fds_after_exec();
        struct ipw_link *l = open_fresh(run, IPW_WAKEABLE, true);
        struct pollfd p;

        (void)ipw_pollfd(l, IPW_RECV, &p);
        EQUAL(fds_after_exec(), before);
        (void)ipw_close(l);
}

void event_use(struct run *run)
{
        struct ipw_link *l = open_fresh(run, IPW_WAKEABLE, true);
        struct ipw_why why;
        struct pollfd p;

        EQUAL(try_get(l, 0), -EAGAIN);
        (void)ipw_pollfd(l, IPW_RECV, &p);
        (void)ipw_close(l);
        CHECK(ipw_open(&l, run->pull, IPW_PAIR, 0, &why) < 0, "opens what cannot be");
        CHECK(ipw_open(&l, "signal:URG", IPW_PULL, 0, &why) < 0, "opens what cannot be"); /* not blocked here */
        CHECK(ipw_open(&l, "child:2147483647?stops=1", IPW_PULL, 0, &why) < 0, "opens what cannot be");
}
