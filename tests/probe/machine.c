/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ, LIST, LINK, LOOK, FOLLOW, MEMORY, UNIX, INET, QUEUE, SEMAPHORE, CONTENT, OPS };
static const char *const ops[OPS] = { "read", "list", "link", "look", "follow", "memory", "unix", "inet", "queue", "semaphore", "content" };

/* ---- the text ------------------------------------------------------------------------------------------------------------------------------- */

static void *must_have(void *memory)
{
        if (!memory)
                err(1, "a recorded machine");
        return memory;
}

static struct answer *add(struct machine *m)
{
        if (m->count == m->room) {
                m->room = m->room ? m->room * 2 : 256;
                m->answers = must_have(realloc(m->answers, m->room * sizeof(*m->answers)));
        }
        m->answers[m->count] = (struct answer){ .times = 1 };
        return &m->answers[m->count++];
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to the end of the line; returns how many bytes there are then. */
static size_t decode(const char *from, const char *end, char *to)
{
        size_t n = 0;

        while (from < end) {
                int high = from + 2 < end && *from == '%' ? digit(from[1]) : -1, low = high >= 0 ? digit(from[2]) : -1;

                to[n++] = low >= 0 ? (char)(high << 4 | low) : *from;
                from += low >= 0 ? 3 : 1;
        }
        return n;
}

static void encode(const char *text, size_t size, FILE *f)
{
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c == '%' || c > '~' || (c < ' ' && c != '\t'))
                        fprintf(f, "%%%02X", c);
                else
                        putc(c, f);
        }
}

static struct answer *read_head(struct machine *m, const char *line, const char *end)
{
        int op = 0, error, at;
        char name[16], number[16];
        struct answer *a;
        char head[40];

        (void)snprintf(head, sizeof(head), "%.*s", (int)(end - line), line);
        if (sscanf(head, "%15s %15s %n", name, number, &at) != 2 || line + at > end)
                return NULL;
        while (op < OPS && strcmp(name, ops[op]) != 0)
                op++;
        error = (int)strtol(number, NULL, 10);
        if (op == OPS || error > 0 || error < -4095)
                return NULL;
        a = add(m);
        a->op = op;
        a->error = error;
        a->key = must_have(malloc((size_t)(end - line) + 1));
        a->key[decode(line + at, end, a->key)] = 0;
        return a;
}

static void replays(struct machine *);

void machine_read(struct machine *m, const char *text, size_t size)
{
        const char *end = text + size;
        struct answer *last = NULL;

        *m = (struct machine){ 0 };
        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;

                if ((*text == '\t' || *text == ' ') && last) {
                        last->text = must_have(realloc(last->text, last->size + (size_t)(stop - text) + 2));
                        last->size += decode(text + 1, stop, last->text + last->size);
                        if (*text == '\t')
                                last->text[last->size++] = '\n';
                        last->text[last->size] = 0;
                } else {
                        last = read_head(m, text, stop);
                }
                text = stop + 1;
        }
        replays(m);
}

static void write_answer(const struct answer *a, FILE *f)
{
        fprintf(f, "%s %d ", ops[a->op], a->error);
        encode(a->key, strlen(a->key), f);
        putc('\n', f);
        for (const char *at = a->text, *end = a->size ? at + a->size : NULL; at < end;) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));

                putc(newline ? '\t' : ' ', f);
                encode(at, (size_t)((newline ? newline : end) - at), f);
                putc('\n', f);
                at = newline ? newline + 1 : end;
        }
}

/* Was there another answer to the same later? */
static bool changes(const struct machine *m, size_t which)
{
        for (size_t i = which + 1; i < m->count; i++)
                if (m->answers[i].op == m->answers[which].op && strcmp(m->answers[i].key, m->answers[which].key) == 0)
                        return true;
        return false;
}

void machine_write(const struct machine *m, FILE *f)
{
        for (size_t i = 0; i < m->count; i++)
                for (unsigned times = changes(m, i) ? m->answers[i].times : 1; times; times--)
                        write_answer(&m->answers[i], f);
}

unsigned machine_lacks(struct machine *m, const char *op, const char *part, int error)
{
        unsigned n = 0;

        for (size_t i = 0; i < m->count; i++)
                if (strcmp(ops[m->answers[i].op], op) == 0 && strstr(m->answers[i].key, part)) {
                        m->answers[i].error = error;
                        m->answers[i].size = 0;
                        n++;
                }
        return n;
}

