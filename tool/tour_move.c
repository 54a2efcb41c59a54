/* SPDX-License-Identifier: MIT */
/*
 * Two processes, a link there and a link back. First 64 bytes go there and back, one at a time, which measures the hand-over between two
 * sleepers: the figure is the median of whole round trips. Then the file goes there, as often as it takes to measure something; the
 * receiver compares every byte with its own copy and takes the time from the first send to the last byte compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "tour_way.h"

static const int64_t rounds_last = 300000000; /* ns: on a busy machine there are fewer of them */
enum { PROBE = 2, SMALL = 64, LAST = '!', WARM = 100, CHUNK = 65536 };

static void send_or_fail(struct duo_report *report, struct ipw_link *link, const void *data, size_t size)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)data, .size = size };

        if (ipw_send(link, &m, tour_step) < 0)
                tour_fail_link(report, link);
}

static size_t recv_or_fail(struct duo_report *report, struct ipw_link *link, void *data, size_t room)
{
        struct ipw_message m = { .data = data, .capacity = room };
        ssize_t n = ipw_recv(link, &m, tour_step);

        if (n < 0)
                tour_fail_link(report, link);
        return (size_t)n;
}

static size_t chunk_size(const struct ipw_link *link)
{
        size_t most = ipw_link_caps(link)->max_msg;

        return most < CHUNK ? most : CHUNK;
}

static int compare_times(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* Not every way carries every byte: lines of text carry no newline. Two of them tell; the receiver passes over them if they come. */
static int carries_text_only(struct duo_report *report, struct ipw_link *there)
{
        struct ipw_message m = { .data = (char[]){ '\n', '\n' }, .size = PROBE };
        ssize_t r = ipw_send(there, &m, tour_step);

        if (r == -ETIMEDOUT || r == -EPIPE)
                tour_fail_link(report, there);
        return r < 0;
}

static int64_t ping(struct duo_report *report, struct ipw_link *there, struct ipw_link *back)
{
        static int64_t spent[TOUR_ROUNDS];
        char out[SMALL + 1], in[SMALL];
        int64_t give_up = now() + rounds_last;
        unsigned n = 0;

        for (unsigned i = 0; i < WARM + TOUR_ROUNDS && (i < 2 * WARM || now() < give_up); i++) {
                int64_t start;

                (void)snprintf(out, sizeof(out), "%0*u.", SMALL - 1, i);
                start = now();
                send_or_fail(report, there, out, SMALL);
                if (recv_or_fail(report, back, in, SMALL) != SMALL || memcmp(in, out, SMALL) != 0)
                        duo_fail(report, 0, "64 bytes came back changed in round %u", i);
                if (i >= WARM)
                        spent[n++] = now() - start;
        }
        out[SMALL - 1] = LAST;
        send_or_fail(report, there, out, SMALL);
        qsort(spent, n, sizeof(spent[0]), compare_times);
        return spent[n / 2];
}

static void pong(struct duo_report *report, struct ipw_link *there, struct ipw_link *back)
{
        char m[SMALL];

        for (;;) {
                size_t n = recv_or_fail(report, there, m, SMALL);

                if (n == PROBE)
                        continue;
                if (n != SMALL)
                        duo_fail(report, 0, "a message of 64 bytes came with another size");
                if (m[SMALL - 1] == LAST)
                        return;
                send_or_fail(report, back, m, SMALL);
        }
}

static void to_hex(unsigned char *to, const unsigned char *from, size_t size)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < size; i++) {
                to[2 * i] = (unsigned char)digits[from[i] >> 4];
                to[2 * i + 1] = (unsigned char)digits[from[i] & 15];
        }
}

static void send_file(struct duo_report *report, const struct job *j, struct ipw_link *there, struct ipw_link *back)
{
        static unsigned char digits[CHUNK];
        const struct tour *t = j->tour;
        size_t chunk = chunk_size(there) / (j->shared->text ? 2 : 1);

        for (unsigned pass = 0; pass < t->passes; pass++)
                for (size_t at = 0; at < t->size; at += chunk) {
                        size_t n = t->size - at < chunk ? t->size - at : chunk;

                        if (j->shared->text)
                                to_hex(digits, t->data + at, n);
                        send_or_fail(report, there, j->shared->text ? digits : t->data + at, j->shared->text ? 2 * n : n);
                        if (tour_drops(there))
                                (void)recv_or_fail(report, back, (char[SMALL]){ 0 }, SMALL);
                }
        if (ipw_flush(there, tour_step) < 0)
                tour_fail_link(report, there);
}

