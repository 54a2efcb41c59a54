/* SPDX-License-Identifier: MIT */
/* What a row says of itself is true, and what it has not it refuses by name. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "cases.h"
#include "suite.h"

/* ---- facts -------------------------------------------------------------------------------------------------------------------------- */

static void check_caps(const struct run *run, const struct ipw_caps *caps, unsigned direction)
{
        const struct ipw_caps *bound = &run->bound;

        CHECK((caps->flags & ~bound->flags) == 0, "capabilities 0x%x go beyond what ipw_describe() says, 0x%x", caps->flags, bound->flags);
        /* a receiver takes what plain programs send, too, and they may send more than we do */
        CHECK((caps->max_msg <= bound->max_msg || direction == IPW_RECV) && caps->atomic_max <= bound->atomic_max &&
                      caps->min_msg >= bound->min_msg,
              "messages of %zu to %zu (%zu at once); ipw_describe() says %zu to %zu (%zu)", caps->min_msg, caps->max_msg, caps->atomic_max,
              bound->min_msg, bound->max_msg, bound->atomic_max);
        CHECK(caps->min_msg <= 1 && caps->max_msg >= 1 && caps->atomic_max <= caps->max_msg, "sizes make no sense: %zu, %zu, %zu",
              caps->min_msg, caps->atomic_max, caps->max_msg);
        CHECK(caps->max_fds <= bound->max_fds && caps->max_priority <= bound->max_priority, "more than ipw_describe() says");
        CHECK(caps->max_batch >= 1, "max_batch is 0");
        CHECK(caps->stack[0] && strstr(caps->stack, bound->stack), "the stack is \"%s\", ipw_describe() says \"%s\"", caps->stack,
              bound->stack);
}

static void check_address(const struct run *run, const struct ipw_link *l)
{
        char text[400], again[400];
        struct ipw_address *a = NULL;
        struct ipw_why why = { 0 };
        int r;

        CHECK(ipw_link_address(l, text, sizeof(text)) == (int)strlen(text), "the length of \"%s\" is told wrong", text);
        r = ipw_address_parse(&a, text, &why);
        CHECK(r == 0, "the address as opened is none: \"%s\": %s", text, why.text);
        CHECK(ipw_address_print(a, again, sizeof(again)) == (int)strlen(again), "the length of \"%s\" is told wrong", again);
        CHECK(strcmp(text, again) == 0, "\"%s\" prints as \"%s\"", text, again);
        CHECK(strncmp(text, "fd:", 3) == 0 || ipw_address_mechanism(a) == run->row->mechanism, "\"%s\" is another mechanism", text);
        ipw_address_free(a);
}