void machine_free(struct machine *m)
{
        for (size_t i = 0; i < m->count; i++) {
                free(m->answers[i].key);
                free(m->answers[i].text);
        }
        free(m->answers);
}

/* ---- structures as numbers ------------------------------------------------------------------------------------------------------------------- */

/* Numbers one behind the other; what is missing is 0. */
static uint64_t next(const char **at)
{
        char *end;
        uint64_t n = strtoull(*at, &end, 10);

        *at = end;
        return n;
}

static void look_read(const char **at, struct look *l)
{
        l->device = next(at);
        l->inode = next(at);
        l->size = next(at);
        l->used = next(at);
        l->mode = (unsigned)next(at);
        l->uid = (uid_t)next(at);
        l->names = (uint32_t)next(at);
}

static void look_write(const struct look *l, FILE *f)
{
        fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %u", l->device, l->inode, l->size, l->used, l->mode, l->uid,
                l->names);
}

static void unix_read(const char *at, struct unix_socket *s)
{
        *s = (struct unix_socket){ 0 };
        s->inode = (uint32_t)next(&at);
        s->peer = (uint32_t)next(&at);
        s->type = (int)next(&at);
        s->listens = next(&at);
        s->counted = next(&at);
        s->waits = (uint32_t)next(&at);
        s->room = (uint32_t)next(&at);
        at += *at == ' ';
        (void)snprintf(s->name, sizeof(s->name), "%s", at);
}

static void unix_write(const struct unix_socket *s, FILE *f)
{
        fprintf(f, "%u %u %d %d %d %u %u %s", s->inode, s->peer, s->type, s->listens, s->counted, s->waits, s->room, s->name);
}

static void end_read(const char **at, struct inet_end *e)
{
        for (size_t i = 0; i < sizeof(e->address); i++)
                e->address[i] = (unsigned char)next(at);
        e->port = (uint16_t)next(at);
}

static void end_write(const struct inet_end *e, FILE *f)
{
        for (size_t i = 0; i < sizeof(e->address); i++)
                fprintf(f, "%u ", e->address[i]);
        fprintf(f, "%u ", e->port);
}

static void inet_read(const char *at, struct inet_socket *s)
{
        *s = (struct inet_socket){ 0 };
        end_read(&at, &s->local);
        end_read(&at, &s->remote);
        s->inode = next(&at);
        s->tcp = next(&at);
        s->state = (int)next(&at);
        s->waits = (uint32_t)next(&at);
        s->unsent = (uint32_t)next(&at);
        s->uid = (uid_t)next(&at);
}

static void inet_write(const struct inet_socket *s, FILE *f)
{
        end_write(&s->local, f);
        end_write(&s->remote, f);
        fprintf(f, "%" PRIu64 " %d %d %u %u %u", s->inode, s->tcp, s->state, s->waits, s->unsent, s->uid);
}

/* ---- replaying -------------------------------------------------------------------------------------------------------------------------------- */

static const struct answer *find(struct source *s, int op, const char *format, ...) __attribute__((format(printf, 3, 4)));
static const struct answer *find(struct source *s, int op, const char *format, ...)
{
        static const struct answer nothing = { .error = -ENOENT };
        struct machine *m = (struct machine *)s; /* its first member */
        struct answer *last = NULL;
        char key[600];
        va_list list;

        va_start(list, format);
        (void)vsnprintf(key, sizeof(key), format, list);
        va_end(list);
        for (size_t i = 0; i < m->count; i++)
                if (m->answers[i].op == op && strcmp(m->answers[i].key, key) == 0) {
                        last = &m->answers[i];
                        if (last->given < last->times)
                                break;
                }
        if (!last)
                return &nothing;
        last->given++;
        return last;
}

/* As much as there is room for, and a zero byte. */
static ssize_t copy(const struct answer *a, char *text, size_t room)
{
        size_t n = a->size < room - 1 ? a->size : room - 1;

        if (a->error)
                return a->error;
        if (n)
                memcpy(text, a->text, n);
        text[n] = 0;
        return (ssize_t)n;
}

static ssize_t replay_read(struct source *s, const char *path, char *text, size_t room)
{
        return copy(find(s, READ, "%s", path), text, room);
}

