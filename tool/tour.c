/* SPDX-License-Identifier: MIT */
/* ipcway tour: real data through every mechanism there is, between two processes, and what happens when one of them is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "say.h"
#include "target.h"
#include "tour_event.h"
#include "tour_gate.h"
#include "tour_row.h"
#include "tour_segment.h"

static struct {
        int json, strict;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON instead of a table" },
        { SETTING_FLAG, 0, "strict", NULL, &set.strict, "what this machine lacks counts as failed" },
        { 0 },
};

enum { ROWS = 64, WIDTH = 100 };
static const int64_t longest = 90000000000;     /* ns for the whole tour of a file that is not large */
static const size_t worth_more_time = 64 << 20; /* bytes: one more second for each so many */

static const char *paint(const char *code)
{
        return say_colour() ? code : "";
}
#define BOLD  paint("\033[1m")
#define GREEN paint("\033[32m")
#define RED   paint("\033[31m")
#define DIM   paint("\033[2m")
#define PLAIN paint("\033[0m")

static uint64_t per_second(const struct tour_row *row)
{
        return row->spent > 0 ? (uint64_t)((double)row->bytes * 1e9 / (double)row->spent) : 0;
}

static int is_on_tour(const struct ipw_mechanism *m)
{
        return !m->events && m->sample && *m->sample && target_role(m, IPW_SEND) && target_role(m, IPW_RECV);
}

static int name_width(void)
{
        int width = 4;

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                if (is_on_tour(m) && (int)strlen(m->scheme) > width)
                        width = (int)strlen(m->scheme);
        return width;
}

static void print_trouble(enum duo_end end, const char *why)
{
        if (end == DUO_LACKING)
                printf("%sskipped: %s%s\n", DIM, why, PLAIN);
        else
                printf("%sFAILED: %s%s\n", RED, why, PLAIN);
}

static void print_head(const char *file, const struct tour *t, int width)
{
        const char *slash = strrchr(file, '/');

        printf("%sipcway %s%s: %.20s (%s), %u time%s, between two processes, every byte compared\n\n", BOLD, IPW_VERSION, PLAIN,
               slash ? slash + 1 : file, number_size(t->size).text, t->passes, t->passes == 1 ? "" : "s");
        printf("%s%-*s  %9s  %10s  %12s  %s%s\n", BOLD, width, "WHAT", "MOVED", "P50 *", "THROUGHPUT", "GOOD FOR", PLAIN);
        (void)fflush(stdout);
}

/* What fits, up to the end of a clause, or else of a word. */
static int fitting(const char *text, int room)
{
        if ((int)strlen(text) <= room)
                return (int)strlen(text);
        for (const char *ends = ",;"; ends; ends = *ends == ',' ? " " : NULL)
                for (int length = room; length > 0; length--)
                        if (strchr(ends, text[length]))
                                return length;
        return room;
}

static void print_moved(const struct tour_row *row, int width)
{
        char rate[32];

        printf("%-*s  ", width, row->mechanism->scheme);
        if (row->moved != DUO_WELL) {
                print_trouble(row->moved, row->why);
        } else {
                (void)snprintf(rate, sizeof(rate), "%s/s", number_size(per_second(row)).text);
                printf("%s%9s%s  %10s  %12s  %.*s\n", GREEN, number_size(row->bytes).text, PLAIN, number_short_time(row->round_trip).text,
                       rate, fitting(row->mechanism->good_for, WIDTH - width - 41), row->mechanism->good_for);
        }
        (void)fflush(stdout);
}

static void print_killed(const struct tour_row *row, int width)
{
        printf("%-*s  ", width, row->mechanism->scheme);
        if (row->killed != DUO_WELL) {
                print_trouble(row->killed, row->killed_why);
                return;
        }
        printf("%s%llu sent, %llu arrived whole%s, ", GREEN, (unsigned long long)row->sent, (unsigned long long)row->arrived, PLAIN);
        if (row->discarded)
                printf("%llu unfinished discarded; ", (unsigned long long)row->discarded);
        else
                printf("nothing unfinished; ");
        if (row->end_seen)
                printf("the end was seen after %s\n", number_short_time(row->end_after).text);
        else
                printf("there are no peers here to be told\n");
        (void)fflush(stdout);
}

