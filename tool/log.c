/* SPDX-License-Identifier: MIT */
/*
 * ipcway log: is a durable log whole, what is in it, and a copy of what is whole. All three only read the log; a damaged one is never mended in place, for
 * what looks damaged may be a bad cable.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ipcway.h"
#include "json.h"
#include "log.h"
#include "output.h"
#include "say.h"
#include "target.h"
#include "trace.h"

static struct {
        int trace, json;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "check: one object; dump: an object a line" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

struct reading {
        struct ipw_link *link;
        struct ipw_message m;
};

static int open_at(struct reading *r, const char *address, const char *options, uint64_t from)
{
        struct ipw_why why = { 0 };
        char text[5000];

        (void)snprintf(text, sizeof(text), "%s%c%s&from=%" PRIu64, address, strchr(address, '?') ? '&' : '?', options, from);
        return ipw_open(&r->link, text, IPW_SUB | IPW_EXISTING, 0, &why) < 0 ? say_why(&why) : DONE;
}

/* The next record there is: 1; 0: the end; -errno, with room made for any length. */
static int next(struct reading *r)
{
        ssize_t n;

        while ((n = ipw_recv(r->link, &r->m, 0)) == -EMSGSIZE) {
                void *larger = realloc(r->m.data, r->m.size);

                if (!larger)
                        return -ENOMEM;
                r->m.data = larger;
                r->m.capacity = r->m.size;
        }
        return n >= 0 ? 1 : n == -EAGAIN ? 0 : (int)n;
}

/* ---- check ----------------------------------------------------------------------------------------------------------------------------- */

struct findings {
        uint64_t first, last, records, bytes, lost, places;
        json_t *damage; /* an array to tell it in; NULL: it is printed */
};

/* Up to the end or to damage: 0, -EBADMSG, or -errno. */
static int read_on(struct reading *r, struct findings *f)
{
        int n;

        while ((n = next(r)) > 0) {
                if (!f->first)
                        f->first = r->m.token;
                f->last = r->m.token;
                f->records++;
                f->bytes += r->m.size;
                if (r->m.flags & IPW_HAS_LOST)
                        f->lost += r->m.lost;
        }
        return n;
}

/* Behind damage at `from`: which record comes first? 0: none. */
static int find_next(struct reading *r, const char *address, uint64_t from, uint64_t *sequence)
{
        int status = open_at(r, address, "damage=skip", from), n;

        if (status != DONE)
                return status;
        n = next(r);
        *sequence = n > 0 ? r->m.token : 0;
        if (n < 0)
                status = say_link(r->link);
        (void)ipw_close(r->link);
        return status;
}

static int check_from(struct reading *r, const char *address, struct findings *f)
{
        uint64_t from = 1, sequence;
        struct ipw_why why;
        int status, n;

        for (;;) {
                status = open_at(r, address, "damage=stop", from);
                if (status != DONE)
                        return status;
                n = read_on(r, f);
                ipw_link_why(r->link, &why);
                (void)ipw_close(r->link);
                if (n == 0)
                        return DONE;
                if (n != -EBADMSG)
                        return say_why(&why);
                why.text[strcspn(why.text, ";")] = 0;
                if (f->damage)
                        (void)json_array_append_new(f->damage, json_text(why.text));
                else
                        (void)printf("%s\n", why.text);
                f->places++;
                from = f->last >= from ? f->last + 1 : from;
                status = find_next(r, address, from, &sequence);
                if (status != DONE || !sequence)
                        return status;
                f->lost += sequence - from;
                from = sequence;
        }
}

static uint64_t missing(const struct findings *f)
{
        return f->records ? f->last - f->first + 1 - f->records : 0;
}

static int check_json(const char *address, json_t **out)
{
        struct reading r = { 0 };
        struct findings f = { .damage = json_array() };
        int status = check_from(&r, address, &f);
        json_t *shares;

        free(r.m.data);
        if (status != DONE) {
                json_decref(f.damage);
                return status;
        }
        status = log_shares_json(address, f.first, f.last, &shares);
        *out = json_pack("{s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "first", (json_int_t)f.first, "last", (json_int_t)f.last, "whole",
                         (json_int_t)f.records, "bytes", (json_int_t)f.bytes, "missing", (json_int_t)missing(&f), "damage", f.damage,
                         "shares", shares);
        return f.places ? FAILED : status;
}