void case_facts(struct run *run)
{
        const struct ipw_mechanism *m = run->row->mechanism;
        struct ipw_link *in, *out;
        struct ipw_stats stats;
        struct ipw_why why;

        CHECK(m->summary && *m->summary && m->good_for && *m->good_for && m->syntax &&
                      strncmp(m->syntax, m->scheme, strlen(m->scheme)) == 0,
              "the mechanism does not say what it is");
        for (size_t i = 0; i < m->option_count; i++)
                CHECK(*m->options[i].name && *m->options[i].values && *m->options[i].help, "option %zu does not say what it is", i);
        open_both(run, 0, &in, &out);
        check_caps(run, ipw_link_caps(in), IPW_RECV);
        check_caps(run, ipw_link_caps(out), IPW_SEND);
        CHECK(ipw_link_caps(in)->max_msg >= ipw_link_caps(out)->max_msg, "it takes less than may be sent: %zu, %zu",
              ipw_link_caps(in)->max_msg, ipw_link_caps(out)->max_msg);
        check_address(run, in);
        check_address(run, out);
        EQUAL(ipw_link_stats(in, &stats), 0);
        ipw_link_why(in, &why);
        EQUAL(why.error, 0);
        EQUAL(try_put(run, in, NAMED, 1, 1, 0), -EOPNOTSUPP); /* the wrong way */
        check_why(in, EOPNOTSUPP, "receive");
        EQUAL(try_get(out, 0), -EOPNOTSUPP);
        check_why(out, EOPNOTSUPP, "send");
        EQUAL(ipw_close(NULL), 0);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- roles -------------------------------------------------------------------------------------------------------------------------- */

static void refuse(const char *address, unsigned how, int error, const char *word)
{
        struct ipw_link *l = (void *)1;
        struct ipw_why why = { 0 };
        int r = ipw_open(&l, address, how, 0, &why);

        CHECK(r == error, "ipw_open(\"%.100s\", 0x%x): %s, not %s: %s", address, how, result_name(r), result_name(error), why.text);
        CHECK(l == (void *)1, "a failing ipw_open() wrote its output");
        CHECK(why.error == -error && strlen(why.text) > 10, "the text for %s is only \"%s\" (%d)", result_name(error), why.text, why.error);
        CHECK(!word || strstr(why.text, word), "the text for %s does not name \"%s\": \"%s\"", result_name(error), word, why.text);
}

void case_roles(struct run *run)
{
        static const char *const names[] = { NULL, "PAIR", "PUSH", "PULL", "PUB", "SUB", "REQ", "REP" };

        CHECK(offers(run, how_here(run, IPW_PUSH)) && offers(run, how_here(run, IPW_PULL)), "a row that nobody can send or receive with");
        for (unsigned role = 1; role < sizeof(names) / sizeof(names[0]); role++)
                if (!offers(run, role))
                        refuse(run->push, role, -EOPNOTSUPP, names[role]);
        refuse(run->push, 0, -EINVAL, "role");
        refuse(run->push, 15, -EINVAL, "role");
        refuse(run->push, how_here(run, IPW_PUSH) | IPW_LISTEN | IPW_DIAL, -EINVAL, "LISTEN");
        refuse(run->push, how_here(run, IPW_PUSH) | IPW_EXISTING | IPW_FRESH, -EINVAL, "FRESH");
        refuse(run->push, how_here(run, IPW_PUSH) | 0x10000, -EINVAL, run->row->published ? "0x10004" : "0x10002");
        if (!(run->bound.flags & IPW_CAP_ACCEPT)) {
                refuse(run->pull, how_here(run, IPW_PULL) | IPW_LISTEN, -EINVAL, "LISTEN");
                refuse(run->push, how_here(run, IPW_PUSH) | IPW_DIAL, -EINVAL, "DIAL");
        }
        if (!run->row->mechanism->anonymous) {
                char a[64], b[64];
                struct ipw_why why = { 0 };

                EQUAL(ipw_ends(a, b, run->address, IPW_PUSH, &why), -EOPNOTSUPP);
                CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
        }
}

/* ---- addresses ---------------------------------------------------------------------------------------------------------------------- */

static void refuse_option(struct run *run, const char *option, const char *word)
{
        char address[6000];
        struct ipw_address *a;
        struct ipw_why why = { 0 };
        int r;

        row_option(address, sizeof(address), run->address, option);
        r = ipw_address_parse(&a, address, &why);
        CHECK(r == -EINVAL || r == -ERANGE, "\"%s\" is taken: %s", option, result_name(r));
        CHECK(strstr(why.text, word), "the text for \"%s\" does not name \"%s\": \"%s\"", option, word, why.text);
}

void case_bad_address(struct run *run)
{
        const struct ipw_mechanism *m = run->row->mechanism;
        char text[6000];
        struct ipw_why why = { 0 };
        struct ipw_address *a;

        refuse("", IPW_PULL, -EINVAL, m->scheme);
        refuse("nonsense:x", IPW_PULL, -EINVAL, m->scheme);
        refuse("\x01\x02", IPW_PULL, -EINVAL, m->scheme);
        for (size_t i = 0; i < m->option_count; i++) {
                const struct ipw_option *o = &m->options[i];
                long long low, high;

                refuse_option(run, "nonsense=1", o->name); /* lists the known */
                if (strcmp(o->name, "framing") != 0 && !strstr(run->address, o->name)) {
                        (void)snprintf(text, sizeof(text), "%s", o->name);
                        refuse_option(run, text, o->name);
                }
                if (strstr(run->address, o->name) || sscanf(o->values, "%lld..%lld", &low, &high) != 2)
                        continue;
                if (low > LLONG_MIN) {
                        (void)snprintf(text, sizeof(text), "%s=%lld", o->name, low - 1);
                        refuse_option(run, text, o->name);
                }
                (void)snprintf(text, sizeof(text), "%s=nonsense", o->name);
                refuse_option(run, text, o->name);
                (void)snprintf(text, sizeof(text), "%s=99999999999999999999999", o->name);
                refuse_option(run, text, o->name);
        }
        refuse_option(run, "spin=1ms&spin=2ms", has_option(run, "spin", NULL) ? "twice" : "spin");
        refuse_option(run, "mode=0999", has_option(run, "mode", NULL) ? "mode" : "mode");
        (void)snprintf(text, sizeof(text), "%s:%%zz", m->scheme);
        EQUAL(ipw_address_parse(&a, text, &why), -EINVAL);
        if (m->anonymous)
                return;
        memset(text, 0, sizeof(text));
        (void)snprintf(text, sizeof(text), "%s:/", m->scheme);
        memset(text + strlen(text), 'x', 5000);
        if (strchr(m->syntax, '#'))
                strcat(text, "#A");
        struct ipw_link *l;
        int r = ipw_open(&l, text, how_here(run, IPW_PULL), 0, &why);
        CHECK(r == -ENAMETOOLONG || r == -EINVAL, "a name of 5000 bytes: %s", result_name(r));
        CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
        if (strchr(m->syntax, '#')) {
                (void)snprintf(text, sizeof(text), "%s:%s/missing#A", m->scheme, run->dir);
                refuse(text, how_here(run, IPW_PULL), -ENOENT, "/missing");
        }
}

/* ---- objects that are not what the name says ---------------------------------------------------------------------------------------------- */

/* The path in the address, if it has one. */
static bool path_of(const struct run *run, char *path, size_t room)
{
        const char *from = strstr(run->address, run->dir);

        if (!from)
                return false;
        (void)snprintf(path, room, "%.*s", (int)strcspn(from, "?#"), from);
        return true;
}

static void refuse_object(struct run *run, const char *what)
{
        static const unsigned roles[] = { IPW_PULL, IPW_PUSH };

        for (int i = 0; i < 2; i++) {
                struct ipw_link *l;
                struct ipw_why why = { 0 };
                int r = ipw_open(&l, address_of(run, roles[i]), how_here(run, roles[i]), 0, &why);

                CHECK(r < 0 && r != -EAGAIN && r != -ETIMEDOUT, "%s was taken for an object: %s", what, result_name(r));
                CHECK(strstr(why.text, run->dir), "the text does not name the object: \"%s\"", why.text);
        }
        struct ipw_why why = { 0 };
        int r = run->row->mechanism->segment && strcmp(what, "a regular file") == 0 ? -1 /* it is an object of this kind: raw memory */
                                                                                    : ipw_remove(run->address, &why);
        CHECK(r < 0, "ipw_remove() took %s away", what);
}

void case_bad_object(struct run *run)
{
        char path[300], target[320], text[16] = "";
        struct stat st;
        int fd;

        if (!path_of(run, path, sizeof(path)))
                skip("a path");
        if (strcmp(run->row->mechanism->scheme, "file") != 0) { /* to which any file of text is an object */
                fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
                CHECK(fd >= 0 && write(fd, "precious", 8) == 8, "%s", path);
                (void)close(fd);
                refuse_object(run, "a regular file");
                fd = open(path, O_RDONLY | O_CLOEXEC);
                CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 8 && memcmp(text, "precious", 8) == 0, "a regular file was harmed");
                (void)close(fd);
                (void)unlink(path);
        }
        CHECK(mkdir(path, 0700) == 0, "%s", path);
        refuse_object(run, "a directory");
        (void)rmdir(path);
        (void)snprintf(target, sizeof(target), "%s-target", path);
        CHECK(symlink(target, path) == 0, "%s", path);
        refuse(run->pull, how_here(run, IPW_PULL), -ELOOP, run->dir);
        CHECK(lstat(target, &st) < 0, "a dangling symbolic link was followed");
        CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode), "a symbolic link was replaced");
        (void)unlink(path);
}