static const char *word_for(enum duo_end end)
{
        return end == DUO_WELL ? "ok" : end == DUO_LACKING ? "skipped" : "failed";
}

static json_t *left_as_json(const struct tour_row *row)
{
        json_t *left = json_pack("{s:s}", "status", word_for(row->left));

        if (row->left != DUO_WELL) {
                (void)json_object_set_new(left, "why", json_string(row->left_why));
                return left;
        }
        (void)json_object_set_new(left, "sender_told", json_boolean(row->told));
        if (row->told)
                (void)json_object_set_new(left, "told_after_ns", json_integer(row->told_after));
        return left;
}

static json_t *as_json(const struct tour_row *row)
{
        json_t *o = json_pack("{s:s,s:s,s:s}", "what", row->mechanism->scheme, "status", word_for(row->moved), "good_for",
                              row->mechanism->good_for);
        json_t *killed = json_pack("{s:s}", "status", word_for(row->killed));

        if (row->moved != DUO_WELL) {
                (void)json_object_set_new(o, "why", json_string(row->why));
                json_decref(killed);
                return o;
        }
        (void)json_object_set_new(o, "stack", json_string(row->stack));
        (void)json_object_set_new(o, "moved_bytes", json_integer((json_int_t)row->bytes));
        (void)json_object_set_new(o, "as", json_string(row->text ? "hex" : "bytes"));
        (void)json_object_set_new(o, "messages", json_integer((json_int_t)row->messages));
        (void)json_object_set_new(o, "round_trip_p50_ns", json_integer(row->round_trip));
        (void)json_object_set_new(o, "bytes_per_second", json_integer((json_int_t)per_second(row)));
        if (row->killed == DUO_WELL) {
                (void)json_object_set_new(killed, "sent", json_integer((json_int_t)row->sent));
                (void)json_object_set_new(killed, "arrived", json_integer((json_int_t)row->arrived));
                (void)json_object_set_new(killed, "discarded", json_integer((json_int_t)row->discarded));
                (void)json_object_set_new(killed, "end_seen", json_boolean(row->end_seen));
                if (row->end_seen)
                        (void)json_object_set_new(killed, "end_after_ns", json_integer(row->end_after));
        } else {
                (void)json_object_set_new(killed, "why", json_string(row->killed_why));
        }
        (void)json_object_set_new(o, "sender_killed", killed);
        (void)json_object_set_new(o, "receiver_killed", left_as_json(row));
        return o;
}

static int list_rows(struct tour_row row[ROWS])
{
        int n = 0;

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m && n < ROWS; m = ipw_mechanism_next(m))
                if (is_on_tour(m)) {
                        row[n] = (struct tour_row){
                                .mechanism = m, .moved = DUO_INTERRUPTED, .killed = DUO_INTERRUPTED, .left = DUO_INTERRUPTED
                        };
                        n++;
                }
        return n;
}

static void print_notes(const struct tour_row *row, int rows)
{
        printf("\n%s* median time for 64 bytes there and back, both sides sleeping in between\n", DIM);
        for (int i = 0; i < rows; i++)
                if (row[i].text)
                        printf("  %s holds lines of text: the file was moved as hexadecimal digits\n", row[i].mechanism->scheme);
        for (int i = 0; i < rows; i++)
                if (row[i].drops)
                        printf("  %s drops what comes too fast: the receiver confirmed each message\n", row[i].mechanism->scheme);
        printf("%s\n%sA sender killed with -9 in mid-message%s\n", PLAIN, BOLD, PLAIN);
}