static int run_check(const char *address)
{
        struct reading r = { 0 };
        struct findings f = { 0 };
        int status = check_from(&r, address, &f);

        free(r.m.data);
        if (status != DONE)
                return status;
        if (f.records)
                (void)printf("records %" PRIu64 " to %" PRIu64 ": %" PRIu64 " whole, %" PRIu64 " bytes", f.first, f.last, f.records,
                             f.bytes);
        else
                (void)printf("no whole record");
        if (f.places || f.last - f.first + 1 > f.records)
                (void)printf("; %" PRIu64 " damaged place%s, %" PRIu64 " records missing", f.places, f.places == 1 ? "" : "s", missing(&f));
        (void)printf("\n");
        status = log_shares_print(address, f.first, f.last, "");
        if (say_finish() != DONE)
                return FAILED;
        return f.places ? FAILED : status;
}

/* The address without its options, if there is such a log. */
static int find_log(const char *address, char *text, size_t room, bool *there)
{
        struct ipw_link *link;
        struct ipw_why why = { 0 };
        int r;

        (void)snprintf(text, room, "%.*s", (int)strcspn(address, "?"), address);
        r = ipw_open(&link, text, IPW_SUB | IPW_EXISTING, 0, &why);
        *there = r == 0;
        if (r < 0)
                return r == -ENOENT ? DONE : say_why(&why);
        (void)ipw_close(link);
        return DONE;
}

int log_verify(const char *address)
{
        char text[5000];
        bool there;
        int status = find_log(address, text, sizeof(text), &there);

        if (!there)
                return status;
        (void)printf("\n");
        return run_check(text);
}

int log_verify_json(const char *address, json_t **out)
{
        char text[5000];
        bool there;
        int status = find_log(address, text, sizeof(text), &there);

        return there ? check_json(text, out) : status;
}

/* ---- dump ------------------------------------------------------------------------------------------------------------------------------ */

static int print_record(const struct ipw_message *m)
{
        size_t size = 0;
        char *text = NULL;

        if (set.json)
                return json_message_print(stdout, m);
        if (m->flags & IPW_HAS_LOST)
                (void)printf("-\t-\t%" PRIu64 " records are missing here\n", m->lost);
        if (output_text(OUTPUT_TEXT, 1, m, &text, &size) < 0)
                return -ENOMEM;
        (void)printf("%" PRIu64 "\t%zu\t", m->token, m->size);
        (void)fwrite(text, 1, size, stdout);
        if (!size || text[size - 1] != '\n')
                (void)putchar('\n');
        free(text);
        return 0;
}

/* Behind the records, each in a line that is none. */
static int dump_shares(const char *address, uint64_t first, uint64_t last)
{
        json_t *shares, *share;
        size_t i;
        int status;

        if (!set.json)
                return log_shares_print(address, first, last, "-\t-\t");
        status = log_shares_json(address, first, last, &shares);
        json_array_foreach(shares, i, share)
        {
                (void)json_dumpf(share, stdout, JSON_COMPACT);
                (void)putchar('\n');
        }
        json_decref(shares);
        return status;
}

static int run_dump(const char *address)
{
        struct reading r = { 0 };
        struct ipw_why why = { 0 };
        uint64_t first = 0, last = 0;
        int n, status = DONE;

        if (ipw_open(&r.link, address, IPW_SUB | IPW_EXISTING, 0, &why) < 0)
                return say_why(&why);
        while ((n = next(&r)) > 0 && (n = print_record(&r.m)) == 0) {
                first = first ? first : r.m.token;
                last = r.m.token;
        }
        if (n < 0)
                status = n == -ENOMEM ? (say_error("no memory for a record"), FAILED) : say_link(r.link);
        else
                status = dump_shares(address, first, last);
        (void)ipw_close(r.link);
        free(r.m.data);
        n = say_finish();
        return status == DONE ? n : status;
}