static ssize_t replay_link(struct source *s, const char *path, char *text, size_t room)
{
        return copy(find(s, LINK, "%s", path), text, room);
}

/* What stands between two newlines, or what each of these names was written as. */
static int each_line(const struct answer *a, int (*one)(void *, const char *), void *context)
{
        const char *at = a->text, *end = a->size ? a->text + a->size : NULL;
        int r = a->error;

        while (r == 0 && at < end) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                size_t n = (size_t)((newline ? newline : end) - at);
                char *line = must_have(malloc(n + 1));

                memcpy(line, at, n);
                line[n] = 0;
                r = one(context, line);
                free(line);
                at += n + 1;
        }
        return r;
}

struct names {
        int (*entry)(void *, const char *);
        void *context;
};

/* Names may hold newlines, so they are written twice over: %0A within the line. */
static int each_name(void *context, const char *line)
{
        struct names *names = context;
        char name[300];
        size_t n = strlen(line) < sizeof(name) ? decode(line, line + strlen(line), name) : 0;

        if (n == 0 || n >= sizeof(name) || memchr(name, 0, n) || memchr(name, '/', n))
                return 0;
        name[n] = 0;
        return names->entry(names->context, name);
}

static int replay_list(struct source *s, const char *path, int (*entry)(void *, const char *), void *context)
{
        struct names names = { entry, context };

        return each_line(find(s, LIST, "%s", path), each_name, &names);
}

static int replay_look(struct source *s, const char *path, bool follow, struct look *out)
{
        const struct answer *a = find(s, follow ? FOLLOW : LOOK, "%s", path);
        const char *at = a->text;

        if (a->error || !at)
                return a->error ? a->error : -ENOENT;
        look_read(&at, out);
        return 0;
}

static int replay_memory(struct source *s, pid_t pid, uint64_t address, void *data, size_t size)
{
        const struct answer *a = find(s, MEMORY, "%d %" PRIx64 " %zu", (int)pid, address, size);

        if (a->error || a->size != size)
                return a->error ? a->error : -EFAULT;
        memcpy(data, a->text, size);
        return 0;
}

struct unix_names {
        int (*each)(void *, const struct unix_socket *);
        void *context;
};

static int each_unix(void *context, const char *line)
{
        const struct unix_names *names = context;
        struct unix_socket one;
        char *text = must_have(malloc(strlen(line) + 1));

        text[decode(line, line + strlen(line), text)] = 0;
        unix_read(text, &one);
        free(text);
        return names->each(names->context, &one);
}

static int replay_unix(struct source *s, int (*each)(void *, const struct unix_socket *), void *context)
{
        struct unix_names names = { each, context };

        return each_line(find(s, UNIX, "-"), each_unix, &names);
}

struct inet_names {
        int (*each)(void *, const struct inet_socket *);
        void *context;
};

static int each_inet(void *context, const char *line)
{
        const struct inet_names *names = context;
        struct inet_socket one;

        inet_read(line, &one);
        return names->each(names->context, &one);
}

static int replay_inet(struct source *s, int (*each)(void *, const struct inet_socket *), void *context)
{
        struct inet_names names = { each, context };

        return each_line(find(s, INET, "-"), each_inet, &names);
}

static int replay_queue(struct source *s, const char *name, struct queue_look *out)
{
        const struct answer *a = find(s, QUEUE, "%s", name);
        const char *at = a->text;

        if (a->error || !at)
                return a->error ? a->error : -ENOENT;
        look_read(&at, &out->file);
        out->messages = (uint32_t)next(&at);
        out->room = (uint32_t)next(&at);
        out->size = (uint32_t)next(&at);
        return 0;
}

static int replay_semaphore(struct source *s, int id, unsigned index, struct semaphore_look *out)
{
        const struct answer *a = find(s, SEMAPHORE, "%d %u", id, index);
        const char *at = a->text;

        if (a->error || !at)
                return a->error ? a->error : -ENOENT;
        out->value = (int)next(&at);
        out->for_more = (int)next(&at);
        out->for_zero = (int)next(&at);
        out->last = (pid_t)next(&at);
        return 0;
}