static void print_left(const struct tour_row *row, int width)
{
        printf("%-*s  ", width, row->mechanism->scheme);
        if (row->left != DUO_WELL)
                print_trouble(row->left, row->left_why);
        else if (row->told)
                printf("%sthe sender was told%s after %s: %s\n", GREEN, PLAIN, number_short_time(row->told_after).text,
                       strerror(row->told));
        else
                printf("there are no peers here to be told of; sends end by their timeout\n");
        (void)fflush(stdout);
}

/* What the tour finds out beside the messages. */
struct others {
        struct tour_segment segment[ROWS];
        struct tour_gate gate[ROWS];
        struct tour_events events;
        int segments, gates;
};

static void list_others(struct others *o)
{
        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m)) {
                if (m->segment && m->sample && *m->sample && o->segments < ROWS)
                        o->segment[o->segments++] = (struct tour_segment){ .mechanism = m, .end = DUO_INTERRUPTED };
                if (m->gate && m->sample && *m->sample && o->gates < ROWS)
                        o->gate[o->gates++] = (struct tour_gate){ .mechanism = m, .end = DUO_INTERRUPTED };
        }
}

static void print_segment(const struct tour_segment *row, int width)
{
        printf("%-*s  ", width, row->mechanism->scheme);
        if (row->end != DUO_WELL) {
                print_trouble(row->end, row->why);
                return;
        }
        printf("%s%9s%s  %8s/s  %s\n", GREEN, number_size(row->bytes).text, PLAIN,
               number_size((uint64_t)((double)row->bytes * 1e9 / (double)(row->spent ? row->spent : 1))).text, row->mechanism->good_for);
        (void)fflush(stdout);
}

static json_t *segment_as_json(const struct tour_segment *row)
{
        json_t *o = json_pack("{s:s,s:s}", "what", row->mechanism->scheme, "status", word_for(row->end));

        if (row->end == DUO_WELL) {
                (void)json_object_set_new(o, "bytes", json_integer((json_int_t)row->bytes));
                (void)json_object_set_new(o, "nanoseconds", json_integer(row->spent));
        } else {
                (void)json_object_set_new(o, "why", json_string(row->why));
        }
        return o;
}

static void take_segments(struct tour *t, struct others *o, int width)
{
        if (!set.json && o->segments)
                printf("\n%sMemory that one process writes and another compares where it lies%s\n", BOLD, PLAIN);
        for (int i = 0; i < o->segments && !t->interrupted; i++) {
                tour_segment(t, &o->segment[i]);
                if (!set.json && !t->interrupted)
                        print_segment(&o->segment[i], width);
        }
}

static void print_gates_head(int width)
{
        printf("\n%sA gate that two processes pass in turn, and a holder killed with -9 while the other waits%s\n", BOLD, PLAIN);
        printf("%s%-*s  %9s  %10s  %s%s\n", BOLD, width, "WHAT", "PASSED", "P50 **", "HOLDER KILLED", PLAIN);
        (void)fflush(stdout);
}

static void print_gate(const struct tour_gate *row, int width)
{
        printf("%-*s  ", width, row->mechanism->scheme);
        if (row->end != DUO_WELL) {
                print_trouble(row->end, row->why);
                return;
        }
        printf("%s%9llu%s  %10s  ", GREEN, (unsigned long long)row->passed, PLAIN, number_short_time(row->hand_over).text);
        if (row->freed)
                printf("the kernel gave it to who waited, after %s\n", number_short_time(row->freed_after).text);
        else
                printf("the permit was gone with it; a post gave it back\n");
        (void)fflush(stdout);
}

static json_t *gate_as_json(const struct tour_gate *row)
{
        json_t *o = json_pack("{s:s,s:s}", "what", row->mechanism->scheme, "status", word_for(row->end));

        if (row->end != DUO_WELL) {
                (void)json_object_set_new(o, "why", json_string(row->why));
                return o;
        }
        (void)json_object_set_new(o, "passed", json_integer((json_int_t)row->passed));
        (void)json_object_set_new(o, "hand_over_p50_ns", json_integer(row->hand_over));
        (void)json_object_set_new(o, "freed_when_killed", json_boolean(row->freed));
        if (row->freed)
                (void)json_object_set_new(o, "freed_after_ns", json_integer(row->freed_after));
        return o;
}