/* ---- bytes that are not the framing ------------------------------------------------------------------------------------------------------- */

/* A link with many peers goes on without the one that breaks: counted once, and said with the next error. */
static void expect_fault(struct ipw_link *in)
{
        struct ipw_stats stats = { 0 };
        ssize_t n;

        for (int64_t left = SOON; left > 0 && !stats.discarded; left -= IPW_MS(10)) {
                n = try_get(in, IPW_MS(10));
                EQUAL(n, -ETIMEDOUT);
                EQUAL(ipw_link_stats(in, &stats), 0);
        }
        EQUAL(stats.discarded, 1);
        check_why(in, ETIMEDOUT, "dropped");
        EQUAL(try_get(in, 0), -EAGAIN);
        EQUAL(ipw_link_stats(in, &stats), 0);
        EQUAL(stats.discarded, 1);
        EQUAL(stats.peers, 0);
}

/* Whatever plain programs write, they cannot make the link do more than end with -EBADMSG. */
void case_bad_bytes(struct run *run)
{
        struct row raw = *run->row;
        const struct plain *plain;
        struct ipw_link *in;
        ssize_t n;
        int end, count = 0;

        if (strcmp(run->row->framing, "frame") != 0)
                skip(is_bytes(run) ? "IPW_CAP_BYTES" : "a framing with a header");
        (void)snprintf(raw.name, sizeof(raw.name), "%s/raw", run->row->mechanism->scheme);
        plain = plain_of(&raw);
        CHECK(plain && plain->send, "there is no plain program for %s", raw.name);
        in = open_end(run, IPW_PULL);
        end = plain->open(run, IPW_PUSH);
        memset(outbox, 0xff, 512);
        plain->send(end, outbox, 512);
        for (size_t i = 0; i < 4096; i++)
                outbox[i] = (unsigned char)any_number(256);
        plain->send(end, outbox, 4096);
        if (ipw_link_caps(in)->flags & IPW_CAP_ACCEPT) {
                expect_fault(in);
        } else {
                while ((n = try_get(in, SOON)) >= 0)
                        CHECK(++count < 10, "noise is taken for messages");
                EQUAL(n, -EBADMSG);
                check_why(in, EBADMSG, NULL);
                EQUAL(try_get(in, 0), -EBADMSG);
        }
        plain->close(end);
        (void)ipw_close(in);
}
