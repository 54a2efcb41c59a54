/* SPDX-License-Identifier: MIT */
/* ipw_pollfd(): level-triggered; never misses; may be ready for nothing, and then one try clears it. */
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>

#include "cases.h"
#include "suite.h"

/* Only for what the row offers; who does not, must say so. */
static bool can_poll(struct run *run, struct ipw_link *in, struct pollfd *p)
{
        if (ipw_link_caps(in)->flags & IPW_CAP_POLL) {
                EQUAL(ipw_pollfd(in, IPW_RECV, p), 0);
                return true;
        }
        EQUAL(ipw_pollfd(in, IPW_RECV, p), -EOPNOTSUPP);
        check_why(in, EOPNOTSUPP, "pollable: no");
        return false;
}

static void must_be_ready(struct pollfd p, const char *when)
{
        CHECK(poll(&p, 1, 10000) == 1, "poll misses: %s", when);
}

static void must_be_quiet(struct ipw_link *in, struct pollfd p)
{
        struct pollfd again;

        EQUAL(try_get(in, 0), -EAGAIN);
        CHECK(poll(&p, 1, 0) == 0, "poll says ready (0x%x) right after a receive said -EAGAIN", p.revents);
        EQUAL(ipw_pollfd(in, IPW_RECV, &again), 0);
        CHECK(again.fd == p.fd && again.events == p.events, "asked again, it is another descriptor");
        CHECK(poll(&again, 1, 0) == 0, "to ask for the descriptor has made it ready: a loop that asks each time never sleeps");
}

static void check_send_side(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        unsigned count = 0;
        struct pollfd p;
        ssize_t n;
        int r = ipw_pollfd(out, IPW_SEND, &p);

        if (r == -EOPNOTSUPP)
                return;
        EQUAL(r, 0);
        while ((n = fills_up(run) || count < 5 ? try_put(run, out, 100, 3, count, 0) : -EAGAIN) == 100)
                count++;
        if (fills_up(run))
                check_no_room(run, out, n, 100, 3, &count);
        get_all(run, in, out, 100, 3, count);
        must_be_ready(p, "there is room to send");
        put(run, out, 100, 3, count);
        get(run, in, 100, 3, count);
}

void case_pollfd(struct run *run)
{
        struct ipw_message many[2] = { { .data = inbox, .capacity = 100 }, { .data = inbox + 100, .capacity = 100 } };
        struct ipw_link *in, *out;
        struct epoll_event event = { .events = EPOLLIN };
        struct pollfd p;
        int epoll;

        open_both(run, 0, &in, &out);
        EQUAL(ipw_pollfd(in, 3, &p), -EINVAL);
        EQUAL(ipw_pollfd(in, IPW_SEND, &p), -EOPNOTSUPP);
        put(run, out, 50, 1, 0); /* before anybody asked for a descriptor */
        put(run, out, 50, 1, 1);
        put(run, out, 50, 1, 2);
        get(run, in, 50, 1, 0);
        if (!can_poll(run, in, &p))
                return;
        must_be_ready(p, "two messages were there before it was asked for");
        get(run, in, 50, 1, 1);
        must_be_ready(p, "one message is left");
        get(run, in, 50, 1, 2);
        must_be_quiet(in, p);
        for (unsigned i = 0; i < 5; i++)
                put(run, out, 50, 2, i);
        must_be_ready(p, "five messages came");
        if (!is_bytes(run)) {
                EQUAL(ipw_recv_many(in, many, 1, 0), 1);
                must_be_ready(p, "four are left of a batch");
                EQUAL(ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = 1 }, 0), -EMSGSIZE);
                must_be_ready(p, "a message is kept for a larger buffer");
                for (unsigned i = 1; i < 5; i++) {
                        must_be_ready(p, "messages are left");
                        get(run, in, 50, 2, i);
                }
        } else {
                for (unsigned i = 0; i < 5; i++)
                        get(run, in, 50, 2, i);
        }
        must_be_quiet(in, p);
        check_send_side(run, in, out);
        must_be_quiet(in, p);
        epoll = epoll_create1(EPOLL_CLOEXEC);
        event.events = (uint32_t)p.events;
        CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, p.fd, &event) == 0, "epoll refuses the descriptor: %s", strerror(errno));
        CHECK(epoll_wait(epoll, &event, 1, 0) == 0, "epoll says ready with nothing there");
        put(run, out, 50, 4, 0);
        put(run, out, 50, 4, 1);
        CHECK(epoll_wait(epoll, &event, 1, 10000) == 1, "epoll misses two messages");
        get(run, in, 50, 4, 0);
        CHECK(epoll_wait(epoll, &event, 1, 10000) == 1, "epoll misses one message that is left");
        get(run, in, 50, 4, 1);
        EQUAL(ipw_turn(in), 0);
        EQUAL(ipw_turn(out), 0);
        (void)close(epoll);
        (void)ipw_close(out);
        if (ipw_link_caps(in)->flags & IPW_CAP_ENDS) {
                must_be_ready(p, "the end of the conversation");
                EQUAL(try_get(in, SOON), -EPIPE);
        }
        (void)ipw_close(in);
}

enum { LOOP = 2000 };

static void send_for_loop(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        for (unsigned i = 0; i < LOOP; i++) {
                put(run, out, some_size(run, i, 5000), 1, i);
                if (i % 16 == 0) /* let the loop run dry now and then */
                        while (__atomic_load_n(&shared->value[0], __ATOMIC_SEQ_CST) < i)
                                (void)sched_yield();
        }
        step_wait(1);
        (void)ipw_close(out);
}

/* A program whose only wait is poll, and that takes one message for each time it wakes. */
void case_poll_loop(struct run *run)
{
        pid_t pid = peer(run, send_for_loop, NULL);
        struct ipw_link *in;
        size_t have = 0;
        struct pollfd p;

        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        if (!can_poll(run, in, &p)) {
                peer_kill(pid);
                skip("IPW_CAP_POLL");
        }
        for (unsigned got = 0; got < LOOP;) {
                size_t size = some_size(run, got, 5000);
                struct ipw_message m = { .data = inbox + have, .capacity = is_bytes(run) ? size - have : BOX };
                ssize_t n;

                CHECK(poll(&p, 1, 10000) == 1, "poll misses after %u of %u messages", got, LOOP);
                n = ipw_recv(in, &m, 0);
                if (n == -EAGAIN)
                        continue;
                CHECK(n >= 0, "after %u messages: %s", got, result_name(n));
                have += (size_t)n;
                if (is_bytes(run) && have < size)
                        continue;
                EQUAL(have, size);
                check_filled(run, inbox, size, 1, got++);
                arrived(run, inbox, size);
                have = 0;
                __atomic_store_n(&shared->value[0], got, __ATOMIC_SEQ_CST);
        }
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);
}