static void take_gates(struct tour *t, struct tour_gate *gate, int gates, int width)
{
        if (!set.json && gates)
                print_gates_head(width);
        for (int i = 0; i < gates && !t->interrupted; i++) {
                tour_gate(t, &gate[i]);
                if (!set.json && !t->interrupted)
                        print_gate(&gate[i], width);
        }
        if (!set.json && gates && !t->interrupted)
                printf("%s** median time from a release until the other, asleep, has it%s\n", DIM, PLAIN);
}

static void take(struct tour *t, struct tour_row *row, int rows, int width)
{
        for (int i = 0; i < rows && !t->interrupted; i++) {
                tour_move(t, &row[i]);
                if (!set.json && !t->interrupted)
                        print_moved(&row[i], width);
        }
        if (t->interrupted)
                return;
        if (!set.json)
                print_notes(row, rows);
        for (int i = 0; i < rows && !t->interrupted; i++) {
                if (row[i].moved != DUO_WELL)
                        continue;
                tour_kill(t, &row[i]);
                if (!set.json && !t->interrupted)
                        print_killed(&row[i], width);
        }
        if (!set.json && !t->interrupted)
                printf("\n%sA receiver killed with -9 while its sender waits%s\n", BOLD, PLAIN);
        for (int i = 0; i < rows && !t->interrupted; i++) {
                if (row[i].moved != DUO_WELL)
                        continue;
                tour_leave(t, &row[i]);
                if (!set.json && !t->interrupted)
                        print_left(&row[i], width);
        }
}

static void print_events(const struct tour_events *e)
{
        printf("\n%sBeing told%s\n", BOLD, PLAIN);
        if (e->end != DUO_WELL) {
                print_trouble(e->end, e->why);
                return;
        }
        printf("%ssignal  %u standard and %u real-time ones sent and received%s, each with its value\n", GREEN, e->standard, e->real_time,
               PLAIN);
        printf("%schild   was stopped, went on and was killed%s: its parent was told of all %u\n", GREEN, PLAIN, e->states);
        printf("%stimer   %u ticks of 2 ms%s, %u missed\n", GREEN, e->ticks, PLAIN, e->missed);
}

static json_t *events_json(const struct tour_events *e)
{
        json_t *o = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i}", "status", word_for(e->end), "standard_signals", (int)e->standard,
                              "real_time_signals", (int)e->real_time, "child_states", (int)e->states, "ticks", (int)e->ticks,
                              "ticks_missed", (int)e->missed);

        if (e->end != DUO_WELL)
                (void)json_object_set_new(o, "why", json_string(e->why));
        return o;
}

struct sum {
        int well, skipped, failed;
};

static void add(struct sum *sum, enum duo_end end)
{
        sum->skipped += end == DUO_LACKING;
        sum->well += end == DUO_WELL;
        sum->failed += end != DUO_WELL && end != DUO_LACKING;
}

