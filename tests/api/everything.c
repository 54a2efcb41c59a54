/* SPDX-License-Identifier: MIT */
/*
 * Uses every public function, type, flag and macro once, linked to the shared library alone. It is no test of behaviour (the conformance suite is);
 * it holds that all is there, exported, and does its plainest work. `symbols` checks that no name of the header is missing here.
 */
#include <ipcway.h>
#include <ipcway/probe.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define must(condition)                                                                      \
        do {                                                                                 \
                if (!(condition))                                                            \
                        errx(1, "line %d: not so: %s (%s)", __LINE__, #condition, why.text); \
        } while (0)

static struct ipw_why why;
static int system_calls;
static char hello[] = "hello";

static void traced(void *context, const struct ipw_trace_call *call)
{
        must(context == &system_calls && *call->name && *call->meaning && call->arguments && call->nanoseconds >= 0);
        (void)call->result;
        system_calls++;
}

/* The flags are bits of their own within each word. */
static void words(void)
{
        static const unsigned roles[] = { IPW_PAIR, IPW_PUSH, IPW_PULL, IPW_PUB, IPW_SUB, IPW_REQ, IPW_REP };
        static const unsigned how[] = { IPW_ROLE, IPW_LISTEN, IPW_DIAL, IPW_EXISTING, IPW_FRESH, IPW_WAKEABLE, IPW_SIGNALS, IPW_READ_ONLY };
        static const unsigned flags[] = {
                IPW_DEFER, IPW_HAS_TYPE, IPW_HAS_PRIORITY, IPW_HAS_PEER, IPW_HAS_LOST, IPW_HAS_SENDER, IPW_AGAIN
        };
        static const unsigned caps[] = { IPW_CAP_ORDERED,          IPW_CAP_RELIABLE,       IPW_CAP_ENDS,  IPW_CAP_SURVIVES,
                                         IPW_CAP_MANY_SENDERS,     IPW_CAP_MANY_RECEIVERS, IPW_CAP_TYPES, IPW_CAP_IDENTITY,
                                         IPW_CAP_TIMED_BY_POLLING, IPW_CAP_LEND,           IPW_CAP_POLL,  IPW_CAP_BYTES,
                                         IPW_CAP_ACCEPT,           IPW_CAP_UNBOUNDED };
        static const struct {
                const unsigned *word;
                size_t count;
        } sets[] = { { how, sizeof(how) / sizeof(how[0]) },
                     { flags, sizeof(flags) / sizeof(flags[0]) },
                     { caps, sizeof(caps) / sizeof(caps[0]) } };

        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
                must((roles[i] & ~(unsigned)IPW_ROLE) == 0 && roles[i] == i + 1);
        for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
                unsigned seen = 0;

                for (size_t i = 0; i < sets[s].count; i++) {
                        must((seen & sets[s].word[i]) == 0);
                        seen |= sets[s].word[i];
                }
        }
        must(strcmp(IPW_VERSION, "0.1.0") == 0 && IPW_MS(2) == 2000000);
}

static void addresses(void)
{
        const struct ipw_mechanism *m = NULL;
        struct ipw_address *a = NULL;
        struct ipw_caps caps;
        char text[64];

        while ((m = ipw_mechanism_next(m))) {
                const struct ipw_option *option = m->options;

                must(*m->scheme && (!m->option_count || *option->name));
        }
        must(ipw_address_parse(&a, "pipe:?framing=frame", &why) == 0);
        must(ipw_address_print(a, text, sizeof(text)) == 19 && strcmp(text, "pipe:?framing=frame") == 0);
        must(strcmp(ipw_address_option(a, "framing"), "frame") == 0);
        must(strcmp(ipw_address_mechanism(a)->scheme, "pipe") == 0);
        ipw_address_free(a);
        must(ipw_describe("pipe:", &caps, &why) == 0 && caps.max_msg > 0);
        must(ipw_remove("pipe:", &why) == -EOPNOTSUPP);
}

