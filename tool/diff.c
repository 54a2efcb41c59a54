/* SPDX-License-Identifier: MIT */
/*
 * ipcway diff: what is new, has gone, has grown or is newly blocked between two pictures, or since one, or what a command has left behind. Two things are the same if
 * their ids are, and never by their names; after the machine was started anew nothing is the same.
 *
 * What a command leaves behind is told apart from what others do meanwhile: processes that it has started and that outlive it become children of ours
 * (PR_SET_CHILD_SUBREAPER), so they and what they have are its own. What nobody has, and outlives who made it, is its own if it is new and this user's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "object.h"
#include "picture.h"
#include "say.h"
#include "table.h"
#include "turn.h"

enum change { NEW, GREW, BLOCKED, GONE, CHANGES };
static const char *const changes[] = { "new", "grown", "blocked", "gone" };

static struct {
        int json;
        const char *fail_on;
} set;

static const struct setting settings[] = {
        { SETTING_TEXT, 0, "fail-on", "CHANGE,...", &set.fail_on, "status 1 only for these: new, grown, blocked, gone; or none" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each change, and the sum" },
        { 0 },
};

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 }; /* as diff(1) */

/* ---- kinds ---------------------------------------------------------------------------------------------------------------------------------- */

static const struct kind {
        const char *name, *one, *many;
        bool stays; /* it outlives who made it */
} kinds[] = {
        { "process", "process", "processes", false },
        { "wait", "thread", "threads", false },
        { "pipe", "pipe", "pipes", false },
        { "fifo", "FIFO", "FIFOs", false },
        { "unix", "Unix socket", "Unix sockets", false },
        { "unix+seqpacket", "Unix packet socket", "Unix packet sockets", false },
        { "unix+dgram", "Unix datagram socket", "Unix datagram sockets", false },
        { "tcp", "TCP socket", "TCP sockets", false },
        { "udp", "UDP socket", "UDP sockets", false },
        { "mq", "queue", "queues", true },
        { "mq+sysv", "System V queue", "System V queues", true },
        { "shm", "shared memory object", "shared memory objects", true },
        { "shm+sysv", "System V segment", "System V segments", true },
        { "shm+file", "shared file", "shared files", false },
        { "shm+anon", "memory without a name", "memories without a name", false },
        { "sem", "semaphore", "semaphores", true },
        { "sem+sysv", "set of semaphores", "sets of semaphores", true },
        { "lock", "lock", "locks", false },
        { "eventfd", "eventfd", "eventfds", false },
        { "socket", "other socket", "other sockets", false },
        { "?", "object", "objects", false }, /* of a kind that is not known here */
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char *text_of(const json_t *line, const char *key)
{
        const char *text = json_string_value(json_object_get(line, key));

        return text ? text : "";
}

static const struct kind *kind_of(const json_t *line)
{
        size_t i = 0;

        while (i < KINDS - 1 && strcmp(kinds[i].name, text_of(line, "kind")) != 0)
                i++;
        return &kinds[i];
}

/* ---- what may be seen on a screen: a picture may have been written by anybody ------------------------------------------------------------- */

enum { ROOM = 2048 };
struct cell {
        char text[ROOM];
};

static void say(struct cell *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct cell *c, const char *format, ...)
{
        size_t used = strlen(c->text);
        va_list list;

        va_start(list, format);
        (void)vsnprintf(c->text + used, ROOM - used, format, list);
        va_end(list);
        for (unsigned char *at = (unsigned char *)c->text + used; *at; at++)
                if (*at < ' ' || *at == 127 || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 && (at[1] = '?')))
                        *at = '?';
}

/* Of a process how it is called, of all else its address. */
static void say_what(struct cell *c, const json_t *line)
{
        if (kind_of(line)->stays || (strcmp(text_of(line, "line"), "object") == 0))
                say(c, "%s", text_of(line, "address"));
        else
                say(c, "%s (%s)", text_of(line, "address"), text_of(line, "name"));
}

static int state_of(const char *text)
{
        return strcmp(text, "seen") == 0       ? IPW_FACT_SEEN
               : strcmp(text, "vanished") == 0 ? IPW_FACT_VANISHED
               : strcmp(text, "denied") == 0   ? IPW_FACT_DENIED
                                               : IPW_FACT_UNSUPPORTED;
}