static int replay_content(struct source *s, const char *path, uint64_t from, void *data, size_t size, struct look *out)
{
        const struct answer *a = find(s, CONTENT, "%" PRIu64 " %zu %s", from, size, path);
        const char *at, *newline = a->size ? memchr(a->text, '\n', a->size) : NULL;

        if (a->error || !newline || (size_t)(a->text + a->size - newline - 1) != size)
                return a->error ? a->error : -EBADMSG;
        at = a->text;
        look_read(&at, out);
        memcpy(data, newline + 1, size);
        return 0;
}

static const struct source_ops replay_ops = {
        .read = replay_read,
        .list = replay_list,
        .link = replay_link,
        .look = replay_look,
        .memory = replay_memory,
        .unix_sockets = replay_unix,
        .inet_sockets = replay_inet,
        .queue = replay_queue,
        .semaphore = replay_semaphore,
        .content = replay_content,
};

static void replays(struct machine *m)
{
        m->source.ops = &replay_ops;
}

/* ---- recording ---------------------------------------------------------------------------------------------------------------------------------- */

static struct recorder *of(struct source *s)
{
        return (struct recorder *)s; /* its first member */
}

/* What was said last to the same question is counted. */
static void put(struct source *s, int op, int error, const char *key, const char *text, size_t size)
{
        struct machine *m = of(s)->to;
        struct answer *a = NULL;

        for (size_t i = m->count; i-- && !a;)
                if (m->answers[i].op == op && strcmp(m->answers[i].key, key) == 0)
                        a = &m->answers[i];
        if (a && of(s)->completes)
                return;
        if (a && a->error == error && a->size == size && (size == 0 || memcmp(a->text, text, size) == 0)) {
                a->times++;
                return;
        }
        a = add(m);
        *a = (struct answer){ .op = op, .error = error, .key = must_have(strdup(key)), .size = size, .times = 1 };
        if (size) {
                a->text = must_have(malloc(size + 1));
                memcpy(a->text, text, size);
                a->text[size] = 0;
        }
}

struct paper {
        FILE *f;
        char *text;
        size_t size;
};

static void paper_open(struct paper *p)
{
        p->text = NULL;
        p->f = must_have(open_memstream(&p->text, &p->size));
}

static void paper_put(struct paper *p, struct source *s, int op, int error, const char *key)
{
        (void)fclose(p->f);
        put(s, op, error, key, p->text, error ? 0 : p->size);
        free(p->text);
}

static bool ends(const char *path, const char *with)
{
        size_t size = strlen(path), end = strlen(with);

        return size >= end && strcmp(path + size - end, with) == 0;
}

