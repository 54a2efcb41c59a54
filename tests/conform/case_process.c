/* SPDX-License-Identifier: MIT */
/* Links and processes: fork, exec, accept, and what is left behind. */
#include <dirent.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cases.h"
#include "sanitized.h"
#include "suite.h"

/* ---- fork --------------------------------------------------------------------------------------------------------------------------- */

struct inherited {
        struct ipw_link *in, *out;
};

static void try_everything(struct run *run, void *argument)
{
        struct inherited *h = argument;
        struct ipw_message m = { .data = inbox, .capacity = BOX, .size = NAMED };
        struct ipw_link *other = NULL;
        struct ipw_stats stats;
        struct pollfd p;

        EQUAL(ipw_send(h->out, &m, 0), -ESTALE);
        EQUAL(ipw_send_many(h->out, &m, 1, 0), -ESTALE);
        EQUAL(ipw_flush(h->out, 0), -ESTALE);
        EQUAL(ipw_pollfd(h->out, IPW_SEND, &p), -ESTALE);
        EQUAL(ipw_turn(h->out), -ESTALE);
        EQUAL(ipw_interrupt(h->out), -ESTALE);
        EQUAL(ipw_link_stats(h->out, &stats), -ESTALE);
        EQUAL(ipw_recv(h->in, &m, 0), -ESTALE);
        EQUAL(ipw_recv(h->in, &m, IPW_FOREVER), -ESTALE);
        EQUAL(ipw_recv_many(h->in, &m, 1, 0), -ESTALE);
        EQUAL(ipw_pollfd(h->in, IPW_RECV, &p), -ESTALE);
        EQUAL(ipw_turn(h->in), -ESTALE);
        EQUAL(ipw_interrupt(h->in), -ESTALE);
        EQUAL(ipw_accept(h->in, &other, 0), -ESTALE);
        EQUAL(ipw_link_stats(h->in, &stats), -ESTALE);
        check_why(h->in, ESTALE, "parent");
        EQUAL(ipw_close(h->in), 0);
        EQUAL(ipw_close(h->out), 0);
}

void case_fork(struct run *run)
{
        struct inherited h;
        struct pollfd p;

        open_both(run, IPW_WAKEABLE, &h.in, &h.out);
        (void)ipw_pollfd(h.in, IPW_RECV, &p); /* whatever that makes is there to be harmed, too */
        put(run, h.out, NAMED, 1, 0);
        put(run, h.out, 50, 1, 1);
        get(run, h.in, NAMED, 1, 0);
        peer_end(peer(run, try_everything, &h));
        get(run, h.in, 50, 1, 1);
        put(run, h.out, NAMED, 1, 2);
        get(run, h.in, NAMED, 1, 2);
        EQUAL(try_get(h.in, 0), -EAGAIN);
        if (!(ipw_link_caps(h.in)->flags & IPW_CAP_MANY_RECEIVERS) && !run->row->published &&
            !run->row->mechanism->anonymous) { /* the place is still taken */
                struct ipw_link *second;
                struct ipw_why why;

                CHECK(ipw_open(&second, run->pull, how_here(run, IPW_PULL), 0, &why) < 0, "a child's close gave the parent's place away");
        }
        EQUAL(ipw_close(h.out), 0);
        EQUAL(ipw_close(h.in), 0);
}

/* ---- exec --------------------------------------------------------------------------------------------------------------------------- */

int fds_after_exec(void)
{
        char *const arguments[] = { (char *)"conform", (char *)"--helper-count-fds", NULL };
        extern char **environ;
        int status;
        pid_t pid;

        CHECK(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) == 0, "posix_spawn");
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "the helper ended with 0x%x", status);
        return WEXITSTATUS(status);
}