/* As ls says it. */
static void say_content(struct cell *c, const json_t *line)
{
        enum { MOST = 32 };
        const json_t *facts = json_object_get(line, "facts"), *fact;
        struct ipw_probe_object o = { 0 };
        struct ipw_probe_fact list[MOST];
        char numbers[MOST][24], text[ROOM];
        size_t i;

        json_array_foreach(facts, i, fact)
        {
                const json_t *value = json_object_get(fact, "value");
                struct ipw_probe_fact *f = &list[o.fact_count];

                if (o.fact_count == MOST)
                        break;
                *f = (struct ipw_probe_fact){ .name = text_of(fact, "fact"), .number = -1, .state = state_of(text_of(fact, "state")) };
                f->text = text_of(fact, f->state == IPW_FACT_SEEN ? "value" : "why");
                if (json_is_integer(value)) {
                        f->number = json_integer_value(value);
                        (void)snprintf(numbers[o.fact_count], sizeof(numbers[0]), "%lld", (long long)f->number);
                        f->text = numbers[o.fact_count];
                }
                o.fact_count++;
        }
        o.facts = list;
        object_content(&o, text, sizeof(text));
        say(c, "%s", text);
}

static bool says(const json_t *user, const char *how)
{
        const json_t *word;
        size_t i;

        json_array_foreach(json_object_get(user, "how"), i, word)
        {
                if (strcmp(json_string_value(word), how) == 0)
                        return true;
        }
        return false;
}

/* Not one whom only the kernel remembers. */
static bool uses_now(const json_t *user)
{
        return json_is_integer(json_object_get(user, "fd")) || says(user, "maps") || says(user, "holds") || says(user, "waits");
}

static void say_users(struct cell *c, const json_t *line)
{
        enum { MOST = 6 };
        const json_t *users = json_object_get(line, "users"), *user;
        size_t i, told = 0;

        json_array_foreach(users, i, user)
        {
                const char *process = json_string_value(json_object_get(user, "process"));

                if (told == MOST) {
                        say(c, ", ...");
                        break;
                }
                if (json_integer_value(json_object_get(user, "pid")) > 0)
                        say(c, "%s%lld(%s)%s", told++ ? ", " : "", (long long)json_integer_value(json_object_get(user, "pid")),
                            process ? process : "?",
                            uses_now(user)       ? ""
                            : says(user, "made") ? ":made"
                                                 : ":last");
        }
        if (told == 0 && json_is_integer(json_object_get(line, "uid")))
                say(c, "user %lld", (long long)json_integer_value(json_object_get(line, "uid")));
}

/* ---- finding changes ---------------------------------------------------------------------------------------------------------------------------- */

struct found {
        enum change change;
        const json_t *line;
        struct cell grown; /* "messages 3 to 10" */
};

struct work {
        struct picture old, now;
        struct found *list;
        size_t count;
        bool command; /* only what the command has left */
        json_t *ours; /* by pid: those that it has left */
        unsigned sums[CHANGES][KINDS];
        bool failed; /* no memory */
};

static struct found *add(struct work *w, enum change change, const json_t *line)
{
        struct found *more = realloc(w->list, (w->count + 1) * sizeof(*more));

        if (!more) {
                w->failed = true;
                return NULL;
        }
        w->list = more;
        more += w->count++;
        *more = (struct found){ .change = change, .line = line };
        w->sums[change][kind_of(line) - kinds]++;
        return more;
}

static json_int_t number_of(const json_t *line, const char *name)
{
        const json_t *fact;
        size_t i;

        json_array_foreach(json_object_get(line, "facts"), i, fact)
        {
                if (strcmp(text_of(fact, "fact"), name) == 0 && json_is_integer(json_object_get(fact, "value")))
                        return json_integer_value(json_object_get(fact, "value"));
        }
        return -1;
}

static void find_grown(struct work *w, const json_t *old, const json_t *now)
{
        static const char *const facts[] = { "messages", "bytes", "waiting",    "in-flight",  "callers",
                                             "size",     "used",  "semaphores", "descriptors" };
        struct found *found = NULL;

        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
                json_int_t before = number_of(old, facts[i]), after = number_of(now, facts[i]);

                if (before < 0 || after <= before)
                        continue;
                found = found ? found : add(w, GREW, now);
                if (found)
                        say(&found->grown, "%s%s %lld to %lld", *found->grown.text ? ", " : "", facts[i], (long long)before,
                            (long long)after);
        }
}