static int sum_up(const struct tour_row *row, int rows, const struct others *o, const char *file, const struct tour *t, int64_t spent)
{
        struct sum sum = { 0 };
        json_t *list = json_array(), *segments = json_array(), *gates = json_array();
        int status;

        for (int i = 0; i < o->segments; i++) {
                add(&sum, o->segment[i].end);
                (void)json_array_append_new(segments, segment_as_json(&o->segment[i]));
        }
        for (int i = 0; i < o->gates; i++) {
                add(&sum, o->gate[i].end);
                (void)json_array_append_new(gates, gate_as_json(&o->gate[i]));
        }
        for (int i = 0; i < rows; i++) {
                add(&sum, row[i].moved != DUO_WELL    ? row[i].moved
                          : row[i].killed != DUO_WELL ? DUO_FAILED
                          : row[i].left == DUO_WELL   ? DUO_WELL
                                                      : DUO_FAILED);
                (void)json_array_append_new(list, as_json(&row[i]));
        }
        add(&sum, o->events.end);
        status = sum.failed || (set.strict && sum.skipped) ? FAILED : DONE;
        if (set.json) {
                (void)json_print(json_pack("{s:s,s:I,s:i,s:o,s:o,s:o,s:o,s:i,s:i,s:i,s:f}", "file", file, "file_bytes", (json_int_t)t->size,
                                           "passes", (int)t->passes, "ways", list, "segments", segments, "gates", gates, "events",
                                           events_json(&o->events), "passed", sum.well, "skipped", sum.skipped, "failed", sum.failed,
                                           "seconds", (double)spent / 1e9));
                return status;
        }
        json_decref(list);
        json_decref(segments);
        json_decref(gates);
        printf("\n%d passed, %d skipped, %s%d failed%s in %s; all names are removed\n", sum.well, sum.skipped, sum.failed ? RED : "",
               sum.failed, sum.failed ? PLAIN : "", number_short_time(spent).text);
        return status;
}

static int run(const struct arguments *a)
{
        static struct tour_row row[ROWS];
        static struct others o;
        const char *file = a->count ? a->word[0] : "/proc/self/exe";
        char *real;
        int64_t start = now();
        struct tour t;
        int rows, status;

        if (a->count > 1 || a->dashes) {
                say_error("tour: takes one file at most; see: ipcway help tour");
                return WRONG_USAGE;
        }
        real = realpath(file, NULL);
        if (real)
                file = real;
        duo_prepare();
        status = tour_open(&t, file);
        if (status != DONE)
                goto out;
        t.until = start + longest + (int64_t)(t.size / worth_more_time) * 1000000000;
        rows = list_rows(row);
        list_others(&o);
        if (!set.json)
                print_head(file, &t, name_width());
        take(&t, row, rows, name_width());
        if (!t.interrupted)
                take_segments(&t, &o, name_width());
        if (!t.interrupted)
                take_gates(&t, o.gate, o.gates, name_width());
        if (!t.interrupted)
                tour_events(&t, &o.events);
        if (!t.interrupted && !set.json)
                print_events(&o.events);
        if (!t.interrupted)
                status = sum_up(row, rows, &o, file, &t, now() - start);
        tour_close(&t);
        if (t.interrupted) {
                sigset_t set_of;

                (void)fflush(stdout);
                (void)signal(t.interrupted, SIG_DFL);
                (void)raise(t.interrupted);
                (void)sigemptyset(&set_of);
                (void)sigaddset(&set_of, t.interrupted);
                (void)sigprocmask(SIG_UNBLOCK, &set_of, NULL);
        }
        if (status == DONE)
                status = say_finish();
out:
        free(real);
        return status;
}

const struct command command_tour = {
        .name = "tour",
        .group = "Learn",
        .arguments = "[FILE]",
        .summary = "move a file through everything this machine has, and kill a sender and a receiver on the way",
        .text = "FILE (this program itself, if none is given) goes through every mechanism, between two separate processes, and every byte is compared.\n"
                "P50 is the median time for 64 bytes there and back, where each side sleeps until the other's message comes. Then a sender is killed\n"
                "with -9 in mid-message: what it had sent must arrive, nothing half may, and nobody may hang; then a\n"
                "receiver, while its sender waits: who is told, and how soon. Raw shared memory is written by one process\n"
                "and compared by the other where it lies. Every semaphore and lock is passed\n"
                "between two processes, and a holder killed: who gets it? At last every signal that can be received is sent to\n"
                "another process, and a child is stopped, let go on and killed. Leaves nothing behind.\n"
                "\n"
                "Status: 1 if one failed; with --strict also if one was skipped.\n"
                "\n"
                "  ipcway tour\n"
                "  ipcway tour photo.jpg --json\n",
        .settings = settings,
        .run = run,
};