/* Of a status the lines that are looked at; the others tell of the machine. */
static bool is_read_status(const char *line)
{
        static const char *const used[] = { "Name:",   "State:",  "PPid:",   "Uid:",    "NSpid:",  "SigQ:",
                                            "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "voluntary_ctxt_switches:" };

        for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
                if (strncmp(line, used[i], strlen(used[i])) == 0)
                        return true;
        return false;
}

static bool is_private(const char *path, const char *line, size_t size)
{
        const char *words = memchr(line, ' ', size), *permissions = words ? words + 1 : line;

        if (ends(path, "/maps"))
                return permissions[3] != 's' && !memmem(line, size, "/dev/shm/", 9) && !memmem(line, size, "/memfd:", 7) &&
                       !memmem(line, size, "/SYSV", 5);
        if (ends(path, "mountinfo"))
                return !memmem(line, size, " - mqueue ", 10);
        if (ends(path, "/status"))
                return !is_read_status(line);
        if (strcmp(path, "locks") == 0)
                return memmem(line, size, " -1 ", 4) != NULL; /* nobody's that can be named: of other machines in this one, too */
        return strcmp(path, "stat") == 0 && strncmp(line, "btime", 5) != 0;
}

/* Leaves out what is private, in place. */
static size_t tidy(const char *path, char *text, size_t size)
{
        static const char started[] = "btime 1700000000\n";
        size_t kept = 0;

        for (size_t at = 0; at < size;) {
                const char *newline = memchr(text + at, '\n', size - at);
                size_t n = newline ? (size_t)(newline - text) - at + 1 : size - at;

                if (!is_private(path, text + at, n)) {
                        memmove(text + kept, text + at, n);
                        kept += n;
                }
                at += n;
        }
        if (strcmp(path, "stat") == 0 && kept == sizeof(started) - 1)
                memcpy(text, started, kept);
        text[kept] = 0;
        return kept;
}

static ssize_t record_read(struct source *s, const char *path, char *text, size_t room)
{
        struct source *inner = of(s)->inner;
        ssize_t n = inner->ops->read(inner, path, text, room);

        if (n >= 0 && (size_t)n < room - 1)
                n = (ssize_t)tidy(path, text, (size_t)n);
        if (n < 0 || (size_t)n < room - 1) /* else it is asked for again, with more room */
                put(s, READ, n < 0 ? (int)n : 0, path, text, n < 0 ? 0 : (size_t)n);
        return n;
}

static ssize_t record_link(struct source *s, const char *path, char *text, size_t room)
{
        struct source *inner = of(s)->inner;
        ssize_t n = inner->ops->link(inner, path, text, room);

        put(s, LINK, n < 0 ? (int)n : 0, path, text, n < 0 ? 0 : (size_t)n);
        return n;
}

struct listing {
        struct source *s;
        struct names names;
        struct paper paper;
};

static int record_entry(void *context, const char *name)
{
        struct listing *l = context;

        if (of(l->s)->itself > 0 && strtol(name, NULL, 10) == of(l->s)->itself)
                return 0;
        encode(name, strlen(name), l->paper.f);
        putc('\n', l->paper.f);
        return l->names.entry(l->names.context, name);
}

static int record_list(struct source *s, const char *path, int (*entry)(void *, const char *), void *context)
{
        struct listing l = { .s = s, .names = { entry, context } };
        struct source *inner = of(s)->inner;
        int r;

        paper_open(&l.paper);
        r = inner->ops->list(inner, path, record_entry, &l);
        paper_put(&l.paper, s, LIST, r, path);
        return r;
}

static int record_look(struct source *s, const char *path, bool follow, struct look *out)
{
        struct source *inner = of(s)->inner;
        struct paper p;
        int r = inner->ops->look(inner, path, follow, out);

        paper_open(&p);
        if (r == 0)
                look_write(out, p.f);
        paper_put(&p, s, follow ? FOLLOW : LOOK, r, path);
        return r;
}

static int record_memory(struct source *s, pid_t pid, uint64_t address, void *data, size_t size)
{
        struct source *inner = of(s)->inner;
        int r = inner->ops->memory(inner, pid, address, data, size);
        char key[64];

        (void)snprintf(key, sizeof(key), "%d %" PRIx64 " %zu", (int)pid, address, size);
        put(s, MEMORY, r, key, data, r ? 0 : size);
        return r;
}

struct unix_listing {
        struct unix_names names;
        struct paper paper;
};

static int record_unix_one(void *context, const struct unix_socket *one)
{
        struct unix_listing *l = context;
        struct paper line;

        paper_open(&line);
        unix_write(one, line.f);
        (void)fclose(line.f);
        encode(line.text, line.size, l->paper.f);
        putc('\n', l->paper.f);
        free(line.text);
        return l->names.each(l->names.context, one);
}

static int record_unix(struct source *s, int (*each)(void *, const struct unix_socket *), void *context)
{
        struct unix_listing l = { .names = { each, context } };
        struct source *inner = of(s)->inner;
        int r;

        paper_open(&l.paper);
        r = inner->ops->unix_sockets(inner, record_unix_one, &l);
        paper_put(&l.paper, s, UNIX, r, "-");
        return r;
}

struct inet_listing {
        struct inet_names names;
        struct paper paper;
};

static int record_inet_one(void *context, const struct inet_socket *one)
{
        struct inet_listing *l = context;

        inet_write(one, l->paper.f);
        putc('\n', l->paper.f);
        return l->names.each(l->names.context, one);
}

static int record_inet(struct source *s, int (*each)(void *, const struct inet_socket *), void *context)
{
        struct inet_listing l = { .names = { each, context } };
        struct source *inner = of(s)->inner;
        int r;

        paper_open(&l.paper);
        r = inner->ops->inet_sockets(inner, record_inet_one, &l);
        paper_put(&l.paper, s, INET, r, "-");
        return r;
}

static int record_queue(struct source *s, const char *name, struct queue_look *out)
{
        struct source *inner = of(s)->inner;
        struct paper p;
        int r = inner->ops->queue(inner, name, out);

        paper_open(&p);
        if (r == 0) {
                look_write(&out->file, p.f);
                fprintf(p.f, " %u %u %u", out->messages, out->room, out->size);
        }
        paper_put(&p, s, QUEUE, r, name);
        return r;
}

static int record_semaphore(struct source *s, int id, unsigned index, struct semaphore_look *out)
{
        struct source *inner = of(s)->inner;
        int r = inner->ops->semaphore(inner, id, index, out);
        struct paper p;
        char key[32];

        paper_open(&p);
        if (r == 0)
                fprintf(p.f, "%d %d %d %d", out->value, out->for_more, out->for_zero, (int)out->last);
        (void)snprintf(key, sizeof(key), "%d %u", id, index);
        paper_put(&p, s, SEMAPHORE, r, key);
        return r;
}

static int record_content(struct source *s, const char *path, uint64_t at, void *data, size_t size, struct look *out)
{
        struct source *inner = of(s)->inner;
        struct paper p;
        int r = inner->ops->content(inner, path, at, data, size, out);
        char key[600];

        paper_open(&p);
        if (r == 0) {
                look_write(out, p.f);
                putc('\n', p.f);
                (void)fwrite(data, 1, size, p.f);
        }
        (void)snprintf(key, sizeof(key), "%" PRIu64 " %zu %s", at, size, path);
        paper_put(&p, s, CONTENT, r, key);
        return r;
}

static const struct source_ops record_ops = {
        .read = record_read,
        .list = record_list,
        .link = record_link,
        .look = record_look,
        .memory = record_memory,
        .unix_sockets = record_unix,
        .inet_sockets = record_inet,
        .queue = record_queue,
        .semaphore = record_semaphore,
        .content = record_content,
};

/* ---- what nobody has asked yet ---------------------------------------------------------------------------------------------------------------- */

static void add_read(struct source *s, const char *path)
{
        char text[16384];

        (void)record_read(s, path, text, sizeof(text));
}

static void add_link(struct source *s, const char *path)
{
        char to[4096];

        (void)record_link(s, path, to, sizeof(to));
}

struct within {
        struct source *s;
        const char *pid;
};

static int add_descriptor(void *context, const char *fd)
{
        const struct within *w = context;
        struct look look;
        char path[300];

        (void)snprintf(path, sizeof(path), "%s/fd/%s", w->pid, fd);
        add_link(w->s, path);
        (void)record_look(w->s, path, false, &look);
        (void)record_look(w->s, path, true, &look);
        (void)snprintf(path, sizeof(path), "%s/fdinfo/%s", w->pid, fd);
        add_read(w->s, path);
        return 0;
}

static int add_task(void *context, const char *task)
{
        static const char *const texts[] = { "stat", "status", "syscall", "wchan" };
        const struct within *w = context;
        char path[300];

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/task/%s/%s", w->pid, task, texts[i]);
                add_read(w->s, path);
        }
        return 0;
}