/* Descendants of ours: nobody but the command was started by us, and who outlives it was given to us. Each pass finds the children of those found. */
static void find_ours(struct work *w)
{
        char self[16];
        const char *id;
        bool more = true;
        json_t *line;

        (void)snprintf(self, sizeof(self), "%d", (int)getpid());
        w->ours = json_object();
        if (json_object_set_new(w->ours, self, json_true()) < 0)
                w->failed = true;
        while (more && !w->failed) {
                more = false;
                json_object_foreach(w->now.lines, id, line)
                {
                        char parent[24];

                        (void)snprintf(parent, sizeof(parent), "%lld", (long long)json_integer_value(json_object_get(line, "parent")));
                        if (strcmp(text_of(line, "line"), "process") != 0 || json_object_get(w->ours, text_of(line, "address")) ||
                            !json_object_get(w->ours, parent))
                                continue;
                        more = true;
                        if (json_object_set_new(w->ours, text_of(line, "address"), json_true()) < 0)
                                w->failed = true;
                }
        }
}

static bool is_left_process(const struct work *w, json_int_t pid)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)pid);
        return pid != getpid() && json_object_get(w->ours, text);
}

static bool is_left(const struct work *w, const json_t *line)
{
        const json_t *user, *uid = json_object_get(line, "uid");
        bool used = false;
        size_t i;

        if (strcmp(text_of(line, "line"), "process") == 0)
                return is_left_process(w, strtoll(text_of(line, "address"), NULL, 10));
        json_array_foreach(json_object_get(line, "users"), i, user)
        {
                if (!uses_now(user))
                        continue;
                used = true;
                if (is_left_process(w, json_integer_value(json_object_get(user, "pid"))))
                        return true;
        }
        return !used && kind_of(line)->stays && json_is_integer(uid) && json_integer_value(uid) == geteuid();
}

static bool is_wanted(const struct work *w, const json_t *line)
{
        return !w->command || is_left(w, line);
}

static void compare(struct work *w)
{
        bool anew = strcmp(text_of(w->old.head, "boot"), text_of(w->now.head, "boot")) != 0;
        const char *id;
        json_t *line;

        if (w->command)
                find_ours(w);
        json_object_foreach(w->now.lines, id, line)
        {
                const json_t *old = anew ? NULL : json_object_get(w->old.lines, id);
                bool wait = strcmp(text_of(line, "line"), "wait") == 0;

                if (old && !wait && is_wanted(w, line) && (!w->command || kind_of(line)->stays))
                        find_grown(w, old, line);
                else if (!old && !wait && is_wanted(w, line))
                        (void)add(w, NEW, line);
                else if (!old && wait && !anew && !w->command && json_object_get(w->old.lines, text_of(line, "of")))
                        (void)add(w, BLOCKED, line); /* a process that is new is told of as such */
        }
        json_object_foreach(w->old.lines, id, line)
        {
                if ((anew || !json_object_get(w->now.lines, id)) && strcmp(text_of(line, "line"), "wait") != 0 && !w->command &&
                    is_wanted(w, line))
                        (void)add(w, GONE, line);
        }
}

/* ---- printing -------------------------------------------------------------------------------------------------------------------------------------- */

/* What a new process waits for: that is why it is there still, as a rule. */
static const char *wait_of(const struct work *w, const json_t *process)
{
        const char *id;
        json_t *line;

        json_object_foreach(w->now.lines, id, line)
        {
                if (strcmp(text_of(line, "of"), text_of(process, "id")) == 0)
                        return text_of(line, "text");
        }
        return "";
}