void case_exec(struct run *run)
{
        struct ipw_link *in, *out;
        struct pollfd p;
        int before;

        leave_end(run, IPW_PUSH);
        leave_end(run, IPW_PULL);
        before = fds_after_exec();
        renew(run);
        open_both(run, IPW_WAKEABLE, &in, &out);
        put(run, out, NAMED, 1, 1);
        put(run, out, NAMED, 1, 2);
        get(run, in, NAMED, 1, 1);
        (void)ipw_pollfd(in, IPW_RECV, &p);
        (void)ipw_pollfd(out, IPW_SEND, &p);
        EQUAL(fds_after_exec(), before);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- what is left behind -------------------------------------------------------------------------------------------------------------- */

struct footprint {
        int fds, maps;
        size_t bytes;
};

static struct footprint footprint(void)
{
        struct footprint f = { .fds = count_fds(), .bytes = mallinfo2().uordblks };
        char *lines = malloc(1 << 20);
        FILE *maps = fopen("/proc/self/maps", "re");
        size_t n;

        CHECK(maps && lines, "/proc/self/maps");
        n = fread(lines, 1, 1 << 20, maps);
        for (size_t i = 0; i < n; i++)
                f.maps += lines[i] == '\n';
        (void)fclose(maps);
        free(lines);
        return f;
}

static void open_use_close(struct run *run)
{
        struct ipw_link *in, *out;
        struct ipw_why why;
        struct pollfd p;

        renew(run);
        open_both(run, IPW_WAKEABLE, &in, &out);
        put(run, out, 50, 1, 1);
        put(run, out, 50, 1, 2);
        if (!is_bytes(run))
                EQUAL(ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = 1 }, SOON), -EMSGSIZE);
        else
                get(run, in, 50, 1, 1);
        (void)ipw_pollfd(in, IPW_RECV, &p);
        (void)ipw_pollfd(out, IPW_SEND, &p);
        (void)ipw_close(out);
        (void)ipw_close(in);
        CHECK(ipw_open(&in, "fifo:/nonexistent/dir/x?mode=9", IPW_PULL, 0, &why) < 0, "opens what cannot be"); /* failing leaves nothing */
}

void case_leaks(struct run *run)
{
        void (*use)(struct run *) = run->row->mechanism->events ? event_use : open_use_close;
        struct footprint before, after;

        leave_end(run, IPW_PUSH);
        leave_end(run, IPW_PULL);
        for (int i = 0; i < 100; i++) { /* allocators keep some */
                use(run);
                after = footprint();
        }
        for (int hundred = 0; hundred < 5; hundred++) { /* what they keep depends on who came when, once; a leak is there each time */
                before = after;
                for (int i = 0; i < 100; i++)
                        use(run);
                after = footprint();
                if (after.bytes < before.bytes + 1000)
                        break;
        }
        EQUAL(after.fds, before.fds);
        if (!SANITIZED) /* its allocator maps as it likes; it has a leak check of its own */
                CHECK(after.maps <= before.maps + 2, "100 times open and close left %d mappings", after.maps - before.maps);
        CHECK(after.bytes < before.bytes + 1000, "100 times open and close left %zd bytes of memory",
              (ssize_t)(after.bytes - before.bytes));
}

static int entries(const char *path, char *one, size_t room)
{
        DIR *dir = opendir(path);
        struct dirent *e;
        int n = 0;

        CHECK(dir, "%s", path);
        while ((e = readdir(dir)))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
                        (void)snprintf(one, room, "%s", e->d_name);
                        n++;
                }
        (void)closedir(dir);
        return n;
}

