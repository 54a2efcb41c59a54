/* SPDX-License-Identifier: MIT */
/*
 * Prints what a sensor reports over UDP, and how much of it was lost, until Ctrl-C, which leaves nothing behind.   ./udp_receiver [ADDRESS]
 *
 * The naive version: recvfrom(2) cuts what is longer than the buffer and says nothing; what the kernel threw away because this program was slow is missing, and
 * nobody knows; a bound INADDR_ANY takes reports from the whole network. Here each message is whole, and lost says what the kernel dropped. What
 * went missing on the way only the numbers in the messages tell. Beyond this machine only with insecure=1 in the address.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>

int main(int argc, char **argv)
{
        char text[65536];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        struct ipw_link *in;
        struct ipw_why why;

        if (ipw_open(&in, argc > 1 ? argv[1] : "udp:127.0.0.1:8080", IPW_PULL, 0, &why) < 0)
                errx(1, "%s", why.text);
        ipw_link_address(in, text, sizeof(text));
        printf("ready at %s\n", text);
        while (fflush(stdout) == 0 && ipw_recv(in, &m, IPW_FOREVER) >= 0) {
                if (m.flags & IPW_HAS_LOST)
                        printf("(%llu lost: this program was too slow)\n", (unsigned long long)m.lost);
                printf("%.*s\n", (int)m.size, text);
        }
        ipw_link_why(in, &why);
        ipw_close(in);
        errx(1, "%s", ferror(stdout) ? "cannot write to standard output" : why.text);
}
