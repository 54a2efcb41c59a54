/* SPDX-License-Identifier: MIT */
/* A picture in words: all that the library says of it. */
#include <ctype.h>
#include <string.h>

#include "ipcway/probe.h"
#include "machine.h"

static void print(FILE *f, const char *text)
{
        for (; *text; text++)
                if (isprint((unsigned char)*text))
                        putc(*text, f);
                else
                        fprintf(f, "\\x%02x", (unsigned char)*text);
}

static void print_processes(const struct ipw_probe *p, FILE *f)
{
        const struct ipw_probe_process *one;

        for (size_t i = 0; (one = ipw_probe_process_at(p, i)); i++) {
                fprintf(f, "process %d of %d, user %u: ", (int)one->pid, (int)one->parent, one->uid);
                print(f, one->name);
                fprintf(f, "%s; pending %llx blocked %llx ignored %llx caught %llx\n", one->hidden ? ", hidden" : "",
                        (unsigned long long)one->pending, (unsigned long long)one->blocked, (unsigned long long)one->ignored,
                        (unsigned long long)one->caught);
        }
}

static void print_waits(const struct ipw_probe *p, FILE *f)
{
        static const char *const ends[] = { "?", "ends", "open", "behind", "circle", "hidden" }, *const sure[] = { "", ", possible",
                                                                                                                   ", likely",
                                                                                                                   ", certain" };
        const struct ipw_probe_wait *w;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "\n%d thread %d ", (int)w[i].pid, (int)w[i].thread);
                print(f, w[i].text);
                fprintf(f, "\n\t%s%s", ends[w[i].end], sure[w[i].sure]);
                if (w[i].circle)
                        fprintf(f, ", circle %u", w[i].circle);
                for (size_t k = 0; k < w[i].waker_count; k++)
                        fprintf(f, "%s%d", k ? " " : "; by ", (int)w[i].wakers[k]);
                putc('\n', f);
        }
}

static void print_objects(const struct ipw_probe *p, FILE *f)
{
        static const char *const states[] = { "?", "", " (vanished)", " (denied)", " (unsupported)" };
        const struct ipw_probe_object *o;
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                putc('\n', f);
                print(f, o[i].address);
                fprintf(f, " \"");
                print(f, o[i].name);
                fprintf(f, "\"%s%s, owner %d", o[i].named ? ", named" : "", states[o[i].state], (int)o[i].uid);
                if (o[i].peer) {
                        fprintf(f, ", to ");
                        print(f, o[i].peer->address);
                }
                putc('\n', f);
                for (size_t k = 0; k < o[i].user_count; k++) {
                        static const char letters[] = "rwmh!?l";

                        fprintf(f, "\tuser %d:%d ", (int)o[i].users[k].pid, o[i].users[k].fd);
                        for (int bit = 0; letters[bit]; bit++)
                                if (o[i].users[k].how >> bit & 1)
                                        putc(letters[bit], f);
                        putc('\n', f);
                }
                for (size_t k = 0; k < o[i].fact_count; k++) {
                        fprintf(f, "\t%s: ", o[i].facts[k].name);
                        print(f, o[i].facts[k].text);
                        fprintf(f, "%s\n", states[o[i].facts[k].state]);
                }
        }
}

void machine_print(const struct ipw_probe *p, FILE *f)
{
        const char *const *gaps;
        size_t n;

        print_processes(p, f);
        print_waits(p, f);
        print_objects(p, f);
        putc('\n', f);
        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "not seen: ");
                print(f, gaps[i]);
                putc('\n', f);
        }
}
