/* SPDX-License-Identifier: MIT */
/* The library's rings, by the public API alone: copied, or filled and read where they lie. */
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>

#include "rings.h"

static void address(const struct lane *l, char text[200])
{
        (void)snprintf(text, 200, "shm:/%s%s%s", l->name, l->options ? "?" : "", l->options ? l->options : "");
}

/* One set serves a loop. */
static struct ipw_message *messages(struct lane *l)
{
        return l->memory;
}

static void join(struct lane *l, int sender)
{
        unsigned role = l->broadcast ? sender ? IPW_PUB : IPW_SUB : sender ? IPW_PUSH : IPW_PULL;
        struct ipw_link *link;
        struct ipw_why why;
        char text[200];

        address(l, text);
        if (ipw_open(&link, text, role, IPW_MS(10000), &why) < 0)
                trouble("%s", why.text);
        l->link = link;
        l->memory = calloc(l->batch, sizeof(struct ipw_message));
        for (unsigned i = 0; i < l->batch; i++)
                messages(l)[i] = (struct ipw_message){ .data = l->buffer + i * l->size, .capacity = l->size, .size = l->size };
}

static void make(struct lane *l)
{
        struct ipw_link *link;

        join(l, 1); /* it is there, with its pages, before the time begins */
        link = l->link;
        (void)ipw_close(link);
        l->link = NULL;
        free(l->memory);
        l->memory = NULL;
}

static void unmake(struct lane *l)
{
        char text[200];

        (void)snprintf(text, sizeof(text), "shm:/%s", l->name);
        (void)ipw_remove(text, NULL);
}

static void failed(struct lane *l)
{
        struct ipw_why why;

        ipw_link_why(l->link, &why);
        trouble("%s", why.text);
}

static void send_messages(struct lane *l, uint64_t number, unsigned n)
{
        struct ipw_message *m = messages(l);
        ssize_t r;

        for (unsigned i = 0; i < n; i++)
                fill(l, m[i].data, number + i);
        if (l->batch == 1) {
                if (ipw_send(l->link, m, IPW_FOREVER) < 0)
                        failed(l);
                return;
        }
        for (unsigned done = 0; done < n; done += (unsigned)r) {
                r = ipw_send_many(l->link, m + done, n - done, IPW_FOREVER);
                if (r < 0)
                        failed(l);
        }
}

static unsigned recv_messages(struct lane *l, uint64_t *numbers)
{
        struct ipw_message *m = messages(l);
        ssize_t r;

        do
                r = l->batch > 1 ? ipw_recv_many(l->link, m, l->batch, l->patience) : ipw_recv(l->link, m, l->patience);
        while (r == -EAGAIN);
        if (r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                failed(l);
        r = l->batch > 1 ? r : 1;
        for (unsigned i = 0; i < (unsigned)r; i++)
                numbers[i] = use(l, m[i].data);
        return (unsigned)r;
}

static void send_lent(struct lane *l, uint64_t number, unsigned n)
{
        struct ipw_span spans[BATCH_MOST];
        ssize_t r;

        for (unsigned done = 0; done < n; done += (unsigned)r) {
                r = ipw_claim(l->link, l->size, spans, n - done, IPW_FOREVER);
                if (r < 0)
                        failed(l);
                for (unsigned i = 0; i < (unsigned)r; i++)
                        fill(l, spans[i].data, number + done + i);
                if (ipw_commit(l->link, spans, (size_t)r) != r)
                        failed(l);
        }
}

static unsigned recv_lent(struct lane *l, uint64_t *numbers)
{
        struct ipw_span spans[BATCH_MOST];
        ssize_t r;

        r = ipw_borrow(l->link, spans, l->batch, l->patience);
        if (r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                failed(l);
        for (unsigned i = 0; i < (unsigned)r; i++)
                numbers[i] = use(l, spans[i].data);
        if (ipw_give_back(l->link, spans, (size_t)r) < 0)
                failed(l);
        return (unsigned)r;
}

const struct way our_ring = { .make = make, .join = join, .send = send_messages, .recv = recv_messages, .unmake = unmake };
const struct way our_lent_ring = { .make = make, .join = join, .send = send_lent, .recv = recv_lent, .unmake = unmake };
