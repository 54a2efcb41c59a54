/* SPDX-License-Identifier: MIT */
/*
 * Descriptors for System V queues, which have none.
 *
 * Receiving. A thread calls msgrcv(2) with room for 0 bytes. E2BIG means that a message is there, and leaves it; the thread rings the
 * eventfd and goes idle. That has one flaw: an empty message does fit, and is taken. It is handed to the receiver, but only a thread that has woken
 * can hand over, so a receiver that looked at the queue meanwhile could overtake it, or sleep although it is there. Therefore the queue
 * belongs to one side at a time: to the thread while it watches, else to the receiver. Two things hold whenever no call is running:
 *
 *      the eventfd is rung, or the thread watches (or both: ready for nothing)
 *      the thread watches only after a receive has found nothing for the link's selector
 *
 * A loop that receives when told to finds the thread idle. A receive that comes unasked takes the queue back by cancelling the thread, which costs
 * tens of microseconds. Cancelling (msgrcv is the one place where it can strike) may come just when the kernel has given the
 * thread an empty message: it has then written the type into our memory, and that is where one looks. Nothing else wakes the thread:
 * signals are blocked in it and a signal without handler would not do it.
 *
 * Sending. Nothing tells of room but trying; so the descriptor is a timer, one thread fewer.
 */
#include "mq_sysv.h"

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"

enum { TICK_FIRST = 1000000, TICK_LAST = 20000000 }; /* ns */

static int ring(struct bell *b)
{
        static const uint64_t one = 1;

        ssize_t r = sys_write("ring: there may be a message", b->fd, &one, sizeof(one));

        return (int)MIN(r, 0);
}

/* If ringing fails, it is tried again: nobody else would tell the receiver. */
static void *watch_queue(void *argument)
{
        struct bell *b = argument;
        int old;

        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        (void)pthread_mutex_lock(&b->lock);
        for (;;) {
                while (!b->armed && !b->stop)
                        (void)pthread_cond_wait(&b->turn, &b->lock);
                if (b->stop)
                        break;
                (void)pthread_mutex_unlock(&b->lock);
                if (!b->empty->type)
                        (void)sys_msgrcv_cancellable("sleep until a message comes, without taking it", b->id, &b->empty->type, 0,
                                                     b->selector);
                (void)pthread_mutex_lock(&b->lock);
                if (ring(b) == 0)
                        b->armed = 0;
        }
        (void)pthread_mutex_unlock(&b->lock);
        return NULL;
}

static int start(struct bell *b)
{
        int r;

        if (b->running)
                return 0;
        r = sys_thread("what wakes the descriptor of a System V queue", &b->thread, watch_queue, b);
        b->running = r == 0;
        return r;
}

/* Whatever the thread is doing. When this returns there is none. */
static void stop(struct bell *b)
{
        if (!b->running)
                return;
        (void)pthread_mutex_lock(&b->lock);
        b->stop = 1;
        (void)pthread_cond_signal(&b->turn);
        (void)pthread_mutex_unlock(&b->lock);
        (void)pthread_cancel(b->thread);
        (void)pthread_join(b->thread, NULL);
        b->stop = b->armed = b->running = 0;
}

static struct held *take_empty(struct bell *b)
{
        struct held *empty = b->empty;

        if (!empty || !empty->type)
                return NULL;
        b->empty = NULL;
        return empty;
}

int bell_open(struct bell *b, int id, long selector)
{
        int r;

        if (b->fd >= 0)
                return 0;
        b->id = id;
        b->selector = selector;
        (void)pthread_mutex_init(&b->lock, NULL);
        (void)pthread_cond_init(&b->turn, NULL);
        b->fd = sys_eventfd("a descriptor that says when to receive", 0);
        r = MIN(b->fd, 0);
        if (r == 0)
                r = start(b);
        if (r == 0)
                r = ring(b);
        if (r < 0) {
                stop(b);
                sys_closep(&b->fd);
                b->fd = -1;
        }
        return r;
}

void bell_watch(struct bell *b)
{
        uint64_t count;

        if (b->fd < 0)
                return;
        if (!b->empty)
                b->empty = sys_alloc("room for an empty message", sizeof(*b->empty));
        if (!b->empty || start(b) < 0)
                return;
        (void)sys_read("clear: there was nothing", b->fd, &count, sizeof(count)); /* before the watch, which may ring at once */
        (void)pthread_mutex_lock(&b->lock);
        b->armed = 1;
        (void)pthread_cond_signal(&b->turn);
        (void)pthread_mutex_unlock(&b->lock);
        b->watching = 1;
}

int bell_take_back(struct bell *b, struct held **empty)
{
        int armed, r;

        (void)pthread_mutex_lock(&b->lock);
        armed = b->armed;
        (void)pthread_mutex_unlock(&b->lock);
        if (armed) {
                r = ring(b);
                if (r < 0)
                        return r;
                stop(b);
        }
        b->watching = 0;
        *empty = take_empty(b);
        return 0;
}

void bell_close(struct bell *b, int inherited, struct held **empty)
{
        if (b->fd >= 0 && !inherited) {
                stop(b);
                *empty = take_empty(b);
                (void)pthread_cond_destroy(&b->turn);
                (void)pthread_mutex_destroy(&b->lock);
        }
        free(b->empty);
        sys_closep(&b->fd);
}

static int tick(struct tick *t, int64_t first, int64_t then)
{
        struct itimerspec when = { .it_value.tv_nsec = first, .it_interval.tv_nsec = then };

        return sys_timerfd_settime("when to try to send", t->fd, &when);
}

int tick_open(struct tick *t)
{
        int r;

        if (t->fd >= 0)
                return 0;
        t->fd = sys_timerfd_create("a descriptor that says when to try to send");
        if (t->fd < 0)
                return t->fd;
        r = tick(t, 1, 0);
        if (r < 0) {
                sys_closep(&t->fd);
                t->fd = -1;
        }
        return r;
}

/* Setting the timer makes the descriptor silent until it has run off. Where that fails it stays as it is: ready, or about to be. */
void tick_full(struct tick *t)
{
        if (t->fd < 0)
                return;
        t->pause = t->pause ? MIN(t->pause * 2, (int64_t)TICK_LAST) : TICK_FIRST;
        (void)tick(t, t->pause, t->pause);
}

void tick_sent(struct tick *t)
{
        if (t->fd < 0 || !t->pause)
                return;
        t->pause = 0;
        (void)tick(t, 1, 0);
}