static int print_rows(const struct work *w)
{
        static const struct column columns[] = { { "CHANGE", 0, 0 }, { "WHAT", 0, 0 }, { "HOW", 0, 1 }, { "WHO", 0, 1 } };
        struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));

        for (int change = NEW; change < CHANGES && t; change++)
                for (size_t i = 0; i < w->count; i++) {
                        const struct found *f = &w->list[i];
                        struct cell what = { "" }, how = { "" }, who = { "" };

                        if ((int)f->change != change)
                                continue;
                        say_what(&what, f->line);
                        say_users(&who, f->line);
                        if (change == GREW)
                                how = f->grown;
                        else if (change == BLOCKED)
                                say(&how, "%s", text_of(f->line, "text"));
                        else if (change == NEW && strcmp(text_of(f->line, "line"), "process") == 0)
                                say(&how, "%s", wait_of(w, f->line));
                        else
                                say_content(&how, f->line);
                        if (table_row(t, (const char *[]){ changes[change], what.text, how.text, who.text }) < 0)
                                break;
                }
        if (!t) {
                say_error("out of memory");
                return FAILED;
        }
        return table_print(t);
}

/* "3 semaphores, 1 process" */
static void say_sum(struct cell *c, const unsigned *sums)
{
        const char *between = "";

        for (size_t i = 0; i < KINDS; i++)
                if (sums[i]) {
                        say(c, "%s%u %s", between, sums[i], sums[i] == 1 ? kinds[i].one : kinds[i].many);
                        between = ", ";
                }
}

static bool any(const unsigned *sums)
{
        for (size_t i = 0; i < KINDS; i++)
                if (sums[i])
                        return true;
        return false;
}

/* The one sentence: of a command what it has left. */
static void print_sentence(const struct work *w, const char *command)
{
        static const char *const words[] = { "new: ", "grown: ", "newly blocked: ", "gone: " };
        struct cell c = { "" };

        if (command && any(w->sums[NEW])) {
                say(&c, "%s left ", command);
                say_sum(&c, w->sums[NEW]);
        } else if (command) {
                say(&c, "%s left nothing behind", command);
        }
        for (int change = command ? GREW : NEW; change < CHANGES; change++) {
                if (!any(w->sums[change]))
                        continue;
                say(&c, "%s%s", *c.text ? "; " : "", words[change]);
                say_sum(&c, w->sums[change]);
        }
        puts(*c.text ? c.text : "no difference");
}

static json_t *sums_json(const struct work *w)
{
        json_t *o = json_object();

        for (int change = NEW; change < CHANGES; change++) {
                json_t *sums = json_object();

                for (size_t i = 0; i < KINDS; i++)
                        if (w->sums[change][i])
                                (void)json_object_set_new(sums, kinds[i].name, json_integer(w->sums[change][i]));
                (void)json_object_set_new(o, changes[change], sums);
        }
        return json_pack("{s:o}", "sum", o);
}

static int print_json(const struct work *w)
{
        int status = DONE;

        for (size_t i = 0; i < w->count && status == DONE; i++) {
                const struct found *f = &w->list[i];
                json_t *o = json_object();

                (void)json_object_set_new(o, "change", json_string(changes[f->change]));
                (void)json_object_set_new(o, "grown", f->change == GREW ? json_string(f->grown.text) : json_null());
                (void)json_object_set(o, "what", (json_t *)(uintptr_t)f->line);
                status = json_line(o);
        }
        return status == DONE ? json_line(sums_json(w)) : status;
}

static void print_gaps(const struct work *w)
{
        const json_t *gap;
        size_t i;

        json_array_foreach(json_object_get(w->now.head, "gaps"), i, gap)
        {
                struct cell c = { "" };

                say(&c, "%s", json_is_string(gap) ? json_string_value(gap) : "?");
                say_note("not seen: %s", c.text);
        }
}