/* A pipe, both ends in this process: less than its buffer goes through. */
static void messages(void)
{
        struct ipw_link *in, *out;
        struct ipw_span span = { 0 };
        struct ipw_stats stats;
        struct pollfd p;
        char a[64], b[64], text[64], room[2][16];
        int fds[2];
        struct ipw_message m = { .data = hello, .size = 5 }, several[2] = { m, m }, got[2] = { 0 };

        must(ipw_ends(a, b, "pipe:", IPW_PUSH, &why) == 0);
        must(ipw_open(&out, a, IPW_PUSH, IPW_FOREVER, &why) == 0);
        must(ipw_open(&in, b, IPW_PULL | IPW_WAKEABLE, IPW_FOREVER, &why) == 0);
        must(ipw_link_address(in, text, sizeof(text)) > 0 && *text);

        must(ipw_send(out, &m, 0) == 5);
        must(ipw_send_many(out, several, 2, IPW_FOREVER) == 2);
        must(ipw_flush(out, IPW_FOREVER) == 0 && ipw_turn(out) == 0);
        must(ipw_finish(in) == -EOPNOTSUPP && ipw_ack(in, &got[0]) == -EOPNOTSUPP);
        must(ipw_claim(out, 5, &span, 1, 0) == -EOPNOTSUPP && ipw_borrow(in, &span, 1, 0) == -EOPNOTSUPP);
        must(ipw_commit(out, &span, 1) == -EINVAL && ipw_abandon(out, &span, 1) == -EINVAL && ipw_give_back(in, &span, 1) == -EINVAL);
        must(ipw_pollfd(in, IPW_RECV, &p) == 0 && poll(&p, 1, 0) == 1);
        must(ipw_pollfd(out, IPW_SEND, &p) == 0 && poll(&p, 1, 0) == 1);
        for (int i = 0; i < 2; i++)
                got[i] = (struct ipw_message){ .data = room[i], .capacity = sizeof(room[i]) };
        must(ipw_recv(in, &got[0], IPW_FOREVER) == 5 && memcmp(room[0], "hello", 5) == 0);
        for (ssize_t n = 0; n < 2;) {
                ssize_t r = ipw_recv_many(in, got, (size_t)(2 - n), IPW_FOREVER);

                must(r > 0);
                n += r;
        }
        must(memcmp(room[0], "hello", 5) == 0);
        must(ipw_recv(in, &got[0], 0) == -EAGAIN);
        ipw_link_why(in, &why);
        must(why.error == EAGAIN && *why.text);
        must(ipw_interrupt(in) == 0 && ipw_recv(in, &got[0], IPW_FOREVER) == -ECANCELED);
        must(ipw_link_stats(in, &stats) == 0 && stats.received == 3 && stats.received_bytes == 15);
        must(ipw_link_caps(in)->flags & IPW_CAP_ENDS);
        must(ipw_close(out) == 0);
        must(ipw_recv(in, &got[0], IPW_FOREVER) == -EPIPE);
        must(ipw_close(in) == 0);

        must(ipw_ends(a, b, "pipe:", IPW_PULL, &why) == 0);
        must(ipw_end_fds(a, fds) == 1 && ipw_end_moved(a, fds, 1) == 0 && ipw_end_moved(a, fds, 2) == -EINVAL);
        ipw_end_drop(a);
        ipw_end_drop(b);
}

static void conversations(void)
{
        struct ipw_link *listener, *dialled, *accepted;
        struct ipw_message m = { .data = hello, .size = 5 };
        struct ipw_sender sender;
        char address[64], room[16];
        struct ipw_message got = { .data = room, .capacity = sizeof(room) };

        (void)snprintf(address, sizeof(address), "unix+seqpacket:@ipcway-everything-%d", getpid());
        must(ipw_open(&listener, address, IPW_PAIR | IPW_LISTEN, IPW_FOREVER, &why) == 0);
        must(ipw_open(&dialled, address, IPW_PAIR | IPW_DIAL, IPW_FOREVER, &why) == 0);
        must(ipw_accept(listener, &accepted, IPW_FOREVER) == 0);
        must(ipw_send(dialled, &m, IPW_FOREVER) == 5 && ipw_recv(accepted, &got, IPW_FOREVER) == 5);
        sender = got.sender;
        must(!(got.flags & IPW_HAS_SENDER) || sender.pid == getpid());
        must(ipw_close(accepted) == 0 && ipw_close(dialled) == 0 && ipw_close(listener) == 0);
}

