/* SPDX-License-Identifier: MIT */
/*
 * A camera: frames of 1 MiB for everybody who watches, none of them copied:   ./frame_source [FRAMES [ADDRESS]]
 *
 * Each frame is drawn where all viewers read it. The naive version copies it into a pipe for each viewer and out again, and the machine does little else; or
 * all look at one buffer, and a frame is drawn over while somebody reads it; a viewer that was killed stops the camera for ever. Here the camera waits for
 * the slowest viewer, but only while he lives; without viewers it does not wait.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "shm:/example_frames?size=8M&producers=1&keep=0&until=last"

struct frame {
        unsigned number;
        unsigned char pixels[1024 * 1024];
};

static void draw(struct frame *frame, unsigned number)
{
        frame->number = number;
        memset(frame->pixels, (int)(number % 251), sizeof(frame->pixels));
}

int main(int argc, char **argv)
{
        unsigned frames = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100;
        struct ipw_span place;
        struct ipw_link *out;
        struct ipw_why why;

        if (ipw_open(&out, argc > 2 ? argv[2] : ADDRESS, IPW_PUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (unsigned number = 0; number < frames; number++) {
                if (ipw_claim(out, sizeof(struct frame), &place, 1, IPW_MS(10000)) != 1) {
                        ipw_link_why(out, &why); /* names the viewer who does not get on */
                        errx(1, "%s", why.text);
                }
                draw(place.data, number);
                if (ipw_commit(out, &place, 1) != 1)
                        errx(1, "frame %u was not sent", number);
        }
        printf("sent %u frames\n", frames);
        return ipw_close(out) < 0;
}