/* Names: made, found, refused, removed. */
void case_names(struct run *run)
{
        struct ipw_link *in, *out;
        struct ipw_why why = { 0 };
        char left[256] = "";
        int r;

        if (run->row->mechanism->anonymous || strstr(run->row->mechanism->sample, "{port}")) {
                EQUAL(ipw_remove(run->address, &why), -EOPNOTSUPP);
                CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
                return;
        }
        EQUAL(ipw_remove(run->address, &why), -ENOENT);
        CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
        if (!(run->bound.flags & IPW_CAP_ACCEPT)) {
                EQUAL(ipw_open(&in, run->pull, how_here(run, IPW_PULL) | IPW_EXISTING, 0, &why), -ENOENT);
                CHECK(strlen(why.text) > 10, "the text is only \"%s\"", why.text);
                in = open_end(run, IPW_PULL | IPW_FRESH);
                r = ipw_open(&out, run->pull, how_here(run, IPW_PULL) | IPW_FRESH, 0, &why);
                CHECK(r == -EEXIST || r == -EBUSY, "IPW_FRESH on what exists: %s", result_name(r));
                out = open_end(run, IPW_PUSH | IPW_EXISTING);
        } else {
                in = open_end(run, IPW_PULL);
                out = open_end(run, IPW_PUSH);
        }
        greet(run, in, out);
        put(run, out, NAMED, 1, 1);
        get(run, in, NAMED, 1, 1);
        r = ipw_remove(run->address, &why);
        CHECK(r == 0 || r == -EBUSY, "removing what is in use: %s", result_name(r));
        CHECK(r == 0 || strlen(why.text) > 10, "the text is only \"%s\"", why.text);
        (void)ipw_close(out);
        (void)ipw_close(in);
        r = ipw_remove(run->address, &why);
        CHECK(r == 0 || r == -ENOENT, "removing what nobody uses: %s: %s", result_name(r), why.text);
        EQUAL(ipw_remove(run->address, &why), -ENOENT);
        CHECK(entries(run->dir, left, sizeof(left)) == 0, "ipw_remove() left \"%s\"", left);
}

static void check_mode(struct run *run, mode_t mask)
{
        struct ipw_link *in;

        (void)umask(mask);
        in = open_end(run, IPW_PULL | (run->bound.flags & IPW_CAP_ACCEPT ? 0 : IPW_FRESH));
        EQUAL(plain_of(run->row)->mode(run), 0600);
        (void)ipw_close(in);
        renew(run);
        if (!has_option(run, "mode", NULL))
                return;
        in = open_with(run, IPW_PULL, "mode=0642");
        EQUAL(plain_of(run->row)->mode(run), 0642);
        (void)ipw_close(in);
        renew(run);
}

void case_mode(struct run *run)
{
        if (run->row->mechanism->anonymous || !plain_of(run->row) || !plain_of(run->row)->mode)
                skip("a name");
        check_mode(run, 0);
        check_mode(run, 0077);
        check_mode(run, 0777);
}

/* ---- conversations --------------------------------------------------------------------------------------------------------------------- */

void case_accept(struct run *run)
{
        struct ipw_link *listener, *a, *b, *server = NULL, *second = NULL;

        if (!(run->bound.flags & IPW_CAP_ACCEPT)) {
                listener = open_end(run, IPW_PULL);
                EQUAL(ipw_accept(listener, &server, 0), -EOPNOTSUPP);
                check_why(listener, EOPNOTSUPP, "listens: no");
                return;
        }
        if (!offers(run, IPW_PAIR))
                skip("IPW_PAIR");
        listener = open_end(run, IPW_PAIR | IPW_LISTEN);
        EQUAL(ipw_accept(listener, &server, 0), -EAGAIN);
        EQUAL(ipw_accept(listener, &server, IPW_MS(20)), -ETIMEDOUT);
        a = open_end(run, IPW_PAIR | IPW_DIAL);
        b = open_end(run, IPW_PAIR | IPW_DIAL);
        if (!greets(run))
                put(run, a, NAMED, 1, 1);
        EQUAL(ipw_accept(listener, &server, SOON), 0);
        EQUAL(ipw_accept(listener, &second, SOON), 0);
        greet(run, server, a);
        greet(run, second, b);
        if (greets(run))
                put(run, a, NAMED, 1, 1);
        get(run, server, NAMED, 1, 1);
        put(run, server, NAMED, 2, 2);
        put(run, second, NAMED, 3, 3);
        get(run, a, NAMED, 2, 2);
        get(run, b, NAMED, 3, 3);
        EQUAL(try_get(second, 0), -EAGAIN);
        (void)ipw_close(a);
        EQUAL(try_get(server, SOON), -EPIPE);
        put(run, b, NAMED, 4, 4); /* the other goes on */
        get(run, second, NAMED, 4, 4);
        (void)ipw_close(server);
        (void)ipw_close(listener); /* a conversation outlives its listener */
        put(run, second, NAMED, 5, 5);
        get(run, b, NAMED, 5, 5);
        (void)ipw_close(second);
        EQUAL(try_get(b, SOON), -EPIPE);
        (void)ipw_close(b);
}