static int add_whole(void *context, const char *pid)
{
        static const char *const texts[] = { "stat", "status", "syscall", "wchan", "maps", "limits" };
        static const char *const links[] = { "ns/mnt", "ns/pid", "ns/net", "ns/ipc", "ns/user", "root", "cwd" };
        struct within w = { context, pid };
        char path[300];

        if (pid[strspn(pid, "0123456789")])
                return 0;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", pid, texts[i]);
                add_read(w.s, path);
        }
        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", pid, links[i]);
                add_link(w.s, path);
        }
        (void)snprintf(path, sizeof(path), "%s/task", pid);
        (void)record_list(w.s, path, add_task, &w);
        (void)snprintf(path, sizeof(path), "%s/fd", pid);
        (void)record_list(w.s, path, add_descriptor, &w);
        return 0;
}

void recorder_complete(struct recorder *r)
{
        static const char *const texts[] = { "locks",       "net/tcp",     "net/tcp6",    "net/udp",       "net/udp6",
                                             "sysvipc/shm", "sysvipc/msg", "sysvipc/sem", "self/mountinfo" };

        r->completes = true;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                add_read(&r->source, texts[i]);
        (void)record_list(&r->source, ".", add_whole, &r->source);
}

void recorder_open(struct recorder *r, struct source *inner, struct machine *to)
{
        *r = (struct recorder){ .source.ops = &record_ops, .inner = inner, .to = to, .itself = getpid() };
        *to = (struct machine){ 0 };
        replays(to);
}