/* ---- repair ---------------------------------------------------------------------------------------------------------------------------- */

static int copy(struct reading *r, struct ipw_link *to, uint64_t *records, uint64_t *lost)
{
        int n;

        while ((n = next(r)) > 0) {
                struct ipw_message m = { .data = r->m.data, .size = r->m.size, .token = r->m.token, .flags = IPW_DEFER };
                ssize_t sent = ipw_send(to, &m, IPW_FOREVER);

                if (sent < 0 && sent != -EINPROGRESS)
                        return say_link(to);
                ++*records;
                *lost += r->m.flags & IPW_HAS_LOST ? r->m.lost : 0;
        }
        if (n < 0)
                return n == -ENOMEM ? (say_error("no memory for a record"), FAILED) : say_link(r->link);
        return ipw_flush(to, IPW_FOREVER) < 0 ? say_link(to) : DONE;
}

static int run_repair(const char *address, const char *aside)
{
        struct reading r = { 0 };
        struct ipw_link *to;
        struct ipw_why why = { 0 };
        uint64_t records = 0, lost = 0;
        char text[5000];
        int status = open_at(&r, address, "damage=skip", 1);

        if (status != DONE)
                return status;
        (void)snprintf(text, sizeof(text), "%s%cack=disk&numbers=given", aside, strchr(aside, '?') ? '&' : '?');
        if (ipw_open(&to, text, IPW_PUB | IPW_FRESH, 0, &why) < 0) {
                (void)ipw_close(r.link);
                return say_why(&why);
        }
        status = copy(&r, to, &records, &lost);
        (void)ipw_close(to);
        (void)ipw_close(r.link);
        free(r.m.data);
        if (status != DONE)
                return status;
        (void)printf("%" PRIu64 " records copied with their numbers, %" PRIu64 " missing\n", records, lost);
        return say_finish();
}

static int run(const struct arguments *a)
{
        bool check = a->count && strcmp(a->word[0], "check") == 0, dump = a->count && strcmp(a->word[0], "dump") == 0,
             repair = a->count && strcmp(a->word[0], "repair") == 0;
        struct target from, to;
        json_t *whole = NULL;
        int r;

        if (repair && set.json) {
                say_error("log: --json is for check and dump");
                return WRONG_USAGE;
        }
        if (!(check || dump || repair) || a->count != (repair ? 3 : 2) || a->dashes) {
                say_error("log: needs check ADDR, dump ADDR, or repair ADDR NEW; see: ipcway help log");
                return WRONG_USAGE;
        }
        r = target_named(&from, a->word[1], "log", NULL, NULL);
        if (r == DONE && repair)
                r = target_named(&to, a->word[2], "log", NULL, NULL);
        if (r != DONE)
                return r;
        if (set.trace)
                trace_start();
        if (repair)
                return run_repair(from.text, to.text);
        if (dump)
                return run_dump(from.text);
        if (!set.json)
                return run_check(from.text);
        r = check_json(from.text, &whole);
        return !whole ? r : json_print(whole) == DONE ? r : FAILED;
}

const struct command command_log = {
        .name = "log",
        .group = "Fix",
        .arguments = "check|dump|repair ADDR [NEW]",
        .verbs = "check|dump|repair",
        .bare = "log",
        .summary = "is a durable log whole, what is in it, a copy of what is whole",
        .text = "check reads every record, tells each damaged place, and ends with status 1 if there is one; then how far receivers are that share a position. dump prints number, size and payload of each\n"
                "record, up to damage; with '?damage=skip' also what is behind it; then those positions. repair copies what is whole to a new log, with the numbers it had. None of them\n"
                "changes the log.\n"
                "\n"
                "  ipcway log check /var/lib/app/orders\n"
                "  ipcway log repair /var/lib/app/orders /var/lib/app/orders.repaired\n",
        .settings = settings,
        .run = run,
};
