/* SPDX-License-Identifier: MIT */
/*
 * Watches the frames of frame_source where they lie, from when it comes:   ./frame_viewer NAME [ADDRESS]
 *
 * What is borrowed stays as it is until it is given back. The naive version reads while the next frame is drawn, and half of what it sees is new; or it takes a
 * lock, and a viewer that is killed with it stops all others.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>

#define ADDRESS "shm:/example_frames?size=8M&producers=1&keep=0&until=last"

struct frame {
        unsigned number;
        unsigned char pixels[1024 * 1024];
};

static int is_whole(const struct frame *frame)
{
        size_t same = 0;

        for (size_t i = 0; i < sizeof(frame->pixels); i++)
                same += frame->pixels[i] == frame->number % 251;
        return same == sizeof(frame->pixels);
}

int main(int argc, char **argv)
{
        unsigned count = 0, damaged = 0, missing = 0, next = 0;
        struct ipw_span span;
        struct ipw_link *in;
        struct ipw_why why;
        ssize_t n;

        if (argc < 2)
                errx(2, "usage: frame_viewer NAME [ADDRESS]");
        if (ipw_open(&in, argc > 2 ? argv[2] : ADDRESS, IPW_SUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        printf("ready\n");
        (void)fflush(stdout);
        while ((n = ipw_borrow(in, &span, 1, IPW_FOREVER)) == 1) {
                const struct frame *frame = span.data;

                if (span.size != sizeof(*frame))
                        errx(1, "%zu bytes are no frame", span.size);
                missing += count ? frame->number - next : 0;
                next = frame->number + 1;
                damaged += !is_whole(frame);
                count++;
                if (ipw_give_back(in, &span, 1) < 0)
                        errx(1, "the frame was drawn over");
        }
        ipw_link_why(in, &why);
        ipw_close(in);
        printf("%s: %u frames, %u missing, %u damaged\n", argv[1], count, missing, damaged);
        return n == -EPIPE ? 0 : (warnx("%s", why.text), 1);
}