static void recv_file(struct duo_report *report, const struct job *j, struct ipw_link *there, struct ipw_link *back)
{
        static unsigned char data[CHUNK], digits[CHUNK];
        struct tour_shared *s = j->shared;
        uint64_t total = (uint64_t)j->tour->size * j->tour->passes;

        while (s->bytes < total) {
                size_t n = recv_or_fail(report, there, data, CHUNK), at = (size_t)(s->bytes % j->tour->size);
                size_t bytes = s->text ? n / 2 : n, left = j->tour->size - at;
                const unsigned char *right = j->tour->data + at;

                if (s->text && bytes <= left) {
                        to_hex(digits, right, bytes);
                        right = digits;
                }
                if (bytes > left || memcmp(data, right, n) != 0)
                        duo_fail(report, 0, "message %llu, at byte %zu of the file, differs from what was sent",
                                 (unsigned long long)s->messages, at);
                s->bytes += bytes;
                s->messages++;
                if (tour_drops(there))
                        send_or_fail(report, back, "+", 1);
        }
}

static void move_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[SENDER];
        struct ipw_link *back, *there;

        tour_drop(&j->there, RECEIVER);
        tour_drop(&j->back, SENDER);
        back = tour_open_end(report, &j->back, RECEIVER);
        tour_wait_for_receiver(j);
        there = tour_open_end(report, &j->there, SENDER);
        memcpy(s->stack, ipw_link_caps(there)->stack, sizeof(s->stack));
        s->text = carries_text_only(report, there);
        s->drops = tour_drops(there);
        s->round_trip = ping(report, there, back);
        s->start = now();
        send_file(report, j, there, back);
        if (ipw_close(there) != 0)
                duo_fail(report, 0, "messages that were accepted were lost at the close");
        (void)ipw_close(back);
}

static void move_receiver(void *context)
{
        struct job *j = context;
        struct duo_report *report = &j->shared->report[RECEIVER];
        struct ipw_link *there, *back;

        tour_drop(&j->there, SENDER);
        tour_drop(&j->back, RECEIVER);
        there = tour_open_end(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        back = tour_open_end(report, &j->back, SENDER);
        pong(report, there, back);
        recv_file(report, j, there, back);
        j->shared->end = now();
        (void)ipw_close(back);
        (void)ipw_close(there);
}

void tour_move(struct tour *t, struct tour_row *row)
{
        struct job j = tour_begin(t);
        struct duo d = { .report = t->shared->report };
        struct ipw_why why = { 0 };
        int r;

        r = tour_way(t, row->mechanism, &j.there, 0, &why);
        if (r == 0)
                r = tour_way(t, row->mechanism, &j.back, 0, &why);
        if (r == 0 && pipe2(j.ready, O_CLOEXEC) < 0) {
                r = -errno;
                (void)snprintf(why.text, sizeof(why.text), "cannot make a pipe: %s", strerror(-r));
        }
        if (r == 0) {
                d.until = tour_sooner(now() + tour_step + (int64_t)(t->size * t->passes) * 50, t->until); /* 20 MB/s is slow */
                r = duo_start(&d, RECEIVER, move_receiver, &j);
                if (r == 0)
                        r = duo_start(&d, SENDER, move_sender, &j);
                if (r < 0) {
                        why.error = -r;
                        (void)snprintf(why.text, sizeof(why.text), "cannot start a process: %s", strerror(-r));
                }
        }
        for (unsigned side = 0; side < 2; side++) {
                tour_drop(&j.there, side);
                tour_drop(&j.back, side);
        }
        tour_close_both(j.ready);
        row->moved = duo_finish(&d, row->why);
        if (r < 0)
                row->moved = tour_trouble(row->why, &why);
        memcpy(row->stack, t->shared->stack, sizeof(row->stack));
        row->bytes = t->shared->bytes;
        row->messages = t->shared->messages;
        row->round_trip = t->shared->round_trip;
        row->text = t->shared->text;
        row->drops = t->shared->drops;
        row->spent = t->shared->end - t->shared->start;
        tour_end_of(t, &d);
}