/* A ring, both ends in this process: written and read where the messages lie. */
static void in_place(void)
{
        struct ipw_link *in, *out;
        struct ipw_span spans[3] = { 0 }, got[3] = { 0 };
        char a[64], b[64];

        must(ipw_ends(a, b, "shm+anon:", IPW_PUSH, &why) == 0);
        must(ipw_open(&out, a, IPW_PUSH, IPW_FOREVER, &why) == 0 && ipw_open(&in, b, IPW_PULL, IPW_FOREVER, &why) == 0);
        must(ipw_link_caps(out)->flags & IPW_CAP_LEND);
        must(ipw_claim(out, sizeof(hello), spans, 3, IPW_FOREVER) == 3 && spans[2].size == sizeof(hello) && spans[2].data);
        memcpy(spans[0].data, hello, sizeof(hello));
        spans[2].size = 0;
        must(spans[1].inside[0] != spans[0].inside[0] && ipw_abandon(out, &spans[1], 1) == 0 && ipw_commit(out, spans, 3) == 2);
        must(ipw_borrow(in, got, 3, IPW_FOREVER) == 2 && strcmp(got[0].data, hello) == 0 && got[1].size == 0);
        must(ipw_give_back(in, got, 2) == 0 && ipw_borrow(in, got, 1, 0) == -EAGAIN);
        must(ipw_close(out) == 0 && ipw_close(in) == 0);
}

/* A lock of two handles, a semaphore that counts. */
static void gates(void)
{
        static const unsigned flags[] = { IPW_GATE_SHARED, IPW_GATE_FREED, IPW_GATE_COUNTS, IPW_GATE_TIMED_BY_POLLING, IPW_GATE_ANYBODY };
        struct ipw_gate *one, *other;
        const struct ipw_mechanism *m = NULL;
        char address[64];
        unsigned seen = 0, rows = 0;

        for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); seen |= flags[i++])
                must((seen & flags[i]) == 0);
        while ((m = ipw_mechanism_next(m)))
                rows += m->gate != 0;
        must(rows > 0);
        (void)snprintf(address, sizeof(address), "lock:/tmp/ipcway-everything-%d", getpid());
        must(ipw_gate_open(&one, address, IPW_FRESH, &why) == 0 && ipw_gate_open(&other, address, IPW_EXISTING, &why) == 0);
        must(ipw_gate_flags(one) & IPW_GATE_FREED && ipw_gate_value(one) == 1);
        must(ipw_gate_acquire(one, IPW_SHARED, IPW_FOREVER) == 0 && ipw_gate_acquire(other, 0, 0) == -EAGAIN);
        ipw_gate_why(other, &why);
        must(why.error == EAGAIN && *why.text);
        must(ipw_gate_release(one) == 0 && ipw_gate_acquire(other, 0, IPW_FOREVER) == 0 && ipw_gate_value(one) == 0);
        must(ipw_gate_close(other) == 0 && ipw_gate_close(one) == 0 && ipw_remove(address, &why) == 0);
}

/* Memory of this process and its children. */
static void segments(void)
{
        const struct ipw_mechanism *m = NULL;
        struct ipw_segment_facts facts;
        struct ipw_segment *segment;
        struct ipw_gate *gate;
        unsigned rows = 0;
        size_t size = 0;

        while ((m = ipw_mechanism_next(m)))
                rows += m->segment != 0;
        must(rows > 0);
        must(ipw_segment_open(&segment, "shm+anon:?size=5000", 0, &why) == 0);
        must(strcpy(ipw_segment_data(segment, &size), hello) && size == 5000 && ipw_segment_fd(segment) >= 0);
        must(ipw_segment_facts(segment, &facts) == 0 && facts.size == 5000 && facts.created && !facts.removed && facts.id == -1 &&
             !facts.ring && facts.users == -1 && facts.uid == geteuid() && facts.gid == getegid() && facts.mode);
        must(ipw_gate_at(&gate, segment, 64, 1, &why) == 0 && ipw_gate_value(gate) == 1 && ipw_segment_close(segment) == -EBUSY);
        must(ipw_gate_close(gate) == 0);
        must(ipw_segment_resize(segment, 1) == -EOPNOTSUPP && ipw_segment_sync(segment) == -EOPNOTSUPP);
        ipw_segment_why(segment, &why);
        must(why.error == EOPNOTSUPP && *why.text);
        must(ipw_segment_close(segment) == 0);
}

