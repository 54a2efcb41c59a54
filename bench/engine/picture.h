/* SPDX-License-Identifier: MIT */
/*
 * Pictures of a run, as SVG that needs nothing from elsewhere, in a browser's light and dark alike, wide as there is room. A line is named at its end, and
 * tells more when it is pointed at.
 */
#pragma once

#include <stdio.h>

#include "result.h"

/* What is compared in one picture: cells that differ in who carried the message, and in nothing else but what the picture shows. */
struct bench_scene {
        enum bench_shape shape;
        enum bench_wait wait;
        enum bench_place place;
        size_t size; /* 0: by size */
};

/* The scenes of a run that have something to show, in an order to look at them: latencies first. Returns how many, at most `most`. */
size_t bench_scenes(const struct bench_run *, struct bench_scene *, size_t most);

/* "64 B there and back, both asleep in between, on two cores" */
void bench_scene_name(const struct bench_scene *, char *text, size_t size);

/* One element <svg>: percentiles of the latency, or messages a second by size. `alone`: with its own style, as a file of its own. */
void bench_picture(FILE *, const struct bench_run *, const struct bench_scene *, int alone);

/* The same of the processor time of a message, of each that measured it in a scene of one size. */
void bench_picture_cpu(FILE *, const struct bench_run *, const struct bench_scene *, int alone);

/* The rules for a page that holds pictures which are not `alone`. */
void bench_picture_style(FILE *);

/* Text of others, so that it is text in XML, too: bytes that are not UTF-8 or not allowed there become "?". */
void bench_xml(FILE *, const char *text);

/* "1.2 us", "64 KiB", "4.3 M", "unix+seqpacket, tuned": as all that people read has them. */
const char *bench_text_ns(char *text, size_t size, double ns);
const char *bench_text_bytes(char *text, size_t size, size_t bytes);
const char *bench_text_count(char *text, size_t size, double count);
const char *bench_text_who(char *text, size_t size, const struct bench_cell *);