static void print_notes(const struct work *w)
{
        static const char *const spaces[] = { "pid", "ipc" };
        const json_t *old = w->old.head, *now = w->now.head;

        if (strcmp(text_of(old, "boot"), text_of(now, "boot")) != 0) {
                say_note(
                        "the machine was started anew between the two pictures: nothing of the first is in the second, whatever its name is");
                return;
        }
        for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
                if (strcmp(text_of(json_object_get(old, "namespaces"), spaces[i]),
                           text_of(json_object_get(now, "namespaces"), spaces[i])) != 0)
                        say_note("the two pictures were taken in different %s namespaces: what has its number there is not the same",
                                 spaces[i]);
        if (json_integer_value(json_object_get(old, "uid")) != json_integer_value(json_object_get(now, "uid")))
                say_note("the two pictures were taken by different users, and one may see what the other may not");
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------------------------- */

/* What counts for the status, as bits; -1: it has said what is wrong. */
static int read_fail_on(void)
{
        const char *at = set.fail_on;
        int bits = 0;

        if (!at)
                return (1 << CHANGES) - 1;
        if (strcmp(at, "none") == 0)
                return 0;
        while (*at) {
                size_t size = strcspn(at, ",");
                int i = 0;

                while (i < CHANGES && !(strlen(changes[i]) == size && strncmp(changes[i], at, size) == 0))
                        i++;
                if (i == CHANGES) {
                        say_error("--fail-on: there is no change \"%.*s\"; changes are: new, grown, blocked, gone; or none", (int)size, at);
                        return -1;
                }
                bits |= 1 << i;
                at += size + (at[size] == ',');
        }
        return bits;
}

static int read_file(struct picture *p, const char *path)
{
        char why[PICTURE_WHY];
        FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
        int r;

        if (!f) {
                say_error("diff: %s: %s", path, strerror(errno));
                return -1;
        }
        r = picture_read(p, f, why);
        if (r < 0)
                say_error("diff: %s: %s", path, why);
        if (f != stdin)
                (void)fclose(f);
        return r < 0 ? -1 : 0;
}

static int report(struct work *w, const char *command, int fail_on)
{
        int status, result = SAME;

        compare(w);
        if (w->failed) {
                say_error("out of memory");
                return TROUBLE;
        }
        for (int change = NEW; change < CHANGES; change++)
                if (fail_on >> change & 1 && any(w->sums[change]))
                        result = DIFFERENT;
        if (set.json) {
                status = print_json(w);
        } else {
                status = w->count ? print_rows(w) : DONE;
                if (status == DONE)
                        print_sentence(w, command);
        }
        print_notes(w);
        print_gaps(w);
        return status == DONE && say_finish() == DONE ? result : TROUBLE;
}

/* Zombies that were given to us are nobody's any more. */
static void reap_others(void)
{
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

static int around_command(struct work *w, char **argv, int fail_on)
{
        const char *slash = strrchr(argv[0], '/');
        int status, result;

        w->command = true;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
                say_error("diff: cannot see what the command leaves behind: %s", strerror(errno));
                return OURS_FAILED;
        }
        if (picture_take(&w->old) < 0)
                return OURS_FAILED;
        status = turn_alone(argv, "diff");
        reap_others();
        if (picture_take(&w->now) < 0)
                return OURS_FAILED;
        result = report(w, slash && slash[1] ? slash + 1 : argv[0], fail_on);
        return result == TROUBLE ? OURS_FAILED : status ? status : result;
}

static int run(const struct arguments *a)
{
        struct work w = { 0 };
        int fail_on = read_fail_on(), status = TROUBLE;

        if (fail_on < 0)
                return a->dashes ? OURS_FAILED : TROUBLE;
        if (a->dashes ? a->count || !a->rest_count : a->count < 1 || a->count > 2) {
                say_error("diff: needs a picture, two of them, or a command: ipcway diff OLD [NEW], ipcway diff -- CMD");
                return a->dashes ? OURS_FAILED : TROUBLE;
        }
        if (a->dashes)
                status = around_command(&w, a->rest, fail_on);
        else if (read_file(&w.old, a->word[0]) == 0 && (a->count == 2 ? read_file(&w.now, a->word[1]) : picture_take(&w.now)) == 0)
                status = report(&w, NULL, fail_on);
        free(w.list);
        json_decref(w.ours);
        picture_free(&w.old);
        picture_free(&w.now);
        return status;
}

const struct command command_diff = {
        .name = "diff",
        .group = "See",
        .arguments = "OLD [NEW] | -- CMD",
        .summary = "what is new, grown, newly blocked or gone since a snapshot; or what a command left behind",
        .text = "OLD and NEW are files that snapshot wrote; without NEW it is now. With a command: what it leaves behind, which is its processes that still run with\n"
                "all they have, and what outlives everybody: memory, queues, semaphores of this user that are new or have grown.\n"
                "Status: 0 the same, 1 different (--fail-on says in what), 2 trouble. With a command: its own if that is not 0, else 1 if it left something; 125\n"
                "ipcway failed, 126 CMD cannot be run, 127 it is not there.\n"
                "\n"
                "  ipcway diff -- make test\n"
                "  ipcway snapshot before; make test; ipcway diff before --fail-on new,grown\n",
        .settings = settings,
        .run = run,
};