/* A signal to itself; the kernel writes what is received. */
static void signals(void)
{
        struct ipw_signal s = { .value = 7 };
        struct ipw_message m = { .data = &s, .size = sizeof(s), .capacity = sizeof(s) };
        struct ipw_link *in, *out;
        const struct ipw_mechanism *mechanism = NULL;
        char text[32];
        unsigned rows = 0;
        sigset_t set;

        while ((mechanism = ipw_mechanism_next(mechanism)))
                rows += mechanism->events != 0;
        must(rows > 0);
        s.number = ipw_signal_number("RTMIN+1");
        must(s.number == SIGRTMIN + 1 && ipw_signal_name(s.number, text, sizeof(text)) == 7 && strcmp(text, "RTMIN+1") == 0);
        must(sigemptyset(&set) == 0 && sigaddset(&set, s.number) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        must(ipw_open(&in, "signal:RTMIN+1", IPW_PULL, 0, &why) == 0);
        (void)snprintf(text, sizeof(text), "signal:%d", getpid());
        must(ipw_open(&out, text, IPW_PUSH, 0, &why) == 0 && ipw_send(out, &m, 0) == sizeof(s));
        s = (struct ipw_signal){ 0 };
        must(ipw_recv(in, &m, IPW_FOREVER) == sizeof(s) && s.value == 7 && s.number == SIGRTMIN + 1);
        must(ipw_close(out) == 0 && ipw_close(in) == 0);
}

/* All that there is, among it a pipe of ours. */
static void objects(const struct ipw_probe *p)
{
        static const int states[] = { IPW_FACT_SEEN, IPW_FACT_VANISHED, IPW_FACT_DENIED, IPW_FACT_UNSUPPORTED };
        static const unsigned all =
                IPW_USE_READS | IPW_USE_WRITES | IPW_USE_MAPS | IPW_USE_HOLDS | IPW_USE_WAITS | IPW_USE_MADE | IPW_USE_LAST;
        const struct ipw_probe_object *o;
        const char *const *gaps;
        bool ours = false;
        size_t n;

        o = ipw_probe_objects(p, &n);
        must(n > 0);
        for (size_t i = 0; i < n; i++) {
                must(*o[i].kind && *o[i].address && o[i].name && o[i].state >= states[0] && o[i].state <= states[3]);
                must(!o[i].peer || strcmp(o[i].peer->kind, o[i].kind) == 0);
                for (size_t k = 0; k < o[i].user_count; k++) {
                        const struct ipw_probe_user *user = &o[i].users[k];

                        must(user->pid >= 0 && user->how && !(user->how & ~all));
                        ours |= user->pid == getpid() && strcmp(o[i].kind, "pipe") == 0;
                }
                for (size_t k = 0; k < o[i].fact_count; k++) {
                        const struct ipw_probe_fact *fact = &o[i].facts[k];

                        must(fact->state >= states[0] && fact->state <= states[3] && fact->text && fact->source);
                        must(ipw_probe_fact(&o[i], fact->name) && !ipw_probe_fact(&o[i], "none such"));
                }
        }
        must(ours);
        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++)
                must(strlen(gaps[i]) > 10);
        must(ipw_probe_process(p, getpid())->pid == getpid() && *ipw_probe_process_at(p, 0)->name);
}

/* All that wait, whoever they are; this process does not. */
static void probes(void)
{
        static const int ends[] = { IPW_WAIT_ENDS, IPW_WAIT_OPEN, IPW_WAIT_BEHIND, IPW_WAIT_CIRCLE, IPW_WAIT_HIDDEN };
        static const int sure[] = { 0, IPW_SURE_POSSIBLE, IPW_SURE_LIKELY, IPW_SURE_CERTAIN };
        const struct ipw_probe_wait *w;
        struct ipw_probe *p;
        size_t n, hidden;
        int fds[2];

        must(pipe(fds) == 0);
        must(ipw_probe_take(&p, IPW_PROBE_OBJECTS, &why) == 0 && ipw_probe_processes(p, &hidden) > hidden);
        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++) {
                must(w[i].end >= ends[0] && w[i].end <= ends[4] && w[i].sure >= sure[0] && w[i].sure <= sure[3]);
                must(w[i].pid > 0 && w[i].thread > 0 && w[i].name && w[i].call && w[i].object && *w[i].text);
                must(w[i].pid != getpid() && w[i].uid != (uid_t)-1 && (w[i].circle != 0) == (w[i].end == IPW_WAIT_CIRCLE));
                must(w[i].waker_count == 0 || w[i].wakers[0] > 0);
        }
        objects(p);
        ipw_probe_free(p);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

/* A file without a name that it has open. */
static void leaks(void)
{
        static const int kinds[] = { IPW_LEAK_END, IPW_LEAK_FLIGHT, IPW_LEAK_LIMIT, IPW_LEAK_CLOSED, IPW_LEAK_UNREAD, IPW_LEAK_MEMORY };
        int fd = memfd_create("forgotten", MFD_CLOEXEC);
        const struct ipw_leak *leak;
        struct ipw_probe *p;
        bool seen = false;
        size_t n;

        must(fd >= 0 && ftruncate(fd, 4096) == 0);
        must(ipw_probe_take(&p, IPW_PROBE_OBJECTS, &why) == 0 && ipw_probe_leaks(p, &leak, &n) == 0);
        for (size_t i = 0; i < n; i++) {
                must(leak[i].what >= kinds[0] && leak[i].what <= kinds[5]);
                for (size_t k = 0; leak[i].what == IPW_LEAK_MEMORY && leak[i].object && k < leak[i].object->user_count; k++)
                        seen |= leak[i].object->users[k].pid == getpid();
        }
        must(seen);
        ipw_probe_free(p);
        close(fd);
}

/* What this process still uses. */
static void left_over(void)
{
        char place[80];
        static const int verdicts[] = { IPW_LEFT_BUSY, IPW_LEFT_ORPHAN, IPW_LEFT_UNUSED, IPW_LEFT_UNKNOWN };
        const struct ipw_probe_object *o;
        struct ipw_segment *s;
        struct ipw_left left;
        struct ipw_probe *p;
        char address[64];
        unsigned seen = 0;
        size_t n;

        (void)snprintf(address, sizeof(address), "shm:/ipcway-everything-%d", getpid());
        (void)snprintf(place, sizeof(place), "%s?size=4K", address);
        must(ipw_segment_open(&s, place, IPW_FRESH, &why) == 0);
        must(ipw_probe_take(&p, IPW_PROBE_OBJECTS, &why) == 0);
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                if (strcmp(o[i].address, address) != 0)
                        continue;
                seen++;
                must(ipw_probe_left(p, &o[i], &left) == 0 && left.object == &o[i]);
                must(left.verdict == verdicts[0] && left.verdict < verdicts[3] && !left.precious && *left.text);
                must(ipw_probe_remove(p, &left, &why) == -EINVAL);
        }
        must(seen == 1);
        must(ipw_probe_look(p, "/dev/null/none", 0, &why) < 0 && ipw_probe_look(p, "/dev/shm", 0, &why) == 0);
        (void)ipw_probe_names(p, &n);
        ipw_probe_free(p);
        must(ipw_segment_close(s) == 0 && ipw_remove(address, &why) == 0);
}

/* A ring, and this process as its only user. */
static void rings(void)
{
        static const unsigned awaits[] = { IPW_AWAITS_MESSAGE, IPW_AWAITS_ROOM, IPW_AWAITS_TURN, IPW_AWAITS_POLL };
        static const int states[] = { IPW_USER_ALIVE, IPW_USER_STOPPED, IPW_USER_DEAD, IPW_USER_COMING, IPW_USER_UNKNOWN };
        char a[64], b[64];
        struct ipw_link *l;
        const struct ipw_ring_user *u;
        struct ipw_ring *r;

        must(ipw_ends(a, b, "shm+anon:?size=4K", IPW_PAIR, &why) == 0 && ipw_open(&l, a, IPW_PAIR, 0, &why) == 0);
        must(ipw_probe_ring(&r, b, &why) == 0);
        must((r->shape & IPW_RING_BROADCAST) == 0 &&
             r->shape == (IPW_RING_PAIR | IPW_RING_ONE_SENDER | IPW_RING_ONE_RECEIVER | IPW_RING_ENDS));
        must(r->size > r->capacity && r->capacity == 4096 && r->ways == 2 && r->slots == 2 && !r->broken && r->fill[0] + r->fill[1] == 0);
        must(r->uid == getuid() && r->gid == getgid() && r->mode && r->made > 0 && r->maker == getpid());
        u = r->users;
        must(r->user_count == 1 && u->state == states[0] && u->state < states[4] && u->slot == 0);
        must(u->pid == getpid() && *u->name && *u->text && u->since >= r->made);
        must(u->ways == (IPW_RECV | IPW_SEND) && u->holds == 0 && u->behind == 0 && !(u->awaits & (awaits[0] | awaits[3])));
        must(r->stale_count == 0 && r->stale);
        ipw_ring_free(r);
        must(ipw_close(l) == 0);
        ipw_end_drop(b);
}

int main(void)
{
        ipw_trace(traced, &system_calls);
        words();
        addresses();
        messages();
        conversations();
        in_place();
        gates();
        segments();
        signals();
        probes();
        leaks();
        left_over();
        rings();
        ipw_trace(NULL, NULL);
        must(system_calls > 0);
        return 0;
}
